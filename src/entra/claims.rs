//! What a token says of whom it was given to, read without checking it: for people who look, never to decide anything.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// Whom a token was given to. No part of it opens anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// `appid` or `azp`: the client id of an application, or of a managed identity.
    pub client_id: Option<String>,
    /// `oid`: what role assignments name.
    pub object_id: Option<String>,
    /// The name that a person signs in with; `None` for a service.
    pub user: Option<String>,
}

impl Holder {
    /// Nothing of what is no JWT, such as a personal access token.
    pub fn of(token: &SecretString) -> Self {
        let claims = claims(token);
        let text = |names: &[&str]| names.iter().find_map(|name| claims.get(*name)?.as_str().map(str::to_owned));
        Self {
            client_id: text(&["appid", "azp"]),
            object_id: text(&["oid"]),
            user: text(&["upn", "preferred_username", "unique_name"]),
        }
    }
}

/// Issuer, subject and audience of an assertion: what a federated credential must match.
pub(super) struct Presented(Value);

impl Presented {
    pub(super) fn in_token(token: &SecretString) -> Self {
        Self(claims(token))
    }
}

impl fmt::Display for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |name: &str| self.0.get(name).and_then(Value::as_str);
        let audience = match self.0.get("aud") {
            Some(Value::Array(all)) => all.first().and_then(Value::as_str),
            Some(Value::String(one)) => Some(one.as_str()),
            _ => None,
        };
        match (text("iss"), text("sub"), audience) {
            (Some(issuer), Some(subject), Some(audience)) => {
                write!(f, "Presented were issuer {issuer}, subject {subject}, audience {audience}.")
            }
            _ => f.write_str("What was presented is no JWT."),
        }
    }
}

fn claims(token: &SecretString) -> Value {
    let payload = token.expose_secret().split('.').nth(1).unwrap_or_default();
    let decoded = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).unwrap_or_default();
    serde_json::from_slice(&decoded).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> SecretString {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)).into()
    }

    #[test]
    fn services_and_people_are_told_apart() {
        let service = Holder::of(&token(r#"{"appid": "a", "oid": "o", "idtyp": "app"}"#));
        assert_eq!((service.client_id.as_deref(), service.user), (Some("a"), None));
        let person = Holder::of(&token(r#"{"azp": "a", "oid": "o", "preferred_username": "maya@contoso.example"}"#));
        assert_eq!(person.user.as_deref(), Some("maya@contoso.example"));
        assert_eq!(Holder::of(&"dapi0123".into()), Holder::default());
    }

    #[test]
    fn an_assertion_shows_what_it_must_match() {
        let assertion = token(r#"{"iss": "i", "sub": "s", "aud": ["a"]}"#);
        let presented = Presented::in_token(&assertion).to_string();
        assert_eq!(presented, "Presented were issuer i, subject s, audience a.");
        assert_eq!(Presented::in_token(&"x".into()).to_string(), "What was presented is no JWT.");
    }
}
