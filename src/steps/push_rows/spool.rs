//! Batches in the ledger, `spool/{spool}/{n}`, until they are pushed.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::batch::Batch;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::{Ledger, Put, draw_writer, entry_path};

#[derive(Deserialize)]
struct Spooled<'a> {
    count: u64,
    #[serde(borrow)]
    rows: &'a RawValue,
}

/// Keeps one batch. One that stands there already is another worker's who read the same rows.
pub async fn spool(
    ledger: &Ledger,
    spool: &str,
    number: usize,
    batch: &Batch,
    deadline: Deadline,
) -> Result<(), Failure> {
    let entry = format!(r#"{{"writer":"{}","count":{},"rows":{}}}"#, draw_writer(), batch.rows, batch.text);
    match ledger.put(&path(spool, number), Bytes::from(entry), deadline).await? {
        Put::Written => Ok(()),
        Put::Lost(standing) => match serde_json::from_slice::<Spooled<'_>>(&standing) {
            Ok(standing) if standing.count == batch.rows => Ok(()),
            _ => Err(Failure::new(Code::Internal, "Another batch of rows stands where ours belongs.")),
        },
    }
}

/// A batch as it was kept: its rows, a JSON array.
pub(super) async fn unspool(
    ledger: &Ledger,
    spool: &str,
    number: usize,
    deadline: Deadline,
) -> Result<Option<String>, Failure> {
    let Some(entry) = ledger.get(&path(spool, number), deadline).await? else { return Ok(None) };
    let spooled: Result<Spooled<'_>, _> = serde_json::from_slice(&entry);
    let broken = |error| Failure::new(Code::Internal, "A batch of rows cannot be read.").caused_by(error);
    spooled.map(|spooled| Some(spooled.rows.get().to_owned())).map_err(broken)
}

/// Forgets batches that nobody will push any more. What cannot be deleted now costs space and nothing else.
pub async fn forget(ledger: &Ledger, spool: &str, batches: std::ops::Range<usize>, deadline: Deadline) {
    for number in batches {
        let path = path(spool, number);
        if let Err(error) = ledger.delete(&path, deadline).await {
            tracing::warn!(path, %error, "rows stay behind in the ledger");
        }
    }
}

fn path(spool: &str, number: usize) -> String {
    entry_path(&format!("spool/{spool}"), number as u64)
}
