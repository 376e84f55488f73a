//! What the principal may not do in Unity Catalog: rights that a test has revoked. Everything else is granted.

use std::collections::BTreeSet;
use std::sync::Mutex;

use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::json;

use super::reply::with_status;
use super::workspace::{Workspace, lock};

/// Places without a right: `main` has no USE CATALOG, `main.gold` no USE SCHEMA, `main.gold.t` no SELECT. In small
/// letters. And warehouses without CAN USE.
#[derive(Debug, Default)]
pub(super) struct Rights(Mutex<BTreeSet<String>>, Mutex<BTreeSet<String>>);

impl Workspace {
    pub(super) fn rights(&self) -> &Rights {
        &self.rights
    }
}

impl Rights {
    pub(super) fn forbid_warehouse(&self, id: &str) {
        lock(&self.1).insert(id.to_owned());
    }

    /// The refusal of a warehouse without CAN USE, also of one that is only looked at (status and code as elsewhere; the
    /// words are not recorded anywhere public).
    pub(super) fn allow_warehouse(&self, id: &str) -> Result<(), Response<Body>> {
        if !lock(&self.1).contains(id) {
            return Ok(());
        }
        let message = format!("You do not have permission to use the SQL warehouse {id}.");
        Err(with_status(StatusCode::FORBIDDEN, &json!({"error_code": "PERMISSION_DENIED", "message": message})))
    }

    pub(super) fn revoke(&self, place: &str) {
        lock(&self.0).insert(place.to_lowercase());
    }

    pub(super) fn grant(&self, place: &str) {
        lock(&self.0).remove(&place.to_lowercase());
    }

    /// Every place without a right, for the engine.
    pub(super) fn revoked(&self) -> Vec<String> {
        lock(&self.0).iter().cloned().collect()
    }

    pub(super) fn may_use(&self, place: &[&str]) -> bool {
        !lock(&self.0).contains(&place.join(".").to_lowercase())
    }

    /// The refusal of a place without its right (spark-cdm-connector issue 149: status, code, words and details).
    pub(super) fn allow(&self, place: &[&str]) -> Result<(), Response<Body>> {
        if self.may_use(place) {
            return Ok(());
        }
        let (right, kind) = match place.len() {
            1 => ("USE CATALOG", "Catalog"),
            2 => ("USE SCHEMA", "Schema"),
            _ => ("SELECT", "Table"),
        };
        let name = place.join(".");
        Err(with_status(
            StatusCode::FORBIDDEN,
            &json!({
                "error_code": "PERMISSION_DENIED",
                "message": format!("User does not have {right} on {kind} '{name}'."),
                "details": [{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "PERMISSION_DENIED",
                    "domain": "unity-catalog.databricks.com",
                    "metadata": {"principalName": "User", "msg": right, "resourceType": kind, "resourceName": name},
                }],
            }),
        ))
    }
}
