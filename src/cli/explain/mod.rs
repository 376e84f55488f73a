//! `causeway explain NAME`: what an operation takes, does and touches, when it starts by itself, and which of its steps may
//! end as outcome-unknown and why. Reads files only.

mod recovery;

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::check::Report;
use super::table::table;
use crate::operations::{
    Catalog, EventSource, OnConflict, Operation, Parameter, Schedule, Step, StepKind, WaitForStep,
};
use recovery::{Told, told, touched};

/// Due times that are told ahead.
const NEXT: usize = 3;

/// Explains one operation of the catalog; `now` is from when its schedule counts.
pub fn run(catalog: &Catalog, name: &str, as_json: bool, now: Timestamp) -> Report {
    let operation = match catalog.get(name).map(|entry| &entry.operation) {
        Some(Ok(operation)) => operation,
        Some(Err(diagnostics)) => {
            let lines: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
            return Report { text: format!("{}\n", lines.join("\n")), exit_code: 1 };
        }
        None => {
            let names: Vec<_> = catalog.entries.keys().map(String::as_str).collect();
            return Report {
                text: format!("There is no operation \"{name}\"; there are: {}.\n", names.join(", ")),
                exit_code: 1,
            };
        }
    };
    let text =
        if as_json { format!("{:#}\n", to_json(operation, catalog, now)) } else { to_text(operation, catalog, now) };
    Report { text, exit_code: 0 }
}

fn to_text(operation: &Operation, catalog: &Catalog, now: Timestamp) -> String {
    let mut text = format!("{}: {}\n", operation.name, operation.summary);
    if let Some(description) = &operation.description {
        let _ = writeln!(text, "{}", description.trim());
    }
    if !operation.parameters.is_empty() {
        let rows: Vec<_> = operation.parameters.iter().map(parameter_row).collect();
        let _ =
            write!(text, "\nparameters\n{}", table(&["NAME", "TYPE", "REQUIRED", "DEFAULT", "BOUNDS", "WHAT"], &rows));
    }
    for (title, steps) in [("steps", &operation.steps), ("on_failure", &operation.on_failure)] {
        if !steps.is_empty() {
            let rows: Vec<_> = steps.iter().map(|step| step_row(step, catalog)).collect();
            let head = ["ID", "KIND", "DOES", "UPON", "SAYS ALSO", "IF ITS ANSWER IS LOST"];
            let _ = write!(text, "\n{title}\n{}", table(&head, &rows));
        }
    }
    let unknown = may_be_unknown(operation, catalog);
    let _ = writeln!(text, "\ntouches: {}", listed(&touched(&operation.name, catalog), "nobody"));
    let _ = writeln!(text, "may end as outcome-unknown: {}", listed(&unknown, "no step"));
    if let Some(schedule) = &operation.schedule {
        let next: Vec<String> = next(schedule, now).iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "schedule: {} ({}), next {}", schedule.cron, schedule.time_zone, next.join(", "));
    }
    for event in &operation.events {
        let of = match &event.source {
            EventSource::EventGrid { kind, .. } => format!("{kind} of Event Grid"),
            EventSource::Dataverse { entity, message } => format!("{message} of {entity} in Dataverse"),
        };
        let _ = writeln!(text, "started by: {of}");
    }
    if let Some(concurrency) = &operation.concurrency {
        let of = if concurrency.key.is_some() { "of its runs with the same key" } else { "of its runs" };
        let others =
            if concurrency.on_conflict == OnConflict::Queue { "the others wait" } else { "the others are skipped" };
        let _ = writeln!(text, "concurrency: one {of} at a time, {others}");
    }
    text
}

fn to_json(operation: &Operation, catalog: &Catalog, now: Timestamp) -> Value {
    let steps = |steps: &[Step]| -> Vec<Value> { steps.iter().map(|step| step_json(step, catalog)).collect() };
    json!({
        "name": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "parameters": operation.parameters_schema(),
        "output": operation.output_schema(),
        "steps": steps(&operation.steps),
        "onFailure": steps(&operation.on_failure),
        "touches": touched(&operation.name, catalog),
        "mayEndUnknown": may_be_unknown(operation, catalog),
        "schedule": operation.schedule.as_ref().map(|schedule| json!({
            "cron": schedule.cron, "timeZone": schedule.time_zone, "next": next(schedule, now),
        })),
    })
}

fn may_be_unknown<'a>(operation: &'a Operation, catalog: &Catalog) -> Vec<&'a str> {
    let all = operation.steps.iter().chain(&operation.on_failure);
    all.filter(|step| told(step, catalog).may_be_unknown).map(|step| step.id.as_str()).collect()
}

