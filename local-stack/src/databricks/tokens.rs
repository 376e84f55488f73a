//! The token API: personal access tokens made, listed and deleted (SDK, TokensAPI), and who may use them (SDK,
//! PermissionsAPI, object `authorization/tokens`). The one principal of this stand-in owns them all, and is an admin.
//!
//! No list of the refusals is published. The words of a missing right are those of terraform-databricks-examples issue
//! 196; those of a workspace without tokens follow what its settings page says. That taking the right away deletes the
//! tokens: terraform-provider-databricks pull request 1380. That the right cannot be set before there is a token: its
//! issue 1122. The quota: "Tokens API", 600 for a user in a workspace.

use std::sync::Mutex;

use axum::body::{Body, Bytes};
use axum::extract::State;
use http::Response;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::principal::Principal;
use super::reply::{Reply, error, invalid, ok, parsed};
use super::workspace::{Shared, Workspace, lock};

/// Two years, when no lifetime is asked for (SDK, TokensAPI.create).
const LIFETIME: i64 = 2 * 365 * 24 * 3600;

/// What is shown of a token; its value is shown once, when it is made.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Info {
    token_id: String,
    creation_time: i64,
    expiry_time: i64,
    comment: String,
}

/// A token with its value.
#[derive(Clone, Debug)]
struct Token {
    info: Info,
    value: String,
    ends: Timestamp,
    deleted: bool,
}

/// How the workspace deals with tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TokenRules {
    /// `enableTokensConfig` of workspace-conf: else none is made, and none is good.
    pub enabled: bool,
    /// Whether our principal has CAN_USE.
    pub can_use: bool,
    /// Tokens that a principal may have.
    pub quota: usize,
    /// `maxTokenLifetimeDays` of workspace-conf.
    pub most_days: Option<i64>,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self { enabled: true, can_use: true, quota: 600, most_days: None }
    }
}

/// Every personal access token that ever was, and the rules.
#[derive(Debug, Default)]
pub(super) struct Personal {
    tokens: Mutex<Vec<Token>>,
    rules: Mutex<TokenRules>,
}

impl Personal {
    /// With tokens that were made by hand.
    pub(super) fn new(values: &[String]) -> Self {
        let personal = Self::default();
        for value in values {
            personal.add(value.clone(), "by hand", LIFETIME);
        }
        personal
    }

    pub(super) fn add(&self, value: String, comment: &str, seconds: i64) -> Info {
        let now = Timestamp::now();
        let ends = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
        let info = Info {
            token_id: format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple()),
            creation_time: now.as_millisecond(),
            expiry_time: ends.as_millisecond(),
            comment: comment.to_owned(),
        };
        lock(&self.tokens).push(Token { info: info.clone(), value, ends, deleted: false });
        info
    }

    pub(super) fn remove(&self, value: &str) {
        lock(&self.tokens).iter_mut().filter(|token| token.value == value).for_each(|token| token.deleted = true);
    }

    pub(super) fn good(&self, value: &str) -> bool {
        let now = Timestamp::now();
        lock(&self.rules).enabled
            && lock(&self.tokens).iter().any(|token| token.value == value && !token.deleted && now < token.ends)
    }

    /// Those that are good.
    fn live(&self) -> Vec<Info> {
        let now = Timestamp::now();
        let tokens = lock(&self.tokens);
        tokens.iter().filter(|token| !token.deleted && now < token.ends).map(|token| token.info.clone()).collect()
    }

    /// Comments of those that are good.
    pub(super) fn comments(&self) -> Vec<String> {
        self.live().into_iter().map(|info| info.comment).collect()
    }

    pub(super) fn every_value(&self) -> Vec<String> {
        lock(&self.tokens).iter().map(|token| token.value.clone()).collect()
    }

    pub(super) fn set_rules(&self, rules: TokenRules) {
        if !rules.can_use {
            lock(&self.tokens).iter_mut().for_each(|token| token.deleted = true);
        }
        *lock(&self.rules) = rules;
    }

    /// Whether tokens are to be dealt with at all.
    fn allow(&self) -> Result<TokenRules, Response<Body>> {
        let rules = lock(&self.rules).clone();
        if !rules.enabled {
            return Err(error(404, "FEATURE_DISABLED", "Personal access tokens are disabled for this workspace."));
        }
        if !rules.can_use {
            return Err(error(403, "PERMISSION_DENIED", "User does not have permission to use tokens."));
        }
        Ok(rules)
    }
}

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
    let rules = workspace.personal.allow()?;
    let seconds = wish.lifetime_seconds.unwrap_or(LIFETIME);
    if seconds <= 0 {
        return Err(invalid("lifetime_seconds must be positive."));
    }
    if let Some(days) = rules.most_days.filter(|days| seconds > days * 86_400) {
        return Err(invalid(&format!("The lifetime of the token must not exceed {days} days.")));
    }
    if workspace.personal.live().len() >= rules.quota {
        let message = format!("The number of tokens has reached the quota of {}.", rules.quota);
        return Err(error(400, "QUOTA_EXCEEDED", &message));
    }
    let value = format!("dapi{}", uuid::Uuid::new_v4().simple());
    let info = workspace.personal.add(value.clone(), &wish.comment.unwrap_or_default(), seconds);
    workspace.history.record("databricks", "token", json!({"tokenId": info.token_id, "comment": info.comment}));
    Ok(ok(&json!({"token_value": value, "token_info": info})))
}

