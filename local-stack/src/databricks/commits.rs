//! Holding writes between their snapshot and their commit, so that two overlap for sure. Who then wins, and how the
//! other fails, is `engine/commits.py`.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Databricks;
use super::engine::Answer;
use super::reply::{Reply, ok, parsed};
use super::workspace::{Shared, Workspace};

impl Databricks {
    /// Holds each INSERT, UPDATE, DELETE and MERGE that contains this text: it has read what it will write, and has
    /// committed nothing.
    pub async fn hold_commits(&self, statement_contains: &str) {
        self.workspace.commits(json!({"hold": statement_contains})).await;
    }

    /// How many statements are held so.
    pub async fn held_commits(&self) -> u64 {
        self.workspace.commits(json!({})).await
    }

    /// Lets all of them commit, the first of them for sure, and holds no more.
    pub async fn release_commits(&self) {
        self.workspace.commits(json!({"release": true})).await;
    }
}

impl Workspace {
    async fn commits(&self, mut wish: Value) -> u64 {
        let Some(engine) = &self.engine else { return 0 };
        wish["lakehouse"] = self.lakehouse.clone().into();
        match engine.call("commits", wish).answer().await {
            Answer::Done(text) => serde_json::from_str::<Held>(text.get()).map_or(0, |reply| reply.held),
            Answer::Failed(_) | Answer::Canceled => 0,
        }
    }
}

#[derive(Deserialize)]
struct Held {
    held: u64,
}

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/__stand-in/commits", get(held))
        .route("/__stand-in/commits/hold", post(hold))
        .route("/__stand-in/commits/release", post(release))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Hold {
    statement_contains: String,
}

async fn hold(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let hold: Hold = parsed(&body)?;
    workspace.commits(json!({"hold": hold.statement_contains})).await;
    Ok(ok(&json!({})))
}

async fn release(State(workspace): State<Shared>) -> Reply {
    workspace.commits(json!({"release": true})).await;
    Ok(ok(&json!({})))
}

async fn held(State(workspace): State<Shared>) -> Reply {
    Ok(ok(&json!({"held": workspace.commits(json!({})).await})))
}
