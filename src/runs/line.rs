//! `concurrency`: runs of one operation and key go one after the other. They stand in a line, a log for each key,
//! `concurrency/{operation}/{key}/{seq}`; its newest entry names them in order, and who stands first goes.
//!
//! Nobody leaves the front but by ending: a run whose worker died keeps its place, and who finds that the first has ended
//! without leaving takes it out. So at most one run of a key is not at rest and has begun.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::record::{Pinned, Record, Trigger};
use super::scope::{Outputs, scope};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::{Put, draw_writer, entry_path, segment};
use crate::operations::{OnConflict, Operation};

/// Older entries are swept behind the newest, so that LIST stays one page.
const KEPT: u64 = 64;

/// Whether a run may go.
#[derive(Debug)]
pub(super) enum Turn {
    Ours,
    /// Another one goes first.
    Behind,
    /// It will not go at all.
    Refused(Box<Failure>),
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Entry {
    writer: String,
    /// Ids of runs; the first one goes.
    line: Vec<String>,
}

impl Engine {
    /// Whether the run's turn has come: the run in front of a scheduled one has ended, and nobody of its key goes.
    pub(super) async fn turn(
        &self,
        newest: &mut Record,
        pinned: &Pinned,
        operation: &Operation,
        deadline: Deadline,
    ) -> Result<Turn, Failure> {
        if self.behind(newest, pinned, deadline).await? {
            return Ok(Turn::Behind);
        }
        let Some(concurrency) = operation.concurrency.as_ref().filter(|_| !newest.has_turn) else {
            return Ok(Turn::Ours);
        };
        let key = match &concurrency.key {
            None => String::new(),
            Some(key) => match key.render_text(&scope(newest, pinned, &Outputs::new())) {
                Ok(key) => key,
                Err(error) => {
                    let why = Failure::new(Code::ExpressionFailed, error.to_string());
                    return Ok(Turn::Refused(Box::new(why)));
                }
            },
        };
        let log = format!("concurrency/{}/{}", operation.name, segment(&key));
        if let Some(above) = self.above_in_line(&log, pinned, deadline).await? {
            let detail = format!(
                "The run would wait for run {above}, which is above it, has the same `concurrency` key and waits for it."
            );
            return Ok(Turn::Refused(Box::new(Failure::new(Code::ConcurrencyCircle, detail))));
        }
        let turn = self.stand_in(&log, &newest.run, concurrency.on_conflict, deadline).await?;
        if !matches!(turn, Turn::Refused(_)) {
            newest.line = Some(log);
            newest.has_turn = matches!(turn, Turn::Ours);
        }
        Ok(turn)
    }

    /// The run above this one that stands in the same line. Operations that call each other in a circle are refused, but
    /// each run goes by the definition that it began with, and those of two deployments may.
    async fn above_in_line(&self, log: &str, pinned: &Pinned, deadline: Deadline) -> Result<Option<String>, Failure> {
        let mut trigger = pinned.trigger.clone();
        while let Trigger::Parent(parent) = trigger {
            let Some(above) = self.newest(&parent.run, deadline).await?.filter(|above| !above.state.at_rest()) else {
                return Ok(None);
            };
            if above.line.as_deref() == Some(log) {
                return Ok(Some(above.run));
            }
            trigger = self.pinned_of(&above, deadline).await?.trigger;
        }
        Ok(None)
    }

    /// Joins the line, or finds the run's place in it.
    async fn stand_in(
        &self,
        log: &str,
        run: &str,
        on_conflict: OnConflict,
        deadline: Deadline,
    ) -> Result<Turn, Failure> {
        loop {
            let (next, mut entry) = self.line(log, deadline).await?;
            if entry.line.first().is_some_and(|first| first == run) {
                return Ok(Turn::Ours);
            }
            let first = entry.line.first().cloned();
            let gone = match &first {
                Some(first) => self.newest(first, deadline).await?.is_none_or(|record| record.state.at_rest()),
                None => false,
            };
            if gone {
                entry.line.remove(0);
            }
            let stands = entry.line.iter().any(|other| other == run);
            if !stands && on_conflict == OnConflict::Skip && !entry.line.is_empty() {
                let detail = format!(
                    "The run was skipped: run {} of the same operation and key had not ended.",
                    first.unwrap_or_default()
                );
                return Ok(Turn::Refused(Box::new(Failure::new(Code::RunSkipped, detail))));
            }
            if !gone && stands {
                return Ok(Turn::Behind);
            }
            if !stands {
                entry.line.push(run.to_owned());
            }
            let ours = entry.line.first().is_some_and(|first| first == run);
            if self.append_line(log, next, entry, deadline).await? && ours {
                return Ok(Turn::Ours);
            }
        }
    }

    /// Takes a run that is at rest out of its line, and wakes the one that comes first then.
    pub(super) async fn leave_line(&self, record: &Record, deadline: Deadline) -> Result<(), Failure> {
        let Some(log) = &record.line else { return Ok(()) };
        // Opened again meanwhile, it stands there anew.
        if self.newest(&record.run, deadline).await?.is_some_and(|newest| newest.opened != record.opened) {
            return Ok(());
        }
        loop {
            let (next, mut entry) = self.line(log, deadline).await?;
            let before = entry.line.len();
            entry.line.retain(|other| *other != record.run);
            if entry.line.len() == before {
                return Ok(());
            }
            let first = entry.line.first().cloned();
            if !self.append_line(log, next, entry, deadline).await? {
                continue;
            }
            if let Some(first) = first
                && let Err(failure) = self.wake_anew(&first, None, deadline).await
            {
                tracing::warn!(run = first, error = failure.chain(), "the next in line looks by itself");
            }
            return Ok(());
        }
    }

    /// The number of the next entry, and what the newest says.
    async fn line(&self, log: &str, deadline: Deadline) -> Result<(u64, Entry), Failure> {
        let Some((seq, bytes)) = self.ledger.newest(log, deadline).await? else { return Ok((0, Entry::default())) };
        let entry = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::new(Code::Internal, "The line of runs cannot be read.").caused_by(error))?;
        Ok((seq + 1, entry))
    }

    async fn append_line(&self, log: &str, seq: u64, entry: Entry, deadline: Deadline) -> Result<bool, Failure> {
        let entry = Entry { writer: draw_writer(), ..entry };
        let bytes = serde_json::to_vec(&entry)
            .map_err(|error| Failure::new(Code::Internal, "The line of runs cannot be written.").caused_by(error))?;
        if self.ledger.put(&entry_path(log, seq), Bytes::from(bytes), deadline).await? != Put::Written {
            return Ok(false);
        }
        if let Some(old) = seq.checked_sub(KEPT)
            && let Err(error) = self.ledger.delete(&entry_path(log, old), deadline).await
        {
            tracing::debug!(log, old, %error, "an old entry could not be swept");
        }
        Ok(true)
    }
}
