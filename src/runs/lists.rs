//! Lists of runs, newest first: those that are open, read one by one, then those that have ended, from their names alone.
//! A page is bounded in what it reads; one that is short, or empty, goes on behind its link.

use std::cmp::Reverse;

use futures_util::future::join_all;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Engine;
use super::record::Record;
use crate::failure::Failure;
use crate::http::Deadline;
use crate::ledger::Listed;

/// Runs that one page reads, at most, and how many of them at once: those that are open, and all where only one caller's
/// are wanted.
const MOST_READ: usize = 200;
const AT_ONCE: usize = 16;
/// Names of ended runs after which a page ends with its day.
const MOST_NAMES: usize = 20_000;
/// The states of runs that have not ended.
const OPEN: [&str; 2] = ["running", "waiting"];
/// How a time stands in a name.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// Which runs are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsWanted {
    pub operation: Option<String>,
    /// `running`, `waiting`, `succeeded`, `failed`, `cancelled`.
    pub state: Option<String>,
    /// Ended, or begun if they have not ended, at this moment or later.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
    /// Of this caller alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    pub top: usize,
}

/// What the page before ended with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunsFrom {
    /// An open run, by when it was opened.
    Open { at: Timestamp, run: String },
    /// An ended one: its day, and its time and id; without them all of the day.
    Ended { day: String, key: Option<String> },
}

/// A page.
#[derive(Debug, Default)]
pub struct RunList {
    pub value: Vec<Value>,
    pub next: Option<RunsFrom>,
}

/// An ended run, as its name has it.
#[derive(Debug, PartialEq, Eq)]
struct Name<'a> {
    operation: &'a str,
    /// Time and id, which sort as they follow each other.
    key: &'a str,
    ended: Timestamp,
    run: &'a str,
    state: &'a str,
}

impl Engine {
    pub(super) async fn list_runs(
        &self,
        wanted: &RunsWanted,
        from: Option<&RunsFrom>,
        deadline: Deadline,
    ) -> Result<RunList, Failure> {
        let mut page = RunList::default();
        let open = wanted.state.as_deref().is_none_or(|state| OPEN.contains(&state));
        if open && !matches!(from, Some(RunsFrom::Ended { .. })) {
            self.open_runs(wanted, from, &mut page, deadline).await?;
            if page.next.is_some() {
                return Ok(page);
            }
        }
        if wanted.state.as_deref().is_none_or(|state| !OPEN.contains(&state)) {
            self.ended_runs(wanted, from, &mut page, deadline).await?;
        }
        Ok(page)
    }

    async fn open_runs(
        &self,
        wanted: &RunsWanted,
        from: Option<&RunsFrom>,
        page: &mut RunList,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let mut open = self.ledger.list("open", deadline).await?;
        open.retain(|listed| within(wanted, listed.last_modified));
        open.sort_by_key(|listed| Reverse((listed.last_modified, run_of(listed).to_owned())));
        if let Some(RunsFrom::Open { at, run }) = from {
            open.retain(|listed| (listed.last_modified, run_of(listed)) < (*at, run));
        }
        let more = open.len() > MOST_READ;
        open.truncate(MOST_READ);
        let mut last = None;
        for chunk in open.chunks(AT_ONCE) {
            let mut reads = Vec::with_capacity(chunk.len());
            for listed in chunk {
                reads.push(self.newest(run_of(listed), deadline));
            }
            for (listed, newest) in chunk.iter().zip(join_all(reads).await) {
                last = Some(RunsFrom::Open { at: listed.last_modified, run: run_of(listed).to_owned() });
                let newest = match newest {
                    Err(failure) if super::is_outage(&failure) => return Err(failure),
                    // One that cannot be read hides no other.
                    Err(_) | Ok(None) => continue,
                    Ok(Some(newest)) => newest,
                };
                if wanted.operation.as_ref().is_none_or(|operation| *operation == newest.operation)
                    && wanted.state.as_ref().is_none_or(|state| state == newest.state.as_str())
                    && !newest.is_told()
                    && self.is_wanted(wanted, &newest.run, deadline).await?
                {
                    page.value.push(open_json(listed, &newest));
                    if page.value.len() == wanted.top {
                        page.next = last;
                        return Ok(());
                    }
                }
            }
        }
        if more {
            page.next = last;
        }
        Ok(())
    }

    /// Whether a run is of the caller that is wanted. A name does not tell whose it is, so its first record is read.
    async fn is_wanted(&self, wanted: &RunsWanted, run: &str, deadline: Deadline) -> Result<bool, Failure> {
        let Some(caller) = &wanted.caller else { return Ok(true) };
        match self.first(run, deadline).await {
            Ok(first) => Ok(first.and_then(|first| first.pinned).is_some_and(|pinned| pinned.caller == *caller)),
            Err(failure) if super::is_outage(&failure) => Err(failure),
            // One that cannot be read hides no other.
            Err(_) => Ok(false),
        }
    }

