//! Whether a step that is unknown had to be: a stand-in logged a cut or a kill at that very call.

use std::collections::BTreeMap;

use jiff::Timestamp;
use local_stack::core::Entry;
use serde_json::Value;

use super::histories::{Histories, in_hand, text};
use super::operations::marks_in;

/// A cut in a call that carries the step's mark, or the end of the handler that had the run while the step was perhaps sent.
pub(super) fn explained(of: &Histories, run: &str, records: &[&Value], step: &Value) -> bool {
    let inputs = step["renderedInputs"].to_string();
    let marks: Vec<&str> = marks_in(&inputs).collect();
    let id = text(&step["id"]);
    of.entries.iter().any(|entry| is_cut_of(entry, &marks, step))
        || killed_in(of, run, records, id)
        || never_sent(of, run, records, id)
}

/// Its worker's time ran out over the record that it was about to be sent: that was refused or cut more than once, and
/// stands. Nobody else can know that nothing was sent.
fn never_sent(of: &Histories, run: &str, records: &[&Value], step: &str) -> bool {
    started(records, step).any(|seq| {
        let name = format!("runs/{run}/{seq:08}");
        let puts = of.of_kind("blob", "fault").filter(|entry| entry.detail["method"] == "PUT");
        puts.filter(|entry| text(&entry.detail["target"]).ends_with(&name)).count() > 1
    })
}

/// Numbers of the records that the step is about to be sent.
fn started<'a>(records: &'a [&Value], step: &'a str) -> impl Iterator<Item = u64> + 'a {
    let is_it = move |one: &Value| one["id"] == step && one["state"] == "started";
    let steps = move |record: &Value| record["steps"].as_array().is_some_and(|steps| steps.iter().any(is_it));
    let about = records.iter().filter(move |record| record["transition"] == "started" && steps(record));
    about.filter_map(|record| record["seq"].as_u64())
}

fn is_cut_of(entry: &Entry, marks: &[&str], step: &Value) -> bool {
    let detail = &entry.detail;
    if entry.kind != "fault" || entry.service == "blob" || detail["fault"] == "busy" {
        return false;
    }
    if !marks.is_empty() {
        return marks_in(text(&detail["body"])).any(|mark| marks.contains(&mark));
    }
    // A refresh names its dataset and tables only.
    let time = |name: &str| text(&step[name]).parse::<Timestamp>().ok();
    let during = time("startedAt").is_some_and(|at| at <= entry.at) && time("endedAt").is_none_or(|at| entry.at <= at);
    detail["method"] == "POST" && text(&detail["target"]).contains("/refreshes") && during
}

/// Whether a handler died that had the run, between the record that the step is about to be sent and the next one.
fn killed_in(of: &Histories, run: &str, records: &[&Value], step: &str) -> bool {
    let mut written: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, entry) in of.entries.iter().enumerate() {
        if entry.service == "blob" && entry.kind == "put" {
            written.entry(text(&entry.detail["name"])).or_insert(at);
        }
    }
    let at = |seq: u64| written.get(format!("runs/{run}/{seq:08}").as_str()).copied();
    let doubtful: Vec<(usize, usize)> =
        started(records, step).filter_map(|seq| Some((at(seq)?, at(seq + 1).unwrap_or(of.entries.len())))).collect();
    deaths(&of.entries).into_iter().any(|(host, from, to)| {
        doubtful.iter().any(|(sent, told)| *sent < to && from < *told)
            && in_hand(&of.entries, host, from).contains(&run)
    })
}

/// Each kill: the host, and between which entries its handler died.
fn deaths(entries: &[Entry]) -> Vec<(&str, usize, usize)> {
    let host = |entry: &Entry, kind: &str| entry.service == "host" && entry.kind == kind;
    let killing = entries.iter().enumerate().filter(|(_, entry)| host(entry, "killing"));
    killing
        .map(|(from, entry)| {
            let dead = |later: &Entry| host(later, "killed") && later.detail["pid"] == entry.detail["pid"];
            let to = entries[from..].iter().position(dead).map_or(entries.len(), |after| from + after);
            (text(&entry.detail["host"]), from, to)
        })
        .collect()
}
