//! Claims whose life is over. Entry 0 is what a new claim is tried at, so it goes last, and only when nothing else stands.

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{AT_ONCE, TIME_LEFT};
use crate::failure::Failure;
use crate::http::Deadline;
use crate::ledger::{Listed, draw_writer};
use crate::runs::Engine;

/// Beyond its life: clocks differ, and a call that came with it may still be at it.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);

impl Engine {
    /// Deletes claims that are over; how many.
    pub(super) async fn forget_claims(&self, now: Timestamp, deadline: Deadline) -> Result<usize, Failure> {
        let before = now - self.settings.claim_life - MARGIN;
        let old = self.ledger.older("claims", before, 4 * AT_ONCE, deadline).await?;
        let logs: BTreeSet<String> =
            old.iter().filter_map(|listed| listed.path.rsplit_once('/').map(|(log, _)| log.to_owned())).collect();
        let mut forgotten = 0;
        for log in logs.into_iter().take(AT_ONCE) {
            if deadline.remaining() < TIME_LEFT {
                break;
            }
            forgotten += usize::from(self.forget_claim(&log, before, deadline).await?);
        }
        Ok(forgotten)
    }

    async fn forget_claim(&self, log: &str, before: Timestamp, deadline: Deadline) -> Result<bool, Failure> {
        let mut entries = self.sorted(log, deadline).await?;
        // The key is in use again: what is old of it is told apart by its number.
        if entries.iter().any(|entry| entry.last_modified >= before) {
            return Ok(false);
        }
        let Some(first) = entries.pop() else { return Ok(false) };
        for entry in entries {
            self.ledger.delete(&entry.path, deadline).await?;
        }
        if self.sorted(log, deadline).await?.len() > 1 {
            return Ok(false);
        }
        self.ledger.delete(&first.path, deadline).await?;
        // Somebody may have claimed behind it in this moment: then entry 0 must not be free.
        if !self.sorted(log, deadline).await?.is_empty() {
            let stands = json!({"writer": draw_writer(), "event": "released", "at": before, "digest": "",
                "startedAt": before, "inputs": null});
            self.ledger.put(&first.path, Bytes::from(stands.to_string()), deadline).await?;
        }
        Ok(true)
    }

    /// The entries of a log, highest first.
    async fn sorted(&self, log: &str, deadline: Deadline) -> Result<Vec<Listed>, Failure> {
        let mut entries = self.ledger.list(log, deadline).await?;
        entries.sort_by(|one, other| other.path.cmp(&one.path));
        Ok(entries)
    }
}
