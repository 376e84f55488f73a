//! Parameters of operations: types, defaults, checks. The same from HTTP, queue and timer.

use serde_json::{Map, Value};

use super::Operation;

/// A declared parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    /// `string`, `integer`, `number`, `boolean`, `date`, `datetime`, `enum`, `array`, `object`.
    pub kind: String,
    pub required: bool,
    pub default: Option<Value>,
    pub summary: Option<String>,
    pub description: Option<String>,
    /// Kept out of logs and encrypted in the ledger.
    pub sensitive: bool,
}

/// What is wrong with one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// `parameters.day`, or the name of an unknown member.
    pub place: String,
    pub message: String,
}

impl Operation {
    /// Checks a body and fills in defaults; every problem at once.
    pub fn accept(&self, _body: &Map<String, Value>) -> Result<Map<String, Value>, Vec<FieldProblem>> {
        unimplemented!()
    }
}
