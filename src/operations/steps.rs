//! The steps of an operation, as declared. What they do lives in `crate::steps`.

use std::time::Duration;

use serde_json::Value;

use super::yaml::Place;
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
    /// Done once for each item; `retry` and `timeout` are then each item's.
    pub for_each: Option<ForEach>,
}

impl Step {
    /// A step that no file declares.
    pub(super) fn plain(id: impl Into<String>, kind: StepKind) -> Self {
        Self { id: id.into(), kind, when: None, retry: None, timeout: None, for_each: None }
    }
}

/// The items that a step is done for.
#[derive(Clone, Debug)]
pub struct ForEach {
    /// A list.
    pub items: Template,
    /// How many are under way at once.
    pub parallel: usize,
    /// Whether the others go on after one has failed.
    pub keep_going: bool,
}

/// A step has no more items.
pub const MOST_ITEMS: usize = 500;

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
    Message(MessageStep),
    WaitFor(WaitForStep),
    Operation(OperationStep),
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
    pub rows: PushedRows,
    /// Rows that are in the table already are deleted before.
    pub clear: bool,
}

/// Where the rows come from.
#[derive(Clone, Debug)]
pub enum PushedRows {
    /// An array of objects.
    Given(Template),
    /// What a statement gives that surely reads.
    Query(Box<SqlStep>),
}

/// `operation`: another operation, to its end.
#[derive(Clone, Debug)]
pub struct OperationStep {
    pub name: String,
    /// An object of its parameters.
    pub parameters: Option<Template>,
    pub(super) places: CallPlaces,
}

/// Where a call stands in its file, for what can be checked only once all files are read.
#[derive(Clone, Debug)]
pub(super) struct CallPlaces {
    pub(super) name: Place,
    pub(super) parameters: Place,
    pub(super) given: Vec<Given>,
}

/// A parameter that a call gives.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) name: String,
    pub(super) place: Place,
    /// Where no expression is in it.
    pub(super) value: Option<Value>,
    /// Whether a sensitive parameter of the caller may be in it.
    pub(super) sensitive: bool,
}

/// `message`: one message to a queue or topic of Service Bus.
#[derive(Clone, Debug)]
pub struct MessageStep {
    /// The name of the queue or topic.
    pub entity: Template,
    /// Any JSON.
    pub body: Template,
    /// An object of texts, numbers and booleans.
    pub properties: Option<Template>,
    pub session_id: Option<Template>,
    pub subject: Option<Template>,
    pub correlation_id: Option<Template>,
    /// Not visible before so long, or before a time (RFC 3339).
    pub after: Option<Duration>,
    pub at: Option<Template>,
}

/// `wait_for`: goes on when a time has come, or when what is looked at is as it should be.
#[derive(Clone, Debug)]
pub enum WaitForStep {
    Delay(Duration),
    /// RFC 3339.
    Time(Template),
    Condition(Box<ConditionStep>),
}

/// A condition that is looked at again and again.
#[derive(Clone, Debug)]
pub struct ConditionStep {
    pub look: Look,
    /// Sees `result`: what the look gave.
    pub until: Expression,
    /// The first pause between looks, and the longest; in between it doubles.
    pub first: Duration,
    pub longest: Duration,
    /// How long it is looked at in all.
    pub timeout: Duration,
}

/// What is looked at: it changes nothing.
#[derive(Clone, Debug)]
pub enum Look {
    /// A statement that surely reads.
    Sql(SqlStep),
    /// A GET or HEAD.
    Http(HttpStep),
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