pub(super) async fn list(State(workspace): State<Shared>) -> Reply {
    workspace.personal.allow()?;
    Ok(ok(&json!({"token_infos": workspace.personal.live()})))
}

pub(super) async fn delete(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let wish: Delete = parsed(&body)?;
    workspace.personal.allow()?;
    let mut tokens = lock(&workspace.personal.tokens);
    let Some(token) = tokens.iter_mut().find(|token| token.info.token_id == wish.token_id && !token.deleted) else {
        let message = format!("Token with id {} does not exist.", wish.token_id);
        return Err(error(404, "RESOURCE_DOES_NOT_EXIST", &message));
    };
    token.deleted = true;
    workspace.history.record("databricks", "tokenDeleted", json!({"tokenId": wish.token_id}));
    Ok(ok(&json!({})))
}

#[derive(Deserialize)]
struct Access {
    access_control_list: Vec<Value>,
}

pub(super) async fn permissions(State(workspace): State<Shared>) -> Response<Body> {
    ok(&shown(&workspace))
}

/// Adds to the list. (PUT, which takes from everybody else, is not here.)
pub(super) async fn add_permission(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let wish: Access = parsed(&body)?;
    if lock(&workspace.personal.tokens).is_empty() {
        return Err(error(404, "RESOURCE_DOES_NOT_EXIST", "tokens tokens does not exist"));
    }
    let own = Principal::service(&workspace.options).name;
    for entry in &wish.access_control_list {
        if !matches!(entry["permission_level"].as_str(), Some("CAN_USE" | "CAN_MANAGE")) {
            return Err(invalid("permission_level must be CAN_USE or CAN_MANAGE."));
        }
        if entry["service_principal_name"] == own.as_str() || entry["group_name"] == "users" {
            lock(&workspace.personal.rules).can_use = true;
        }
    }
    workspace.history.record("databricks", "tokenPermission", json!(wish.access_control_list));
    Ok(ok(&shown(&workspace)))
}

fn shown(workspace: &Workspace) -> Value {
    let own = Principal::service(&workspace.options).name;
    let level = |level: &str| json!([{"permission_level": level, "inherited": false}]);
    let mut list = vec![json!({"group_name": "admins", "all_permissions": level("CAN_MANAGE")})];
    if lock(&workspace.personal.rules).can_use {
        list.push(json!({"service_principal_name": own, "all_permissions": level("CAN_USE")}));
    }
    json!({"object_id": "/authorization/tokens", "object_type": "tokens", "access_control_list": list})
}
