//! The text of an operation and what it means.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::{Diagnostic, EventRule, Parameter, Schedule, Step, Template, push_rows, reading, undeclared, write_rows};

/// An operation's text, whole: what a run pins in its first record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The file's name without `.yaml`.
    pub name: String,
    pub yaml: String,
    /// SQL files that it names, by their names.
    pub files: BTreeMap<String, String>,
}

impl Definition {
    /// SHA-256 over name, text and files, in hex. Each part is preceded by its length, so that no two definitions
    /// give the same bytes.
    pub fn content_hash(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        let mut part = |text: &str| {
            context.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(text.as_bytes());
        };
        part(&self.name);
        part(&self.yaml);
        for (name, text) in &self.files {
            part(name);
            part(text);
        }
        let mut hex = String::with_capacity(64);
        for byte in context.finish().as_ref() {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }

    /// Reads the text strictly, from what is pinned alone. `variables` are what expressions see as `variables.*`.
    pub fn parse(&self, variables: &BTreeMap<String, String>) -> Result<Operation, Vec<Diagnostic>> {
        let undeclared =
            write_rows::read(self).or_else(|| push_rows::read(self)).or_else(|| undeclared::read(self).map(Ok));
        undeclared.unwrap_or_else(|| reading::read(self, variables))
    }

    /// The SQL files that the text names, as far as it can be read.
    pub(super) fn named_files(&self) -> Vec<String> {
        reading::named_files(&self.yaml)
    }
}

/// In whose name work is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunAs {
    /// Causeway's own.
    #[default]
    App,
    /// The caller's: Unity Catalog and Power BI see the user.
    Caller,
}

impl RunAs {
    pub fn is_app(&self) -> bool {
        *self == Self::App
    }
}

/// Runs of one key go one after the other.
#[derive(Clone, Debug)]
pub struct Concurrency {
    /// `None`: all runs of the operation.
    pub key: Option<Template>,
    pub on_conflict: OnConflict,
}

/// What becomes of a run while another of its key goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// It waits for its turn.
    #[default]
    Queue,
    /// It ends at once.
    Skip,
}

/// An operation, checked.
#[derive(Clone, Debug)]
pub struct Operation {
    pub name: String,
    pub summary: String,
    pub description: Option<String>,
    pub run_as: RunAs,
    pub schedule: Option<Schedule>,
    /// In the order of the file.
    pub events: Vec<EventRule>,
    /// In the order of the file.
    pub parameters: Vec<Parameter>,
    pub steps: Vec<Step>,
    pub on_failure: Vec<Step>,
    /// Which of its runs go one after the other.
    pub concurrency: Option<Concurrency>,
    /// A tree whose strings are templates.
    pub output: Option<Template>,
    /// `CAUSEWAY_VAR_*`, as expressions see them.
    pub variables: BTreeMap<String, String>,
}

impl Operation {
    /// One step with `for_each` as an operation of its own: what is done for one item.
    pub fn item_of(&self, step: &str) -> Option<Self> {
        let step = self.steps.iter().chain(&self.on_failure).find(|other| other.id == step)?;
        let name = format!("{}.{}", self.name, step.id);
        Some(Self {
            summary: self.summary.clone(),
            description: None,
            run_as: self.run_as,
            schedule: None,
            events: Vec::new(),
            parameters: self.parameters.clone(),
            steps: vec![Step { when: None, for_each: None, ..step.clone() }],
            on_failure: Vec::new(),
            // Its parent has the turn that it would wait for.
            concurrency: None,
            output: Some(Template::step(&step.id, &name)),
            variables: self.variables.clone(),
            name,
        })
    }
}
