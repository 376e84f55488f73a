//! What must hold of the histories after any chaos. Pure: it is handed what the stand-ins and the ledger's container hold,
//! and knows nothing of the engine's types.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::effects::{effects, refreshes};
use super::explained::explained;
use super::histories::{Histories, text};
use super::operations::REFUSED;

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Broken {
    /// What was asked for, or promised by an end that was told, is not there.
    Lost(String),
    /// It has not come to its end.
    Stuck(String),
    /// It happened more often than once, or without anybody having asked.
    Doubled(String),
    /// A message was given up.
    Dead(String),
    /// `outcome-unknown`, and nothing had come in between.
    Unexplained(String),
    /// It ended as it must not.
    Wrong(String),
}

/// Everything that does not hold.
pub(super) fn broken(of: &Histories) -> Vec<Broken> {
    let runs = of.runs();
    let mut broken = Vec::new();
    for asked in of.asked.iter().filter(|asked| !runs.contains_key(asked.run.as_str())) {
        broken.push(Broken::Lost(format!("{} {} is no run", asked.mark, asked.operation)));
    }
    for (run, records) in &runs {
        of_run(of, &runs, run, records, &mut broken);
    }
    replies(of, &runs, &mut broken);
    effects(of, &runs, &mut broken);
    refreshes(of, &runs, &mut broken);
    for entry in of.of_kind("serviceBus", "deadLettered") {
        broken.push(Broken::Dead(format!("dead letter: {}", entry.detail)));
    }
    for parked in of.messages("causeway-parking") {
        broken.push(Broken::Dead(format!("parked: {parked}")));
    }
    let killed = of.of_kind("host", "killed").count();
    if of.starts != of.hosts + killed {
        let what = format!("{} handlers were started for {} hosts and {killed} kills", of.starts, of.hosts);
        broken.push(Broken::Wrong(what));
    }
    broken.sort();
    broken
}

pub(super) fn succeeded(records: &[&Value]) -> bool {
    records.last().is_some_and(|end| end["state"] == "succeeded")
}

fn at_rest(record: &Value) -> bool {
    matches!(text(&record["state"]), "succeeded" | "failed" | "cancelled")
}

fn of_run(of: &Histories, runs: &BTreeMap<&str, Vec<&Value>>, run: &str, records: &[&Value], broken: &mut Vec<Broken>) {
    let Some(end) = records.last() else { return };
    let told = end["transition"] == "answered" || end["told"] == true;
    if !at_rest(end) || !told {
        broken.push(Broken::Stuck(format!("{run} at {end}")));
        return;
    }
    if let Some(open) = of.ledger.keys().find(|name| name.starts_with(&format!("open/{run}/"))) {
        broken.push(Broken::Stuck(format!("{run} has ended, and {open} stands")));
    }
    let state = text(&end["state"]);
    let written: Vec<&String> =
        of.ledger.keys().filter(|name| name.starts_with("history/") && name.contains(run)).collect();
    if written.len() != 1 || !written[0].ends_with(&format!("{run}-{state}")) {
        broken.push(Broken::Wrong(format!("{run} is {state}, and the history has {written:?}")));
    }
    let gapless = records.iter().enumerate().all(|(at, record)| record["seq"] == at);
    if !gapless {
        broken.push(Broken::Lost(format!("{run}: a record is missing among {}", records.len())));
    }
    let asked = of.asked.iter().find(|asked| asked.run == run);
    let above = text(&records[0]["pinned"]["trigger"]["run"]);
    // Refreshes that wait for their dataset are runs of the engine's own.
    if asked.is_none() && !runs.contains_key(above) && end["operation"] != "queued_refresh" {
        broken.push(Broken::Doubled(format!("{run} of {} was not asked for", end["operation"])));
    }
    for step in steps(end).filter(|step| step["state"] == "unknown") {
        if !is_told_by_another(runs, run, step) && !explained(of, run, records, step) {
            broken.push(Broken::Unexplained(format!("{run} of {}: {step}", end["operation"])));
        }
    }
    let refused = asked.is_some_and(|asked| asked.operation == REFUSED.0);
    let right = match state {
        "succeeded" => !refused,
        _ if refused => end["error"]["code"] == REFUSED.1,
        _ => is_unknown(runs, run, &mut BTreeSet::new()),
    };
    if !right {
        broken.push(Broken::Wrong(format!("{run} of {} is {state}: {}", end["operation"], end["error"])));
    }
}

/// Whether a step of the run, or of one that it follows or is above, is unknown.
pub(super) fn is_unknown<'a>(
    runs: &BTreeMap<&'a str, Vec<&'a Value>>,
    run: &'a str,
    seen: &mut BTreeSet<&'a str>,
) -> bool {
    let Some(records) = runs.get(run) else { return false };
    if !seen.insert(run) {
        return false;
    }
    let end = records[records.len() - 1];
    let followed = steps(end).filter_map(|step| text(&step["upstreamId"]).split_once(':').map(|(_, run)| run));
    let below = runs.iter().filter(|(_, of)| of[0]["pinned"]["trigger"]["run"] == run).map(|(below, _)| *below);
    let next: Vec<&str> = followed.chain(below).collect();
    steps(end).any(|step| step["state"] == "unknown") || next.into_iter().any(|next| is_unknown(runs, next, seen))
}

/// Whether a run that the step started or follows is unknown: its own steps say why, each for itself.
fn is_told_by_another(runs: &BTreeMap<&str, Vec<&Value>>, run: &str, step: &Value) -> bool {
    let followed = text(&step["upstreamId"]).strip_prefix("run:");
    let told_by = runs.iter().filter(|(other, records)| {
        let trigger = &records[0]["pinned"]["trigger"];
        followed == Some(other) || (trigger["run"] == run && trigger["step"] == step["id"])
    });
    let ends = told_by.filter_map(|(_, records)| records.last());
    ends.flat_map(|end| steps(end)).any(|step| step["state"] == "unknown")
}

pub(super) fn steps(record: &Value) -> impl Iterator<Item = &Value> {
    record["steps"].as_array().into_iter().flatten()
}

/// Who asked was told, and told right.
fn replies(of: &Histories, runs: &BTreeMap<&str, Vec<&Value>>, broken: &mut Vec<Broken>) {
    let bodies = of.messages("causeway-replies").map(|reply| serde_json::from_str(text(&reply["body"])));
    let replies: Vec<Value> = bodies.map(Result::unwrap_or_default).collect();
    for asked in &of.asked {
        let state = runs.get(asked.run.as_str()).and_then(|records| records.last()).map(|end| &end["state"]);
        let mut mine = replies.iter().filter(|reply| reply["runId"] == asked.run.as_str()).peekable();
        if mine.peek().is_none() {
            broken.push(Broken::Lost(format!("{} {} has no reply", asked.mark, asked.run)));
        }
        if let Some(wrong) = mine.find(|reply| Some(&reply["state"]) != state) {
            broken.push(Broken::Wrong(format!("{} is {state:?}, and was told {wrong}", asked.run)));
        }
    }
}
