//! Nudging: every fifth minute, runs that are open and have been silent too long are woken. Nothing is forgotten.

use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Engine;
use super::record::{Record, Transition};
use crate::failure::Failure;
use crate::http::Deadline;
use crate::ledger::{Listed, draw_writer};

/// Silence beyond the latest known moment that is still normal.
const ALLOWANCE: Duration = Duration::from_mins(3);
const LONGEST_ALLOWANCE: Duration = Duration::from_hours(1);
/// At most this many in one tick, oldest first.
const AT_ONCE: usize = 500;
/// With less time than this no other is begun.
const RESERVE: Duration = Duration::from_secs(20);
/// Nudges without progress after which a run is stalled.
pub(super) const STALLED: u32 = 10;

impl Engine {
    /// Wakes what is stale at `now`; how many.
    pub(super) async fn nudge(&self, now: Timestamp, deadline: Deadline) -> Result<usize, Failure> {
        let mut open = self.ledger.list("open", deadline).await?;
        open.sort_by_key(|listed| listed.last_modified);
        let mut woken = 0;
        // Of a short invocation half: else none would ever be woken.
        let reserve = RESERVE.min(deadline.remaining() / 2);
        for listed in open {
            if woken == AT_ONCE || deadline.remaining() < reserve {
                break;
            }
            // One run that cannot be read or told must not keep the others asleep.
            match self.nudge_one(&listed, now, deadline).await {
                Ok(moved) => woken += usize::from(moved),
                Err(failure) => tracing::error!(open = listed.path, error = failure.chain(), "a run cannot be nudged"),
            }
        }
        Ok(woken)
    }

    /// Runs that nudging does not help. Only marked ones are looked at, so that readiness stays cheap with many runs.
    pub(super) async fn stalled(&self, deadline: Deadline) -> Result<Vec<String>, Failure> {
        let mut stalled = Vec::new();
        for listed in self.ledger.list("stalled", deadline).await? {
            let Some(run) = listed.path.split('/').nth(1) else { continue };
            match self.newest(run, deadline).await {
                Ok(Some(newest)) if newest.nudges >= STALLED => stalled.push(run.to_owned()),
                Ok(_) => self.ledger.delete(&listed.path, deadline).await?,
                Err(failure) if super::is_outage(&failure) => return Err(failure),
                Err(_) => stalled.push(run.to_owned()),
            }
        }
        Ok(stalled)
    }

    async fn mark_stalled(&self, run: &str, deadline: Deadline) -> Result<(), Failure> {
        let marker = json!({"writer": draw_writer(), "run": run});
        self.ledger.put(&format!("stalled/{run}"), Bytes::from(marker.to_string()), deadline).await?;
        tracing::error!(run, "a run is stalled: nudging does not help it");
        Ok(())
    }

    /// Whether there was something to do for this run.
    async fn nudge_one(&self, open: &Listed, now: Timestamp, deadline: Deadline) -> Result<bool, Failure> {
        let mut parts = open.path.split('/').skip(1);
        let (Some(run), Some(opened)) = (parts.next(), parts.next().and_then(|part| part.parse::<u64>().ok())) else {
            return Ok(false);
        };
        let newest = match self.newest(run, deadline).await {
            Err(failure) if !super::is_outage(&failure) => {
                self.mark_stalled(run, deadline).await?;
                return Err(failure);
            }
            other => other?,
        };
        // A run is closed before it is opened again: whoever has put this marker there once more had asked for it before.
        let closed = newest.as_ref().is_some_and(|newest| newest.opened > opened);
        let Some(newest) = newest.filter(|newest| newest.opened == opened) else {
            // The marker is written first: a creation or retry that got no further is its caller's to repeat.
            if closed || open.last_modified.duration_until(now) > SignedDuration::from_hours(24) {
                self.ledger.delete(&open.path, deadline).await?;
            }
            return Ok(false);
        };
        // Of one that has just ended somebody is telling the end, and would tell it beside us; or it sleeps until then.
        if !is_stale(&newest, now) {
            return Ok(false);
        }
        if newest.state.at_rest() {
            self.close(newest, deadline).await?;
            return Ok(true);
        }
        let nudged = newest.next(Transition::Nudged, self.clock.now());
        if self.append(&nudged, deadline).await? {
            tracing::warn!(run, nudges = nudged.nudges, since = %newest.at, "a silent run is woken");
            if nudged.nudges >= STALLED {
                self.mark_stalled(run, deadline).await?;
            }
            self.wake(run, nudged.seq, None, deadline).await?;
        }
        Ok(true)
    }
}

/// Silent for longer than its allowance, which doubles with each nudge.
fn is_stale(newest: &Record, now: Timestamp) -> bool {
    let moments = [Some(newest.at), newest.wake_at, newest.lease_until, newest.send_before];
    let latest = moments.into_iter().flatten().max().unwrap_or(newest.at);
    let allowance = ALLOWANCE.saturating_mul(1 << newest.nudges.min(10)).min(LONGEST_ALLOWANCE);
    now > latest + allowance
}
