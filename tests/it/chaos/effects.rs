//! What happened at the neighbours, held against what was asked of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use local_stack::core::Entry;
use serde_json::Value;

use super::checker::{Broken, is_unknown, steps, succeeded};
use super::histories::{Histories, text};
use super::operations::{REFRESH, RESULTS, Times, called, marks_in};

/// Whether it is something that was done, rather than asked for.
fn is_effect(entry: &Entry) -> bool {
    match (entry.service.as_str(), entry.kind.as_str()) {
        ("databricks", "statement" | "jobRun") | ("powerBi", "rows") => true,
        ("serviceBus", "message") => entry.detail["queue"] == RESULTS,
        _ => false,
    }
}

/// Each effect is there as often as it must be, in the order of its run's steps, and none is nobody's.
pub(super) fn effects(of: &Histories, runs: &BTreeMap<&str, Vec<&Value>>, broken: &mut Vec<Broken>) {
    let mut done: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, entry) in of.entries.iter().enumerate().filter(|(_, entry)| is_effect(entry)) {
        let detail = entry.detail.to_string();
        let marks: BTreeSet<&str> = marks_in(&detail).collect();
        for mark in marks {
            done.entry(mark.to_owned()).or_default().push(at);
        }
    }
    let mut known = BTreeSet::new();
    for asked in &of.asked {
        let well = runs.get(asked.run.as_str()).is_some_and(|records| succeeded(records));
        let mut first: Vec<usize> = Vec::new();
        for (step, times) in called(asked.operation).effects {
            let mark = format!("{}-{step}", asked.mark);
            let seen = done.get(&mark).map_or(&[][..], Vec::as_slice);
            let what = format!("{mark} of {} {} was done {} times", asked.operation, asked.run, seen.len());
            if well && seen.is_empty() {
                broken.push(Broken::Lost(what));
            } else if *times == Times::Once && seen.len() > 1 {
                broken.push(Broken::Doubled(what));
            }
            if keys(of, seen).len() > 1 {
                broken.push(Broken::Doubled(format!("{mark} was sent under several keys: {:?}", keys(of, seen))));
            }
            first.extend(seen.first());
            known.insert(mark);
        }
        // Items of one step are done side by side.
        if asked.operation != "each" && !first.is_sorted() {
            broken.push(Broken::Wrong(format!("{} {}: a step came before an earlier one", asked.mark, asked.run)));
        }
    }
    for mark in done.keys().filter(|mark| !known.contains(*mark)) {
        broken.push(Broken::Doubled(format!("{mark} is nobody's")));
    }
}

/// What receivers know messages by.
fn keys<'a>(of: &'a Histories, seen: &[usize]) -> BTreeSet<&'a str> {
    let keys = seen.iter().map(|at| text(&of.entries[*at].detail["applicationProperties"]["causeway-key"]));
    keys.filter(|key| !key.is_empty()).collect()
}

/// A refresh that was wanted has been, since then; and there was none that no run knows of.
pub(super) fn refreshes(of: &Histories, runs: &BTreeMap<&str, Vec<&Value>>, broken: &mut Vec<Broken>) {
    let done: BTreeMap<&str, &Entry> =
        of.of_kind("powerBi", "refresh").map(|entry| (text(&entry.detail["requestId"]), entry)).collect();
    let mut known = BTreeSet::new();
    let mut doubtful = false;
    for (run, records) in runs {
        let Some(end) = records.last() else { continue };
        known.extend(steps(end).map(|step| text(&step["upstreamId"])));
        doubtful |= is_unknown(runs, run, &mut BTreeSet::new());
        if end["operation"] != REFRESH || !succeeded(records) {
            continue;
        }
        let wanted = text(&end["output"]["refresh"]);
        // One whose answer was lost is known by its time alone, and clocks may differ by a second (`refresh/lost.rs`).
        let since = text(&records[0]["at"]).parse::<jiff::Timestamp>().ok().map(|at| at - Duration::from_secs(1));
        match done.get(wanted) {
            None => broken.push(Broken::Lost(format!("{run} says that {wanted} refreshed it"))),
            Some(entry) if since.is_none_or(|since| entry.at < since) => {
                broken.push(Broken::Wrong(format!("{run} was asked for after {wanted} had begun")));
            }
            Some(_) => _ = known.insert(wanted),
        }
    }
    for id in done.keys().filter(|id| !doubtful && !known.contains(*id)) {
        broken.push(Broken::Doubled(format!("the refresh {id} is nobody's")));
    }
}
