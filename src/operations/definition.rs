//! The text of an operation and what it means.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Diagnostic, Parameter, Step, Template};

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
    /// SHA-256 over name, text and files, in hex.
    pub fn content_hash(&self) -> String {
        unimplemented!()
    }

    /// Reads the text strictly.
    pub fn parse(&self, _variables: &BTreeMap<String, String>) -> Result<Operation, Vec<Diagnostic>> {
        unimplemented!()
    }
}

/// An operation, checked.
#[derive(Clone, Debug)]
pub struct Operation {
    pub name: String,
    pub summary: String,
    pub description: Option<String>,
    pub schedule: Option<Schedule>,
    /// In the order of the file.
    pub parameters: Vec<Parameter>,
    pub steps: Vec<Step>,
    pub on_failure: Vec<Step>,
    /// A tree whose strings are templates.
    pub output: Option<Template>,
    /// `CAUSEWAY_VAR_*`, as expressions see them.
    pub variables: BTreeMap<String, String>,
}

impl Operation {
    /// JSON Schema of the body that starts it.
    pub fn parameters_schema(&self) -> Value {
        unimplemented!()
    }

    /// JSON Schema of its output: every member nullable, none required.
    pub fn output_schema(&self) -> Value {
        unimplemented!()
    }
}

/// When an operation starts by itself.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Five fields, or six with seconds first.
    pub cron: String,
    /// IANA name; default `UTC`.
    pub time_zone: String,
    pub parameters: Option<Template>,
    pub overlap: Overlap,
    pub missed: MissedTicks,
}

impl Schedule {
    /// Due times in `(after, until]`, oldest first.
    pub fn due(&self, _after: jiff::Timestamp, _until: jiff::Timestamp) -> Vec<jiff::Timestamp> {
        unimplemented!()
    }

    /// The next due time after `after`.
    pub fn next(&self, _after: jiff::Timestamp) -> Option<jiff::Timestamp> {
        unimplemented!()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    #[default]
    Skip,
    Queue,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTicks {
    #[default]
    Last,
    All,
    None,
}
