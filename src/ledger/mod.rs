//! What must survive: append-only logs, one object an entry, written create-if-absent. The only user of object_store.
//!
//! Nothing shared is overwritten, or deleted to release it. A put is known only by reading: see [`Ledger::put`].

mod error;

pub use error::LedgerError;

use bytes::Bytes;

use crate::http::Deadline;

/// What became of a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// Our entry stands, perhaps since an earlier try.
    Written,
    /// Another writer's entry stands there: its bytes.
    Lost(Bytes),
}

/// A name found by listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The whole path, as given to [`Ledger::get`].
    pub path: String,
    pub last_modified: jiff::Timestamp,
}

/// Azure Blob, a folder, or memory; cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {}

impl Ledger {
    /// A ledger that forgets everything with the process: for the engine's tests.
    pub fn in_memory() -> Self {
        unimplemented!()
    }

    /// Writes `entry` at `path` if nothing stands there. `entry` is a JSON object with a member `writer`, a string
    /// drawn once per worker and entry and kept over every try; it tells our entry from another's.
    pub async fn put(&self, _path: &str, _entry: Bytes, _deadline: Deadline) -> Result<Put, LedgerError> {
        unimplemented!()
    }

    pub async fn get(&self, _path: &str, _deadline: Deadline) -> Result<Option<Bytes>, LedgerError> {
        unimplemented!()
    }

    /// All names under `prefix` (a folder, without a trailing slash), in no order, all pages.
    pub async fn list(&self, _prefix: &str, _deadline: Deadline) -> Result<Vec<Listed>, LedgerError> {
        unimplemented!()
    }

    /// Deleting what is gone is success.
    pub async fn delete(&self, _path: &str, _deadline: Deadline) -> Result<(), LedgerError> {
        unimplemented!()
    }

    /// The highest-numbered entry under `log` (names are 8 digits), by LIST, and its bytes.
    pub async fn newest(&self, _log: &str, _deadline: Deadline) -> Result<Option<(u64, Bytes)>, LedgerError> {
        unimplemented!()
    }

    /// Whether the ledger can be reached and its container exists.
    pub async fn ready(&self, _deadline: Deadline) -> Result<(), LedgerError> {
        unimplemented!()
    }
}

/// `{log}/{seq:08}`.
pub fn entry_path(log: &str, seq: u64) -> String {
    format!("{log}/{seq:08}")
}
