//! Statement Execution API 2.0: submit, get, cancel, chunk. INLINE disposition, JSON_ARRAY format.

use std::time::Duration;

use super::{Databricks, DatabricksError};
use crate::http::Deadline;

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
    /// Rounded to what the API takes: 0, or 5 to 50 s.
    pub wait: Duration,
    /// Tags of the query history, such as `causeway-key`.
    pub query_tags: Vec<(String, String)>,
    /// Surely a read: may be sent again after an ambiguous failure.
    pub read: bool,
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

/// Rows of one chunk.
#[derive(Clone, Debug, Default)]
pub struct ResultChunk {
    pub chunk_index: u64,
    pub row_offset: u64,
    pub rows: Vec<Vec<Option<String>>>,
    pub next_chunk_index: Option<u64>,
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
    /// The first chunk, when there are rows.
    pub chunk: Option<ResultChunk>,
    /// The reply had a `result` member; with `Closed` it means success.
    pub has_result: bool,
}

impl Databricks {
    pub async fn submit(&self, _submit: &SubmitStatement, _deadline: Deadline) -> Result<Statement, DatabricksError> {
        unimplemented!()
    }

    pub async fn statement(&self, _id: &str, _deadline: Deadline) -> Result<Statement, DatabricksError> {
        unimplemented!()
    }

    /// Asks for cancellation; the statement may still finish.
    pub async fn cancel_statement(&self, _id: &str, _deadline: Deadline) -> Result<(), DatabricksError> {
        unimplemented!()
    }

    pub async fn chunk(&self, _id: &str, _index: u64, _deadline: Deadline) -> Result<ResultChunk, DatabricksError> {
        unimplemented!()
    }

    /// Polls until the statement has ended or the deadline comes, the pauses growing from 100 ms to 5 s.
    pub async fn wait_for(&self, _first: Statement, _deadline: Deadline) -> Result<Statement, DatabricksError> {
        unimplemented!()
    }

    /// Every row up to `max_rows` and `max_bytes` of cell text, following chunks. Complete results are held against
    /// `total_row_count`; the flag says whether rows were left out by the two limits.
    pub async fn rows(
        &self,
        _statement: &Statement,
        _max_rows: usize,
        _max_bytes: usize,
        _deadline: Deadline,
    ) -> Result<(Vec<Vec<Option<String>>>, bool), DatabricksError> {
        unimplemented!()
    }
}

impl Statement {
    /// Success, also when `CLOSED` came with its result; a failure with SQLSTATE and error class; or not ended yet.
    pub fn outcome(&self) -> Result<Option<()>, crate::failure::Failure> {
        unimplemented!()
    }

    /// The columns with their conversions.
    pub fn typed_columns(&self, _options: crate::rows::ValueOptions) -> Vec<crate::rows::Column> {
        unimplemented!()
    }
}
