//! How statements look on the wire, with the keys present and absent that were recorded (databricks-jdbc,
//! `sqlexecapi` mappings): PENDING and RUNNING carry nothing but their status, results without rows have an empty
//! `result` and no `chunks`, INLINE chunks have no byte counts, the last chunk has no next.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::statement::{Failure, Phase, Rows};

#[derive(Serialize)]
pub(super) struct StatementView<'a> {
    statement_id: &'a str,
    status: Status<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<Manifest<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ChunkView<'a>>,
}

#[derive(Serialize)]
struct Status<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sql_state: Option<&'a str>,
}

#[derive(Serialize)]
struct ErrorView<'a> {
    error_code: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct Manifest<'a> {
    format: &'static str,
    schema: Schema<'a>,
    total_chunk_count: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chunks: Vec<ChunkInfo>,
    total_row_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_byte_count: Option<u64>,
    truncated: bool,
}

#[derive(Serialize)]
struct Schema<'a> {
    column_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<&'a [Value]>,
}

#[derive(Serialize)]
struct ChunkInfo {
    chunk_index: usize,
    row_offset: u64,
    row_count: u64,
}

/// `result` of a statement, and the whole body of a chunk's reply; empty when there are no rows.
#[derive(Default, Serialize)]
pub(super) struct ChunkView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    chunk_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row_offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_chunk_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_chunk_internal_link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_array: Option<&'a RawValue>,
}

impl<'a> StatementView<'a> {
    pub(super) fn new(id: &'a str, phase: &'a Phase, with_sql_state: bool) -> Self {
        let (error, sql_state) = match phase {
            Phase::Failed(Failure { error_code, message, sql_state }) => {
                (Some(ErrorView { error_code, message }), sql_state.as_deref().filter(|_| with_sql_state))
            }
            _ => (None, None),
        };
        let (manifest, result) = match phase {
            Phase::Succeeded(rows) => (Some(manifest(rows)), Some(chunk(id, rows, 0).unwrap_or_default())),
            _ => (None, None),
        };
        Self { statement_id: id, status: Status { state: phase.name(), error, sql_state }, manifest, result }
    }
}

fn manifest(rows: &Rows) -> Manifest<'_> {
    let mut offset = 0;
    let chunks: Vec<ChunkInfo> = rows
        .chunks
        .iter()
        .enumerate()
        .map(|(chunk_index, (row_count, _))| {
            let info = ChunkInfo { chunk_index, row_offset: offset, row_count: *row_count };
            offset += row_count;
            info
        })
        .collect();
    Manifest {
        format: "JSON_ARRAY",
        schema: Schema { column_count: rows.columns.as_ref().map_or(0, Vec::len), columns: rows.columns.as_deref() },
        total_chunk_count: chunks.len(),
        // Recorded for results without chunks, and never beside INLINE chunks.
        total_byte_count: chunks.is_empty().then_some(0),
        chunks,
        total_row_count: rows.row_count,
        truncated: rows.truncated,
    }
}

/// One chunk; None when there is none of that index.
pub(super) fn chunk<'a>(id: &str, rows: &'a Rows, index: usize) -> Option<ChunkView<'a>> {
    let (row_count, data) = rows.chunks.get(index)?;
    let next = (index + 1 < rows.chunks.len()).then_some(index + 1);
    Some(ChunkView {
        chunk_index: Some(index),
        row_offset: Some(rows.chunks[..index].iter().map(|(count, _)| count).sum()),
        row_count: Some(*row_count),
        next_chunk_index: next,
        next_chunk_internal_link: next.map(|next| format!("/api/2.0/sql/statements/{id}/result/chunks/{next}")),
        data_array: Some(data),
    })
}
