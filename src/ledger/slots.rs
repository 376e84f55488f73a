//! Who may act: slots that are held for a while. Each is a log, and its newest entry tells.
//!
//! A slot saves work; it is no proof. Whoever needs exactly one effect also needs a key the neighbour knows.

use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::{Ledger, LedgerError, Put, draw_writer, entry_path, segment};
use crate::http::Deadline;

/// No hold is longer; who needs more renews.
pub const LONGEST_HOLD: Duration = Duration::from_mins(5);
/// How far the clocks of two instances may lie apart: a hold ends for others this much later than for its holder.
const CLOCKS_APART: Duration = Duration::from_secs(5);
/// Older entries are swept behind the newest, so that LIST stays one page. A writer so late that its number was swept
/// away finds by [`Held::still_held`] that it has nothing.
const KEPT: u64 = 64;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Entry {
    Held {
        writer: String,
        by: String,
        until: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Value>,
    },
    Released {
        writer: String,
        by: String,
    },
}

/// What a holder wrote down ([`Held::note`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub by: String,
    pub text: Value,
}

/// The slots `slots/{name}/{seq}`.
#[derive(Clone, Copy, Debug)]
pub struct Slot;

impl Slot {
    /// Takes the slot for `hold` (at most [`LONGEST_HOLD`]), or `None` while somebody else has it.
    ///
    /// `by` names the holder. Who already holds it takes it anew, and what it held before counts no more.
    pub async fn take(
        ledger: &Ledger,
        name: &str,
        by: &str,
        hold: Duration,
        deadline: Deadline,
    ) -> Result<Option<Held>, LedgerError> {
        Self::take_at(ledger, name, by, hold, ledger.clock.now(), deadline).await
    }

    /// Lets go of what `by` holds, for who has kept nothing of it. That somebody else has it is no failure.
    pub async fn release(ledger: &Ledger, name: &str, by: &str, deadline: Deadline) -> Result<(), LedgerError> {
        let log = format!("slots/{}", segment(name));
        let Some((seq, bytes)) = ledger.newest(&log, deadline).await? else { return Ok(()) };
        if matches!(read::<Entry>(&log, &bytes)?, Entry::Held { by: holder, .. } if holder == by) {
            let entry = Entry::Released { writer: draw_writer(), by: by.to_owned() };
            append(ledger, &log, seq + 1, &entry, deadline).await?;
        }
        Ok(())
    }

    /// The notes of its holders, newest first, up to the first that is `enough`; and whether there were no older ones that
    /// have been swept.
    pub async fn notes(
        ledger: &Ledger,
        name: &str,
        enough: impl Fn(&Note) -> bool + Send,
        deadline: Deadline,
    ) -> Result<(Vec<Note>, bool), LedgerError> {
        let log = format!("slots/{}", segment(name));
        let (mut notes, mut next) = (Vec::new(), ledger.newest_number(&log, deadline).await?);
        while let Some(seq) = next {
            let Some(bytes) = ledger.get(&entry_path(&log, seq), deadline).await? else { return Ok((notes, false)) };
            if let Entry::Held { by, note: Some(text), .. } = read(&log, &bytes)? {
                notes.push(Note { by, text });
                if notes.last().is_some_and(&enough) {
                    break;
                }
            }
            next = seq.checked_sub(1);
        }
        Ok((notes, true))
    }

    pub(super) async fn take_at(
        ledger: &Ledger,
        name: &str,
        by: &str,
        hold: Duration,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Option<Held>, LedgerError> {
        let log = format!("slots/{}", segment(name));
        let seq = match ledger.newest(&log, deadline).await? {
            None => 0,
            Some((seq, bytes)) => match read::<Entry>(&log, &bytes)? {
                Entry::Held { by: holder, until, .. } if holder != by && now < until + CLOCKS_APART => return Ok(None),
                Entry::Held { .. } | Entry::Released { .. } => seq + 1,
            },
        };
        let held = Held { ledger: ledger.clone(), log, by: by.to_owned(), seq, until: now, ends: Instant::now() };
        held.append(seq, hold, now, None, deadline).await
    }
}

/// A slot that is ours until it ends, is released, or is lost.
#[derive(Debug)]
pub struct Held {
    ledger: Ledger,
    log: String,
    by: String,
    seq: u64,
    until: Timestamp,
    /// The same moment on the monotonic clock: the hold has ended when either clock says so.
    ends: Instant,
}

impl Held {
    /// When the hold ends unless it is renewed.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// Whether it was taken for at least so much longer, by either clock.
    pub fn lasts(&self, needed: Duration) -> bool {
        self.ends.saturating_duration_since(Instant::now()) >= needed
            && self.ledger.clock.now().duration_until(self.until)
                >= SignedDuration::try_from(needed).unwrap_or_default()
    }

