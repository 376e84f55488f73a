//! The steps of an operation, as declared. What they do lives in `crate::steps`.

use std::time::Duration;

use super::{Expression, Template};

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    pub id: String,
    pub kind: StepKind,
    /// Skipped when false.
    pub when: Option<Expression>,
    pub retry: Option<Retry>,
    pub timeout: Option<Duration>,
}

/// Tries in all and the pause between them, which doubles.
#[derive(Clone, Debug)]
pub struct Retry {
    pub attempts: u32,
    pub backoff: Duration,
    /// Error codes that are tried again; empty means any known failure.
    pub on: Vec<String>,
}

#[derive(Clone, Debug)]
pub enum StepKind {
    Sql(SqlStep),
    Job(JobStep),
    Refresh(RefreshStep),
    /// A refresh that waits for its dataset. No file declares it: see `queued_refresh`.
    QueuedRefresh,
    /// Work that others own, to its end. No file declares it: see `followed`.
    Follow,
    PushRows(PushRowsStep),
    Http(HttpStep),
    Assert(AssertStep),
    WriteRows(WriteRowsStep),
    /// What a caller handed over for a push table; the run's parameters say what. No file declares it: see `push_rows`.
    Push,
}

/// `sql`: one statement. Its text is fixed; only parameters vary.
#[derive(Clone, Debug)]
pub struct SqlStep {
    /// The text, from `statement` or the file.
    pub statement: String,
    /// An object of names and values, or `{value, type}`.
    pub parameters: Option<Template>,
    pub warehouse: Option<Template>,
    pub catalog: Option<Template>,
    pub schema: Option<Template>,
    pub idempotent: bool,
    /// `expect: one_row`: any other count is a failure.
    pub expect_one_row: bool,
    /// `decimals: auto|number|string`, `bigints: number|string`.
    pub values: crate::rows::ValueOptions,
}

/// `job`: one job run, to its end.
#[derive(Clone, Debug)]
pub struct JobStep {
    /// Id or unique name.
    pub job: Template,
    pub parameters: Option<Template>,
    /// For notebooks of jobs without job parameters.
    pub notebook_params: Option<Template>,
    pub only: Vec<String>,
    /// Whether a run that finds no place waits; as the job says when it is left out.
    pub queue: Option<bool>,
    pub performance_target: Option<String>,
}

/// `refresh`: one refresh, to its end.
#[derive(Clone, Debug)]
pub struct RefreshStep {
    pub workspace: Template,
    pub dataset: Template,
    /// Names of tables, or objects `{table, partition}`.
    pub tables: Option<Template>,
    pub effective_date: Option<Template>,
    /// `type`, `commit_mode`, … as the API names them, in camelCase.
    pub options: serde_json::Map<String, serde_json::Value>,
}

/// `push_rows`: rows into a table of a push dataset.
#[derive(Clone, Debug)]
pub struct PushRowsStep {
    pub workspace: Template,
    pub dataset: Template,
    pub table: Template,
    /// An array of objects.
    pub rows: Template,
}

/// `http`: one call of an address outside.
#[derive(Clone, Debug)]
pub struct HttpStep {
    pub url: HttpUrl,
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// Names in lower case.
    pub headers: Vec<(String, HttpHeader)>,
    pub body: Option<Template>,
    pub idempotent: bool,
    /// Empty: any from 200 to 299.
    pub expect: Vec<u16>,
}

#[derive(Clone, Debug)]
pub enum HttpUrl {
    Given(Template),
    /// The name of the secret that holds it.
    Secret(String),
}

#[derive(Clone, Debug)]
pub enum HttpHeader {
    Given(Template),
    /// The name of the secret that holds it.
    Secret(String),
}

/// `assert`: goes on only when true.
#[derive(Clone, Debug)]
pub struct AssertStep {
    pub that: Expression,
    pub message: Template,
}

/// One batch of rows that a caller handed over. No file declares it: see `write_rows`.
#[derive(Clone, Debug)]
pub struct WriteRowsStep {
    /// From 0.
    pub batch: usize,
    pub batches: usize,
    /// The first and the last row in it, from 1.
    pub rows: (u64, u64),
}
