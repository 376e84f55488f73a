//! What is sent as a statement, and what comes back of it. Only the words; the calls are `statements.rs`, and what an end
//! means is `results.rs`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::links::Link;

/// A named parameter, as the wire wants it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Parameter {
    pub name: String,
    /// `None` is NULL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// A SQL type; `None` is STRING.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_text: Option<String>,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct SubmitStatement {
    pub statement: String,
    pub warehouse_id: String,
    pub catalog: Option<String>,
    pub schema: Option<String>,
    pub parameters: Vec<Parameter>,
    pub row_limit: Option<u64>,
    /// Bytes of the result as Databricks counts them; more are left out and told as `truncated`.
    pub byte_limit: Option<u64>,
    pub disposition: Disposition,
    /// Rounded down to what the API takes: 0, or 5 to 50 whole seconds.
    pub wait: Duration,
    /// Tags of the query history, such as `causeway-key`.
    pub query_tags: Vec<(String, String)>,
    /// Surely a read: may be sent again after an ambiguous failure.
    pub read: bool,
}

/// How the result is to come (Databricks SDK, execute_statement).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Disposition {
    /// JSON_ARRAY in the answers; fails the statement beyond 25 MiB.
    #[default]
    Inline,
    /// ARROW_STREAM behind presigned links; any size.
    ExternalLinks,
}

/// `status.state`; an open set on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementState {
    Pending,
    Running,
    Succeeded,
    Failed,
    Canceled,
    Closed,
    Other(String),
}

/// A column of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnInfo {
    pub name: String,
    pub type_text: String,
    pub type_name: String,
    pub precision: Option<u32>,
    pub scale: Option<u32>,
}

/// The cells of a row as the wire has them; `None` is NULL.
pub type Row = Vec<Option<String>>;

/// Rows of one chunk that came in an answer.
#[derive(Clone, Debug, Default)]
pub struct ResultChunk {
    pub chunk_index: u64,
    pub row_offset: Option<u64>,
    /// As told.
    pub row_count: Option<u64>,
    /// `data_array` as it came: a part of the answer, not a copy.
    pub text: Bytes,
    pub next_chunk_index: Option<u64>,
}

/// What the manifest tells of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkInfo {
    pub chunk_index: u64,
    pub row_offset: Option<u64>,
    pub row_count: Option<u64>,
    /// Before compression; INLINE does not tell it.
    pub byte_count: Option<u64>,
}

impl ChunkInfo {
    /// Whether it is known to hold this row.
    pub(super) fn holds(&self, row: u64) -> bool {
        let (Some(first), Some(rows)) = (self.row_offset, self.row_count) else { return false };
        row.checked_sub(first).is_some_and(|behind| behind < rows)
    }
}

/// `manifest.format`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ResultFormat {
    #[default]
    JsonArray,
    ArrowStream,
    Other(String),
}

/// Why a statement failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementFailure {
    pub error_code: String,
    pub message: String,
    pub sql_state: Option<String>,
    pub error_class: Option<String>,
}

/// A statement as Databricks sees it.
#[derive(Clone, Debug)]
pub struct Statement {
    pub statement_id: String,
    pub state: StatementState,
    pub failure: Option<StatementFailure>,
    /// Empty until it has succeeded.
    pub columns: Vec<ColumnInfo>,
    pub total_row_count: Option<u64>,
    pub total_chunk_count: Option<u64>,
    pub truncated: bool,
    pub format: ResultFormat,
    /// Every chunk, as the manifest lists them.
    pub chunks: Arc<[ChunkInfo]>,
    /// The first chunk, when there are rows and they came with the reply.
    pub chunk: Option<ResultChunk>,
    /// Links that came with the reply: mostly one, to the first chunk; several have been seen.
    pub(super) links: Vec<Link>,
    /// The warehouse that runs it, when it was submitted here; Databricks does not tell.
    pub warehouse_id: Option<String>,
    /// The reply had a `result` member; with `Closed` it means success.
    pub has_result: bool,
}