fn next(schedule: &Schedule, now: Timestamp) -> Vec<Timestamp> {
    std::iter::successors(schedule.next(now), |last| schedule.next(*last)).take(NEXT).collect()
}

fn listed(names: &[&str], none: &str) -> String {
    if names.is_empty() { none.to_owned() } else { names.join(", ") }
}

fn parameter_row(parameter: &Parameter) -> Vec<String> {
    let bounds = &parameter.bounds;
    let mut told = Vec::new();
    let mut bound = |name: &str, value: Option<String>| told.extend(value.map(|value| format!("{name} {value}")));
    bound("from", bounds.min.as_ref().map(plain));
    bound("to", bounds.max.as_ref().map(plain));
    bound("at least", bounds.min_length.or(bounds.min_items).map(|count| count.to_string()));
    bound("at most", bounds.max_length.or(bounds.max_items).map(|count| count.to_string()));
    bound("like", bounds.pattern.as_ref().map(|(pattern, _)| pattern.clone()));
    bound("one of", (!bounds.values.is_empty()).then(|| bounds.values.join(" | ")));
    vec![
        parameter.name.clone(),
        parameter.kind.clone(),
        if parameter.required { "yes".to_owned() } else { String::new() },
        parameter.default.as_ref().map(plain).unwrap_or_default(),
        told.join(", "),
        parameter.summary.clone().unwrap_or_default(),
    ]
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn step_row(step: &Step, catalog: &Catalog) -> Vec<String> {
    let Told { kind, neighbour, recovery, .. } = told(step, catalog);
    vec![step.id.clone(), kind.to_owned(), does(&step.kind), neighbour.to_owned(), also(step).join(", "), recovery]
}

fn step_json(step: &Step, catalog: &Catalog) -> Value {
    let Told { kind, neighbour, recovery, may_be_unknown } = told(step, catalog);
    json!({
        "id": step.id,
        "kind": kind,
        "does": does(&step.kind),
        "touches": neighbour.split(", ").filter(|neighbour| !neighbour.is_empty()).collect::<Vec<_>>(),
        "conditional": step.when.is_some(),
        "attempts": step.retry.as_ref().map_or(1, |retry| retry.attempts),
        "timeoutSeconds": step.timeout.map(|timeout| timeout.as_secs()),
        "forEach": step.for_each.as_ref().map(|each| json!({"parallel": each.parallel, "continues": each.keep_going})),
        "ifAnswerIsLost": recovery,
        "mayEndUnknown": may_be_unknown,
    })
}

/// The first words of what it does.
fn does(kind: &StepKind) -> String {
    match kind {
        StepKind::Sql(sql) => shortened(&sql.statement),
        StepKind::Job(_) => "one job run, to its end".to_owned(),
        StepKind::Refresh(_) => "one refresh, to its end".to_owned(),
        StepKind::PushRows(push) if push.clear => "rows into a table, cleared before".to_owned(),
        StepKind::PushRows(_) => "rows into a table".to_owned(),
        StepKind::Message(_) => "one message".to_owned(),
        StepKind::WaitFor(WaitForStep::Delay(delay)) => format!("waits {}", spoken(*delay)),
        StepKind::WaitFor(WaitForStep::Time(_)) => "waits for a time".to_owned(),
        StepKind::WaitFor(WaitForStep::Condition(condition)) => {
            let [first, longest, timeout] = [condition.first, condition.longest, condition.timeout].map(spoken);
            let every = if first == longest { first } else { format!("{first} to {longest}") };
            format!("looks every {every}, for {timeout}")
        }
        StepKind::Operation(call) => format!("runs {}", call.name),
        StepKind::Assert(_) => "goes on only when true".to_owned(),
        _ => String::new(),
    }
}

/// As it would stand in a file.
fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let mut text = String::new();
    for (count, unit) in parts.into_iter().filter(|(count, _)| *count > 0) {
        let _ = write!(text, "{count}{unit}");
    }
    if text.is_empty() { format!("{}ms", duration.as_millis()) } else { text }
}

fn shortened(statement: &str) -> String {
    const MOST: usize = 48;
    let words: Vec<&str> = statement.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= MOST { line } else { line.chars().take(MOST - 1).chain(['…']).collect() }
}

fn also(step: &Step) -> Vec<String> {
    let mut also = Vec::new();
    if step.when.is_some() {
        also.push("when".to_owned());
    }
    if let Some(each) = &step.for_each {
        also.push(format!("for each item, {} at once", each.parallel));
    }
    if let Some(retry) = &step.retry {
        also.push(format!("{} attempts", retry.attempts));
    }
    if let Some(timeout) = step.timeout {
        also.push(format!("at most {}", spoken(timeout)));
    }
    also
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
