//! Which operations call which: known only once all files are read. What is wrong in a call is a problem of its caller's
//! file, at its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::catalog::{Diagnostic, Entry};
use super::steps::Given;
use super::yaml::Place;
use super::{Operation, OperationStep, RunAs, Step, StepKind};

/// Runs may nest so deep: the run of a caller of nobody is at 0.
pub const DEEPEST: usize = 3;

/// What a call comes to.
#[derive(Clone, Copy, Debug, Default)]
struct Reach {
    /// How deep runs nest below it.
    levels: usize,
    /// Whether `for_each` is somewhere in it.
    each: bool,
}

/// Known reaches by name; in a circle there is none.
#[derive(Debug, Default)]
struct Known(BTreeMap<String, Result<Reach, String>>);

/// Disables the operations whose calls are wrong.
pub(super) fn check(entries: &mut BTreeMap<String, Entry>) {
    let mut known = Known::default();
    let mut wrong = BTreeMap::new();
    for (name, entry) in entries.iter() {
        let Ok(operation) = &entry.operation else { continue };
        let problems = problems(operation, entries, &mut known);
        if !problems.is_empty() {
            wrong.insert(name.clone(), problems);
        }
    }
    for (name, problems) in wrong {
        let file = format!("{name}.yaml");
        let told = |(place, message): (Place, String)| Diagnostic {
            file: file.clone(),
            line: place.line,
            column: place.column,
            message,
        };
        if let Some(entry) = entries.get_mut(&name) {
            entry.operation = Err(problems.into_iter().map(told).collect());
        }
    }
}

fn problems(operation: &Operation, entries: &BTreeMap<String, Entry>, known: &mut Known) -> Vec<(Place, String)> {
    let mut problems = Vec::new();
    for step in operation.steps.iter().chain(&operation.on_failure) {
        let StepKind::Operation(call) = &step.kind else { continue };
        let Some(target) = entries.get(&call.name) else {
            let names: Vec<_> = entries.keys().map(String::as_str).filter(|name| *name != operation.name).collect();
            let names = if names.is_empty() {
                "there is no other".to_owned()
            } else {
                format!("there are {}", names.join(", "))
            };
            problems.push((call.places.name, format!("there is no operation `{}`; {names}", call.name)));
            continue;
        };
        match reach(&call.name, entries, known, &mut vec![operation.name.clone()]) {
            Err(circle) => {
                problems.push((call.places.name, format!("operations call each other in a circle: {circle}")));
            }
            Ok(reach) => {
                let levels = levels(step, reach);
                if step.for_each.is_some() && reach.each {
                    let message = format!("`for_each` inside `for_each`: operation `{}` has one itself", call.name);
                    problems.push((call.places.name, message));
                } else if levels > DEEPEST {
                    let message = format!("runs would nest {levels} deep here; at most {DEEPEST}");
                    problems.push((call.places.name, message));
                }
            }
        }
        if let Ok(target) = &target.operation {
            if target.run_as == RunAs::Caller {
                let message = format!("`{}` runs as its caller, and a step has none", call.name);
                problems.push((call.places.name, message));
            }
            parameters(call, target, &mut problems);
        }
    }
    problems
}

/// How deep runs nest below a step: an item of `for_each` is a run, and so is what it calls.
fn levels(step: &Step, called: Reach) -> usize {
    let call = if matches!(step.kind, StepKind::Operation(_)) { 1 + called.levels } else { 0 };
    usize::from(step.for_each.is_some()) + call
}

/// `path`: who is being looked at, from the outermost; `Err` is the circle, written out.
fn reach(
    name: &str,
    entries: &BTreeMap<String, Entry>,
    known: &mut Known,
    path: &mut Vec<String>,
) -> Result<Reach, String> {
    if let Some(from) = path.iter().position(|other| other == name) {
        let circle: Vec<&str> = path[from..].iter().map(String::as_str).chain([name]).collect();
        return Err(circle.join(" → "));
    }
    if let Some(known) = known.0.get(name) {
        return known.clone();
    }
    let operation: Option<Arc<Operation>> = entries.get(name).and_then(|entry| entry.operation.as_ref().ok().cloned());
    let mut found = Reach::default();
    path.push(name.to_owned());
    let steps = operation.iter().flat_map(|operation| operation.steps.iter().chain(&operation.on_failure));
    let mut circle = None;
    for step in steps {
        let called = match &step.kind {
            StepKind::Operation(call) => reach(&call.name, entries, known, path),
            _ => Ok(Reach::default()),
        };
        match called {
            Ok(called) => {
                found.each |= step.for_each.is_some() || called.each;
                found.levels = found.levels.max(levels(step, called));
            }
            Err(found) => circle = Some(found),
        }
    }
    path.pop();
    let found = circle.map_or(Ok(found), Err);
    // A circle is written from where it was entered, so it is not kept.
    if found.is_ok() {
        known.0.insert(name.to_owned(), found.clone());
    }
    found
}

fn parameters(call: &OperationStep, target: &Operation, problems: &mut Vec<(Place, String)>) {
    for Given { name, place, value, sensitive } in &call.places.given {
        match (target.parameters.iter().find(|parameter| parameter.name == *name), value) {
            (None, _) => {
                let takes: Vec<_> = target.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
                let takes = if takes.is_empty() { "no parameters".to_owned() } else { takes.join(", ") };
                problems.push((*place, format!("there is no parameter `{name}`; `{}` takes {takes}", call.name)));
            }
            (Some(parameter), Some(value)) if !value.is_null() => {
                if let Err(message) = parameter.check(value) {
                    problems.push((*place, format!("parameter `{name}` {message}")));
                }
            }
            (Some(parameter), _) if *sensitive && !parameter.sensitive => {
                let message =
                    format!("a sensitive parameter may not be told: `{}` does not declare `{name}` as one", call.name);
                problems.push((*place, message));
            }
            (Some(_), _) => {}
        }
    }
    for missing in target.parameters.iter().filter(|parameter| parameter.required) {
        if !call.places.given.iter().any(|given| given.name == missing.name) {
            let message = format!("`{}` needs the parameter `{}`", call.name, missing.name);
            problems.push((call.places.parameters, message));
        }
    }
}
