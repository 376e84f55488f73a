//! The bodies of the Statement Execution API as they come, every member allowed to be missing, and what is made of them.
//!
//! PENDING and RUNNING come without `manifest` and `result`; DDL without `columns` and with `result: {}`; no rows with
//! `columns` and `result: {}`; EXTERNAL_LINKS without `data_array` (recorded replies of the API).

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::links::Link;
use super::statement::{
    ChunkInfo, ColumnInfo, Parameter, ResultChunk, ResultFormat, Statement, StatementFailure, StatementState,
};

#[derive(Serialize)]
pub(super) struct SubmitBody<'a> {
    pub(super) statement: &'a str,
    pub(super) warehouse_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) catalog: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schema: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) parameters: &'a [Parameter],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) row_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) byte_limit: Option<u64>,
    pub(super) disposition: &'static str,
    pub(super) format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result_compression: Option<&'static str>,
    pub(super) wait_timeout: String,
    pub(super) on_wait_timeout: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) query_tags: Vec<QueryTag<'a>>,
}

#[derive(Serialize)]
pub(super) struct QueryTag<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a str,
}

#[derive(Deserialize)]
struct StatementBody<'a> {
    statement_id: Option<String>,
    status: Option<Status>,
    manifest: Option<Manifest>,
    #[serde(borrow)]
    result: Option<ResultBody<'a>>,
}

#[derive(Deserialize)]
struct Status {
    state: Option<String>,
    error: Option<StatusError>,
    sql_state: Option<String>,
}

#[derive(Deserialize)]
struct StatusError {
    #[serde(default, deserialize_with = "text_or_number")]
    error_code: Option<String>,
    message: Option<String>,
}

#[derive(Default, Deserialize)]
struct Manifest {
    format: Option<String>,
    schema: Option<Schema>,
    total_chunk_count: Option<u64>,
    total_row_count: Option<u64>,
    truncated: Option<bool>,
    #[serde(default)]
    chunks: Option<Vec<ChunkBody>>,
}

#[derive(Deserialize)]
struct ChunkBody {
    chunk_index: Option<u64>,
    row_offset: Option<u64>,
    row_count: Option<u64>,
    byte_count: Option<u64>,
}

#[derive(Deserialize)]
struct Schema {
    #[serde(default)]
    columns: Option<Vec<ColumnBody>>,
}

#[derive(Deserialize)]
struct ColumnBody {
    name: Option<String>,
    type_name: Option<String>,
    type_text: Option<String>,
    type_precision: Option<u32>,
    type_scale: Option<u32>,
    position: Option<u64>,
}

/// `result` of a statement, and the whole body of a chunk.
#[derive(Deserialize)]
pub(super) struct ResultBody<'a> {
    chunk_index: Option<u64>,
    row_offset: Option<u64>,
    row_count: Option<u64>,
    #[serde(borrow)]
    data_array: Option<&'a RawValue>,
    external_links: Option<serde_json::Value>,
    next_chunk_index: Option<u64>,
}

fn text_or_number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(from)? {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// Why a reply is none of this API.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error("it is not the JSON that was expected")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Lacks(String),
}

impl Statement {
    /// The statement that a reply is about. Its rows stay a part of `body`.
    pub fn read(body: &Bytes) -> Result<Self, Unread> {
        serde_json::from_slice::<StatementBody>(body)?.into_statement(body).map_err(Unread::Lacks)
    }
}

impl StatementBody<'_> {
    /// The statement; or what the reply lacks. `body` is what it was read from: rows stay a part of it.
    fn into_statement(self, body: &Bytes) -> Result<Statement, String> {
        let statement_id = self.statement_id.filter(|id| !id.is_empty()).ok_or("it has no statement_id")?;
        let status = self.status.ok_or("it has no status")?;
        let state = StatementState::from(status.state.ok_or("it has no state")?);
        let failure = matches!(state, StatementState::Failed).then(|| failure(status.error, status.sql_state));
        let manifest = self.manifest.unwrap_or_default();
        let mut columns = manifest.schema.and_then(|schema| schema.columns).unwrap_or_default();
        columns.sort_by_key(|column| column.position.unwrap_or(u64::MAX));
        let has_result = self.result.is_some();
        let (chunk, links) = match self.result {
            Some(result) if result.data_array.is_some() => (Some(result.into_chunk(0, body)?), Vec::new()),
            Some(result) => (None, result.links(0)?),
            None => (None, Vec::new()),
        };
        let chunks = (0_u64..).zip(manifest.chunks.unwrap_or_default());
        Ok(Statement {
            statement_id,
            state,
            failure,
            columns: columns.into_iter().map(ColumnInfo::from).collect(),
            total_row_count: manifest.total_row_count,
            total_chunk_count: manifest.total_chunk_count,
            truncated: manifest.truncated.unwrap_or(false),
            format: manifest.format.map(ResultFormat::from).unwrap_or_default(),
            chunks: chunks.map(|(place, chunk)| chunk.into_info(place)).collect(),
            chunk,
            links,
            warehouse_id: None,
            has_result,
        })
    }
}

