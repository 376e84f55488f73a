//! How a run and its steps ended, beside what happened at the neighbour.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::super::kinds::Class;
use super::super::operations::{CHILDREN, FAILING, HURRIED};
use super::Checker;

/// Whether it is one of `on_failure`.
pub(super) fn of_failure(step: &Value) -> bool {
    step["id"].as_str().unwrap().starts_with(FAILING)
}

fn state_of(step: &Value) -> &str {
    step["state"].as_str().unwrap()
}

impl Checker<'_> {
    /// How the run ended is what happened.
    pub(super) fn end(&mut self, run: &str, end: &Value, openings: usize) {
        let steps = end["steps"].as_array().unwrap();
        let main = || steps.iter().filter(|step| !of_failure(step));
        let all_well = main().all(|step| matches!(state_of(step), "succeeded" | "skipped"));
        self.hold(all_well == (end["state"] == "succeeded"), || format!("{run}: ended as {end}"));
        // A run that somebody has ended has not failed.
        let silent = steps.iter().filter(|step| of_failure(step)).all(|step| state_of(step) == "pending");
        self.hold(silent || end["state"] == "failed", || format!("{run}: `on_failure` was done: {end}"));
        // It never began, and so did nothing.
        let refused = end["error"]["code"] == "run-skipped";
        self.hold(!refused || end["operation"] == "rushed", || format!("{run}: skipped: {end}"));
        for step in steps {
            let id = step["id"].as_str().unwrap();
            if CHILDREN.iter().any(|(of, step, ..)| end["operation"] == *of && id == *step) {
                continue;
            }
            let most = if of_failure(step) { openings } else { 1 };
            self.step(run, step, end, most);
        }
        // Nothing of a step comes after what follows it in the run.
        let ids = main().map(|step| step["id"].as_str().unwrap());
        let began = ids.flat_map(|id| {
            let effects = self.neighbour.effects(run, id).filter(|work| work.class != Class::Read);
            let mut began: Vec<_> = effects.map(|work| work.began).collect();
            began.sort_unstable();
            began
        });
        let in_turn = began.is_sorted();
        self.hold(in_turn, || format!("{run}: a step's effect came after a later one's"));
        let open = main().any(|step| matches!(state_of(step), "pending" | "ready"));
        self.hold(!open || end["state"] != "succeeded", || format!("{run}: a step was never begun: {end}"));
        let under_way = steps.iter().any(|step| matches!(state_of(step), "started" | "submitted"));
        self.hold(!under_way, || format!("{run}: it ended with a step under way: {end}"));
    }

    /// `most`: how often it may have been done.
    fn step(&mut self, run: &str, step: &Value, end: &Value, most: usize) {
        let (id, state) = (step["id"].as_str().unwrap(), state_of(step));
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
        self.hold(may_repeat || parts.values().all(|times| *times <= most), || {
            format!("{run} {id}: done {parts:?} times: {effects:?}")
        });
        let planned = neighbour.failures.contains(&(run.to_owned(), id.to_owned()));
        let in_order = parts.keys().copied().eq(0..parts.len() as u64);
        let count = step["renderedInputs"]["parts"].as_u64().unwrap_or(1);
        let hurried = end["operation"] == HURRIED.0;
        let holds = match state {
            "succeeded" => {
                let asserts = !reads && effects.is_empty() && step["upstreamId"].is_null() && id == "d";
                asserts || reads || (in_order && parts.len() as u64 == count)
            }
            // Of `on_failure`, which an earlier end may have had done.
            "pending" if most > 1 => true,
            "pending" | "skipped" => effects.is_empty(),
            // Stopped between two parts.
            "ready" => in_order && (parts.len() as u64) < count && end["state"] == "cancelled",
            // What may be sent again is unknown only when its neighbour refused it then, or it was tried for its `timeout`.
            "unknown" => {
                let over = hurried && id == HURRIED.1 && self.took(step) >= HURRIED.2;
                doubtful && (planned || over || effects.iter().all(|work| work.class != Class::Again))
            }
            "failed" => match code.as_str() {
                "statement-failed" => {
                    planned && (parts.is_empty() || may_repeat || most > 1 || step["renderedInputs"]["parts"] != 1)
                }
                // A run that had failed already stays that, and its `on_failure` is stopped. Who stopped a step that took too
                // long may have died before it said so: the next worker finds it stopped.
                "statement-canceled" => {
                    let stopped = end["state"] == "cancelled" || of_failure(step) || hurried;
                    (effects.is_empty() || most > 1) && stopped
                }
                "step-timeout" => hurried,
                // Its neighbour was away, or busy, for as long as it may take.
                "upstream-unavailable" => hurried && effects.is_empty() && self.took(step) >= Duration::from_secs(90),
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
        seemed + 4 * self.off()
    }
}
