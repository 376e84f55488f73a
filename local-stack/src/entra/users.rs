//! The people of the stack's directory, named by what they do, and the tokens that they call with.
//!
//! Claims: Microsoft Learn, "Access token claims reference". An access token has the form that its resource asks for
//! (`requestedAccessTokenVersion` of the registration); here `api://…` gets v1, and a client id, which is what every v2
//! token names, gets v2.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Tokens;

/// Somebody who can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// `oid`
    pub object_id: &'static str,
    pub name: &'static str,
    /// The name to sign in with, which Databricks calls the user by as well.
    pub principal_name: &'static str,
    /// The account groups that the person is in at Databricks.
    pub groups: &'static [&'static str],
}

/// Sells in Germany.
pub const SALES_GERMANY: User = User {
    object_id: "1f0c8a52-6f0e-4b57-9a51-0b6d3f1e7a01",
    name: "Sales Germany",
    principal_name: "sales.germany@contoso.example",
    groups: &["sales", "sales-de"],
};
/// Sells in France.
pub const SALES_FRANCE: User = User {
    object_id: "2a7d9b63-7c1f-4c68-8b62-1c7e402f8b02",
    name: "Sales France",
    principal_name: "sales.france@contoso.example",
    groups: &["sales", "sales-fr"],
};
/// Sees everything that there is.
pub const CONTROLLER: User = User {
    object_id: "3b8eac74-8d20-4d79-9c73-2d8f51309c03",
    name: "Controller",
    principal_name: "controller@contoso.example",
    groups: &["finance"],
};
/// Everybody.
pub const USERS: [User; 3] = [SALES_GERMANY, SALES_FRANCE, CONTROLLER];

/// The application that people of the stack sign in to: a custom connector's registration.
pub const CONNECTOR_CLIENT_ID: &str = "4c9fbd85-9e31-4e8a-8d84-3e906241ad14";

impl Tokens {
    /// What a token of `user` for `audience` says, good from now for as long as tokens live.
    pub fn user_claims(&self, user: &User, audience: &str, roles: &[&str]) -> Value {
        self.delegated_claims(user, audience, CONNECTOR_CLIENT_ID, roles)
    }

    /// The same of a token that another application asked for.
    pub(super) fn delegated_claims(&self, user: &User, audience: &str, client_id: &str, roles: &[&str]) -> Value {
        let mut claims = self.common_claims(audience, user.object_id);
        // Pairwise: another subject in every application (OpenID Connect Core, 8.1).
        claims["sub"] = json!(format!("{}-{}", user.object_id, claims["aud"].as_str().unwrap_or_default()));
        claims["scp"] = json!("user_impersonation");
        claims["name"] = json!(user.name);
        if !roles.is_empty() {
            claims["roles"] = json!(roles);
        }
        self.in_form(claims, client_id, Some(user))
    }

    /// What a token of a service for `audience` says: client credentials, no user.
    pub fn application_claims(&self, audience: &str, client_id: &str, object_id: &str, roles: &[&str]) -> Value {
        let mut claims = self.common_claims(audience, object_id);
        claims["sub"] = json!(object_id);
        claims["idtyp"] = json!("app");
        if !roles.is_empty() {
            claims["roles"] = json!(roles);
        }
        self.in_form(claims, client_id, None)
    }

    fn common_claims(&self, audience: &str, object_id: &str) -> Value {
        let now = Timestamp::now().as_second();
        let life = i64::try_from(self.life().as_secs()).unwrap_or(i64::MAX / 2);
        json!({
            "aud": audience.trim_end_matches('/'), "iat": now, "nbf": now, "exp": now.saturating_add(life),
            "oid": object_id, "tid": self.tenant(), "uti": super::random_hex(),
        })
    }

    /// What differs between v1 and v2.
    fn in_form(&self, mut claims: Value, client_id: &str, user: Option<&User>) -> Value {
        let second = claims["aud"].as_str().is_some_and(|audience| uuid::Uuid::try_parse(audience).is_ok())
            && !is_of_microsoft(&claims["aud"])
            // What stands in for a secret is of the second form ("Configure an application to trust a managed identity").
            || claims["aud"].as_str().is_some_and(|audience| audience.starts_with(super::federation::EXCHANGE));
        let (issuer, version, client, client_proof) = if second {
            (self.issuer(), "2.0", "azp", "azpacr")
        } else {
            (self.first_issuer(), "1.0", "appid", "appidacr")
        };
        claims["iss"] = json!(issuer);
        claims["ver"] = json!(version);
        claims[client] = json!(client_id);
        claims[client_proof] = json!("1");
        if let Some(user) = user {
            let names: &[&str] = if second { &["preferred_username"] } else { &["upn", "unique_name"] };
            for name in names {
                claims[name] = json!(user.principal_name);
            }
        }
        claims
    }

    /// A token that `user` calls `audience` with.
    pub fn user_token(&self, user: &User, audience: &str, roles: &[&str]) -> String {
        self.sign(&self.user_claims(user, audience, roles))
    }

    /// The same, over by so long.
    pub fn expired_user_token(&self, user: &User, audience: &str, roles: &[&str], since: Duration) -> String {
        let mut claims = self.user_claims(user, audience, roles);
        let end = Timestamp::now().as_second() - i64::try_from(since.as_secs()).unwrap_or(i64::MAX / 2);
        claims["exp"] = json!(end);
        claims["iat"] = json!(end - 3600);
        claims["nbf"] = json!(end - 3600);
        self.sign(&claims)
    }
}

/// Resources of Microsoft's own and of Databricks take v1 tokens, also where they are named by an id.
fn is_of_microsoft(audience: &Value) -> bool {
    audience == "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
}
