//! What must hold after any seed, read from the ledger's bare entries and the neighbour's own book. Knows nothing of the
//! engine's types.
//!
//! Here is what holds of each run and of its log; `steps` compares how it ended with what happened, `others` is about runs
//! that have to do with each other, and about people who end them, `told` about those who wait, `sealed` about secrets.

mod others;
mod sealed;
mod steps;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::bus::Bus;
use super::neighbour::Neighbour;
use super::operations::is_sealed;
use super::receivers::Told;
use super::vault::{open, opener};
use super::world::{Stood, World};
use crate::http::Deadline;
use crate::runs::identity::hash;

/// As `simulate` sets it.
const MARGIN: Duration = Duration::from_mins(1);

/// A run that was asked for.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) operation: String,
    /// Whether its end is told by a message.
    pub(super) reply: bool,
    /// Or at an address of its own.
    pub(super) callback: bool,
}

struct Checker<'a> {
    world: &'a World,
    neighbour: &'a Neighbour,
    told: &'a [Told],
    runs: &'a BTreeMap<String, Vec<Value>>,
    broken: Vec<String>,
}

/// Everything that does not hold.
pub(super) async fn broken(world: &World, bus: &Bus, expected: &BTreeMap<String, Expected>) -> Vec<String> {
    let deadline = Deadline::after(Duration::from_mins(1));
    let names = |prefix: &'static str| async move {
        let listed = world.truth.list(prefix, deadline).await.unwrap();
        listed.into_iter().map(|listed| listed.path).collect::<BTreeSet<String>>()
    };
    let neighbour = world.neighbour.lock().unwrap().clone();
    let mut runs: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let (mut misplaced, mut written, opener) = (Vec::new(), bus.told(), opener());
    for path in names("runs").await {
        let parts: Vec<&str> = path.split('/').collect();
        let bytes = world.truth.get(&path, deadline).await.unwrap().unwrap();
        let mut record: Value = serde_json::from_slice(&bytes).unwrap();
        if !open(&opener, &mut record).await {
            misplaced.push(format!("{path}: what was sealed cannot be opened: {record}"));
        }
        written.push((path.clone(), bytes));
        let records = runs.entry(parts[1].to_owned()).or_default();
        if parts[2] != format!("{:08}", records.len()) || record["seq"] != records.len() || record["run"] != parts[1] {
            misplaced.push(format!("{path}: misplaced, or a number is missing before it"));
        }
        records.push(record);
    }
    for folder in ["outputs", "children", "notes", "open", "history", "concurrency", "stalled", "slots"] {
        for path in names(folder).await {
            let bytes = world.truth.get(&path, deadline).await.unwrap().unwrap();
            written.push((path, bytes));
        }
    }
    let told = world.told.lock().unwrap().clone();
    let mut checker = Checker { world, neighbour: &neighbour, told: &told, runs: &runs, broken: misplaced };
    let known: BTreeSet<&String> = runs.iter().filter(|(_, records)| !is_child(records)).map(|(run, _)| run).collect();
    checker.hold(known == expected.keys().collect(), || format!("asked for {:?}, found {known:?}", expected.keys()));
    let (history, open) = (names("history").await, names("open").await);
    let dead = ["requests/dead", "work/dead"].map(|queue| bus.in_queue(queue));
    checker.hold(dead.iter().all(Vec::is_empty), || format!("dead messages: {dead:?}"));
    // With a secret in it a message may come again under another key, and is taken for another (decision 0012).
    let parked = bus.in_queue("parking");
    let again = parked.iter().all(|message| is_sealed(message["operation"].as_str().unwrap_or_default()));
    checker.hold(again, || format!("parked: {parked:?}"));
    let replies = bus.in_queue("replies");
    for (run, records) in &runs {
        checker.log(run, records);
        let end = records.last().unwrap();
        let over = at_rest(end) && end["transition"] == "answered";
        checker.hold(over, || format!("{run}: stuck at {end}"));
        checker.hold(!open.iter().any(|path| path.contains(run)), || format!("{run}: still open"));
        // Each time it was opened it has ended once, and so it was told and written down.
        let ends: Vec<&Value> = records.iter().filter(|record| record["transition"] == "ended").collect();
        let openings = 1 + records.iter().filter(|record| record["transition"] == "retried").count();
        checker.hold(ends.len() == openings, || format!("{run}: opened {openings} times, ended {} times", ends.len()));
        let written: Vec<_> = history.iter().filter(|path| path.contains(run)).collect();
        let told = |ended: &&Value| {
            let name = format!("{run}-{}", ended["state"].as_str().unwrap());
            written.iter().any(|path| path.ends_with(&name))
        };
        checker.hold(written.len() == ends.len() && ends.iter().all(told), || {
            format!("{run}: ended as {ends:?}, in the history as {written:?}")
        });
        if expected.get(run).is_some_and(|expected| expected.reply) {
            checker.replies(run, &ends, &replies);
        }
        checker.callbacks(run, expected.get(run).is_some_and(|expected| expected.callback), records, &ends);
        if let Some(expected) = expected.get(run) {
            checker.hold(end["operation"] == expected.operation, || format!("{run}: {expected:?}, but {end}"));
        }
        checker.sendings(run, records);
        checker.cancelled(run, records);
        checker.children(run, records);
        checker.end(run, end, openings);
    }
    checker.nothing_in_clear(expected.keys(), &written);
    checker.given();
    checker.lines();
    checker.nobody_else();
    checker.broken
}

