//! Who may ask, and for what: tokens, workspaces, My Workspace.
//!
//! 401 and 403 are the wrong way round on the real service: without a good token the answer is 403 with an empty body
//! and `x-powerbi-error-info`; with one that has no access it is 401 with `GroupNotAccessible`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::model::{Dataset, Model, Table, Workspace};
use super::reply::{Reply, entity_error, error, marked, new_id, with_info};
use super::{AUDIENCES, Callers, Service};
use crate::entra::Refusal;

/// Who asks.
pub(super) struct Caller {
    /// The client id of the application.
    pub(super) client: String,
    /// Whether it is an application's own token.
    pub(super) application: bool,
}

/// The names in a path: those that its route has.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct At {
    /// None in My Workspace.
    pub(super) group: Option<String>,
    pub(super) dataset: String,
    pub(super) table: String,
    pub(super) refresh: String,
    pub(super) report: String,
    pub(super) export: String,
    pub(super) dataflow: String,
    pub(super) transaction: String,
}

impl At {
    /// For the history.
    pub(super) fn workspace(&self) -> &str {
        self.group.as_deref().unwrap_or("me")
    }
}

impl Service {
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<Caller, Response> {
        let claims = self.tokens.check_headers(headers, &AUDIENCES).map_err(|refusal| {
            let code = if refusal == Refusal::Expired { "TokenExpired" } else { "InvalidToken" };
            with_info(StatusCode::FORBIDDEN.into_response(), code)
        })?;
        let application = claims.idtyp == "app" && self.model().callers == Callers::Applications;
        Ok(Caller { client: claims.appid, application })
    }

    pub(super) fn admit_at(&self, headers: &HeaderMap, at: &At) -> Result<Caller, Response> {
        let caller = self.admit(headers)?;
        if caller.application && at.group.is_none() {
            return Err(not_for_applications());
        }
        Ok(caller)
    }
}

/// "My Workspace isn't supported" with a service principal ("Embed Power BI content with service principal"). Status
/// and body as clients in public code have met them; none tells of a header.
fn not_for_applications() -> Response {
    let body = json!({"Message": "API is not accessible for application"});
    marked((StatusCode::FORBIDDEN, Json(body)).into_response(), &new_id())
}

impl Model {
    pub(super) fn workspace(&mut self, at: &At) -> Result<&mut Workspace, Response> {
        let found = match &at.group {
            None => self.workspaces.iter_mut().find(|workspace| workspace.personal),
            Some(id) if uuid::Uuid::parse_str(id).is_err() => {
                return Err(error(StatusCode::BAD_REQUEST, "BadRequest", "The groupId is not a valid identifier."));
            }
            Some(id) => self.workspaces.iter_mut().find(|workspace| workspace.id.eq_ignore_ascii_case(id)),
        };
        match found {
            Some(workspace) if workspace.member => Ok(workspace),
            // A workspace that is not there looks like one that is not ours.
            _ => Err(entity_error(StatusCode::UNAUTHORIZED, "GroupNotAccessible")),
        }
    }

    pub(super) fn dataset(&mut self, at: &At) -> Result<&mut Dataset, Response> {
        let datasets = &mut self.workspace(at)?.datasets;
        datasets.iter_mut().find(|dataset| dataset.id.eq_ignore_ascii_case(&at.dataset)).ok_or_else(no_entity)
    }

    /// Only push datasets have their tables and rows in this API.
    pub(super) fn push_dataset(&mut self, at: &At) -> Result<&mut Dataset, Response> {
        let dataset = self.dataset(at)?;
        if dataset.push {
            return Ok(dataset);
        }
        let message = format!("Dataset {} is not Push API dataset.", dataset.id);
        Err(error(StatusCode::NOT_FOUND, "InvalidDataset", &message))
    }

    pub(super) fn table(&mut self, at: &At) -> Result<&mut Table, Response> {
        let table = self.push_dataset(at)?.table(&at.table);
        table.ok_or_else(|| entity_error(StatusCode::NOT_FOUND, "TableNotFound"))
    }
}

pub(super) fn no_entity() -> Response {
    entity_error(StatusCode::NOT_FOUND, "PowerBIEntityNotFound")
}

pub(super) async fn unknown(State(service): State<Arc<Service>>, headers: HeaderMap) -> Reply {
    service.admit(&headers)?;
    Err(no_path())
}

pub(super) fn no_path() -> Response {
    error(StatusCode::NOT_FOUND, "NotFound", "No such path.")
}
