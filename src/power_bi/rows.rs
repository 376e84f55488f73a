//! Rows of push datasets, in batches that the service takes.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use super::call::body;
use super::{Place, PowerBi, PowerBiError, Subject};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, RequestKind};

/// The service takes no more in one request ("Push semantic model limitations", Power BI docs).
pub const MAX_ROWS_PER_BATCH: usize = 10_000;
/// A little below the 16 MB that the service takes in one request, in bytes of JSON.
pub const MAX_BYTES_PER_BATCH: usize = 15 * 1024 * 1024;

#[derive(Serialize)]
struct RowsBody<'a> {
    rows: &'a [Map<String, Value>],
}

/// Splits rows into batches of at most 10,000 rows and 15 MiB of JSON each. A row above that is a batch of its own,
/// which the service may still take.
pub fn batches(rows: &[Map<String, Value>]) -> Vec<&[Map<String, Value>]> {
    let around = br#"{"rows":[]}"#.len();
    let mut all = Vec::new();
    let (mut start, mut bytes) = (0, around);
    for (at, row) in rows.iter().enumerate() {
        let more = json_length(row) + 1; // and a comma
        let full = at - start == MAX_ROWS_PER_BATCH || bytes + more > MAX_BYTES_PER_BATCH;
        if full && at > start {
            all.push(&rows[start..at]);
            (start, bytes) = (at, around);
        }
        bytes += more;
    }
    if start < rows.len() {
        all.push(&rows[start..]);
    }
    all
}

/// How long the JSON of a row is, without writing it anywhere.
fn json_length(row: &Map<String, Value>) -> usize {
    struct Counter(usize);
    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // A counter cannot fail, and a map of JSON values is always JSON.
    if serde_json::to_writer(&mut counter, row).is_err() {
        return MAX_BYTES_PER_BATCH;
    }
    counter.0
}

impl PowerBi {
    /// One batch. Power BI answers when the rows are in; a lost answer leaves open whether they are.
    pub async fn push_rows(
        &self,
        workspace: &str,
        dataset: &str,
        table: &str,
        rows: &[Map<String, Value>],
        deadline: Deadline,
    ) -> Result<(), PowerBiError> {
        let (url, subject) = self.rows_of(workspace, dataset, table)?;
        let request = Outbound::post(url).json(body(&RowsBody { rows })?);
        self.call(RequestKind::RowsPush, request, &subject, deadline).await?;
        Ok(())
    }

    /// Deletes all rows of a table; some of them cannot be deleted alone.
    pub async fn delete_rows(
        &self,
        workspace: &str,
        dataset: &str,
        table: &str,
        deadline: Deadline,
    ) -> Result<(), PowerBiError> {
        let (url, subject) = self.rows_of(workspace, dataset, table)?;
        self.call(RequestKind::RowsDelete, Outbound::delete(url), &subject, deadline).await?;
        Ok(())
    }

    fn rows_of(&self, workspace: &str, dataset: &str, table: &str) -> Result<(url::Url, Subject), PowerBiError> {
        let place = Place::of(workspace, dataset)?;
        // URLs drop such segments, however they are encoded: the rest would be another address.
        if matches!(table, "" | "." | "..") {
            let detail = format!("`{table}` is no name of a table of {place}.");
            return Err(Failure::new(Code::DatasetNotFound, detail).into());
        }
        let url = self.address_in(&place, &["tables", table, "rows"])?;
        Ok((url, Subject::Rows { place, table: table.to_owned() }))
    }
}
