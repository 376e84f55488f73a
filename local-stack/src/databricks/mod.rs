//! The stand-in for a Databricks workspace: the Statement Execution API on a real SQL engine, warehouses, query
//! history, Jobs 2.2 whose runs really run, Unity Catalog's lists, OAuth M2M and bearer checks.
//!
//! Effects go to the history as (`databricks`, `statement`) when a statement is accepted, (`databricks`, `jobRun`) when a
//! run is started, and (`storage`, `link`) when a chunk was given behind a presigned link.

mod auth;
mod catalog;
mod commits;
mod control;
mod drive;
mod engine;
mod generated;
mod holds;
mod jobs;
mod links;
mod membership;
mod options;
mod principal;
mod query_history;
mod reply;
mod rights;
mod rows;
mod sessions;
mod statement;
mod statements;
mod storage;
mod tokens;
mod view;
mod warehouses;
mod workspace;

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::bail;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};
use serde_json::json;

use crate::core::{History, Served};
pub use generated::{GeneratedColumn, GeneratedReply};
pub use holds::CannedReply;
pub use jobs::{JobDefinition, RunIf, TaskDefinition, TaskFailure};
pub use links::{Blocked, Trap, Wrong};
pub use membership::RESOURCE_ID;
pub use options::{
    Binary, CLIENT_ID, CLIENT_SECRET, Clock, DatabricksOptions, STOPPED_WAREHOUSE, TOKEN, WAREHOUSE, WarehouseOptions,
};
pub use tokens::TokenRules;
use workspace::{Shared, Statements, Workspace, lock};

/// A workspace that is being served; it stops when this is dropped.
#[derive(Debug)]
pub struct Databricks {
    pub served: Served,
    /// The storage account, with faults of its own.
    pub storage: Served,
    workspace: Shared,
}

impl Databricks {
    /// Serves a workspace with a lakehouse of its own. The first one of a process starts the SQL engine; the first
    /// one on a machine also installs it, with progress on stderr.
    pub async fn start(options: DatabricksOptions, history: History) -> anyhow::Result<Self> {
        let engine = if options.engine {
            let data = options.data.clone();
            let start = move || engine::Engine::shared(&data, &|line| eprintln!("{line}"));
            Some(tokio::task::spawn_blocking(start).await??)
        } else {
            None
        };
        let lakehouse = uuid::Uuid::new_v4().to_string();
        if let Some(engine) = &engine {
            match engine.call("open", json!({"lakehouse": lakehouse})).answer().await {
                engine::Answer::Done(_) => {}
                other => bail!("the sample lakehouse could not be made: {other:?}"),
            }
        }
        let workspace = Arc::new(Workspace {
            tokens: auth::Tokens::default(),
            personal: tokens::Personal::new(&options.tokens),
            warehouses: warehouses::Warehouses::new(&options.warehouses),
            history_lag: Mutex::new(options.history_lag),
            jobs: jobs::Jobs::new(options.clock)?,
            history: history.clone(),
            statements: Mutex::<Statements>::default(),
            holds: holds::Holds::default(),
            canned: holds::Canned::default(),
            generated: generated::AllGenerated::default(),
            sessions: sessions::Sessions::default(),
            links: links::Links::new(options.link_life)?,
            binary: Mutex::new(options.binary),
            rights: rights::Rights::default(),
            outsiders: membership::Outsiders::default(),
            engine,
            lakehouse,
            options,
        });
        let (port, storage_port) = (workspace.options.port, workspace.options.storage_port);
        let account = storage::router(workspace.clone());
        let storage = Served::start("storage", storage_port, None, account, history.clone()).await?;
        let _ = workspace.links.url.set(storage.http_url());
        let served = Served::start("databricks", port, None, router(workspace.clone()), history).await?;
        Ok(Self { served, storage, workspace })
    }

    /// Keeps statements that contain this text RUNNING, before they act, for that long or until [`Self::release`].
    pub fn hold(&self, statement_contains: &str, lasts: Option<Duration>) {
        self.workspace.holds.add(statement_contains, lasts);
    }

    /// Lets every held statement go, and holds no more.
    pub fn release(&self) {
        self.workspace.holds.release();
    }

