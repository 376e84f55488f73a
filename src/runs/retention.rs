//! Forgetting: what is old is deleted, a little at a time and in an order in which any part may be the last.
//!
//! A run is found by its entry in the history. It is first marked `forgotten`, so that nobody opens it again; then what it
//! gave and what was said of it goes, then its records, lowest first, and its entry last. That it was is kept 30 days more:
//! a copy of the mark stands in the place of record 0, which keeps its id from being used anew.

mod claims;

use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Engine;
use super::log::{decode, log_of};
use super::record::{Record, StepRecord, Transition, Trigger};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::{Put, draw_writer, entry_path};

/// How long it is kept that a run was.
const MARKED_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// At most so many runs in one tick, and so many names of each kind.
const AT_ONCE: usize = 300;
/// Time that is left to the invocation when forgetting ends.
const TIME_LEFT: Duration = Duration::from_secs(20);

/// What one tick forgot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forgot {
    pub runs: usize,
    pub marks: usize,
    pub claims: usize,
    pub spooled: usize,
}

impl Engine {
    /// Forgets what is old at `now`.
    pub(super) async fn forget_old(&self, now: Timestamp, deadline: Deadline) -> Result<Forgot, Failure> {
        let before = now - self.settings.retention;
        let mut forgot = Forgot::default();
        for (day, path, run) in self.old_runs("history", before, deadline).await? {
            if forgot.runs == AT_ONCE || deadline.remaining() < TIME_LEFT {
                break;
            }
            // One run that cannot be read keeps no other.
            match self.forget_run(&run, &path, before, now, deadline).await {
                Ok(forgotten) => forgot.runs += usize::from(forgotten),
                Err(failure) if super::is_outage(&failure) => return Err(failure),
                Err(failure) => tracing::error!(run, day, error = failure.chain(), "a run cannot be forgotten"),
            }
        }
        for (_, path, run) in self.old_runs("forgotten", now - MARKED_FOR, deadline).await? {
            if forgot.marks == AT_ONCE || deadline.remaining() < TIME_LEFT {
                break;
            }
            self.erase(&log_of(&run), deadline).await?;
            self.ledger.delete(&path, deadline).await?;
            forgot.marks += 1;
        }
        forgot.claims = self.forget_claims(now, deadline).await?;
        forgot.spooled = self.forget_spooled(before, deadline).await?;
        if forgot != Forgot::default() {
            tracing::info!(?forgot, "what is old is forgotten");
        }
        Ok(forgot)
    }

    /// Entries below `{of}/{day}/` of days that had ended by then: day, path, run.
    async fn old_runs(
        &self,
        of: &str,
        before: Timestamp,
        deadline: Deadline,
    ) -> Result<Vec<(String, String, String)>, Failure> {
        let last = before.strftime("%Y-%m-%d").to_string();
        let mut days = self.ledger.folders(of, deadline).await?;
        days.retain(|day| *day < last);
        days.sort();
        let mut found = Vec::new();
        for day in days {
            for listed in self.ledger.list(&format!("{of}/{day}"), deadline).await? {
                let name = listed.path.rsplit('/').next().unwrap_or_default();
                // `{time}-{run}-{state}` in the history, `{run}` among the marks.
                let run = name.split('-').nth(1).unwrap_or(name).to_owned();
                found.push((day.clone(), listed.path.clone(), run));
            }
            if found.len() >= AT_ONCE {
                break;
            }
        }
        Ok(found)
    }

    /// Forgets one run, or only this entry when it is not the run's last.
    async fn forget_run(
        &self,
        run: &str,
        entry: &str,
        before: Timestamp,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        let newest = self.newest(run, deadline).await?;
        let mark = match newest {
            None => None,
            Some(newest) if newest.transition == Transition::Forgotten => Some(newest),
            Some(newest) if !newest.state.at_rest() || newest.ended_at.is_none_or(|ended| ended > before) => {
                // It was opened again, and will have another entry or has.
                self.ledger.delete(entry, deadline).await?;
                return Ok(false);
            }
            // Its end is still to be told.
            Some(newest) if !newest.is_told() => return Ok(false),
            Some(newest) => {
                let Some(mark) = self.mark(&newest, deadline).await? else { return Ok(false) };
                Some(mark)
            }
        };
        for room in ["outputs", "notes"] {
            for listed in self.ledger.list(&format!("{room}/{run}"), deadline).await? {
                self.ledger.delete(&listed.path, deadline).await?;
            }
        }
        self.ledger.delete(&format!("stalled/{run}"), deadline).await?;
        if let Some(mark) = mark {
            self.clear_log(&mark, deadline).await?;
            let day = now.strftime("%Y-%m-%d");
            let marker = json!({"writer": draw_writer(), "run": run}).to_string();
            self.ledger.put(&format!("forgotten/{day}/{run}"), Bytes::from(marker), deadline).await?;
        }
        self.ledger.delete(entry, deadline).await?;
        Ok(true)
    }

