//! What several instances take from one store, such as the requests that a neighbour grants in a minute: a log whose newest
//! entry holds all that was taken. Who loses an entry takes what stands there, and decides again.
//!
//! What is taken and how much there is, is no business of this room.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Ledger, LedgerError, Put, draw_writer, entry_path, segment};
use crate::http::Deadline;

/// Older entries are swept behind the newest, so that LIST stays one page.
const KEPT: u64 = 256;
/// What was read this long ago is read anew: by then more entries than are kept may stand behind it.
const FRESH: Duration = Duration::from_secs(5);
/// Entries that may be lost to others in one decision.
const MOST_LOST: usize = 40;
/// After so many the newest is looked for, instead of the next.
const WALKED: usize = 2;

/// One budget, as this instance knows it.
#[derive(Debug)]
pub struct Budget<S> {
    log: String,
    known: Option<Known<S>>,
}

#[derive(Debug)]
struct Known<S> {
    /// The number of the next entry.
    next: u64,
    state: S,
    seen: Instant,
}

#[derive(Serialize, Deserialize)]
struct Entry<S> {
    writer: String,
    #[serde(flatten)]
    state: S,
}

/// What becomes of the state that a decision was given.
#[derive(Debug)]
pub enum Decided<R> {
    /// It was changed, and others must know before anything is done about it.
    Taken(R),
    /// It stays.
    Left(R),
}

impl<S: Clone + Default + Serialize + DeserializeOwned> Budget<S> {
    /// `budgets/{name}/{seq}`.
    pub fn of(name: &str) -> Self {
        Self { log: format!("budgets/{}", segment(name)), known: None }
    }

    /// Decides on the newest state. With none of it on record the state is the default.
    ///
    /// `decide` may be asked several times, and only the last time counts. After [`Decided::Left`] the state may be some
    /// seconds old, which for a budget means that others may have taken more.
    pub async fn decide<R>(
        &mut self,
        ledger: &Ledger,
        deadline: Deadline,
        mut decide: impl FnMut(&mut S) -> Decided<R>,
    ) -> Result<R, LedgerError> {
        for lost in 0..MOST_LOST {
            if lost > WALKED {
                // Far behind, or among many: whoever pauses a little longer comes through.
                self.known = None;
                tokio::time::sleep(Duration::from_millis(
                    u64::from(uuid::Uuid::new_v4().as_bytes()[0]) % 20 * lost as u64,
                ))
                .await;
            }
            let (next, mut state) = match &self.known {
                Some(known) if known.seen.elapsed() < FRESH => (known.next, known.state.clone()),
                _ => self.read(ledger, deadline).await?,
            };
            let taken = match decide(&mut state) {
                Decided::Taken(taken) => taken,
                Decided::Left(left) => return Ok(left),
            };
            let entry = Entry { writer: draw_writer(), state };
            let bytes = serde_json::to_vec(&entry).map_err(|error| LedgerError::new("write", &self.log, error))?;
            match ledger.put(&entry_path(&self.log, next), Bytes::from(bytes), deadline).await {
                Ok(Put::Written) => {
                    self.know(next, entry.state);
                    self.sweep(ledger, next, deadline).await;
                    return Ok(taken);
                }
                Ok(Put::Lost(standing)) => {
                    let state = self.understand(&standing)?;
                    self.know(next, state);
                }
                Err(error) => {
                    // It may stand or not: the next decision begins by reading.
                    self.known = None;
                    return Err(error);
                }
            }
        }
        Err(LedgerError::new("write", &self.log, "others wrote each entry first"))
    }

    async fn read(&mut self, ledger: &Ledger, deadline: Deadline) -> Result<(u64, S), LedgerError> {
        let (next, state) = match ledger.newest(&self.log, deadline).await? {
            None => (0, S::default()),
            Some((seq, bytes)) => (seq + 1, self.understand(&bytes)?),
        };
        self.known = Some(Known { next, state: state.clone(), seen: Instant::now() });
        Ok((next, state))
    }

    fn know(&mut self, seq: u64, state: S) {
        self.known = Some(Known { next: seq + 1, state, seen: Instant::now() });
    }

    fn understand(&self, bytes: &[u8]) -> Result<S, LedgerError> {
        let entry: Result<Entry<S>, _> = serde_json::from_slice(bytes);
        entry.map(|entry| entry.state).map_err(|error| LedgerError::new("understand an entry of", &self.log, error))
    }

    async fn sweep(&self, ledger: &Ledger, seq: u64, deadline: Deadline) {
        if let Some(old) = seq.checked_sub(KEPT)
            && let Err(error) = ledger.delete(&entry_path(&self.log, old), deadline).await
        {
            // Left behind, it costs a few bytes and nothing else.
            tracing::debug!(log = self.log, old, error = %error, "an old entry could not be swept");
        }
    }
}