impl ResultBody<'_> {
    /// The chunk; `asked` is the index that it has unless it says otherwise.
    pub(super) fn into_chunk(self, asked: u64, body: &Bytes) -> Result<ResultChunk, String> {
        let rows = self.data_array.ok_or("it has no data_array")?;
        Ok(ResultChunk {
            chunk_index: self.chunk_index.unwrap_or(asked),
            row_offset: self.row_offset,
            row_count: self.row_count,
            text: body.slice_ref(rows.get().as_bytes()),
            next_chunk_index: self.next_chunk_index,
        })
    }

    /// Neither rows nor links, nor where either would be.
    pub(super) fn holds_nothing(&self) -> bool {
        self.data_array.is_none() && self.external_links.is_none() && self.chunk_index.is_none()
    }

    pub(super) fn links(self, asked: u64) -> Result<Vec<Link>, String> {
        self.external_links.map_or_else(|| Ok(Vec::new()), |links| Link::all(&links, asked))
    }
}

impl ChunkBody {
    fn into_info(self, place: u64) -> ChunkInfo {
        let Self { chunk_index, row_offset, row_count, byte_count } = self;
        ChunkInfo { chunk_index: chunk_index.unwrap_or(place), row_offset, row_count, byte_count }
    }
}

impl From<String> for ResultFormat {
    fn from(format: String) -> Self {
        match format.as_str() {
            "JSON_ARRAY" => Self::JsonArray,
            "ARROW_STREAM" => Self::ArrowStream,
            _ => Self::Other(format),
        }
    }
}

impl From<ColumnBody> for ColumnInfo {
    fn from(column: ColumnBody) -> Self {
        let type_name = column.type_name.unwrap_or_else(|| "STRING".to_owned());
        Self {
            name: column.name.unwrap_or_default(),
            type_text: column.type_text.unwrap_or_else(|| type_name.clone()),
            type_name,
            precision: column.type_precision,
            scale: column.type_scale,
        }
    }
}

impl From<String> for StatementState {
    fn from(state: String) -> Self {
        match state.as_str() {
            "PENDING" => Self::Pending,
            "RUNNING" => Self::Running,
            "SUCCEEDED" => Self::Succeeded,
            "FAILED" => Self::Failed,
            "CANCELED" => Self::Canceled,
            "CLOSED" => Self::Closed,
            _ => Self::Other(state),
        }
    }
}

fn failure(error: Option<StatusError>, sql_state: Option<String>) -> StatementFailure {
    let (error_code, message) = error.map_or((None, None), |error| (error.error_code, error.message));
    let message = message.unwrap_or_default();
    StatementFailure {
        error_code: error_code.unwrap_or_else(|| "UNKNOWN".to_owned()),
        sql_state: sql_state.filter(|state| !state.is_empty()).or_else(|| sql_state_in(&message)),
        error_class: error_class_in(&message),
        message,
    }
}

/// Servers of before 2025 say the SQLSTATE in the message only.
pub(super) fn sql_state_in(message: &str) -> Option<String> {
    message.match_indices("SQLSTATE").find_map(|(at, mark)| {
        let behind = message[at + mark.len()..].trim_start_matches([':', '=', ' ']);
        let state = behind.get(..5)?;
        let ends = !behind[5..].starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
        (ends && state.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())).then(|| state.to_owned())
    })
}

/// The error class is the message's prefix in brackets: `[CLASS.SUB_CLASS]`.
pub(super) fn error_class_in(message: &str) -> Option<String> {
    let (class, _) = message.trim_start().strip_prefix('[')?.split_once(']')?;
    let sound = class.starts_with(|letter: char| letter.is_ascii_uppercase())
        && class.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.'));
    sound.then(|| class.to_owned())
}
