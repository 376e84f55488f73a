//! The refresh token grant: a new access token, and a new refresh token, for one that a sign-in gave.
//!
//! Request and reply: Microsoft Learn, "OAuth 2.0 authorization code flow", refresh the access token. Each use gives a new
//! refresh token and leaves the old one as it was ("Refresh tokens in the Microsoft identity platform"). Words of refusals:
//! 700082 (Azure/azure-cli issue 14244), 50173, 70000 and 9002313 ("Microsoft Entra authentication and authorization error
//! codes").

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::token_endpoint::{Refused, refused};
use super::tokens::bare;
use super::{Application, Tokens, User, random_hex};
use crate::core::History;

/// The name of the grant.
pub(super) const GRANT: &str = "refresh_token";
/// After so long without use one is over.
const INACTIVE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Every refresh token; clones share them.
#[derive(Clone, Debug, Default)]
pub struct RefreshTokens(Arc<Mutex<BTreeMap<String, Given>>>);

#[derive(Clone, Debug)]
struct Given {
    user: String,
    client_id: String,
    issued: Timestamp,
    revoked: bool,
}

impl RefreshTokens {
    /// What the sign-in of `user` with an application gives.
    pub fn sign_in(&self, user: &User, client_id: &str) -> String {
        self.give(user.object_id, client_id, Timestamp::now())
    }

    fn give(&self, user: &str, client_id: &str, issued: Timestamp) -> String {
        let token = format!("1.AXoA{}{}", random_hex(), random_hex());
        let given = Given { user: user.to_owned(), client_id: client_id.to_owned(), issued, revoked: false };
        self.lock().insert(token.clone(), given);
        token
    }

    /// Makes every one that a user has been given so far bad, as a new password does.
    pub fn revoke(&self, user: &User) {
        self.lock().values_mut().filter(|given| given.user == user.object_id).for_each(|given| given.revoked = true);
    }

    /// Lets 90 days and more pass for one.
    pub fn let_lapse(&self, token: &str) {
        if let Some(given) = self.lock().get_mut(token) {
            given.issued -= INACTIVE + SignedDuration::from_hours(1);
        }
    }

    /// How many there ever were.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Every one so far: what a log must never contain.
    pub fn every_token(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Given>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Refresh<'a> {
    pub(super) known: &'a RefreshTokens,
    pub(super) tokens: &'a Tokens,
    pub(super) users: &'a [User],
    pub(super) history: &'a History,
    /// Who asks, and has proved it.
    pub(super) application: &'a Application,
}

impl Refresh<'_> {
    pub(super) fn reply(&self, form: &BTreeMap<String, String>) -> Response {
        match self.refresh(form) {
            Ok(body) => Json(body).into_response(),
            Err(refusal) => refusal.into_response(),
        }
    }

    fn refresh(&self, form: &BTreeMap<String, String>) -> Result<Value, Refused> {
        let field = |name: &str| form.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let Some(token) = field(GRANT) else {
            let description = "The request body must contain the following parameter: 'refresh_token'.";
            return Err(refused(StatusCode::BAD_REQUEST, "invalid_request", 900_144, description));
        };
        let scopes: Vec<&str> =
            field("scope").unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()).collect();
        let resource = scopes.iter().find_map(|scope| scope.rsplit_once('/').map(|(resource, _)| bare(resource)));
        let Some(resource) = resource else {
            let scope = field("scope").unwrap_or_default();
            let description = format!(
                "The provided value for the input parameter 'scope' isn't valid. The scope {scope} isn't valid."
            );
            return Err(refused(StatusCode::BAD_REQUEST, "invalid_scope", 70_011, &description));
        };
        let (given, user) = self.of(token)?;
        let client = &self.application.client_id;
        let access = self.tokens.sign(&self.tokens.delegated_claims(user, resource, client, &[]));
        let new = self.known.give(&given.user, client, Timestamp::now());
        self.history.record(
            "entra",
            "refresh",
            json!({"user": given.user, "resource": resource, "application": client}),
        );
        let life = self.tokens.life().as_secs();
        let mut body = json!({
            "token_type": "Bearer", "scope": format!("{resource}/user_impersonation"), "expires_in": life,
            "ext_expires_in": life, "access_token": access,
        });
        // Without offline_access there is no new one.
        if scopes.contains(&"offline_access") {
            body["refresh_token"] = json!(new);
        }
        Ok(body)
    }

    fn of(&self, token: &str) -> Result<(Given, &User), Refused> {
        let refuse = |code: u32, description: &str| {
            refused(StatusCode::BAD_REQUEST, "invalid_grant", code, description).with("suberror", json!("bad_token"))
        };
        let Some(given) = self.known.lock().get(token).cloned() else {
            return Err(refuse(9_002_313, "Invalid request. Request is malformed or invalid."));
        };
        if given.client_id != self.application.client_id {
            return Err(refuse(70_000, "Provided grant is invalid or malformed."));
        }
        let now = Timestamp::now();
        if now.duration_since(given.issued) > INACTIVE {
            return Err(refuse(
                700_082,
                &format!(
                    "The refresh token has expired due to inactivity. The token was issued on {} and was inactive for 90.00:00:00.",
                    given.issued
                ),
            ));
        }
        if given.revoked {
            return Err(refuse(
                50_173,
                &format!(
                    "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password. The grant was issued on '{}' and the TokensValidFrom date (before which tokens are not valid) for this user is '{now}'.",
                    given.issued
                ),
            ));
        }
        let user = self.users.iter().find(|user| user.object_id == given.user);
        user.map(|user| (given.clone(), user)).ok_or_else(|| {
            let tenant = self.tokens.tenant();
            refuse(50_034, &format!("The user account {} does not exist in the {tenant} directory.", given.user))
        })
    }
}
