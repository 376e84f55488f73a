//! What makers declare: read strictly, checked before it runs, pinned by each run. Pure: no I/O but reading the folder
//! in `catalog`, and nothing of any neighbour.

mod calls;
mod catalog;
mod definition;
mod events;
mod expression;
mod format;
mod parameters;
pub mod push_rows;
mod reading;
mod schedule;
mod schemas;
mod steps;
mod template;
mod typed;
pub mod undeclared;
pub mod write_rows;
mod yaml;

#[cfg(test)]
mod tests;

pub use calls::DEEPEST;
pub use catalog::{Catalog, Diagnostic, Entry};
pub use definition::{Concurrency, Definition, OnConflict, Operation, RunAs};
pub use events::{EventRule, EventSource, may_want_events};
pub use expression::{Expression, ExpressionError, Scope};
pub use format::format_schema;
pub use parameters::{Bounds, FieldProblem, Parameter};
pub use schedule::{MissedTicks, Overlap, Schedule};
pub use steps::{
    AssertStep, ConditionStep, ForEach, HttpHeader, HttpStep, HttpUrl, JobStep, Look, MOST_ITEMS, MessageStep,
    OperationStep, PushRowsStep, PushedRows, RefreshStep, Retry, SqlStep, Step, StepKind, WaitForStep, WriteRowsStep,
};
pub use template::Template;
