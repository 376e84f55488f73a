//! What makers declare: read strictly, checked before it runs, pinned by each run. Pure: no I/O but reading the folder
//! in `catalog`, and nothing of any neighbour.

mod catalog;
mod definition;
mod expression;
mod parameters;
mod steps;

pub use catalog::{Catalog, Diagnostic, Entry};
pub use definition::{Definition, MissedTicks, Operation, Overlap, Schedule};
pub use expression::{Expression, ExpressionError, Scope, Template};
pub use parameters::{FieldProblem, Parameter};
pub use steps::{AssertStep, JobStep, PushRowsStep, RefreshStep, Retry, SqlStep, Step, StepKind};
