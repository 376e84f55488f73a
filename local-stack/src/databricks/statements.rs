//! The Statement Execution API's calls: execute, get, chunk, cancel, close.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use http::Response;
use serde_json::json;

use super::drive::drive;
use super::principal::Principal;
use super::reply::{Reply, error, invalid, ok, parsed};
use super::rows::Format;
use super::statement::{Disposition, Execute, Phase, Statement};
use super::view::{StatementView, chunk};
use super::workspace::{Shared, lock};

/// Bytes of a statement's text (databricks-jdbc issue 1049).
const LONGEST: usize = 16_777_216;
/// Named parameters of one statement (databricks-sqlalchemy issue 24).
const PARAMETERS: usize = 256;
/// Bytes of all parameter values together: 1 MB (databricks-sql-python, docs/parameters.md).
const PARAMETER_BYTES: usize = 1 << 20;
/// Tags beyond this are dropped (SDK, execute_statement).
const TAGS: usize = 20;

pub(super) async fn execute(
    State(workspace): State<Shared>,
    Extension(principal): Extension<Principal>,
    body: Bytes,
) -> Reply {
    let mut request: Execute = parsed(&body)?;
    let wait = check(&workspace, &request)?;
    workspace.rights().allow_warehouse(&request.warehouse_id)?;
    request.query_tags.truncate(TAGS);
    let cancel = request.on_wait_timeout.as_deref() == Some("CANCEL");
    let statement = Arc::new(Statement::new(request, principal));
    // From here on the statement is the service's, whatever becomes of the caller.
    record(&workspace, &statement);
    tokio::spawn(drive(workspace.clone(), statement.clone()));
    if wait.is_zero() {
        // Always PENDING, also on a warehouse that runs (spiceai issue 7335, and every recording).
        return Ok(ok(&StatementView::new(&workspace, &statement, &Phase::Pending)));
    }
    if tokio::time::timeout(wait, statement.end()).await.is_err() && cancel {
        statement.cancel.send_replace(true);
        statement.end().await;
    }
    Ok(shown(&workspace, &statement))
}

fn record(workspace: &Shared, statement: &Arc<Statement>) {
    let request = &statement.request;
    workspace.history.record(
        "databricks",
        "statement",
        json!({
            "statementId": statement.id,
            "statement": request.statement,
            "parameters": request.parameters,
            "queryTags": request.query_tags,
            "warehouseId": request.warehouse_id,
            "disposition": request.disposition.as_deref().unwrap_or("INLINE"),
            "user": statement.owner.name,
        }),
    );
    let mut statements = lock(&workspace.statements);
    statements.order.push(statement.id.clone());
    statements.by_id.insert(statement.id.clone(), statement.clone());
}

/// The wait, when the request is one that the service takes.
fn check(workspace: &Shared, request: &Execute) -> Result<Duration, Response<Body>> {
    if request.statement.trim().is_empty() {
        return Err(invalid("The statement field is required."));
    }
    if request.statement.len() > LONGEST {
        return Err(invalid(&format!("The statement field must not exceed a length of {LONGEST} bytes.")));
    }
    if request.parameters.len() > PARAMETERS {
        return Err(error(
            400,
            "BAD_REQUEST",
            &format!(
                "Parameterized query has too many parameters: {} parameters were given but the limit is {PARAMETERS}.",
                request.parameters.len()
            ),
        ));
    }
    let bytes: usize =
        request.parameters.iter().filter_map(|parameter| parameter.value.as_ref()).map(String::len).sum();
    if bytes > PARAMETER_BYTES {
        // The limit is documented, its exact body was not found in public material.
        let message = format!("The total size of the parameter values must not exceed {PARAMETER_BYTES} bytes.");
        return Err(error(400, "BAD_REQUEST", &message));
    }
    if request.parameters.iter().any(|parameter| parameter.name.is_none() == parameter.ordinal.is_none()) {
        return Err(invalid("Each parameter needs a name."));
    }
    if !workspace.warehouses.knows(&request.warehouse_id) {
        // The exact body was not found in public material.
        return Err(invalid(&format!("{} is not a valid endpoint id.", request.warehouse_id)));
    }
    workspace.sessions.check(request)?;
    let Some(disposition) = request.disposition() else {
        return Err(invalid(&format!("Unknown disposition {}.", request.disposition.as_deref().unwrap_or_default())));
    };
    match request.format() {
        Some(Format::JsonArray) => {}
        Some(_) if disposition != Disposition::Inline => {}
        _ => {
            let format = request.format.as_deref().unwrap_or_default();
            return Err(invalid(&format!("The format {format} is not supported with disposition INLINE.")));
        }
    }
    if !matches!(request.result_compression.as_deref(), None | Some("NONE" | "LZ4_FRAME")) {
        return Err(invalid("result_compression must be NONE or LZ4_FRAME."));
    }
    if !matches!(request.on_wait_timeout.as_deref(), None | Some("CONTINUE" | "CANCEL")) {
        return Err(invalid("on_wait_timeout must be CONTINUE or CANCEL."));
    }
    wait(request.wait_timeout.as_deref().unwrap_or("10s"))
}

/// `0s`, or `5s` to `50s` (SDK, execute_statement).
fn wait(text: &str) -> Result<Duration, Response<Body>> {
    text.strip_suffix('s')
        .and_then(|seconds| seconds.parse::<u64>().ok())
        .filter(|seconds| *seconds == 0 || (5..=50).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| invalid(&format!("wait_timeout must be 0s or between 5s and 50s, and is {text}.")))
}

fn shown(workspace: &Shared, statement: &Statement) -> Response<Body> {
    let phase = statement.phase(workspace.options.result_life);
    ok(&StatementView::new(workspace, statement, &phase))
}

/// A statement is known to whoever submitted it and to nobody else. What the service says to others was not found in
/// public material.
fn found(workspace: &Shared, id: &str, principal: &Principal) -> Result<Arc<Statement>, Response<Body>> {
    workspace
        .statement(id)
        .filter(|statement| statement.owner == *principal)
        .ok_or_else(|| error(404, "NOT_FOUND", &format!("The statement {id} was not found.")))
}

pub(super) async fn get(
    State(workspace): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Reply {
    Ok(shown(&workspace, &*found(&workspace, &id, &principal)?))
}

pub(super) async fn result_chunk(
    State(workspace): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path((id, index)): Path<(String, usize)>,
) -> Reply {
    let statement = found(&workspace, &id, &principal)?;
    match statement.phase(workspace.options.result_life) {
        Phase::Succeeded(rows) => match chunk(&workspace, &statement, &rows, index) {
            Some(view) => Ok(ok(&view)),
            None => Err(invalid(&format!("The chunk index {index} is out of range."))),
        },
        Phase::Closed => Err(error(404, "NOT_FOUND", &format!("The result of the statement {id} is gone."))),
        phase => Err(invalid(&format!("The statement {id} has no result: it is {}.", phase.name()))),
    }
}

pub(super) async fn cancel(
    State(workspace): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Reply {
    found(&workspace, &id, &principal)?.cancel.send_replace(true);
    Ok(ok(&json!({})))
}

/// Undocumented; drivers use it to free results (recorded: 200 and an empty object).
pub(super) async fn close(
    State(workspace): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Reply {
    let statement = found(&workspace, &id, &principal)?;
    statement.cancel.send_replace(true);
    statement.close();
    Ok(ok(&json!({})))
}