    async fn ended_runs(
        &self,
        wanted: &RunsWanted,
        from: Option<&RunsFrom>,
        page: &mut RunList,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let (until, key) = match from {
            Some(RunsFrom::Ended { day, key }) => (Some(day.as_str()), key.as_deref()),
            _ => (None, None),
        };
        let mut days = self.ledger.folders("history", deadline).await?;
        let day_of = |moment: Timestamp| moment.strftime("%Y-%m-%d").to_string();
        let (first, last) = (wanted.from.map(day_of), wanted.to.map(day_of));
        days.retain(|day| {
            first.as_ref().is_none_or(|first| day >= first)
                && last.as_ref().is_none_or(|last| day <= last)
                && until.is_none_or(|until| day.as_str() < until || (day == until && key.is_some()))
        });
        days.sort_by(|one, other| other.cmp(one));
        let (mut read, mut looked) = (0, 0);
        for day in days {
            let prefix = match &wanted.operation {
                Some(operation) => format!("history/{day}/{operation}"),
                None => format!("history/{day}"),
            };
            let listed = self.ledger.list(&prefix, deadline).await?;
            read += listed.len();
            let mut names: Vec<Name<'_>> = listed.iter().filter_map(|listed| Name::of(&listed.path)).collect();
            names.retain(|name| {
                wanted.state.as_ref().is_none_or(|state| state == name.state)
                    && within(wanted, name.ended)
                    && (until != Some(day.as_str()) || key.is_none_or(|key| name.key < key))
            });
            names.sort_by_key(|name| Reverse(name.key));
            for chunk in names.chunks(AT_ONCE) {
                let are_wanted = join_all(chunk.iter().map(|name| self.is_wanted(wanted, name.run, deadline))).await;
                for (name, is_wanted) in chunk.iter().zip(are_wanted) {
                    if page.value.len() == wanted.top {
                        return Ok(());
                    }
                    page.next = Some(RunsFrom::Ended { day: day.clone(), key: Some(name.key.to_owned()) });
                    if is_wanted? {
                        page.value.push(ended_json(name));
                    }
                }
                looked += chunk.len();
                if wanted.caller.is_some() && looked >= MOST_READ {
                    return Ok(());
                }
            }
            if page.value.len() == wanted.top {
                return Ok(());
            }
            if read >= MOST_NAMES {
                page.next = Some(RunsFrom::Ended { day, key: None });
                return Ok(());
            }
        }
        page.next = None;
        Ok(())
    }
}

impl<'a> Name<'a> {
    /// `history/{day}/{operation}/{time}-{run}-{state}`.
    fn of(path: &'a str) -> Option<Self> {
        let mut parts = path.split('/').skip(2);
        let (operation, name) = (parts.next()?, parts.next()?);
        let (key, state) = name.rsplit_once('-')?;
        let (time, run) = key.split_once('-')?;
        let ended = DateTime::strptime(TIME, time).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
        Some(Self { operation, key, ended, run, state })
    }
}

fn within(wanted: &RunsWanted, moment: Timestamp) -> bool {
    wanted.from.is_none_or(|from| moment >= from) && wanted.to.is_none_or(|to| moment < to)
}

fn run_of(listed: &Listed) -> &str {
    listed.path.split('/').nth(1).unwrap_or_default()
}

fn open_json(listed: &Listed, newest: &Record) -> Value {
    json!({
        "runId": newest.run,
        "operation": newest.operation,
        "state": newest.state,
        "startTime": listed.last_modified,
        "wakeAt": newest.wake_at,
        "step": newest.steps.iter().rev().find(|step| step.started_at.is_some()).map(|step| step.id.as_str()),
    })
}

fn ended_json(name: &Name<'_>) -> Value {
    json!({"runId": name.run, "operation": name.operation, "state": name.state, "endTime": name.ended})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_operation_time_run_and_state() {
        let path = "history/2026-11-21/refresh-sales/20261121T025859Z-95ca80e339c6fde47e38fb735c6afc90-succeeded";
        let name = Name::of(path).unwrap();
        assert_eq!((name.operation, name.state), ("refresh-sales", "succeeded"));
        assert_eq!(name.run, "95ca80e339c6fde47e38fb735c6afc90");
        assert_eq!(name.ended.to_string(), "2026-11-21T02:58:59Z");
        for wrong in ["history/2026-11-21", "history/2026-11-21/a/b", "history/x/a/20261121-b-failed"] {
            assert_eq!(Name::of(wrong), None, "{wrong}");
        }
    }
}
