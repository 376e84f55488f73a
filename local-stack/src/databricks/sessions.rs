//! The sessions that drivers open (undocumented; recorded by databricks-jdbc): where unqualified names are looked up, the
//! time zone, and what USE changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use http::Response;
use serde::Deserialize;
use serde_json::json;

use super::reply::{Reply, error, invalid, ok, parsed};
use super::statement::Execute;
use super::workspace::{Shared, lock};

/// What drivers name as the catalog when they were given none (recorded): the workspace's own default.
const NO_CATALOG: &str = "SPARK";

#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) catalog: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) time_zone: Option<String>,
}

/// More members than these are known and have no effect here, such as `execution_mode`.
#[derive(Deserialize)]
struct Open {
    #[serde(default)]
    warehouse_id: String,
    catalog: Option<String>,
    schema: Option<String>,
    #[serde(default)]
    session_confs: BTreeMap<String, String>,
}

pub(super) async fn open(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let open: Open = parsed(&body)?;
    if !workspace.warehouses.knows(&open.warehouse_id) {
        return Err(invalid(&format!("{} is not a valid endpoint id.", open.warehouse_id)));
    }
    let zone = open.session_confs.into_iter().find(|(name, _)| {
        let name = name.to_ascii_lowercase();
        name == "timezone" || name == "spark.sql.session.timezone"
    });
    let session = Session {
        catalog: open.catalog.filter(|catalog| catalog != NO_CATALOG),
        schema: open.schema,
        time_zone: zone.map(|(_, zone)| zone),
    };
    let id = uuid::Uuid::now_v7().to_string();
    lock(&workspace.sessions.0).insert(id.clone(), session);
    Ok(ok(&json!({"session_id": id})))
}

/// `DELETE …/{id}?warehouse_id=…`
pub(super) async fn close(State(workspace): State<Shared>, Path(id): Path<String>) -> Response<Body> {
    lock(&workspace.sessions.0).remove(&id);
    ok(&json!({}))
}

impl Sessions {
    /// What holds for a statement: its own words, then its session's.
    pub(super) fn of(&self, request: &Execute) -> Session {
        let session = request.session_id.as_ref().and_then(|id| lock(&self.0).get(id).cloned()).unwrap_or_default();
        Session {
            // A schema without its catalog belongs to the session's.
            catalog: request.catalog.clone().or(session.catalog),
            schema: request.schema.clone().or(session.schema),
            time_zone: session.time_zone,
        }
    }

    /// A statement of a session that is gone is refused; the exact body was not found in public material.
    pub(super) fn check(&self, request: &Execute) -> Result<(), Response<Body>> {
        match &request.session_id {
            Some(id) if !lock(&self.0).contains_key(id) => {
                Err(error(404, "NOT_FOUND", &format!("The session {id} was not found.")))
            }
            _ => Ok(()),
        }
    }

    /// Keeps what a statement that succeeded changed in its session.
    pub(super) fn changed_by(&self, request: &Execute) {
        let Some(id) = &request.session_id else { return };
        let text = request.statement.trim().trim_end_matches(';').trim();
        if let Some(session) = lock(&self.0).get_mut(id) {
            session.used(text);
        }
    }
}

impl Session {
    /// `USE [CATALOG | SCHEMA | DATABASE] [catalog.]schema`
    fn used(&mut self, statement: &str) {
        let mut words = statement.split_whitespace();
        if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("USE")) {
            return;
        }
        let Some(mut name) = words.next() else { return };
        let mut catalog = false;
        for (keyword, is_catalog) in [("CATALOG", true), ("SCHEMA", false), ("DATABASE", false)] {
            if name.eq_ignore_ascii_case(keyword) {
                catalog = is_catalog;
                name = words.next().unwrap_or_default();
                break;
            }
        }
        let parts: Vec<String> = name.split('.').map(|part| part.trim_matches('`').to_owned()).collect();
        match (catalog, parts.as_slice()) {
            (true, [one]) => (self.catalog, self.schema) = (Some(one.clone()), None),
            (false, [one]) => self.schema = Some(one.clone()),
            (false, [catalog, schema]) => {
                (self.catalog, self.schema) = (Some(catalog.clone()), Some(schema.clone()));
            }
            _ => {}
        }
    }
}
