//! From a definition's text to a checked operation: structure first, then what schemas cannot say. Collects every
//! problem; nothing here stops at the first.

mod children;
mod events;
mod http_step;
mod message;
mod parameters;
mod push_rows;
mod run_as;
mod steps;
mod structure;
mod wait_for;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use regex::Regex;

use super::expression::{Names, on_a_deep_stack};
use super::schedule::parse_cron;
use super::template::Templates;
use super::yaml::{Node, Place};
use super::{
    Concurrency, Definition, Diagnostic, MissedTicks, OnConflict, Operation, Overlap, Parameter, Schedule, Template,
};

/// The longest that a step may take or wait: a run is kept for 30 days.
const MAX_DURATION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is being read, and what was found wrong in it.
pub(super) struct Reader<'a> {
    file: Arc<str>,
    definition: &'a Definition,
    names: Names,
    problems: Vec<(Place, String)>,
    /// Problems in the SQL files.
    elsewhere: Vec<Diagnostic>,
}

/// Reads a definition; takes a thread of its own while it does.
pub(super) fn read(
    definition: &Definition,
    variables: &BTreeMap<String, String>,
) -> Result<Operation, Vec<Diagnostic>> {
    on_a_deep_stack(|| read_here(definition, variables)).unwrap_or_else(|error| {
        let message = format!("the file could not be read: no thread, {error}");
        Err(vec![Diagnostic { file: format!("{}.yaml", definition.name), line: 1, column: 1, message }])
    })
}

fn read_here(definition: &Definition, variables: &BTreeMap<String, String>) -> Result<Operation, Vec<Diagnostic>> {
    let mut reader = Reader {
        file: Arc::from(format!("{}.yaml", definition.name)),
        definition,
        names: Names { variables: variables.keys().cloned().collect(), ..Names::default() },
        problems: Vec::new(),
        elsewhere: Vec::new(),
    };
    if !matches(r"^[a-z][a-z0-9-]{0,62}$", &definition.name) {
        let message = "the file's name is the operation's: it must match ^[a-z][a-z0-9-]{0,62}$ before .yaml";
        reader.problems.push((Place::START, message.to_owned()));
    }
    let operation = match Node::parse(&definition.yaml) {
        Ok(root) => {
            reader.problems.extend(structure::check(&root));
            reader.operation(&root, variables)
        }
        Err(problem) => {
            reader.problems.push(problem);
            None
        }
    };
    reader.finish(operation)
}

/// The SQL files that the text names and that could be files of the folder.
pub(super) fn named_files(yaml: &str) -> Vec<String> {
    let Ok(root) = Node::parse(yaml) else { return Vec::new() };
    let steps = ["steps", "on_failure"].into_iter().filter_map(|list| root.get(list)).flat_map(Node::items);
    let of = |step: &Node| {
        let places = [step.get("sql"), step.get("push_rows"), step.get("wait_for").and_then(|wait| wait.get("sql"))];
        places
            .into_iter()
            .flatten()
            .filter_map(|place| place.text_of("file").map(ToOwned::to_owned))
            .collect::<Vec<_>>()
    };
    let files = steps.flat_map(of);
    files.filter(|file| is_file_name(file)).collect()
}

/// A plain name: no folder, nothing that climbs out of one.
fn is_file_name(file: &str) -> bool {
    matches(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\.sql$", file) && !file.contains("..")
}

fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
}

