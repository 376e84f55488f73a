//! What must survive: append-only logs, one object an entry, written create-if-absent. The only user of object_store.
//!
//! Nothing shared is overwritten, or deleted to release it. A put is known only by reading: see [`Ledger::put`].
//! What an entry means is no business of this room, slots aside; that budgets are shared is.

mod budget;
mod error;
mod open;
mod paths;
mod put;
mod refusal;
#[cfg(test)]
pub(crate) mod simulated;
mod slots;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};

use crate::clock::Clock;
use crate::http::Deadline;
use open::Tokens;

pub use budget::{Budget, Decided};
pub use error::LedgerError;
pub use paths::{entry_path, segment};
pub use put::{Put, draw_writer};
pub use slots::{Held, LONGEST_HOLD, Note, Slot};

/// A name found by listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The whole path, as given to [`Ledger::get`].
    pub path: String,
    pub last_modified: jiff::Timestamp,
}

/// Azure Blob, a folder, or memory; cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    store: Arc<dyn ObjectStore>,
    tokens: Option<Arc<Tokens>>,
    clock: Clock,
}

impl Ledger {
    fn over(store: Arc<dyn ObjectStore>, tokens: Option<Arc<Tokens>>) -> Self {
        Self { store, tokens, clock: Clock::system() }
    }

    /// The same, by this clock: holds of slots end by it.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// By which its holds end.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The entry at `path`, or `None` when nothing stands there.
    pub async fn get(&self, path: &str, deadline: Deadline) -> Result<Option<Bytes>, LedgerError> {
        let location = location("read", path)?;
        let read = || async { self.store.get(&location).await?.bytes().await };
        match self.twice_if_refused("read", path, deadline, read).await? {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(LedgerError::new("read", path, error)),
        }
    }

    /// All names under `prefix` (a folder, without a trailing slash), in no order, all pages.
    pub async fn list(&self, prefix: &str, deadline: Deadline) -> Result<Vec<Listed>, LedgerError> {
        let location = location("list", prefix)?;
        let list = || self.store.list(Some(&location)).try_collect::<Vec<_>>();
        let found = self
            .twice_if_refused("list", prefix, deadline, list)
            .await?
            .map_err(|error| LedgerError::new("list", prefix, error))?;
        Ok(found.iter().map(listed).collect())
    }

    /// Names under `prefix` that were written before this moment, and no more than `most` of them.
    pub async fn older(
        &self,
        prefix: &str,
        than: jiff::Timestamp,
        most: usize,
        deadline: Deadline,
    ) -> Result<Vec<Listed>, LedgerError> {
        let location = location("list", prefix)?;
        let old = |meta: object_store::ObjectMeta| {
            let found = listed(&meta);
            async move { Ok((found.last_modified < than).then_some(found)) }
        };
        let list = || self.store.list(Some(&location)).try_filter_map(old).take(most).try_collect::<Vec<_>>();
        self.twice_if_refused("list", prefix, deadline, list)
            .await?
            .map_err(|error| LedgerError::new("list", prefix, error))
    }

    /// The folders right below `prefix`, by their last name, in no order.
    pub async fn folders(&self, prefix: &str, deadline: Deadline) -> Result<Vec<String>, LedgerError> {
        let location = location("list", prefix)?;
        let list = || self.store.list_with_delimiter(Some(&location));
        let found = self
            .twice_if_refused("list", prefix, deadline, list)
            .await?
            .map_err(|error| LedgerError::new("list", prefix, error))?;
        Ok(found.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect())
    }

    /// Deleting what is gone is success.
    pub async fn delete(&self, path: &str, deadline: Deadline) -> Result<(), LedgerError> {
        let location = location("delete", path)?;
        match self.twice_if_refused("delete", path, deadline, || self.store.delete(&location)).await? {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(LedgerError::new("delete", path, error)),
        }
    }

    /// The highest-numbered entry under `log` (names are 8 digits), by LIST, and its bytes.
    pub async fn newest(&self, log: &str, deadline: Deadline) -> Result<Option<(u64, Bytes)>, LedgerError> {
        // The entry may be deleted between LIST and GET, when a log is forgotten; then LIST tells what is left.
        for _ in 0..3 {
            let Some(seq) = self.newest_number(log, deadline).await? else { return Ok(None) };
            if let Some(bytes) = self.get(&entry_path(log, seq), deadline).await? {
                return Ok(Some((seq, bytes)));
            }
        }
        Err(LedgerError::new("read the newest entry of", log, "each one listed was gone when it was read"))
    }

    /// The highest number under `log`, by LIST. The last name listed proves nothing: folders list in any order.
    async fn newest_number(&self, log: &str, deadline: Deadline) -> Result<Option<u64>, LedgerError> {
        let names = self.list(log, deadline).await?;
        let number = |listed: &Listed| paths::entry_number(listed.path.strip_prefix(log)?.strip_prefix('/')?);
        Ok(names.iter().filter_map(number).max())
    }

    /// Whether the ledger can be reached and its container exists.
    pub async fn ready(&self, deadline: Deadline) -> Result<(), LedgerError> {
        let nowhere = location("list", "ready")?;
        let first = || async { self.store.list(Some(&nowhere)).next().await.transpose() };
        match self.twice_if_refused("reach", "its container", deadline, first).await? {
            Ok(_) => Ok(()),
            Err(error) if refusal::is_missing(&error) => Err(LedgerError::new("find", "its container", error)),
            Err(error) => Err(LedgerError::new("reach", "its container", error)),
        }
    }

    /// Runs `call` before the deadline, and once more with a new token when the store refused ours.
    async fn twice_if_refused<T, F>(
        &self,
        action: &'static str,
        path: &str,
        deadline: Deadline,
        call: impl Fn() -> F,
    ) -> Result<object_store::Result<T>, LedgerError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let late = |_| LedgerError::new(action, path, "no answer before the deadline");
        let first = tokio::time::timeout_at(deadline.instant(), call()).await.map_err(late)?;
        let refused = first.as_ref().is_err_and(refusal::is_about_the_token);
        if refused && self.tokens.as_ref().is_some_and(|tokens| tokens.reject_last()) {
            return tokio::time::timeout_at(deadline.instant(), call()).await.map_err(late);
        }
        Ok(first)
    }
}

/// The path as the store wants it; what could climb or surprise is refused before any call.
fn location(action: &'static str, path: &str) -> Result<Path, LedgerError> {
    if let Some(fault) = paths::fault(path) {
        return Err(LedgerError::new(action, path, fault));
    }
    Path::parse(path).map_err(|error| LedgerError::new(action, path, error))
}

fn listed(meta: &object_store::ObjectMeta) -> Listed {
    let modified = meta.last_modified;
    let nanoseconds = i32::try_from(modified.timestamp_subsec_nanos()).unwrap_or(0);
    Listed {
        path: meta.location.to_string(),
        last_modified: jiff::Timestamp::new(modified.timestamp(), nanoseconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH),
    }
}
