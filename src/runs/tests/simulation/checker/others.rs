//! Runs that have to do with others: what they send and when, children and their parents, runs that go one after the other,
//! and those that somebody wants ended.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::super::kinds::Class;
use super::super::operations::{CHILDREN, is_sealed};
use super::{Checker, at_rest, is_child, time};
use crate::runs::identity::run_id;

/// A worker looks so often whether its run is to end.
const LOOKS_EVERY: Duration = Duration::from_secs(2);

/// By then whoever has the run, or the tick, has asked the neighbour to stop.
const REACHED_WITHIN: Duration = Duration::from_mins(25);

impl Checker<'_> {
    /// Whatever leaves, leaves after its intent is on record, and not after the moment that stands there.
    pub(super) fn sendings(&mut self, run: &str, records: &[Value]) {
        let neighbour = self.neighbour;
        for sending in neighbour.sendings.iter().filter(|sending| sending.run == run) {
            let intent = records.iter().any(|record| {
                record["transition"] == "started"
                    && record["key"] == sending.key.as_str()
                    && self.stood(record).at <= sending.left
                    && time(record, "sendBefore").is_some_and(|before| sending.left <= before + self.off())
            });
            self.hold(intent, || format!("{run} {}: left at {} without leave to", sending.step, sending.left));
        }
    }

    /// From the look that sees that it is to end, nothing more of a run is begun.
    pub(super) fn cancelled(&mut self, run: &str, records: &[Value]) {
        for pair in records.windows(2).filter(|pair| pair[1]["transition"] == "started") {
            let (before, started) = (&pair[0], &pair[1]);
            let noted = self.world.stood(&format!("notes/{run}/cancel-{}", opened(started)));
            let Some(noted) = noted else { continue };
            // What was perhaps sent may be sent again, since that is how it is found.
            let began = started["steps"].as_array().unwrap().iter().zip(before["steps"].as_array().unwrap());
            let anew = began.into_iter().any(|(new, old)| new["state"] == "started" && old["state"] != "started");
            // Its record was made when somebody first tried to put it there, unless its worker had to wait for the vault.
            let path = format!("runs/{run}/{:08}", started["seq"].as_u64().unwrap());
            let latest = noted.at + LOOKS_EVERY;
            let waited = is_sealed(started["operation"].as_str().unwrap());
            let late = self.world.tried(&path).unwrap() > latest
                && (!waited || time(started, "at").unwrap() > latest + self.off());
            self.hold(!(anew && late), || format!("{run}: to end since {}, and yet {started}", noted.at));
        }
        for ended in records.iter().filter(|record| record["transition"] == "ended") {
            let noted = self.world.stood(&format!("notes/{run}/cancel-{}", opened(ended)));
            let asked = ended["state"] != "cancelled" || noted.is_some_and(|noted| noted <= self.stood(ended));
            self.hold(asked, || format!("{run}: nobody wanted it ended: {ended}"));
            let Some(noted) = noted else { continue };
            // What would have gone on for long after that has been asked to stop.
            let (steps, neighbour) = (ended["steps"].as_array().unwrap(), self.neighbour);
            for work in neighbour.works.iter().filter(|work| work.run == run && work.class != Class::Read) {
                let known = steps.iter().any(|step| step["upstreamId"] == work.id.as_str());
                let goes_on = work.began <= noted.at && noted.at + REACHED_WITHIN < work.ends && !work.canceled;
                self.hold(!(known && goes_on), || format!("{run}: to end since {}, and yet {work:?}", noted.at));
            }
        }
    }

    /// A step that children do ends once, when all have, and as they did.
    pub(super) fn children(&mut self, run: &str, records: &[Value]) {
        if is_child(records) {
            let trigger = &records[0]["pinned"]["trigger"];
            let told = |name: &str| trigger[name].as_str().unwrap_or_default().to_owned();
            // One that an earlier attempt did not get to is begun by a later one, by the same id.
            let attempts = 1..=trigger["attempt"].as_u64().unwrap();
            let (parent, step, item) = (told("run"), told("step"), trigger["item"].to_string());
            let id = |attempt: u64| run_id(&["child", &parent, &step, &item, &attempt.to_string()]);
            let theirs = attempts.map(id).any(|id| id == run);
            let parent = self.runs.get(&told("run")).map(|records| records[0]["operation"].as_str().unwrap());
            let declared = CHILDREN.iter().any(|(of, step, child, count)| {
                parent == Some(*of)
                    && told("step") == *step
                    && records[0]["operation"] == *child
                    && trigger["item"].as_u64().unwrap() < *count as u64
            });
            let same = |records: &&Vec<Value>| {
                let other = &records[0]["pinned"]["trigger"];
                other["kind"] == "parent" && ["run", "step", "item"].iter().all(|name| other[*name] == trigger[*name])
            };
            let alone = self.runs.values().filter(same).count() == 1;
            self.hold(alone, || format!("{run}: another child does the same: {trigger}"));
            self.hold(theirs && declared, || format!("{run}: nobody's child: {trigger}"));
        }
        for (_, step, _, count) in CHILDREN.iter().filter(|(of, ..)| records[0]["operation"] == *of) {
            let step_of = |record: &Value| {
                let steps = record["steps"].as_array().unwrap().iter();
                steps.into_iter().find(|found| found["id"] == *step).unwrap().clone()
            };
            for pair in records.windows(2) {
                let (before, after) = (step_of(&pair[0]), step_of(&pair[1]));
                if pair[1]["transition"] == "stepEnded"
                    && before["state"] != after["state"]
                    && after["attempt"].is_u64()
                {
                    self.step_of_children(run, &pair[1], &after, *count);
                }
            }
            let last = step_of(records.last().unwrap());
            let idle = matches!(last["state"].as_str().unwrap(), "pending" | "skipped");
            let none = self.children_of(run, &last).is_empty();
            self.hold(!idle || none, || format!("{run}: a step that has not begun has children: {last}"));
        }
    }

    /// The children of a step up to an attempt, and their logs.
    fn children_of(&self, run: &str, step: &Value) -> Vec<&[Value]> {
        let of_it = |records: &&Vec<Value>| {
            let trigger = &records[0]["pinned"]["trigger"];
            trigger["kind"] == "parent"
                && trigger["run"] == run
                && trigger["step"] == step["id"]
                && trigger["attempt"].as_u64() <= step["attempt"].as_u64()
        };
        self.runs.values().filter(of_it).map(Vec::as_slice).collect()
    }

    fn step_of_children(&mut self, run: &str, ended: &Value, step: &Value, count: usize) {
        if step["state"] == "skipped" {
            return;
        }
        let (mut well, mut unknown, mut all_over) = (0, 0, true);
        let children: Vec<Value> = self
            .children_of(run, step)
            .into_iter()
            .map(|records| self.end_before(records, ended).cloned().unwrap_or_default())
            .collect();
        for end in &children {
            all_over &= end.is_object();
            well += usize::from(end["state"] == "succeeded");
            let mut steps = end["steps"].as_array().into_iter().flatten();
            unknown += usize::from(steps.any(|step| step["state"] == "unknown"));
        }
        let keeps_going = ended["operation"] == "each-on";
        let as_they_did = match step["state"].as_str().unwrap() {
            "succeeded" => children.len() == count && (well == count || keeps_going),
            "unknown" => unknown > 0,
            "failed" => well < count && unknown == 0,
            _ => false,
        };
        self.hold(all_over && as_they_did, || format!("{run}: {step} ended as {ended}, its children as {children:?}"));
    }

    /// How a child had ended by the time at which its parent took note of it; `None` when it was under way.
    fn end_before<'a>(&self, records: &'a [Value], noted: &Value) -> Option<&'a Value> {
        let noted = self.stood(noted);
        let by_then = records.iter().take_while(|record| self.stood(record) < noted);
        let moved = |record: &&Value| matches!(record["transition"].as_str().unwrap(), "created" | "ended" | "retried");
        by_then.filter(moved).last().filter(|record| record["transition"] == "ended")
    }

    /// Of runs in one line the next goes when the one before it has ended.
    pub(super) fn lines(&mut self) {
        let mut lines: BTreeMap<&str, Vec<(usize, usize, &String)>> = BTreeMap::new();
        for (run, records) in self.runs {
            let mut goes = None;
            for record in records {
                if record["hasTurn"] == true && !at_rest(record) && goes.is_none() {
                    goes = Some((record["line"].as_str().unwrap(), self.stood(record).order));
                }
                if record["transition"] == "ended"
                    && let Some((line, since)) = goes.take()
                {
                    lines.entry(line).or_default().push((since, self.stood(record).order, run));
                }
            }
        }
        for (line, mut turns) in lines {
            turns.sort_unstable();
            for pair in turns.windows(2) {
                self.hold(pair[0].1 < pair[1].0, || format!("{line}: {} and {} went at once", pair[0].2, pair[1].2));
            }
        }
    }
}

/// The record that opened the run as it stood then.
fn opened(record: &Value) -> u64 {
    record["opened"].as_u64().unwrap_or(0)
}