impl Reader<'_> {
    fn problem(&mut self, place: Place, message: impl Into<String>) {
        self.problems.push((place, message.into()));
    }

    fn finish(self, operation: Option<Operation>) -> Result<Operation, Vec<Diagnostic>> {
        let file = self.file.to_string();
        let mut diagnostics: Vec<_> = self
            .problems
            .into_iter()
            .map(|(place, message)| Diagnostic { file: file.clone(), line: place.line, column: place.column, message })
            .collect();
        diagnostics.extend(self.elsewhere);
        diagnostics.sort();
        diagnostics.dedup();
        match operation {
            Some(operation) if diagnostics.is_empty() => Ok(operation),
            _ if diagnostics.is_empty() => {
                Err(vec![Diagnostic { file, line: 1, column: 1, message: "the file is not an operation".to_owned() }])
            }
            _ => Err(diagnostics),
        }
    }

    fn operation(&mut self, root: &Node, variables: &BTreeMap<String, String>) -> Option<Operation> {
        let parameters = self.parameters(root.get("parameters"));
        let dates = parameters.iter().filter(|parameter| matches!(parameter.kind.as_str(), "date" | "datetime"));
        self.names.dates = Arc::new(dates.map(|parameter| parameter.name.clone()).collect());
        let sensitive = parameters.iter().filter(|parameter| parameter.sensitive);
        self.names.sensitive = sensitive.map(|parameter| parameter.name.clone()).collect();
        let declared = root.get("parameters").map(Node::members).unwrap_or_default();
        self.names.parameters = declared.iter().map(|(key, _)| key.name.clone()).collect();

        let mut seen = BTreeSet::new();
        let main = root.get("steps").map(Node::items).unwrap_or_default();
        let on_failure = root.get("on_failure").map(Node::items).unwrap_or_default();
        let ids = |steps: &[Node]| -> BTreeSet<String> {
            steps.iter().filter_map(|step| step.text_of("id")).map(ToOwned::to_owned).collect()
        };
        self.names.later = ids(main);
        // A key is a name in the ledger.
        self.names.told = true;
        let concurrency = root.get("concurrency").map(|concurrency| self.concurrency(concurrency));
        self.names.told = false;
        let steps = self.steps(main, &mut seen);
        let done = self.names.clone();
        self.names.told = true;
        let output = root.get("output").and_then(|output| self.templates(None, |templates| templates.output(output)));
        self.names.told = false;

        self.names.failed = true;
        self.names.later = ids(on_failure);
        let on_failure = self.steps(on_failure, &mut seen);
        self.names = done;
        let schedule = root.get("schedule").and_then(|schedule| self.schedule(schedule, &parameters));
        let events = root.get("events").map(Node::items).unwrap_or_default();
        let events: Vec<_> = events.iter().filter_map(|event| self.event(event, &parameters)).collect();
        let run_as = self.run_as(root);
        Some(Operation {
            name: self.definition.name.clone(),
            run_as,
            summary: root.text_of("summary")?.to_owned(),
            description: root.text_of("description").map(ToOwned::to_owned),
            schedule,
            events,
            parameters,
            steps: steps?,
            on_failure: on_failure?,
            concurrency,
            output,
            variables: variables.clone(),
        })
    }

    fn schedule(&mut self, node: &Node, parameters: &[Parameter]) -> Option<Schedule> {
        let cron = node.get("cron")?;
        let cron_text = cron.text()?;
        if let Err(message) = parse_cron(cron_text) {
            self.problem(cron.place, message);
        }
        let time_zone = node.text_of("time_zone").unwrap_or("UTC");
        if let (Some(zone), Err(_)) = (node.get("time_zone"), TimeZone::get(time_zone)) {
            self.problem(zone.place, format!("`time_zone` {time_zone} is not an IANA name, such as Europe/Berlin"));
        }
        let before = std::mem::replace(&mut self.names.schedule, true);
        let parameters = self.given(node, "the schedule", parameters);
        self.names.schedule = before;
        Some(Schedule {
            cron: cron_text.to_owned(),
            time_zone: time_zone.to_owned(),
            parameters,
            overlap: if node.text_of("overlap") == Some("queue") { Overlap::Queue } else { Overlap::Skip },
            missed: match node.text_of("missed") {
                Some("all") => MissedTicks::All,
                Some("none") => MissedTicks::None,
                _ => MissedTicks::Last,
            },
        })
    }

    /// The parameters that a schedule or an event gives; `by` is who, for messages.
    fn given(&mut self, node: &Node, by: &str, parameters: &[Parameter]) -> Option<Template> {
        let given = node.get("parameters");
        for (key, value) in given.map(Node::members).unwrap_or_default() {
            let Some(parameter) = parameters.iter().find(|parameter| parameter.name == key.name) else {
                if !self.names.parameters.contains(&key.name) {
                    self.problem(key.place, format!("there is no parameter `{}`", key.name));
                }
                continue;
            };
            if parameter.sensitive {
                self.problem(
                    value.place,
                    format!("parameter `{}` is sensitive: a schedule, which many read, cannot give it", key.name),
                );
            }
            let template = value.text().is_some_and(|text| text.contains("{{"));
            if let Err(message) = if template { Ok(()) } else { parameter.check(&value.to_json()) } {
                self.problem(value.place, format!("parameter `{}` {message}", key.name));
            }
        }
        for missing in parameters.iter().filter(|parameter| parameter.required) {
            if given.is_none_or(|given| given.get(&missing.name).is_none()) {
                let place = given.map_or(node.place, |given| given.place);
                self.problem(place, format!("{by} does not give the required parameter `{}`", missing.name));
            }
        }
        given.and_then(|given| self.templates(None, |templates| templates.template(given)))
    }

    fn concurrency(&mut self, node: &Node) -> Concurrency {
        let key = node.get("key").and_then(|key| self.templates(None, |templates| templates.template(key)));
        let on_conflict =
            if node.text_of("on_conflict") == Some("skip") { OnConflict::Skip } else { OnConflict::Queue };
        Concurrency { key, on_conflict }
    }

    fn templates<T>(
        &mut self,
        step: Option<&Arc<str>>,
        read: impl FnOnce(&mut Templates<'_>) -> Option<T>,
    ) -> Option<T> {
        read(&mut Templates {
            file: &self.file,
            yaml: &self.definition.yaml,
            step,
            names: &self.names,
            problems: &mut self.problems,
        })
    }

    /// `template` of an optional member.
    fn optional(&mut self, step: &Arc<str>, node: &Node, name: &str) -> Option<Template> {
        let member = node.get(name)?;
        self.templates(Some(step), |templates| templates.template(member))
    }

    fn duration(&mut self, node: &Node) -> Option<std::time::Duration> {
        let text = node.text()?;
        let duration = text
            .parse::<SignedDuration>()
            .ok()
            .filter(|duration| *duration > SignedDuration::ZERO && *duration <= MAX_DURATION);
        if duration.is_none() {
            self.problem(node.place, "a duration is wanted, such as 90s, 10m or PT1H, of at most 30 days");
        }
        duration.and_then(|duration| std::time::Duration::try_from(duration).ok())
    }
}