    /// Fails the next `times` statements that contain this text, before they act: for failures that are hard to bring
    /// about, such as `2D521`, a conflict of two writers.
    pub fn fail(&self, statement_contains: &str, message: &str, sql_state: Option<&str>, times: usize) {
        self.workspace.holds.fail(statement_contains, message, sql_state, times);
    }

    /// Answers a statement of exactly this text with these rows, without the engine.
    pub fn canned(&self, reply: &CannedReply) -> anyhow::Result<()> {
        Ok(self.workspace.canned.add(reply, self.workspace.options.chunk_rows)?)
    }

    /// Answers a statement of exactly this text with so many made-up rows, in every format. BINARY is written as it is
    /// set now.
    pub fn generated(&self, reply: &GeneratedReply) -> anyhow::Result<()> {
        self.workspace.generated.add(reply, &self.workspace.options, *lock(&self.workspace.binary))
    }

    /// Keeps everybody out of the storage account, in one of two ways; None lets them in again.
    pub fn block_storage(&self, blocked: Option<Blocked>) {
        self.workspace.links.block(blocked);
    }

    /// Makes every presigned link that was given too old.
    pub fn expire_links(&self) {
        self.workspace.links.expire_all();
    }

    /// Answers with another chunk than the one that was asked for.
    pub fn trap(&self, trap: Trap) {
        self.workspace.links.trap(trap);
    }

    pub fn clear_traps(&self) {
        self.workspace.links.clear_traps();
    }

    /// How BINARY stands in JSON_ARRAY from now on.
    pub fn set_binary(&self, binary: Binary) {
        *lock(&self.workspace.binary) = binary;
    }

    /// Adds a job, or changes the one of that id for the runs that begin after this.
    pub fn define_job(&self, job: JobDefinition) -> anyhow::Result<()> {
        self.workspace.jobs.define(job)
    }

    /// Lets every job run go one state further, when the clock is [`Clock::Stepped`].
    pub fn step(&self) {
        self.workspace.jobs.step();
    }

    /// How job runs go on from now.
    pub fn set_clock(&self, clock: Clock) {
        self.workspace.jobs.set_clock(clock);
    }

    pub fn set_history_lag(&self, lag: Duration) {
        *lock(&self.workspace.history_lag) = lag;
    }

    /// Sets a warehouse's state (`RUNNING`, `STOPPED`), its time to start, and whether it refuses to; false when there
    /// is no such warehouse.
    pub fn set_warehouse(
        &self,
        id: &str,
        state: Option<&str>,
        start_delay: Option<Duration>,
        refuses_to_start: Option<bool>,
    ) -> bool {
        self.workspace.warehouses.set(id, state, start_delay, refuses_to_start)
    }

    /// Takes from the principal USE CATALOG on `main`, USE SCHEMA on `main.gold` or SELECT on `main.gold.t`, by the form
    /// of the name.
    pub fn revoke(&self, place: &str) {
        self.workspace.rights.revoke(place);
    }

    /// Takes CAN USE on a warehouse from the principal.
    pub fn forbid_warehouse(&self, id: &str) {
        self.workspace.rights.forbid_warehouse(id);
    }

    /// Puts a principal of Entra out of the workspace; a Contributor on [`RESOURCE_ID`] comes in by himself, with the two
    /// headers.
    pub fn put_out(&self, object_id: &str, contributor: bool) {
        self.workspace.outsiders.add(object_id, contributor);
    }

    /// Gives it back.
    pub fn grant(&self, place: &str) {
        self.workspace.rights.grant(place);
    }

    /// Makes a statement's result unreadable, as it is an hour after success; false when there is no such statement.
    pub fn expire(&self, statement_id: &str) -> bool {
        self.workspace.expire(statement_id)
    }

    /// Forgets a statement, as the service does half a day after its end; false when there was none.
    pub fn forget(&self, statement_id: &str) -> bool {
        self.workspace.forget(statement_id)
    }

    /// A personal access token that is good from now on.
    pub fn add_token(&self, token: &str) {
        self.workspace.personal.add(token.into(), "by hand", 86_400);
    }

    /// A personal access token that is good no longer.
    pub fn remove_token(&self, token: &str) {
        self.workspace.personal.remove(token);
    }

    /// How the workspace deals with personal access tokens from now on.
    pub fn set_token_rules(&self, rules: TokenRules) {
        self.workspace.personal.set_rules(rules);
    }

