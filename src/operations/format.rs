//! The shape of an operation's YAML, from which its JSON Schema is made. The loader checks files against that schema, so
//! what an editor says and what we say is one thing. No meaning lives here: that is `reading`.

#![allow(dead_code)] // The shapes are read by the derive alone; values are read from the tree, which knows its places.

mod children;
mod event;
mod http;
mod message;
mod wait_for;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// A declared operation: typed parameters, steps, output.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "Causeway operation")]
struct OperationFile {
    /// What it does, in one line; the action's name in a connector.
    summary: String,
    /// What a maker should know before calling it.
    description: Option<String>,
    /// In whose name its steps run; default app.
    run_as: Option<RunAs>,
    /// When it starts by itself.
    schedule: Option<Schedule>,
    /// Which of its runs go one after the other.
    concurrency: Option<Concurrency>,
    /// Which events start it.
    #[schemars(length(min = 1, max = 50))]
    events: Option<Vec<event::Event>>,
    /// What callers give, by name.
    parameters: Option<BTreeMap<String, Parameter>>,
    /// Done one after the other.
    #[schemars(length(min = 1, max = 100))]
    steps: Vec<Step>,
    /// Done when a step has failed; `run.error` says how.
    #[schemars(length(min = 1, max = 100))]
    on_failure: Option<Vec<Step>>,
    /// What callers get: a value, or `{value, type}` by name.
    output: Option<BTreeMap<String, Value>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum RunAs {
    /// Causeway's own identity.
    App,
    /// The caller's, exchanged for while the caller waits.
    Caller,
}

/// When an operation starts by itself.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Schedule {
    /// Five fields (minute, hour, day, month, weekday), or six with seconds first.
    cron: String,
    /// IANA name, such as Europe/Berlin; default UTC.
    time_zone: Option<String>,
    /// The parameters of such a run; templates see `run` and `variables`.
    parameters: Option<BTreeMap<String, Value>>,
    /// What happens when the run before still goes on; default skip.
    overlap: Option<Overlap>,
    /// Which due times count that passed while nothing ran; default last.
    missed: Option<Missed>,
}

/// Runs of one key go one after the other.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Concurrency {
    /// A text with expressions over `parameters`, `run` and `variables`; default one key for all runs of the operation.
    key: Option<String>,
    /// What becomes of a run while another of its key goes; default queue.
    on_conflict: Option<OnConflict>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum OnConflict {
    /// It waits for its turn.
    Queue,
    /// It ends at once, with `run-skipped`.
    Skip,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Overlap {
    Skip,
    Queue,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Missed {
    Last,
    All,
    None,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum ParameterType {
    String,
    Integer,
    Number,
    Boolean,
    Date,
    Datetime,
    Enum,
    Array,
    Object,
}

/// One parameter.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Parameter {
    #[schemars(rename = "type")]
    kind: ParameterType,
    /// Without it the parameter may be left out, and is then its default or null.
    required: Option<bool>,
    /// Kept encrypted, and shown in no view, log or error.
    sensitive: Option<bool>,
    /// What it is when left out.
    default: Option<Value>,
    /// Its label.
    summary: Option<String>,
    description: Option<String>,
    /// Least value: a number, or a text for date and datetime.
    min: Option<NumberOrText>,
    /// Greatest value: a number, or a text for date and datetime.
    max: Option<NumberOrText>,
    /// In characters.
    min_length: Option<u32>,
    /// In characters.
    max_length: Option<u32>,
    min_items: Option<u32>,
    max_items: Option<u32>,
    /// A regular expression that the whole text must match.
    pattern: Option<String>,
    /// The values of an enum.
    #[schemars(length(min = 1))]
    values: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum NumberOrText {
    Number(f64),
    Text(String),
}

/// One step: an id, exactly one of `sql`, `job`, `refresh`, `push_rows`, `http`, `message`, `wait_for`, `operation`,
/// `assert`, and what holds for every kind.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["sql"]}, {"required": ["job"]}, {"required": ["refresh"]}, {"required": ["push_rows"]},
    {"required": ["http"]}, {"required": ["message"]}, {"required": ["wait_for"]}, {"required": ["operation"]},
    {"required": ["assert"]}
]))]
struct Step {
    /// Its name in expressions: `steps.<id>`.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_]{0,62}$"))]
    id: String,
    /// An expression; the step is skipped when it is false.
    when: Option<String>,
    retry: Option<Retry>,
    /// How long the step may take, such as 90s, 10m or PT1H.
    timeout: Option<String>,
    for_each: Option<children::ForEach>,
    sql: Option<Sql>,
    job: Option<Job>,
    refresh: Option<Refresh>,
    push_rows: Option<PushRows>,
    http: Option<http::Http>,
    message: Option<message::Message>,
    wait_for: Option<wait_for::WaitFor>,
    operation: Option<children::Operation>,
    assert: Option<Assert>,
}

