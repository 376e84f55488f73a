//! Expressions (CEL): typed, and an error instead of a guess. Compiled once, evaluated against a [`Scope`].
//!
//! Stricter than the standard in one thing: `==`, `!=` and `in` refuse to compare values of different kinds (null
//! aside), since decimals above 15 digits enter as texts and would silently never be equal to a number.

mod compile;
mod deep_stack;
mod explain;
mod functions;
mod names;
mod values;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::yaml::Place;

pub(super) use compile::compile;
pub(super) use deep_stack::on_a_deep_stack;
pub(super) use names::{Names, RESERVED};

/// One CEL expression, compiled, with its place in the file.
#[derive(Clone, Debug)]
pub struct Expression {
    compiled: Arc<compile::Compiled>,
}

/// What expressions see. Parameters of the types `date` and `datetime` become timestamps, and so do `run.startTime` and
/// `run.dueTime`; which parameters those are is known to the expression since it was compiled.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Values by parameter name, as `Operation::accept` gave them; dates and datetimes as strings.
    pub parameters: Map<String, Value>,
    /// By step id: `row`, `rows`, `rowCount`, … as the step's output has them.
    pub steps: Map<String, Value>,
    /// `id`, `operation`, `startTime`, `dueTime`, `error`.
    pub run: Map<String, Value>,
    pub variables: Map<String, Value>,
    pub item: Option<Value>,
    /// What an operation's `events` see of the event; empty everywhere else.
    pub event: Map<String, Value>,
}

/// An expression that has no value, at its place. Never holds a value, which could be sensitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionError {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The step that it belongs to; none in `output` and `schedule`.
    pub step: Option<String>,
    pub message: String,
}

impl std::fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if let Some(step) = &self.step {
            write!(f, "step {step}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExpressionError {}

/// Where an expression or a template stands.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) file: Arc<str>,
    pub(super) place: Place,
    pub(super) step: Option<Arc<str>>,
}

impl Origin {
    pub(super) fn error(&self, message: impl Into<String>) -> ExpressionError {
        ExpressionError {
            file: self.file.to_string(),
            line: self.place.line,
            column: self.place.column,
            step: self.step.as_deref().map(ToOwned::to_owned),
            message: message.into(),
        }
    }
}

impl Expression {
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, ExpressionError> {
        self.compiled.evaluate(scope).map_err(|message| self.compiled.origin.error(message))
    }

    /// Evaluates to a boolean; anything else is an error.
    pub fn is_true(&self, scope: &Scope) -> Result<bool, ExpressionError> {
        match self.evaluate(scope)? {
            Value::Bool(value) => Ok(value),
            other => Err(self.compiled.origin.error(format!("must be true or false, not {}", kind_of(&other)))),
        }
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.compiled.origin
    }
}

/// What a value is, for messages.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
