//! What must hold after any seed, read from the ledger's bare entries and the neighbour's own book. Knows nothing of the
//! engine's types.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::bus::Bus;
use super::kinds::Class;
use super::neighbour::Neighbour;
use super::operations::{FAILING, HURRIED};
use super::world::World;
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
}

struct Checker<'a> {
    world: &'a World,
    neighbour: &'a Neighbour,
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
    let mut checker = Checker { world, neighbour: &neighbour, broken: Vec::new() };
    let mut runs: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for path in names("runs").await {
        let parts: Vec<&str> = path.split('/').collect();
        let bytes = world.truth.get(&path, deadline).await.unwrap().unwrap();
        let record: Value = serde_json::from_slice(&bytes).unwrap();
        let records = runs.entry(parts[1].to_owned()).or_default();
        checker.hold(parts[2] == format!("{:08}", records.len()), || format!("{path}: a number is missing before it"));
        checker.hold(record["seq"] == records.len() && record["run"] == parts[1], || format!("{path}: misplaced"));
        records.push(record);
    }
    let known: BTreeSet<&String> = runs.keys().collect();
    checker.hold(known == expected.keys().collect(), || format!("asked for {:?}, found {known:?}", expected.keys()));
    let (history, open) = (names("history").await, names("open").await);
    let dead = ["parking", "requests/dead", "work/dead"].map(|queue| bus.in_queue(queue));
    checker.hold(dead.iter().all(Vec::is_empty), || format!("parked or dead messages: {dead:?}"));
    let replies = bus.in_queue("replies");
    for (run, records) in &runs {
        checker.log(run, records);
        let end = records.last().unwrap();
        let state = end["state"].as_str().unwrap();
        let at_rest = state == "succeeded" || state == "failed";
        checker.hold(at_rest && end["transition"] == "answered", || format!("{run}: stuck at {end}"));
        checker.hold(!open.iter().any(|path| path.contains(run)), || format!("{run}: still open"));
        let written: Vec<_> = history.iter().filter(|path| path.contains(run)).collect();
        let told = written.len() == 1 && written[0].ends_with(&format!("{run}-{state}"));
        checker.hold(told, || format!("{run}: {state}, in the history as {written:?}"));
        if expected.get(run).is_some_and(|expected| expected.reply) {
            let mine: Vec<_> = replies.iter().filter(|reply| reply["runId"] == run.as_str()).collect();
            let right = !mine.is_empty() && mine.iter().all(|reply| reply["state"] == state);
            checker.hold(right, || format!("{run}: {state}, replies {mine:?}"));
        }
        let operation = expected.get(run).map(|expected| expected.operation.as_str());
        checker.hold(end["operation"].as_str() == operation, || format!("{run}: {operation:?} was asked for: {end}"));
        checker.end(run, end);
    }
    checker.nobody_else(expected);
    checker.broken
}

