//! Principals that are not in the workspace. One of Entra that may change the workspace as a resource of Azure is let in as
//! an administrator by two headers (learn.microsoft.com/azure/databricks/dev-tools/service-prin-aad-token; Databricks SDK for
//! Python, azure.py); any other is refused with a page (DataThirstLtd/databricks.vsts.tools issue 20).

use std::sync::Mutex;

use axum::body::Body;
use http::{HeaderMap, Response, StatusCode, header};

use super::workspace::{Workspace, lock};

/// The audience of Azure Resource Manager, in the public cloud.
const MANAGEMENT: &str = "https://management.core.windows.net/";
/// The workspace as a resource.
pub const RESOURCE_ID: &str = "/subscriptions/5c1a7e30-9b2d-4f68-8a41-7d03e6b95f20/resourceGroups/lakehouse/providers/Microsoft.Databricks/workspaces/local";

/// Who is outside.
#[derive(Debug, Default)]
pub(super) struct Outsiders(Mutex<Vec<Outsider>>);

#[derive(Clone, Debug)]
struct Outsider {
    object_id: String,
    /// Whether it is Contributor on the resource.
    contributor: bool,
}

impl Outsiders {
    pub(super) fn add(&self, object_id: &str, contributor: bool) {
        lock(&self.0).push(Outsider { object_id: object_id.to_owned(), contributor });
    }

    fn find(&self, object_id: &str) -> Option<Outsider> {
        lock(&self.0).iter().find(|outsider| outsider.object_id == object_id).cloned()
    }

    fn let_in(&self, object_id: &str) {
        lock(&self.0).retain(|outsider| outsider.object_id != object_id);
    }
}

impl Workspace {
    /// Whether the principal of Entra is in the workspace, or comes in now.
    pub(super) fn is_inside(&self, object_id: &str, headers: &HeaderMap) -> bool {
        let Some(outsider) = self.outsiders.find(object_id) else { return true };
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let resource = text("x-databricks-azure-workspace-resource-id");
        let token = text("x-databricks-azure-sp-management-token");
        let may_manage = token.is_some_and(|token| {
            let claims = self.options.entra.as_ref().and_then(|tokens| tokens.check(token, &[MANAGEMENT]).ok());
            claims.is_some_and(|claims| claims.oid == object_id)
        });
        let comes_in = outsider.contributor
            && may_manage
            && resource.is_some_and(|resource| resource.eq_ignore_ascii_case(RESOURCE_ID));
        if comes_in {
            self.outsiders.let_in(object_id);
        }
        comes_in
    }
}

/// The page, as it was seen.
pub(super) fn not_authorized(path: &str) -> Response<Body> {
    let page = format!(
        "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=utf-8\"/>\n<title>Error 403 User not authorized.</title>\n</head>\n<body><h2>HTTP ERROR 403</h2>\n<p>Problem accessing {path}. Reason:\n<pre>    User not authorized.</pre></p>\n</body>\n</html>\n"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("text/html;charset=utf-8"));
    response
}
