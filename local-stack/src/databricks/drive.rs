//! Running a statement from PENDING to its end: the warehouse, holds, canned and generated replies, the engine,
//! cancellation.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use serde_json::json;

use super::engine::{Answer, Chunk, Table};
use super::generated::{Asked, Generated};
use super::options::Binary;
use super::rows::{Format, Rows};
use super::statement::{Disposition, Execute, Failure, Phase, Statement};
use super::workspace::{Shared, lock};

/// Bytes of a result in links, after which it is truncated (SDK, execute_statement).
const LINKS_LIMIT: u64 = 100 << 30;

/// Runs `statement` to its end. A cancel takes effect at once while nothing runs, and as an interrupt after that.
pub(super) async fn drive(workspace: Shared, statement: Arc<Statement>) {
    let before = async {
        if let Err(failure) = workspace.warehouses.running(&statement.request.warehouse_id).await {
            return Some(Phase::Failed(failure));
        }
        statement.go_to(Phase::Running);
        workspace.holds.wait(&statement.request.statement).await;
        None
    };
    let early = tokio::select! {
        early = before => early,
        () = statement.canceled() => Some(Phase::Canceled),
    };
    let phase = match early {
        Some(phase) => phase,
        None => execute(&workspace, &statement).await,
    };
    statement.go_to(phase);
}

async fn execute(workspace: &Shared, statement: &Statement) -> Phase {
    let request = &statement.request;
    if let Some(failure) = workspace.holds.refused(&request.statement) {
        return Phase::Failed(failure);
    }
    let (inline, format) = (asked_inline(request), request.format().unwrap_or(Format::JsonArray));
    if let Some(canned) = workspace.canned.find(&request.statement) {
        return canned.given(inline, format, request.compressed()).map_or_else(Phase::Failed, Phase::Succeeded);
    }
    if let Some(generated) = workspace.generated.find(&request.statement) {
        return made(workspace, statement, generated).await;
    }
    let Some(engine) = &workspace.engine else {
        let what = "This stand-in runs without its SQL engine and has no canned reply for this statement.";
        return Phase::Failed(Failure::unsupported(what));
    };
    let folder = match (format == Format::ArrowStream).then(Folder::new).transpose() {
        Ok(folder) => folder,
        Err(cause) => return internal(&format!("There is no folder for chunks: {cause}")),
    };
    let arrow = format == Format::ArrowStream;
    let session = workspace.sessions.of(request);
    let mut call = engine.call(
        "execute",
        json!({
            "lakehouse": workspace.lakehouse,
            "statement": request.statement,
            "parameters": request.parameters,
            "catalog": session.catalog,
            "schema": session.schema,
            "denied": workspace.rights.revoked(),
            "who": statement.owner,
            "timeZone": session.time_zone.as_ref().unwrap_or(&workspace.options.time_zone),
            "rowLimit": request.row_limit,
            "maxBytes": request.byte_limit.or((!inline).then_some(LINKS_LIMIT)),
            "byteLimit": inline.then_some(workspace.options.inline_limit),
            "chunkRows": workspace.options.chunk_rows,
            "batchRows": workspace.options.batch_rows,
            "format": format.name(),
            "compression": if request.compressed() { "LZ4_FRAME" } else { "NONE" },
            "frames": if workspace.options.frame_per_message { "message" } else { "chunk" },
            "folder": folder.as_ref().map(|folder| folder.0.as_path()),
            "binary": if *lock(&workspace.binary) == Binary::Hex { "hex" } else { "base64" },
        }),
    );
    let early = tokio::select! {
        answer = call.answer() => Some(answer),
        () = statement.canceled() => None,
    };
    let answer = if let Some(answer) = early {
        answer
    } else {
        call.cancel();
        // What it says now counts: an interrupt can come too late.
        call.answer().await
    };
    match answer {
        Answer::Canceled => Phase::Canceled,
        Answer::Failed(failure) => {
            Phase::Failed(Failure { error_code: "BAD_REQUEST", message: failure.message, sql_state: failure.sql_state })
        }
        Answer::Done(text) => match serde_json::from_str::<Table>(text.get()) {
            Ok(table) => {
                workspace.sessions.changed_by(request);
                let (inline, compressed) = (inline && !arrow, request.compressed());
                let rows = tokio::task::spawn_blocking(move || read(table, inline, format, compressed)).await;
                drop(folder);
                match rows {
                    Ok(Ok(rows)) => Phase::Succeeded(Arc::new(rows)),
                    Ok(Err(cause)) => internal(&format!("A chunk could not be read: {cause}")),
                    Err(cause) => internal(&cause.to_string()),
                }
            }
            Err(error) => internal(&format!("The SQL engine of the local stack answered in a wrong form: {error}")),
        },
    }
}

fn internal(message: &str) -> Phase {
    Phase::Failed(Failure { error_code: "INTERNAL_ERROR", message: message.into(), sql_state: None })
}

fn asked_inline(request: &Execute) -> bool {
    request.disposition().unwrap_or(Disposition::Inline) == Disposition::Inline
}

/// The rows of the engine, in the form that was asked for. Blocks.
fn read(table: Table, inline: bool, format: Format, compressed: bool) -> anyhow::Result<Rows> {
    if format == Format::ArrowStream {
        let chunk = |chunk: Chunk| {
            let file = chunk.file.context("a chunk of Arrow has a file")?;
            let stored = std::fs::read(file)?;
            Ok((chunk.rows, usize::try_from(chunk.bytes.unwrap_or(0))?, stored.into()))
        };
        let chunks = table.chunks.into_iter().map(chunk).collect::<anyhow::Result<Vec<_>>>()?;
        return Ok(Rows::of_stored(table.columns, format, compressed, chunks, table.truncated));
    }
    let cells = |chunk: Chunk| Ok((chunk.rows, chunk.data.context("a chunk of text has its cells")?));
    let cells = table.chunks.into_iter().map(cells).collect::<anyhow::Result<Vec<_>>>()?;
    let rows = Rows::of_cells(table.columns, cells, table.truncated);
    Ok(if inline { rows } else { rows.stored_as(format, compressed)? })
}

/// A generated result.
async fn made(workspace: &Shared, statement: &Statement, generated: Arc<Generated>) -> Phase {
    let request = &statement.request;
    let inline = asked_inline(request);
    let asked = Asked {
        format: request.format().unwrap_or(Format::JsonArray),
        compressed: request.compressed(),
        row_limit: request.row_limit,
        byte_limit: request.byte_limit.or((!inline).then_some(LINKS_LIMIT)),
    };
    let Ok(rows) = tokio::task::spawn_blocking(move || generated.result(asked)).await else {
        return internal("The chunks could not be made.");
    };
    let limit = workspace.options.inline_limit;
    if inline && rows.chunks.iter().map(|chunk| chunk.bytes).sum::<u64>() > limit {
        return Phase::Failed(Failure {
            error_code: "BAD_REQUEST",
            message: format!(
                "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at \
                 most {limit} bytes. Please execute the statement with disposition=EXTERNAL_LINKS if you want to \
                 download the full result."
            ),
            sql_state: None,
        });
    }
    Phase::Succeeded(rows)
}

/// A folder for the chunks of one statement, which goes when they were read.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("causeway-local-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
