//! The token API: personal access tokens made, listed and deleted (SDK, TokensAPI). Which tokens are good is in
//! `auth.rs`.

use std::sync::Mutex;

use axum::body::{Body, Bytes};
use axum::extract::State;
use http::Response;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::reply::{Reply, error, ok, parsed};
use super::workspace::{Shared, lock};

/// Two years, when no lifetime is asked for (SDK, TokensAPI.create).
const LIFETIME: i64 = 2 * 365 * 24 * 3600;

/// What is shown of a token; its value is shown once, when it is made.
#[derive(Clone, Debug, Serialize)]
struct Info {
    token_id: String,
    creation_time: i64,
    expiry_time: i64,
    comment: String,
}

/// Tokens that were made here, with their values.
#[derive(Debug, Default)]
pub(super) struct Made(Mutex<Vec<(Info, String)>>);

#[derive(Deserialize)]
struct Create {
    comment: Option<String>,
    lifetime_seconds: Option<i64>,
}

#[derive(Deserialize)]
struct Delete {
    token_id: String,
}

pub(super) async fn create(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let wish: Create = parsed(&body)?;
    let now = Timestamp::now();
    let value = format!("dapi{}", uuid::Uuid::new_v4().simple());
    let info = Info {
        token_id: uuid::Uuid::new_v4().simple().to_string(),
        creation_time: now.as_millisecond(),
        expiry_time: (now + SignedDuration::from_secs(wish.lifetime_seconds.unwrap_or(LIFETIME))).as_millisecond(),
        comment: wish.comment.unwrap_or_default(),
    };
    lock(&workspace.made.0).push((info.clone(), value.clone()));
    workspace.tokens.add(value.clone());
    workspace.history.record("databricks", "token", json!({"tokenId": info.token_id, "comment": info.comment}));
    Ok(ok(&json!({"token_value": value, "token_info": info})))
}

pub(super) async fn list(State(workspace): State<Shared>) -> Response<Body> {
    let infos: Vec<Info> = lock(&workspace.made.0).iter().map(|(info, _)| info.clone()).collect();
    ok(&json!({"token_infos": infos}))
}

pub(super) async fn delete(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let wish: Delete = parsed(&body)?;
    let mut made = lock(&workspace.made.0);
    let Some(index) = made.iter().position(|(info, _)| info.token_id == wish.token_id) else {
        let message = format!("Token with id {} does not exist.", wish.token_id);
        return Err(error(404, "RESOURCE_DOES_NOT_EXIST", &message));
    };
    let (_, value) = made.remove(index);
    workspace.tokens.remove(&value);
    Ok(ok(&json!({})))
}