    /// Whether a personal access token is good now.
    pub fn token_is_good(&self, token: &str) -> bool {
        self.workspace.personal.good(token)
    }

    /// Comments of the personal access tokens that are good.
    pub fn token_comments(&self) -> Vec<String> {
        self.workspace.personal.comments()
    }

    /// Every token that was ever good: what a log must never contain.
    pub fn every_token(&self) -> Vec<String> {
        [self.workspace.personal.every_value(), self.workspace.tokens.every_one()].concat()
    }

    /// Makes every token that OAuth M2M gave bad.
    pub fn forget_issued_tokens(&self) {
        self.workspace.tokens.forget_issued();
    }
}

impl Workspace {
    fn expire(&self, id: &str) -> bool {
        let Some(statement) = self.statement(id) else { return false };
        statement.close();
        true
    }

    fn forget(&self, id: &str) -> bool {
        lock(&self.statements).by_id.remove(id).is_some()
    }
}

fn router(workspace: Shared) -> Router {
    let guarded = Router::new()
        .route("/api/2.0/sql/statements", post(statements::execute))
        // Drivers post to the path with a slash, and it works (recorded).
        .route("/api/2.0/sql/statements/", post(statements::execute))
        .route("/api/2.0/sql/statements/{id}", get(statements::get).delete(statements::close))
        .route("/api/2.0/sql/statements/{id}/cancel", post(statements::cancel))
        .route("/api/2.0/sql/statements/{id}/result/chunks/{index}", get(statements::result_chunk))
        .route("/api/2.0/sql/sessions", post(sessions::open))
        .route("/api/2.0/sql/sessions/", post(sessions::open))
        .route("/api/2.0/sql/sessions/{id}", delete(sessions::close))
        .route("/api/2.0/sql/warehouses", get(warehouses::list))
        .route("/api/2.0/sql/warehouses/{id}", get(warehouses::get))
        .route("/api/2.0/sql/warehouses/{id}/start", post(warehouses::start))
        .route("/api/2.0/sql/warehouses/{id}/stop", post(warehouses::stop))
        .route("/api/2.0/sql/history/queries", get(query_history::list))
        .route("/api/2.0/preview/scim/v2/Me", get(query_history::me))
        .route("/api/2.0/token/create", post(tokens::create))
        .route("/api/2.0/token/list", get(tokens::list))
        .route("/api/2.0/token/delete", post(tokens::delete))
        .route("/api/2.0/permissions/authorization/tokens", get(tokens::permissions).patch(tokens::add_permission))
        .route("/api/2.1/unity-catalog/catalogs", get(catalog::catalogs))
        .route("/api/2.1/unity-catalog/schemas", get(catalog::schemas))
        .route("/api/2.1/unity-catalog/tables", get(catalog::tables))
        .route("/api/2.1/unity-catalog/tables/{full_name}", get(catalog::table))
        .route("/api/2.1/unity-catalog/tables/{full_name}/exists", get(catalog::exists))
        .merge(jobs::routes())
        .fallback(unknown)
        .layer(axum::middleware::from_fn_with_state(workspace.clone(), auth::check));
    Router::new()
        .route("/oidc/.well-known/oauth-authorization-server", get(auth::discovery))
        .route("/oidc/v1/token", post(auth::token))
        .route("/.well-known/databricks-config", get(auth::host_metadata))
        .merge(control::routes())
        .merge(commits::routes())
        .merge(guarded)
        .layer(DefaultBodyLimit::max(64 << 20))
        .layer(axum::middleware::map_response(with_request_id))
        .with_state(workspace)
}

async fn unknown(request: axum::extract::Request) -> http::Response<axum::body::Body> {
    reply::error(
        404,
        "ENDPOINT_NOT_FOUND",
        &format!("No API found for '{} {}'", request.method(), request.uri().path()),
    )
}

/// Every reply of the service names its request (recorded).
async fn with_request_id(mut response: http::Response<axum::body::Body>) -> http::Response<axum::body::Body> {
    let headers = response.headers_mut();
    if let Ok(id) = http::HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()) {
        headers.insert("x-request-id", id);
    }
    headers.insert("server", http::HeaderValue::from_static("databricks"));
    response
}