impl Checker<'_> {
    fn hold(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(otherwise());
        }
    }

    /// Each record follows from the one before it.
    fn log(&mut self, run: &str, records: &[Value]) {
        let writers: BTreeSet<&str> = records.iter().map(|record| record["writer"].as_str().unwrap()).collect();
        self.hold(writers.len() == records.len(), || format!("{run}: a writer has written twice"));
        for pair in records.windows(2) {
            let (before, after) = (&pair[0], &pair[1]);
            let (from, to) = (before["state"].as_str().unwrap(), after["state"].as_str().unwrap());
            let what = || format!("{run}: record {} after {before}", after["seq"]);
            if from == "succeeded" || from == "failed" {
                self.hold(after["transition"] == "answered" && to == from, what);
            }
            // Nobody takes a run that another may still hold, or whose effect may be on its way; clocks and their jumps aside.
            if after["transition"] == "leased" {
                let time =
                    |record: &Value, name: &str| record[name].as_str().and_then(|at| at.parse::<Timestamp>().ok());
                let sent = before["steps"].as_array().unwrap().iter().any(|step| step["state"] == "started");
                let settled = time(before, "sendBefore").filter(|_| sent).map(|before| before + MARGIN);
                let apart = Duration::from_millis(2 * self.world.plan.clocks_off);
                let at = time(after, "at").unwrap() + apart;
                let free = time(before, "leaseUntil").into_iter().chain(settled).all(|until| at >= until);
                self.hold(free, what);
            }
            for (old, new) in before["steps"].as_array().unwrap().iter().zip(after["steps"].as_array().unwrap()) {
                let ended = |step: &Value| {
                    matches!(step["state"].as_str().unwrap(), "succeeded" | "failed" | "skipped" | "unknown")
                };
                let stays = !ended(old) || old == new;
                let rises = old["attempt"].as_u64() <= new["attempt"].as_u64();
                self.hold(stays && rises, what);
                // Surely sent is surely sent: within an attempt it never becomes less.
                let known = old["upstreamId"].is_string() && old["attempt"] == new["attempt"];
                self.hold(!known || old["upstreamId"] == new["upstreamId"], what);
                if new["state"] == "started" && after["transition"] == "started" && old["state"] != "started" {
                    let attempt = new["attempt"].to_string();
                    let key = hash(&[run, new["id"].as_str().unwrap(), &attempt]);
                    let stale = after["key"] != key.as_str() || !after["sendBefore"].is_string();
                    self.hold(!stale || before["key"] == after["key"], what);
                }
            }
        }
    }

    /// How the run ended is what happened.
    fn end(&mut self, run: &str, end: &Value) {
        let steps = end["steps"].as_array().unwrap();
        let state = |step: &Value| step["state"].as_str().unwrap().to_owned();
        let main = || steps.iter().filter(|step| !step["id"].as_str().unwrap().starts_with(FAILING));
        let all_well = main().all(|step| matches!(state(step).as_str(), "succeeded" | "skipped"));
        self.hold(all_well == (end["state"] == "succeeded"), || format!("{run}: ended as {end}"));
        for step in steps {
            self.step(run, step, &state(step), end["operation"] == HURRIED.0);
        }
        // Nothing of a step comes after what follows it in the run.
        let ids = main().map(|step| step["id"].as_str().unwrap());
        let began = ids.flat_map(|id| {
            let mut began: Vec<_> = self.neighbour.effects(run, id).map(|work| work.began).collect();
            began.sort_unstable();
            began
        });
        let in_turn = began.is_sorted();
        self.hold(in_turn, || format!("{run}: a step's effect came after a later one's"));
        let last = |step: &Value| state(step) != "pending";
        let open = main().any(|step| !last(step));
        self.hold(!open || end["state"] == "failed", || format!("{run}: a step was never begun: {end}"));
    }

    fn step(&mut self, run: &str, step: &Value, state: &str, hurried: bool) {
        let id = step["id"].as_str().unwrap();
        let code = step["error"]["code"].as_str().unwrap_or_default().to_owned();
        let neighbour = self.neighbour;
        let effects: Vec<_> = neighbour.effects(run, id).filter(|work| work.class != Class::Read).collect();
        let reads = neighbour.effects(run, id).any(|work| work.class == Class::Read);
        let mut parts: BTreeMap<u64, usize> = BTreeMap::new();
        for work in &effects {
            *parts.entry(work.part).or_default() += 1;
        }
        let doubtful = self.world.is_doubtful(run, id);
        let may_repeat = doubtful && effects.iter().all(|work| work.class == Class::LookUpFirst);
        self.hold(may_repeat || parts.values().all(|times| *times == 1), || {
            format!("{run} {id}: done {parts:?} times: {effects:?}")
        });
        let planned = neighbour.failures.contains(&(run.to_owned(), id.to_owned()));
        let holds = match state {
            "succeeded" => {
                let asserts = !reads && effects.is_empty() && step["upstreamId"].is_null() && id == "d";
                let whole = parts.keys().copied().eq(0..parts.len() as u64);
                let count = step["renderedInputs"]["parts"].as_u64().unwrap_or(1);
                asserts || reads || (whole && parts.len() as u64 == count)
            }
            "pending" | "skipped" => effects.is_empty(),
            // What may be sent again is unknown only when its neighbour refused it then, or it was tried for its `timeout`.
            "unknown" => {
                let over = hurried && id == HURRIED.1 && self.took(step) >= HURRIED.2;
                doubtful && (planned || over || effects.iter().all(|work| work.class != Class::Again))
            }
            "failed" => match code.as_str() {
                "statement-failed" => {
                    planned && (parts.is_empty() || may_repeat || step["renderedInputs"]["parts"] != 1)
                }
                "step-timeout" => true,
                "assertion-failed" => id == "c",
                _ => false,
            },
            _ => false,
        };
        self.hold(holds, || format!("{run} {id}: {state} {code}, doubtful {doubtful}, but {effects:?}"));
    }

    /// From a step's begin to its end; clocks and their jumps may have made it seem less.
    fn took(&self, step: &Value) -> Duration {
        let time = |name: &str| step[name].as_str().unwrap().parse::<Timestamp>().unwrap();
        let seemed = Duration::try_from(time("startedAt").duration_until(time("endedAt"))).unwrap_or_default();
        seemed + Duration::from_millis(4 * self.world.plan.clocks_off)
    }

    /// Nothing happened that nobody had asked for.
    fn nobody_else(&mut self, expected: &BTreeMap<String, Expected>) {
        let neighbour = self.neighbour;
        for work in &neighbour.works {
            self.hold(expected.contains_key(&work.run), || format!("{work:?} of no run"));
        }
    }
}
