//! What a test may want of statements: to last longer than they would, or to answer without the engine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::watch;

use super::rows::{Format, Rows};
use super::statement::Failure;
use super::workspace::lock;

#[derive(Clone, Debug)]
struct Hold {
    contains: String,
    /// None until released.
    lasts: Option<Duration>,
    /// True once released.
    released: watch::Sender<bool>,
}

#[derive(Clone, Debug)]
struct Refusal {
    contains: String,
    failure: Failure,
    times: usize,
}

/// Statements that are kept RUNNING before they act, or that fail instead.
#[derive(Debug, Default)]
pub(super) struct Holds {
    holds: Mutex<Vec<Hold>>,
    refusals: Mutex<Vec<Refusal>>,
}

impl Holds {
    pub(super) fn add(&self, contains: &str, lasts: Option<Duration>) {
        lock(&self.holds).push(Hold { contains: contains.into(), lasts, released: watch::Sender::new(false) });
    }

    /// Lets every held statement go, and holds no more.
    pub(super) fn release(&self) {
        for hold in lock(&self.holds).drain(..) {
            hold.released.send_replace(true);
        }
    }

    pub(super) fn fail(&self, contains: &str, message: &str, sql_state: Option<&str>, times: usize) {
        let failure =
            Failure { error_code: "BAD_REQUEST", message: message.into(), sql_state: sql_state.map(Into::into) };
        lock(&self.refusals).push(Refusal { contains: contains.into(), failure, times });
    }

    /// The failure that was asked for this statement, counting it.
    pub(super) fn refused(&self, statement: &str) -> Option<Failure> {
        let mut refusals = lock(&self.refusals);
        let refusal = refusals.iter_mut().find(|one| one.times > 0 && statement.contains(&one.contains))?;
        refusal.times -= 1;
        Some(refusal.failure.clone())
    }

    pub(super) async fn wait(&self, statement: &str) {
        let hold = lock(&self.holds).iter().find(|hold| statement.contains(&hold.contains)).cloned();
        let Some(hold) = hold else { return };
        let mut released = hold.released.subscribe();
        let released = released.wait_for(|released| *released);
        match hold.lasts {
            Some(lasts) => drop(tokio::time::timeout(lasts, released).await),
            None => drop(released.await),
        }
    }
}

/// A reply that needs no engine: the same rows each time.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CannedReply {
    /// The whole text of the statement.
    pub statement: String,
    /// (name, type_name, type_text)
    pub columns: Vec<(String, String, String)>,
    pub rows: Vec<Vec<Option<String>>>,
}

/// Canned replies, encoded once.
#[derive(Debug, Default)]
pub(super) struct Canned(Mutex<HashMap<String, CannedRows>>);

#[derive(Clone, Debug)]
pub(super) struct CannedRows {
    columns: Vec<Value>,
    chunks: Vec<(u64, Box<RawValue>)>,
    /// As INLINE gives them.
    inline: Arc<Rows>,
}

impl CannedRows {
    /// As the storage account keeps them; there is no Arrow of canned rows.
    pub(super) fn given(&self, inline: bool, format: Format, compressed: bool) -> Result<Arc<Rows>, Failure> {
        if inline {
            return Ok(self.inline.clone());
        }
        if format == Format::ArrowStream {
            return Err(Failure::unsupported("A canned reply has no ARROW_STREAM; a generated one has."));
        }
        let rows = Rows::of_cells(Some(self.columns.clone()), self.chunks.clone(), false);
        rows.stored_as(format, compressed).map(Arc::new).map_err(|cause| Failure::unsupported(&cause.to_string()))
    }
}

impl Canned {
    pub(super) fn add(&self, reply: &CannedReply, chunk_rows: usize) -> serde_json::Result<()> {
        let columns = reply.columns.iter().enumerate().map(|(position, (name, type_name, type_text))| {
            serde_json::json!({"name": name, "type_text": type_text, "type_name": type_name, "position": position})
        });
        let chunks = reply.rows.chunks(chunk_rows.max(1)).map(|rows| Ok((rows.len() as u64, to_raw_value(rows)?)));
        let chunks: Vec<(u64, Box<RawValue>)> = chunks.collect::<serde_json::Result<_>>()?;
        let columns: Vec<Value> = columns.collect();
        let inline = Arc::new(Rows::of_cells(Some(columns.clone()), chunks.clone(), false));
        lock(&self.0).insert(reply.statement.clone(), CannedRows { columns, chunks, inline });
        Ok(())
    }

    pub(super) fn find(&self, statement: &str) -> Option<CannedRows> {
        lock(&self.0).get(statement).cloned()
    }
}