    /// Appends the mark, from which on nobody opens the run again; `None` when somebody just has.
    async fn mark(&self, newest: &Record, deadline: Deadline) -> Result<Option<Record>, Failure> {
        let pinned = self.pinned_of(newest, deadline).await?;
        let mut mark = newest.next(Transition::Forgotten, self.clock.now());
        mark.digest = Some(match pinned.trigger {
            Trigger::Queue { digest, .. } => digest,
            _ => pinned.content_hash,
        });
        mark.steps = newest.steps.iter().map(bare).collect();
        (mark.error, mark.output, mark.line, mark.cancel, mark.told) = (None, None, None, None, true);
        Ok(self.append(&mark, deadline).await?.then_some(mark))
    }

    /// Deletes the records below the mark, lowest first, and what they had spooled.
    async fn clear_log(&self, mark: &Record, deadline: Deadline) -> Result<(), Failure> {
        let log = log_of(&mark.run);
        let mut records = self.ledger.list(&log, deadline).await?;
        records.sort_by(|one, other| one.path.cmp(&other.path));
        let (first, own) = (entry_path(&log, 0), entry_path(&log, mark.seq));
        for listed in &records {
            if listed.path == own {
                continue;
            }
            let Some(bytes) = self.ledger.get(&listed.path, deadline).await? else { continue };
            if let Ok(record) = decode(&mark.run, &bytes) {
                if listed.path == first && record.transition == Transition::Forgotten {
                    continue;
                }
                self.forget_spools(&record, deadline).await?;
            }
            self.ledger.delete(&listed.path, deadline).await?;
            if listed.path == first {
                self.put_copy(mark, deadline).await?;
            }
        }
        // The worker before may have died between the two.
        self.put_copy(mark, deadline).await
    }

    /// Puts a copy of the mark where record 0 was.
    async fn put_copy(&self, mark: &Record, deadline: Deadline) -> Result<(), Failure> {
        let copy = Record { seq: 0, writer: draw_writer(), ..mark.clone() };
        let bytes = serde_json::to_vec(&copy)
            .map_err(|error| Failure::new(Code::Internal, "A mark could not be written.").caused_by(error))?;
        let log = log_of(&mark.run);
        let put = self.ledger.put(&entry_path(&log, 0), Bytes::from(bytes), deadline).await?;
        let Put::Lost(standing) = put else { return Ok(()) };
        if decode(&mark.run, &standing).is_ok_and(|record| record.transition == Transition::Created) {
            // A new run has taken the id in this very moment: the old one makes way for it.
            tracing::warn!(run = mark.run, "a run begins under the id of one that is being forgotten");
            for listed in self.ledger.list(&log, deadline).await? {
                if listed.path != entry_path(&log, 0) && listed.path <= entry_path(&log, mark.seq) {
                    self.ledger.delete(&listed.path, deadline).await?;
                }
            }
        }
        Ok(())
    }

    /// Deletes a whole log, highest first: a new one begins at its lowest number.
    async fn erase(&self, log: &str, deadline: Deadline) -> Result<(), Failure> {
        let mut records = self.ledger.list(log, deadline).await?;
        records.sort_by(|one, other| other.path.cmp(&one.path));
        for listed in records {
            self.ledger.delete(&listed.path, deadline).await?;
        }
        Ok(())
    }

    /// Deletes what a record's parameters and steps name as spooled.
    async fn forget_spools(&self, record: &Record, deadline: Deadline) -> Result<(), Failure> {
        for spool in spools(record) {
            for listed in self.ledger.list(&format!("spool/{spool}"), deadline).await? {
                self.ledger.delete(&listed.path, deadline).await?;
            }
        }
        Ok(())
    }

    /// Deletes spooled rows that never became a run's, or whose run is gone. Those of open runs stay, however old.
    async fn forget_spooled(&self, before: Timestamp, deadline: Deadline) -> Result<usize, Failure> {
        let old = self.ledger.older("spool", before, AT_ONCE, deadline).await?;
        if old.is_empty() {
            return Ok(0);
        }
        let mut wanted = Vec::new();
        // Whoever spools is open no sooner than its rows are kept, but for the minutes that this takes.
        for open in self.ledger.list("open", deadline).await? {
            let Some(run) = open.path.split('/').nth(1) else { continue };
            for record in [self.first(run, deadline).await?, self.newest(run, deadline).await?].into_iter().flatten() {
                wanted.extend(spools(&record));
            }
        }
        let mut deleted = 0;
        for listed in old {
            if listed.path.split('/').nth(1).is_some_and(|spool| !wanted.iter().any(|one| one == spool)) {
                self.ledger.delete(&listed.path, deadline).await?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}

/// What is kept of a step.
fn bare(step: &StepRecord) -> StepRecord {
    StepRecord {
        id: step.id.clone(),
        attempt: step.attempt,
        state: step.state,
        upstream_id: step.upstream_id.clone(),
        ..StepRecord::default()
    }
}

/// The spools that a record names, wherever a step of it keeps them.
fn spools(record: &Record) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(pinned) = &record.pinned {
        pinned.parameters.values().for_each(|value| named(value, &mut found));
        found.extend(pinned.parameters.get("spool").and_then(Value::as_str).map(str::to_owned));
    }
    for step in &record.steps {
        step.rendered_inputs.iter().for_each(|value| named(value, &mut found));
    }
    found.retain(|spool| spool.len() == 32 && spool.bytes().all(|byte| byte.is_ascii_hexdigit()));
    found
}

fn named(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("spool").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| named(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| named(value, found)),
        _ => {}
    }
}
