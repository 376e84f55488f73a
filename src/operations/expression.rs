//! Expressions (CEL) and templates: typed, and an error instead of a guess.

use serde_json::{Map, Value};

/// One CEL expression, compiled, with its place in the file.
#[derive(Clone, Debug)]
pub struct Expression {}

/// A JSON tree whose strings may hold `{{ expression }}`, with their places.
#[derive(Clone, Debug)]
pub struct Template {}

/// What expressions see.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Values by parameter name; dates and datetimes as strings, with `date_parameters` naming them.
    pub parameters: Map<String, Value>,
    /// By step id: `row`, `rows`, `rowCount`, … as the step's output has them.
    pub steps: Map<String, Value>,
    /// `id`, `operation`, `startTime`, `dueTime`, `error`.
    pub run: Map<String, Value>,
    pub variables: Map<String, Value>,
    pub item: Option<Value>,
}

/// An expression that has no value, at its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct ExpressionError {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl Expression {
    pub fn evaluate(&self, _scope: &Scope) -> Result<Value, ExpressionError> {
        unimplemented!()
    }

    /// Evaluates to a boolean; anything else is an error.
    pub fn is_true(&self, _scope: &Scope) -> Result<bool, ExpressionError> {
        unimplemented!()
    }
}

impl Template {
    /// Fills it. A string that is one expression alone keeps that expression's type.
    pub fn render(&self, _scope: &Scope) -> Result<Value, ExpressionError> {
        unimplemented!()
    }

    /// Fills it to a text; null or a boolean is an error.
    pub fn render_text(&self, _scope: &Scope) -> Result<String, ExpressionError> {
        unimplemented!()
    }
}