/// Tries in all and the pause between them, which doubles.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Retry {
    /// Tries in all, the first one included.
    #[schemars(range(min = 1, max = 10))]
    attempts: u32,
    /// The first pause, such as 30s; default 30s.
    backoff: Option<String>,
    /// Error codes that are tried again; default any failure that surely had no effect.
    on: Option<Vec<String>>,
}

/// One SQL statement. Its text is fixed; parameters are bound.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["statement"]}, {"required": ["file"]}]))]
struct Sql {
    /// The text.
    statement: Option<String>,
    /// Or the file beside this one that holds it.
    file: Option<String>,
    /// By name: a value, or `{value, type}` with a SQL type.
    parameters: Option<BTreeMap<String, Value>>,
    /// Id of the warehouse; default the app's.
    warehouse: Option<String>,
    catalog: Option<String>,
    schema: Option<String>,
    /// Running it twice does no harm, so it may be sent again when its outcome is unknown.
    idempotent: Option<bool>,
    /// Any other count of rows is a failure.
    expect: Option<Expect>,
    /// How DECIMAL is written; default auto: a number up to 15 digits, else a text.
    decimals: Option<Decimals>,
    /// How BIGINT is written; default number.
    bigints: Option<Bigints>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum Expect {
    OneRow,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Decimals {
    Auto,
    Number,
    String,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Bigints {
    Number,
    String,
}

/// One run of a Databricks job, to its end.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Job {
    /// Its id or unique name.
    #[schemars(rename = "job")]
    id: NumberOrText,
    parameters: Option<BTreeMap<String, Value>>,
    /// For notebooks of jobs without job parameters.
    notebook_params: Option<BTreeMap<String, Value>>,
    /// Task keys; default all.
    only: Option<Vec<String>>,
    /// Whether a run that finds no place waits for its turn; default as the job says.
    queue: Option<bool>,
    /// Of serverless jobs.
    performance_target: Option<PerformanceTarget>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "SCREAMING_SNAKE_CASE")]
enum PerformanceTarget {
    Standard,
    PerformanceOptimized,
}

/// One refresh of a Power BI dataset, to its end.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Refresh {
    /// Id; `me` is My Workspace.
    workspace: String,
    dataset: String,
    /// Names of tables, or `{table, partition}`.
    tables: Option<Vec<RefreshTable>>,
    #[schemars(rename = "type")]
    kind: Option<RefreshType>,
    commit_mode: Option<CommitMode>,
    #[schemars(range(min = 1, max = 30))]
    max_parallelism: Option<u32>,
    #[schemars(range(min = 0, max = 10))]
    retry_count: Option<u32>,
    /// One try's limit as hh:mm:ss, at most 24:00:00.
    #[schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$|^24:00:00$"))]
    timeout: Option<String>,
    apply_refresh_policy: Option<bool>,
    /// What stands for today in the refresh policy: a date, or an expression for one.
    effective_date: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum RefreshTable {
    Name(String),
    Object(RefreshObject),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RefreshObject {
    table: String,
    partition: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
enum RefreshType {
    Full,
    ClearValues,
    Calculate,
    DataOnly,
    Automatic,
    Defragment,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
enum CommitMode {
    Transactional,
    PartialBatch,
}

/// Rows into a table of a push dataset: given, or what a statement gives.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["rows"]}, {"required": ["statement"]}, {"required": ["file"]}]))]
struct PushRows {
    workspace: String,
    dataset: String,
    table: String,
    /// An expression for a list of objects, such as `{{ steps.daily.rows }}`, or the list itself.
    rows: Option<Value>,
    /// A statement that only reads; its columns are named as the table's.
    statement: Option<String>,
    /// Or the file beside this one that holds it.
    file: Option<String>,
    /// Of the statement, by name: a value, or `{value, type}` with a SQL type.
    parameters: Option<BTreeMap<String, Value>>,
    /// Id of the warehouse; default the app's.
    warehouse: Option<String>,
    catalog: Option<String>,
    schema: Option<String>,
    /// Rows that are in the table already are deleted before.
    clear: Option<bool>,
}

/// Goes on only when true.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Assert {
    /// An expression.
    that: String,
    /// What the failure says.
    message: String,
}

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<OperationFile>();
    let mut schema = Value::from(schema);
    drop_null(&mut schema);
    schema
});

/// JSON Schema (draft 2020-12) of an operation's YAML.
pub fn format_schema() -> &'static Value {
    &SCHEMA
}

/// A key may be left out, but one that stands there has a value: `description:` alone is a slip.
fn drop_null(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Array(kinds)) = members.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [kind] = kinds.as_slice() {
                    let kind = kind.clone();
                    members.insert("type".to_owned(), kind);
                }
            }
            if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
                if let [Value::Object(choice)] = choices.as_slice() {
                    let choice = choice.clone();
                    members.remove("anyOf");
                    members.extend(choice);
                }
            }
            members.values_mut().for_each(drop_null);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_null),
        _ => {}
    }
}
