//! The tick, each minute: start what is due since the watermark, and write the watermark once the runs exist.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Engine;
use super::create::{NewRun, runnable};
use super::identity::run_id;
use super::record::Trigger;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::{Put, draw_writer, entry_path};
use crate::operations::{Entry, MissedTicks, Operation, Overlap, Schedule, Scope};

/// Timers fire a little early; what is due within this is due.
pub(super) const EARLY: Duration = Duration::from_secs(1);
/// With `missed: none`, what is older than this was missed.
const LATE: SignedDuration = SignedDuration::from_secs(90);
/// Older watermarks are of no use.
const KEPT_WATERMARKS: u64 = 10;
const LOG: &str = "slots/tick-watermark";

/// Up to when schedules have been served.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Watermark {
    writer: String,
    until: Timestamp,
    /// The last run of each operation, to know whether it still goes.
    last: BTreeMap<String, String>,
}

impl Watermark {
    fn read(bytes: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(bytes)
            .map_err(|error| Failure::new(Code::Internal, "The watermark is unreadable.").caused_by(error))
    }
}

impl Engine {
    /// One tick at `now`.
    pub(super) async fn tick(&self, now: Timestamp, deadline: Deadline) -> Result<(), Failure> {
        let until = now + EARLY;
        let (newest, mut mark) = if let Some((seq, bytes)) = self.ledger.newest(LOG, deadline).await? {
            (seq, Watermark::read(&bytes)?)
        } else {
            // The very first tick has missed nothing. Should it fail, the next one finds the same due.
            let until = now - SignedDuration::from_mins(1);
            let mut first = Watermark { writer: String::new(), until, last: BTreeMap::new() };
            match self.put_watermark(0, &mut first, deadline).await? {
                Put::Written => (0, first),
                Put::Lost(standing) => (0, Watermark::read(&standing)?),
            }
        };
        let seq = newest + 1;
        if until > mark.until {
            let after = mark.until;
            let mut failed = None;
            for (name, entry) in &self.catalog.entries {
                let Ok(operation) = runnable(entry) else { continue };
                let Some(schedule) = &operation.schedule else { continue };
                for due in due(schedule, after, until, now) {
                    match self.start(entry, operation, schedule, due, mark.last.get(name), deadline).await {
                        Ok(Some(run)) => _ = mark.last.insert(name.clone(), run),
                        Ok(None) => {}
                        Err(failure) if super::is_outage(&failure) => return Err(failure),
                        // What is wrong with one schedule keeps no other from starting.
                        Err(failure) => {
                            tracing::error!(operation = name, %due, error = failure.chain(), "a run was not started");
                            failed.get_or_insert(failure);
                        }
                    }
                }
            }
            // The watermark stays, so that the next tick finds the same due again.
            if let Some(failure) = failed {
                return Err(failure);
            }
            mark.until = until;
            let put = self.put_watermark(seq, &mut mark, deadline).await?;
            if put == Put::Written
                && seq >= KEPT_WATERMARKS
                && let Err(error) = self.ledger.delete(&entry_path(LOG, seq - KEPT_WATERMARKS), deadline).await
            {
                tracing::debug!(%error, "an old watermark stays behind");
            }
        }
        Ok(())
    }

    async fn put_watermark(&self, seq: u64, mark: &mut Watermark, deadline: Deadline) -> Result<Put, Failure> {
        mark.writer = draw_writer();
        let bytes = serde_json::to_vec(mark)
            .map_err(|error| Failure::new(Code::Internal, "The watermark cannot be written.").caused_by(error))?;
        Ok(self.ledger.put(&entry_path(LOG, seq), Bytes::from(bytes), deadline).await?)
    }

    /// Starts the run of one due time; its id, unless the one before still goes and this one is skipped.
    async fn start(
        &self,
        entry: &Entry,
        operation: &Operation,
        schedule: &Schedule,
        due: Timestamp,
        last: Option<&String>,
        deadline: Deadline,
    ) -> Result<Option<String>, Failure> {
        let run = run_id(&["schedule", &operation.name, &due.to_string()]);
        let going = match last.filter(|last| **last != run) {
            Some(last) => self.still_goes(last, deadline).await?,
            None => false,
        };
        if going && schedule.overlap == Overlap::Skip {
            tracing::warn!(operation = operation.name, %due, previous = last, "skipped: the run before still goes");
            return Ok(None);
        }
        let parameters = match scheduled_parameters(operation, schedule, &run, due, self.clock.now()) {
            Ok(parameters) => parameters,
            Err(failure) => {
                tracing::error!(operation = operation.name, %due, error = failure.chain(), "a scheduled run cannot start");
                return Ok(None);
            }
        };
        let behind = last.filter(|_| going).cloned();
        let new = NewRun {
            run: run.clone(),
            parameters,
            caller: "schedule".into(),
            trigger: Trigger::Schedule { due, behind },
        };
        self.create(entry, &new, false, deadline).await?;
        Ok(Some(run))
    }

    /// Whether a run has not ended. One that cannot be read must not keep its schedule from ever starting again.
    async fn still_goes(&self, run: &str, deadline: Deadline) -> Result<bool, Failure> {
        match self.newest(run, deadline).await {
            Ok(newest) => Ok(newest.is_some_and(|record| !record.state.at_rest())),
            Err(failure) if super::is_outage(&failure) => Err(failure),
            Err(failure) => {
                tracing::error!(run, error = failure.chain(), "the run before cannot be read");
                Ok(false)
            }
        }
    }
}

/// The due times to serve, by the schedule's rule for missed ones.
fn due(schedule: &Schedule, after: Timestamp, until: Timestamp, now: Timestamp) -> Vec<Timestamp> {
    let mut due = schedule.due(after, until);
    match schedule.missed {
        MissedTicks::All => due,
        MissedTicks::Last => due.split_off(due.len().saturating_sub(1)),
        MissedTicks::None => {
            due.retain(|time| time.duration_until(now) <= LATE);
            due
        }
    }
}

fn scheduled_parameters(
    operation: &Operation,
    schedule: &Schedule,
    run: &str,
    due: Timestamp,
    now: Timestamp,
) -> Result<serde_json::Map<String, Value>, Failure> {
    let Some(template) = &schedule.parameters else { return accepted(operation, &serde_json::Map::new()) };
    let mut scope = Scope::default();
    scope.run.insert("id".into(), run.into());
    scope.run.insert("operation".into(), operation.name.clone().into());
    scope.run.insert("startTime".into(), now.to_string().into());
    scope.run.insert("dueTime".into(), due.to_string().into());
    scope.variables = operation.variables.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let rendered = template.render(&scope).map_err(|error| Failure::new(Code::ExpressionFailed, error.to_string()))?;
    accepted(operation, rendered.as_object().unwrap_or(&serde_json::Map::new()))
}

fn accepted(
    operation: &Operation,
    parameters: &serde_json::Map<String, Value>,
) -> Result<serde_json::Map<String, Value>, Failure> {
    operation.accept(parameters).map_err(|problems| super::parameters_invalid(&problems, "schedule.parameters."))
}