fn is_child(records: &[Value]) -> bool {
    records[0]["pinned"]["trigger"]["kind"] == "parent"
}

fn at_rest(record: &Value) -> bool {
    matches!(record["state"].as_str().unwrap(), "succeeded" | "failed" | "cancelled")
}

fn time(record: &Value, name: &str) -> Option<Timestamp> {
    record[name].as_str().and_then(|at| at.parse().ok())
}

impl Checker<'_> {
    fn hold(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(otherwise());
        }
    }

    /// How far a clock may be off.
    fn off(&self) -> Duration {
        Duration::from_millis(self.world.plan.clocks_off)
    }

    /// When a record came to stand.
    fn stood(&self, record: &Value) -> Stood {
        let path = format!("runs/{}/{:08}", record["run"].as_str().unwrap(), record["seq"].as_u64().unwrap());
        self.world.stood(&path).unwrap()
    }

    /// Each record follows from the one before it.
    fn log(&mut self, run: &str, records: &[Value]) {
        let writers: BTreeSet<&str> = records.iter().map(|record| record["writer"].as_str().unwrap()).collect();
        self.hold(writers.len() == records.len(), || format!("{run}: a writer has written twice"));
        for pair in records.windows(2) {
            let (before, after) = (&pair[0], &pair[1]);
            let transition = after["transition"].as_str().unwrap();
            let what = || format!("{run}: record {} after {before}", after["seq"]);
            if at_rest(before) {
                let told =
                    matches!(transition, "answered" | "untold" | "resolved") && after["state"] == before["state"];
                let opened = transition == "retried" && after["state"] == "running" && before["state"] != "succeeded";
                self.hold(told || opened, what);
            }
            // Nobody takes a run that another may still hold, or whose effect may be on its way; clocks and their jumps aside.
            if transition == "leased" {
                let sent = before["steps"].as_array().unwrap().iter().any(|step| step["state"] == "started");
                let settled = time(before, "sendBefore").filter(|_| sent).map(|before| before + MARGIN);
                let at = time(after, "at").unwrap() + 2 * self.off();
                let free = time(before, "leaseUntil").into_iter().chain(settled).all(|until| at >= until);
                self.hold(free, what);
            }
            for (old, new) in before["steps"].as_array().unwrap().iter().zip(after["steps"].as_array().unwrap()) {
                let state = old["state"].as_str().unwrap();
                let ended = matches!(state, "succeeded" | "failed" | "skipped" | "unknown");
                // Opened again, what went well stays, and steps of `on_failure` are for the next failure.
                let anew = match transition {
                    "retried" => matches!(state, "failed" | "unknown") || steps::of_failure(new),
                    "resolved" => state == "unknown",
                    _ => false,
                };
                let stays = !ended || old == new || anew;
                let rises = old["attempt"].as_u64() <= new["attempt"].as_u64();
                self.hold(stays && rises, what);
                // Surely sent is surely sent: within an attempt it never becomes less.
                let known = old["upstreamId"].is_string() && old["attempt"] == new["attempt"];
                self.hold(!known || old["upstreamId"] == new["upstreamId"], what);
                if new["state"] == "started" && transition == "started" && old["state"] != "started" {
                    let key = hash(&[run, new["id"].as_str().unwrap(), &new["attempt"].to_string()]);
                    let stale = after["key"] != key.as_str() || !after["sendBefore"].is_string();
                    self.hold(!stale || before["key"] == after["key"], what);
                }
            }
        }
    }

    /// Nothing happened that nobody had asked for.
    fn nobody_else(&mut self) {
        let neighbour = self.neighbour;
        for work in &neighbour.works {
            self.hold(self.runs.contains_key(&work.run), || format!("{work:?} of no run"));
        }
    }
}
