//! The steps, one after the other: each sees the ones before it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::super::expression::RESERVED;
use super::super::yaml::{Node, Place, Tree};
use super::super::{AssertStep, Diagnostic, JobStep, RefreshStep, Retry, SqlStep, Step, StepKind};
use super::{Reader, is_file_name};
use crate::failure::Code;
use crate::rows::ValueOptions;

const KINDS: &[&str] = &["sql", "job", "refresh", "push_rows", "http", "message", "wait_for", "operation", "assert"];

const IN_SQL: &str = "{{ }} has no place inside SQL; templates fill `parameters`, which are bound: write :name here";

impl Reader<'_> {
    /// `None` when one of them is wrong.
    pub(super) fn steps(&mut self, nodes: &[Node], seen: &mut BTreeSet<String>) -> Option<Vec<Step>> {
        let mut steps = Some(Vec::new());
        for node in nodes {
            let id = node.text_of("id").unwrap_or_default().to_owned();
            if let Some(at) = node.get("id") {
                if RESERVED.contains(&id.as_str()) {
                    self.problem(at.place, format!("`{id}` is a word of the expression language; choose another id"));
                }
                if !seen.insert(id.clone()) {
                    self.problem(at.place, format!("two steps have the id `{id}`"));
                }
            }
            let step = self.step(&id, node);
            match (&mut steps, step) {
                (Some(steps), Some(step)) => steps.push(step),
                _ => steps = None,
            }
            self.names.later.remove(&id);
            self.names.steps.insert(id);
        }
        steps
    }

    fn step(&mut self, id: &str, node: &Node) -> Option<Step> {
        let step: Arc<str> = Arc::from(id);
        let when = node.get("when").map(|when| self.templates(Some(&step), |templates| templates.expression(when)));
        let retry = node.get("retry").map(|retry| self.retry(retry));
        let timeout = node.get("timeout").map(|timeout| self.duration(timeout));
        let for_each = node.get("for_each").map(|each| self.for_each(&step, each));
        self.names.item = for_each.is_some();
        let kinds: Vec<_> = node.members().iter().filter(|(key, _)| KINDS.contains(&key.name.as_str())).collect();
        let mut read = None;
        for (index, (key, body)) in kinds.iter().enumerate() {
            if index > 0 {
                let message = format!("a step does one thing: `{}` stands beside `{}`", key.name, kinds[0].0.name);
                self.problem(key.place, message);
            }
            read = match key.name.as_str() {
                "sql" => self.sql(&step, body).map(StepKind::Sql),
                "job" => self.job(&step, body).map(StepKind::Job),
                "refresh" => self.refresh(&step, body).map(StepKind::Refresh),
                "push_rows" => self.push_rows(&step, body).map(StepKind::PushRows),
                "http" => self.http(&step, body).map(StepKind::Http),
                "message" => self.message(&step, body).map(StepKind::Message),
                "operation" => self.operation_step(&step, body).map(StepKind::Operation),
                "wait_for" => {
                    self.no_timeout_beside(node);
                    self.wait_for(&step, body).map(StepKind::WaitFor)
                }
                _ => self.assert(&step, body).map(StepKind::Assert),
            };
        }
        self.names.item = false;
        if kinds.is_empty() && matches!(node.tree, Tree::Mapping(_)) {
            self.problem(node.place, format!("the step does nothing: it wants one of {}", KINDS.join(", ")));
        }
        // What was not declared is fine; what was, and could not be read, is not.
        let complete = !matches!(when, Some(None))
            && !matches!(retry, Some(None))
            && !matches!(timeout, Some(None))
            && !matches!(for_each, Some(None));
        Some(Step {
            id: id.to_owned(),
            kind: read.filter(|_| complete)?,
            when: when.flatten(),
            retry: retry.flatten(),
            timeout: timeout.flatten(),
            for_each: for_each.flatten(),
        })
    }

    fn retry(&mut self, node: &Node) -> Option<Retry> {
        let on = node.get("on").map(Node::items).unwrap_or_default();
        for code in on {
            if let Some(text) = code.text()
                && !Code::ALL.iter().any(|known| known.as_str() == text)
            {
                self.problem(code.place, format!("there is no error code `{text}`"));
            }
        }
        let attempts = node.get("attempts").and_then(|attempts| attempts.to_json().as_u64());
        let backoff = match node.get("backoff") {
            Some(backoff) => self.duration(backoff)?,
            None => Duration::from_secs(30),
        };
        Some(Retry { attempts: u32::try_from(attempts?).ok()?, backoff, on: texts(on) })
    }

    pub(super) fn sql(&mut self, step: &Arc<str>, node: &Node) -> Option<SqlStep> {
        let statement = self.statement(node);
        let parameters = self.optional(step, node, "parameters");
        self.sql_parameters(node.get("parameters"));
        let complete = node.get("parameters").is_none() || parameters.is_some();
        let decimals_as_number = match node.text_of("decimals") {
            Some("number") => Some(true),
            Some("string") => Some(false),
            _ => None,
        };
        Some(SqlStep {
            statement: statement.filter(|_| complete)?,
            parameters,
            warehouse: self.optional(step, node, "warehouse"),
            catalog: self.optional(step, node, "catalog"),
            schema: self.optional(step, node, "schema"),
            idempotent: node.boolean_of("idempotent").unwrap_or(false),
            expect_one_row: node.text_of("expect").is_some(),
            values: ValueOptions { decimals_as_number, bigints_as_string: node.text_of("bigints") == Some("string") },
        })
    }

    /// A mapping as a parameter's value can only be `{value, type}`.
    fn sql_parameters(&mut self, node: Option<&Node>) {
        for (key, value) in node.map(Node::members).unwrap_or_default() {
            match &value.tree {
                Tree::Mapping(members) => {
                    for (member, _) in members.iter().filter(|(key, _)| !["value", "type"].contains(&key.name.as_str()))
                    {
                        self.problem(
                            member.place,
                            format!("unknown key `{}`; a parameter has value and type", member.name),
                        );
                    }
                    if value.get("value").is_none() {
                        self.problem(value.place, format!("parameter `{}` lacks `value`", key.name));
                    }
                    if let Some(kind) = value.get("type").filter(|kind| kind.text().is_none()) {
                        self.problem(kind.place, "`type` must be a SQL type, such as DECIMAL(12,2)");
                    }
                }
                Tree::List(_) => self.problem(value.place, "a list cannot be bound to a parameter"),
                _ => {}
            }
        }
    }

    pub(super) fn statement(&mut self, node: &Node) -> Option<String> {
        match (node.get("statement"), node.get("file")) {
            (Some(_), Some(file)) => {
                self.problem(file.place, "`file` stands beside `statement`; only one may");
                None
            }
            (None, None) => {
                if matches!(node.tree, Tree::Mapping(_)) {
                    self.problem(node.place, "sql lacks `statement` or `file`");
                }
                None
            }
            (Some(statement), None) => {
                let text = statement.text()?;
                if !text.contains("{{") {
                    return Some(text.to_owned());
                }
                let raw = statement.bytes.clone();
                let raw = raw.and_then(|range| Some((range.start, self.definition.yaml.get(range)?.find("{{")?)));
                let place = raw.map(|(start, at)| Place::of(&self.definition.yaml, start + at));
                self.problem(place.unwrap_or(statement.place), IN_SQL);
                None
            }
            (None, Some(file)) => self.sql_file(file),
        }
    }

    fn sql_file(&mut self, file: &Node) -> Option<String> {
        let name = file.text()?;
        if !is_file_name(name) {
            self.problem(file.place, "`file` must be the plain name of a .sql file in this folder");
            return None;
        }
        let Some(text) = self.definition.files.get(name) else {
            self.problem(
                file.place,
                format!("there is no file {name} beside this one, or it is not UTF-8 text of at most 256 KiB"),
            );
            return None;
        };
        if text.trim().is_empty() {
            self.problem(file.place, format!("{name} is empty"));
        }
        if let Some(at) = text.find("{{") {
            let place = Place::of(text, at);
            let (line, column) = (place.line, place.column);
            self.elsewhere.push(Diagnostic { file: name.to_owned(), line, column, message: IN_SQL.to_owned() });
        }
        Some(text.clone())
    }

    fn job(&mut self, step: &Arc<str>, node: &Node) -> Option<JobStep> {
        let job = self.optional(step, node, "job");
        let parameters = self.optional(step, node, "parameters");
        Some(JobStep {
            job: job?,
            parameters,
            notebook_params: self.optional(step, node, "notebook_params"),
            only: texts(node.get("only").map(Node::items).unwrap_or_default()),
            queue: node.boolean_of("queue"),
            performance_target: node.text_of("performance_target").map(str::to_owned),
        })
    }

    fn refresh(&mut self, step: &Arc<str>, node: &Node) -> Option<RefreshStep> {
        let workspace = self.optional(step, node, "workspace");
        let dataset = self.optional(step, node, "dataset");
        let tables = self.optional(step, node, "tables");
        let batches = node.text_of("commit_mode") == Some("partialBatch");
        if batches && node.boolean_of("apply_refresh_policy") != Some(false) {
            // learn.microsoft.com, Enhanced refresh with the Power BI REST API: applyRefreshPolicy.
            self.problem(node.place, "`commit_mode: partialBatch` needs `apply_refresh_policy: false`");
        }
        let effective_date = self.optional(step, node, "effective_date");
        if effective_date.is_some() && node.boolean_of("apply_refresh_policy") == Some(false) {
            self.problem(
                node.place,
                "`effective_date` stands for today in the refresh policy, which is not applied here",
            );
        }
        let options = refresh_options(node);
        Some(RefreshStep { workspace: workspace?, dataset: dataset?, tables, effective_date, options })
    }

    fn assert(&mut self, step: &Arc<str>, node: &Node) -> Option<AssertStep> {
        let that = node.get("that").and_then(|that| self.templates(Some(step), |templates| templates.expression(that)));
        self.names.told = true;
        let message = self.optional(step, node, "message");
        self.names.told = false;
        Some(AssertStep { that: that?, message: message? })
    }
}

fn texts(nodes: &[Node]) -> Vec<String> {
    nodes.iter().filter_map(|node| node.text().map(ToOwned::to_owned)).collect()
}

/// The API's own names and words (Power BI REST, Datasets - Refresh Dataset In Group): camelCase names, PascalCase words.
fn refresh_options(node: &Node) -> Map<String, Value> {
    let names = [
        ("type", "type"),
        ("commit_mode", "commitMode"),
        ("max_parallelism", "maxParallelism"),
        ("retry_count", "retryCount"),
        ("timeout", "timeout"),
        ("apply_refresh_policy", "applyRefreshPolicy"),
    ];
    let options = names.into_iter().filter_map(|(ours, theirs)| {
        let value = match node.get(ours)?.to_json() {
            Value::String(word) => Value::String(capitalised(&word)),
            other => other,
        };
        Some((theirs.to_owned(), value))
    });
    options.collect()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
