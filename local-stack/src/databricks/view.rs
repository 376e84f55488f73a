//! How statements look on the wire, with the keys present and absent that were recorded (databricks-jdbc,
//! `sqlexecapi` mappings): PENDING and RUNNING carry nothing but their status, results without rows have an empty
//! `result` and no `chunks`, INLINE chunks have no byte counts, the last chunk has no next.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::rows::{Format, Rows};
use super::statement::{Disposition, Failure, Phase, Statement};
use super::workspace::Workspace;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    result_compression: Option<&'a str>,
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
    /// Before compression, and absent for INLINE.
    #[serde(skip_serializing_if = "Option::is_none")]
    byte_count: Option<u64>,
}

/// `result` of a statement, and the whole body of a chunk's reply; empty when there are no rows.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ChunkView<'a> {
    Nothing {},
    Links { external_links: Vec<LinkView> },
    Inline(InlineView<'a>),
}

#[derive(Serialize)]
pub(super) struct InlineView<'a> {
    #[serde(flatten)]
    place: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_array: Option<Cow<'a, RawValue>>,
    /// Undocumented; a whole small result in the form that it would be stored in (recorded).
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<String>,
}

#[derive(Serialize)]
struct Place {
    chunk_index: usize,
    row_offset: u64,
    row_count: u64,
    /// As stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    byte_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_chunk_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_chunk_internal_link: Option<String>,
}

#[derive(Serialize)]
pub(super) struct LinkView {
    #[serde(flatten)]
    place: Place,
    external_link: String,
    expiration: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    http_headers: BTreeMap<String, String>,
}

impl<'a> StatementView<'a> {
    pub(super) fn new(workspace: &Workspace, statement: &'a Statement, phase: &'a Phase) -> Self {
        let (error, sql_state) = match phase {
            Phase::Failed(Failure { error_code, message, sql_state }) => {
                (Some(ErrorView { error_code, message }), sql_state.as_deref().filter(|_| workspace.options.sql_state))
            }
            _ => (None, None),
        };
        let mut state = phase.name();
        let (manifest, result) = match phase {
            Phase::Succeeded(rows) => {
                let result = chunk(workspace, statement, rows, 0).unwrap_or(ChunkView::Nothing {});
                if workspace.options.attached_is_closed && attached(&result) {
                    state = Phase::Closed.name();
                }
                (Some(manifest(statement, rows)), Some(result))
            }
            _ => (None, None),
        };
        Self { statement_id: &statement.id, status: Status { state, error, sql_state }, manifest, result }
    }
}

fn attached(result: &ChunkView<'_>) -> bool {
    matches!(result, ChunkView::Inline(InlineView { attachment: Some(_), .. }))
}

fn inline(statement: &Statement) -> bool {
    statement.request.disposition() == Some(Disposition::Inline)
}

fn manifest<'a>(statement: &'a Statement, rows: &'a Rows) -> Manifest<'a> {
    let inline = inline(statement);
    let chunks: Vec<ChunkInfo> = rows
        .chunks
        .iter()
        .enumerate()
        .map(|(chunk_index, chunk)| ChunkInfo {
            chunk_index,
            row_offset: chunk.row_offset,
            row_count: chunk.rows,
            byte_count: (!inline).then_some(chunk.bytes),
        })
        .collect();
    Manifest {
        format: rows.format.name(),
        schema: Schema { column_count: rows.columns.as_ref().map_or(0, Vec::len), columns: rows.columns.as_deref() },
        total_chunk_count: chunks.len(),
        // Recorded for results without chunks, and never beside INLINE chunks.
        total_byte_count: (chunks.is_empty() || !inline).then(|| rows.chunks.iter().map(|chunk| chunk.bytes).sum()),
        chunks,
        total_row_count: rows.row_count,
        truncated: rows.truncated,
        // Echoed (recorded); of INLINE with NONE it is absent.
        result_compression: statement.request.result_compression.as_deref().filter(|_| !inline),
    }
}

/// One chunk, or links from there on; None when there is none of that index.
pub(super) fn chunk<'a>(
    workspace: &Workspace,
    statement: &Statement,
    rows: &'a Rows,
    asked: usize,
) -> Option<ChunkView<'a>> {
    rows.chunks.get(asked)?;
    let given = workspace.links.chunk_instead(&statement.request.statement, asked, rows.chunks.len());
    let disposition = statement.request.disposition().unwrap_or(Disposition::Inline);
    if disposition == Disposition::Inline {
        let Some(index) = given else { return Some(ChunkView::Nothing {}) };
        let place = place(statement, rows, index, None)?;
        return Some(ChunkView::Inline(InlineView { place, data_array: rows.cells(index), attachment: None }));
    }
    let small = rows.chunks.len() == 1 && rows.chunks[0].stored <= workspace.options.attachment_limit;
    if disposition == Disposition::Hybrid && small && rows.format == Format::ArrowStream {
        let stored = rows.stored(0)?;
        let place = place(statement, rows, 0, Some(stored.len() as u64))?;
        let attachment = Some(BASE64_STANDARD.encode(stored));
        return Some(ChunkView::Inline(InlineView { place, data_array: None, attachment }));
    }
    let options = &workspace.options;
    let hybrid = disposition == Disposition::Hybrid;
    let most = if hybrid { options.hybrid_links_per_reply } else { options.links_per_reply }.max(1);
    let first = given.and_then(|index| link(workspace, statement, rows, index));
    let more = (asked + 1..asked + most).map_while(|asked| {
        let index = workspace.links.chunk_instead(&statement.request.statement, asked, rows.chunks.len())?;
        link(workspace, statement, rows, index)
    });
    Some(ChunkView::Links { external_links: first.into_iter().chain(more).collect() })
}

fn place(statement: &Statement, rows: &Rows, index: usize, byte_count: Option<u64>) -> Option<Place> {
    let chunk = rows.chunks.get(index)?;
    let next = (index + 1 < rows.chunks.len()).then_some(index + 1);
    Some(Place {
        chunk_index: index,
        row_offset: chunk.row_offset,
        row_count: chunk.rows,
        byte_count,
        next_chunk_index: next,
        next_chunk_internal_link: next
            .map(|next| format!("/api/2.0/sql/statements/{}/result/chunks/{next}", statement.id)),
    })
}

fn link(workspace: &Workspace, statement: &Statement, rows: &Rows, index: usize) -> Option<LinkView> {
    let place = place(statement, rows, index, Some(rows.chunks.get(index)?.stored))?;
    let (external_link, until) = workspace.links.link(&statement.id, index);
    let http_headers = workspace.options.link_headers.iter().cloned().collect();
    Some(LinkView { place, external_link, expiration: milliseconds(until), http_headers })
}

/// `2024-11-08T15:28:13.687Z` (recorded).
fn milliseconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
