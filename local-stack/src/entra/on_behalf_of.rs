//! The on-behalf-of grant: an API that was called with a user's token asks for one to call further with.
//!
//! Request and replies: Microsoft Learn, "Microsoft identity platform and OAuth 2.0 On-Behalf-Of flow". Words and codes of
//! refusals as Entra was seen to say them: 65001 (MicrosoftDocs/azure-docs issue 39189), 500131 (OfficeDev/
//! microsoft-teams-apps-company-communicator issue 214), 500133 (microsoftgraph/msgraph-sdk-dotnet issue 2551), 50079 and
//! its `claims` (the page above), 50013 and 7000114 (Microsoft Learn, "Microsoft Entra authentication and authorization
//! error codes"). Of conditional access there is only: this user needs more for this resource, or not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::token_endpoint::{Refused, refused};
use super::tokens::bare;
use super::{Application, Refusal, Tokens, User};
use crate::core::History;

/// The name of the grant (RFC 7523).
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What administrators and users have decided; clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Policies(Arc<Mutex<Decided>>);

#[derive(Debug, Default)]
struct Decided {
    /// Resources that nobody has consented to.
    unconsented: Vec<String>,
    /// Users who must do more for a resource: object id, resource, the code that says so.
    challenged: Vec<(String, String, u32)>,
}

impl Policies {
    /// Takes back the consent to call `resource` for users.
    pub fn revoke_consent(&self, resource: &str) {
        self.lock().unconsented.push(bare(resource).to_owned());
    }

    pub fn grant_consent(&self, resource: &str) {
        self.lock().unconsented.retain(|other| other != bare(resource));
    }

    /// Wants multifactor authentication of a user who calls `resource`: 50076, or 50079 of one who has not enrolled.
    pub fn challenge(&self, user: &User, resource: &str, enrolled: bool) {
        let code = if enrolled { 50_076 } else { 50_079 };
        self.lock().challenged.push((user.object_id.to_owned(), bare(resource).to_owned(), code));
    }

    /// The user has done what was wanted.
    pub fn satisfy(&self, user: &User) {
        self.lock().challenged.retain(|(object_id, _, _)| object_id != user.object_id);
    }

    fn lock(&self) -> MutexGuard<'_, Decided> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Exchange<'a> {
    pub(super) tokens: &'a Tokens,
    pub(super) policies: &'a Policies,
    pub(super) users: &'a [User],
    pub(super) history: &'a History,
    /// Who asks, and has proved it.
    pub(super) application: &'a Application,
}

impl Exchange<'_> {
    pub(super) fn reply(&self, form: &BTreeMap<String, String>) -> Response {
        match self.exchange(form) {
            Ok(body) => Json(body).into_response(),
            Err(refusal) => refusal.into_response(),
        }
    }

    fn exchange(&self, form: &BTreeMap<String, String>) -> Result<Value, Refused> {
        let field = |name: &str| form.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let missing = |name: &str| {
            let description = format!("The request body must contain the following parameter: '{name}'.");
            refused(StatusCode::BAD_REQUEST, "invalid_request", 900_144, &description)
        };
        if field("requested_token_use") != Some("on_behalf_of") {
            return Err(missing("requested_token_use"));
        }
        let assertion = field("assertion").ok_or_else(|| missing("assertion"))?;
        let scope = field("scope").ok_or_else(|| missing("scope"))?;
        let Some((resource, wanted)) = scope.rsplit_once('/').map(|(resource, wanted)| (bare(resource), wanted)) else {
            let description = format!(
                "The provided value for the input parameter 'scope' isn't valid. The scope {scope} isn't valid."
            );
            return Err(refused(StatusCode::BAD_REQUEST, "invalid_scope", 70_011, &description));
        };
        let user = self.user_of(assertion)?;
        let client = &self.application.client_id;
        let (unconsented, challenged) = {
            let decided = self.policies.lock();
            let challenged = decided.challenged.iter().find(|(id, of, _)| id == user.object_id && of == resource);
            (decided.unconsented.iter().any(|of| of == resource), challenged.map(|(_, _, code)| *code))
        };
        if unconsented {
            let description = format!(
                "The user or administrator has not consented to use the application with ID '{client}' named 'Causeway'. Send an interactive authorization request for this user and resource."
            );
            let refusal = refused(StatusCode::BAD_REQUEST, "invalid_grant", 65_001, &description);
            return Err(refusal.with("suberror", json!("consent_required")));
        }
        if let Some(code) = challenged {
            let must = if code == 50_079 {
                "enroll in multi-factor authentication"
            } else {
                "use multi-factor authentication"
            };
            let description = format!(
                "Due to a configuration change made by your administrator, or because you moved to a new location, you must {must} to access '{resource}'."
            );
            let claims = json!({"access_token": {"polids": {"essential": true, "values": ["9ab03e19-ed42-4168-b6b7-7001fb3e933a"]}}});
            let refusal = refused(StatusCode::BAD_REQUEST, "interaction_required", code, &description);
            return Err(refusal.with("suberror", json!("basic_action")).with("claims", json!(claims.to_string())));
        }
        let token = self.tokens.sign(&self.tokens.delegated_claims(user, resource, client, &[]));
        self.history.record(
            "entra",
            "exchange",
            json!({"user": user.object_id, "resource": resource, "application": client}),
        );
        let scopes = if wanted == ".default" { format!("{resource}/user_impersonation") } else { scope.to_owned() };
        let life = self.tokens.life().as_secs();
        Ok(json!({
            "token_type": "Bearer", "scope": scopes, "expires_in": life, "ext_expires_in": life, "access_token": token,
        }))
    }

    /// Whose assertion it is, if it may be exchanged by this application.
    fn user_of(&self, assertion: &str) -> Result<&User, Refused> {
        let client = &self.application.client_id;
        let refuse =
            |code: u32, description: &str| refused(StatusCode::BAD_REQUEST, "invalid_grant", code, description);
        let own = format!("api://{client}");
        let claims = self.tokens.read(assertion).map_err(|_: Refusal| {
            refuse(50_013, "Assertion failed signature validation. [Reason - The key was not found.]")
        })?;
        let now = Timestamp::now();
        if claims.exp <= now.as_second() {
            let end = Timestamp::from_second(claims.exp).unwrap_or(now);
            return Err(refuse(
                500_133,
                &format!(
                    "Assertion is not within its valid time range. Ensure that the access token is not expired before using it for user assertion, or request a new token. Current time: {now}, expiry time of assertion {end}."
                ),
            ));
        }
        if claims.aud != *client && claims.aud != own {
            return Err(refuse(
                500_131,
                &format!(
                    "Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was '{}' and the expected audience is '{own}' or one of the Application Uris of this application with App ID '{client}'(Causeway). The downstream client must request a token for the expected audience (the application that made the OBO request) and this application should use that token as the assertion.",
                    claims.aud
                ),
            ));
        }
        if claims.scp.is_empty() {
            return Err(refuse(
                7_000_114,
                &format!("Application '{client}' is not allowed to make application on-behalf-of calls."),
            ));
        }
        self.users.iter().find(|user| user.object_id == claims.oid).ok_or_else(|| {
            refuse(
                50_034,
                &format!("The user account {} does not exist in the {} directory.", claims.oid, self.tokens.tenant()),
            )
        })
    }
}
