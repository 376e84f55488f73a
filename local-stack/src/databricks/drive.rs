//! Running a statement from PENDING to its end: the warehouse, holds, canned replies, the engine, cancellation.

use std::sync::Arc;

use serde_json::json;

use super::engine::{Answer, Table};
use super::statement::{Failure, Phase, Rows, Statement};
use super::workspace::Shared;

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
    if let Some(rows) = workspace.canned.find(&request.statement) {
        return Phase::Succeeded(rows);
    }
    let Some(engine) = &workspace.engine else {
        return Phase::Failed(Failure {
            error_code: "BAD_REQUEST",
            message: "[UNSUPPORTED_BY_STAND_IN] This stand-in runs without its SQL engine and has no canned reply for \
                      this statement. SQLSTATE: 0A000"
                .into(),
            sql_state: Some("0A000".into()),
        });
    };
    let mut call = engine.call(
        "execute",
        json!({
            "lakehouse": workspace.lakehouse,
            "statement": request.statement,
            "parameters": request.parameters,
            "catalog": request.catalog,
            "schema": request.schema,
            "denied": workspace.rights.revoked(),
            "timeZone": workspace.options.time_zone,
            "rowLimit": request.row_limit,
            "maxBytes": request.byte_limit,
            "byteLimit": workspace.options.inline_limit,
            "chunkRows": workspace.options.chunk_rows,
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
            Ok(table) => Phase::Succeeded(Arc::new(Rows {
                columns: table.columns,
                chunks: table.chunks.into_iter().map(|chunk| (chunk.rows, chunk.data)).collect(),
                row_count: table.row_count,
                truncated: table.truncated,
            })),
            Err(error) => Phase::Failed(Failure {
                error_code: "INTERNAL_ERROR",
                message: format!("The SQL engine of the local stack answered in a wrong form: {error}"),
                sql_state: None,
            }),
        },
    }
}