    /// Holds it for `hold` from now; `None` when it was lost meanwhile.
    pub async fn renew(self, hold: Duration, deadline: Deadline) -> Result<Option<Self>, LedgerError> {
        if self.has_ended(self.ledger.clock.now()) {
            return Ok(None);
        }
        self.append(self.seq + 1, hold, self.ledger.clock.now(), None, deadline).await
    }

    /// Writes `note` into the slot and holds it for `hold` from now: both or, when it was lost meanwhile, neither (`None`).
    /// So it stands as surely as [`still_held`](Self::still_held) would, and whoever comes later can read it.
    pub async fn note(self, note: Value, hold: Duration, deadline: Deadline) -> Result<Option<Self>, LedgerError> {
        if self.has_ended(self.ledger.clock.now()) {
            return Ok(None);
        }
        self.append(self.seq + 1, hold, self.ledger.clock.now(), Some(note), deadline).await
    }

    /// Whether it is still ours: to be asked before each use.
    pub async fn still_held(&self, deadline: Deadline) -> Result<bool, LedgerError> {
        if self.has_ended(self.ledger.clock.now()) {
            return Ok(false);
        }
        let newest = self.ledger.newest_number(&self.log, deadline).await?;
        // Asking took time, too.
        Ok(newest == Some(self.seq) && !self.has_ended(self.ledger.clock.now()))
    }

    /// Lets go at once. That somebody else has it already is no failure.
    pub async fn release(self, deadline: Deadline) -> Result<(), LedgerError> {
        let entry = Entry::Released { writer: draw_writer(), by: self.by.clone() };
        append(&self.ledger, &self.log, self.seq + 1, &entry, deadline).await?;
        Ok(())
    }

    fn has_ended(&self, now: Timestamp) -> bool {
        Instant::now() >= self.ends || now >= self.until
    }

    async fn append(
        &self,
        seq: u64,
        hold: Duration,
        now: Timestamp,
        note: Option<Value>,
        deadline: Deadline,
    ) -> Result<Option<Self>, LedgerError> {
        let hold = hold.min(LONGEST_HOLD);
        // Before the put, so that its duration shortens our hold and never lengthens it.
        let ends = Instant::now() + hold;
        let until = now + hold;
        let entry = Entry::Held { writer: draw_writer(), by: self.by.clone(), until, note };
        let written = append(&self.ledger, &self.log, seq, &entry, deadline).await?;
        Ok(written.then(|| Self {
            ledger: self.ledger.clone(),
            log: self.log.clone(),
            by: self.by.clone(),
            seq,
            until,
            ends,
        }))
    }
}

async fn append(
    ledger: &Ledger,
    log: &str,
    seq: u64,
    entry: &impl Serialize,
    deadline: Deadline,
) -> Result<bool, LedgerError> {
    let bytes = serde_json::to_vec(entry).map_err(|error| LedgerError::new("write", log, error))?;
    let put = ledger.put(&entry_path(log, seq), Bytes::from(bytes), deadline).await?;
    if put == Put::Written
        && let Some(old) = seq.checked_sub(KEPT)
        && let Err(error) = ledger.delete(&entry_path(log, old), deadline).await
    {
        // Left behind, it costs a few bytes and nothing else.
        tracing::debug!(log, old, error = %error, "an old entry could not be swept");
    }
    Ok(put == Put::Written)
}

fn read<T: for<'a> Deserialize<'a>>(log: &str, bytes: &[u8]) -> Result<T, LedgerError> {
    serde_json::from_slice(bytes).map_err(|error| LedgerError::new("understand the newest entry of", log, error))
}
