//! Who may ask, and how answers look: the headers that each carries, and errors in the service's shapes.
//!
//! 401 and 403 are the wrong way round on the real service: without a good token the answer is 403 with an empty body
//! and `x-powerbi-error-info`; with one that has no access it is 401 with `GroupNotAccessible`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::model::{Dataset, Model, Workspace};
use super::{AUDIENCES, Service};
use crate::entra::{Claims, Refusal};

pub(super) type Reply = Result<Response, Response>;

/// Adds what every answer carries; `RequestId` is what support asks for.
pub(super) fn marked(mut response: Response, request_id: &str) -> Response {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("requestid", value);
    }
    headers.insert("home-cluster-uri", HeaderValue::from_static("https://wabi-local-redirect.analysis.windows.net/"));
    response
}

pub(super) fn ok(body: &Value) -> Response {
    marked((StatusCode::OK, Json(body)).into_response(), &new_id())
}

pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// `{"error": {"code", "message"}}`, with the code repeated in `x-powerbi-error-info`.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({"error": {"code": code, "message": message}});
    with_info((status, Json(body)).into_response(), code)
}

/// The shape that the swagger's examples show.
pub(super) fn entity_error(status: StatusCode, code: &str) -> Response {
    let inner = json!({"code": code, "parameters": {}, "details": [], "exceptionCulprit": 1});
    with_info((status, Json(json!({"error": {"code": code, "pbi.error": inner}}))).into_response(), code)
}

/// The shape of throttling: a bare message, and the seconds in `Retry-After`.
pub(super) fn throttled(what: &str, seconds: u64) -> Response {
    let body = json!({"message": format!("{what} Retry in {seconds} seconds.")});
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    response.headers_mut().insert("retry-after", HeaderValue::from(seconds));
    with_info(response, "RequestThrottled")
}

fn with_info(response: Response, code: &str) -> Response {
    let mut response = marked(response, &new_id());
    if let Ok(value) = HeaderValue::from_str(code) {
        response.headers_mut().insert("x-powerbi-error-info", value);
    }
    response
}

impl Service {
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<Claims, Response> {
        self.tokens.check_headers(headers, &AUDIENCES).map_err(|refusal| {
            let code = if refusal == Refusal::Expired { "TokenExpired" } else { "InvalidToken" };
            with_info(StatusCode::FORBIDDEN.into_response(), code)
        })
    }
}

impl Model {
    pub(super) fn workspace(&mut self, id: &str) -> Result<&mut Workspace, Response> {
        if uuid::Uuid::parse_str(id).is_err() {
            return Err(error(StatusCode::BAD_REQUEST, "BadRequest", "The groupId is not a valid identifier."));
        }
        let found = self.workspaces.iter_mut().find(|workspace| workspace.id.eq_ignore_ascii_case(id));
        match found {
            Some(workspace) if workspace.member => Ok(workspace),
            // A workspace that is not there looks like one that is not ours.
            _ => Err(entity_error(StatusCode::UNAUTHORIZED, "GroupNotAccessible")),
        }
    }

    pub(super) fn dataset(&mut self, group: &str, id: &str) -> Result<&mut Dataset, Response> {
        let datasets = &mut self.workspace(group)?.datasets;
        let found = datasets.iter_mut().find(|dataset| dataset.id.eq_ignore_ascii_case(id));
        found.ok_or_else(|| entity_error(StatusCode::NOT_FOUND, "PowerBIEntityNotFound"))
    }
}

/// "My Workspace isn't supported" with a service principal ("Embed Power BI content with service principal").
pub(super) async fn my_workspace(State(service): State<Arc<Service>>, headers: HeaderMap) -> Reply {
    service.admit(&headers)?;
    Err(error(StatusCode::FORBIDDEN, "Forbidden", "API is not accessible for application"))
}

pub(super) async fn unknown(State(service): State<Arc<Service>>, headers: HeaderMap) -> Reply {
    service.admit(&headers)?;
    Err(error(StatusCode::NOT_FOUND, "NotFound", "No such path."))
}
