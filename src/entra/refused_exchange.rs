//! Why Entra did not exchange a caller's token, and what the caller is told. Codes: Microsoft Learn, "Microsoft Entra
//! authentication and authorization error codes"; `claims`: "Claims challenges, claims requests and client capabilities".

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;

use crate::failure::{Code, Failure, Upstream};
use crate::http::Reply;

/// Longest description that is kept for the log, in characters.
const LONGEST: usize = 1_000;

/// Entra's refusal.
#[derive(Debug)]
pub(super) struct Refused {
    status: u16,
    body: Body,
    request_id: Option<String>,
    retry_after: Option<Duration>,
}

#[derive(Debug, Default, Deserialize)]
struct Body {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
    #[serde(default)]
    error_codes: Vec<u64>,
    suberror: Option<String>,
    /// What the next token must say, as JSON text.
    claims: Option<String>,
}

/// Entra's own words, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

impl Refused {
    pub(super) fn read(reply: &Reply) -> Self {
        Self {
            status: reply.status,
            body: serde_json::from_slice(&reply.body).unwrap_or_default(),
            request_id: reply.header("x-ms-request-id").map(str::to_owned),
            retry_after: reply.retry_after(),
        }
    }

    /// It is our application that was not believed.
    pub(super) fn is_about_us(&self) -> bool {
        matches!(self.body.error.as_str(), "invalid_client" | "unauthorized_client")
    }

    fn has(&self, code: u64) -> bool {
        self.body.error_codes.contains(&code)
    }

    /// `client_id` is our application, `service` whom it wanted to call.
    pub(super) fn failure(self, client_id: &str, service: &str) -> Failure {
        let failure = if self.status == 429 || self.status >= 500 {
            Failure::new(Code::IdentityUnavailable, "Entra exchanges no tokens now; try again later.")
                .retry_after(self.retry_after.unwrap_or(Duration::from_secs(5)))
        } else if self.body.claims.is_some() || self.body.error == "interaction_required" {
            wants_more(service, self.body.claims.clone())
        } else if self.body.suberror.as_deref() == Some("consent_required") || self.has(65_001) {
            Failure::new(
                Code::ConsentMissing,
                format!(
                    "Nobody has consented that application {client_id} calls {service} for this user. An administrator \
                     grants it in Entra, under the application's API permissions; or the user consents once."
                ),
            )
        } else if self.has(500_131) {
            Failure::new(
                Code::CallerTokenRefused,
                format!(
                    "The caller's token is for another application than {client_id} (CAUSEWAY_ENTRA_CLIENT_ID), so that \
                     it cannot be exchanged. Ask for a token for this one: its client id or its api:// URI is the audience."
                ),
            )
        } else if self.has(7_000_114) {
            Failure::new(
                Code::CallerIdentityMissing,
                "The caller's token is an application's: there is no user on whose behalf anything could be done.",
            )
        } else if self.body.error == "invalid_grant" {
            Failure::new(
                Code::CallerTokenRefused,
                "Entra does not take the caller's token any more: it has expired, or the user's sign-in was revoked. Sign \
                 in again.",
            )
        } else {
            Failure::new(
                Code::IdentityUnavailable,
                format!(
                    "Entra refused application {client_id} a token for {service} on the caller's behalf. Check \
                     CAUSEWAY_ENTRA_TENANT_ID, CAUSEWAY_ENTRA_CLIENT_ID, CAUSEWAY_ON_BEHALF_OF_AUTH, and that its secret \
                     in Key Vault is valid."
                ),
            )
        };
        let upstream = Upstream {
            service: "entra".to_owned(),
            status: Some(self.status),
            code: self.body.error_codes.first().map(|code| format!("AADSTS{code}")),
            request_id: self.request_id,
        };
        let said = format!("{}: {}", self.body.error, self.body.error_description);
        failure.from_upstream(upstream).caused_by(Said(said.chars().take(LONGEST).collect()))
    }
}

/// A `WWW-Authenticate` with which a neighbour wants another token of the user (continuous access evaluation).
pub(super) fn challenged(header: &str, service: &str) -> Option<Failure> {
    if !header.contains("insufficient_claims") {
        return None;
    }
    let claims = header.split_once("claims=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(claims, _)| claims);
    let decoded = claims.and_then(|claims| {
        let claims = claims.trim_end_matches('=');
        let bytes = URL_SAFE_NO_PAD.decode(claims).or_else(|_| STANDARD.decode(pad(claims))).ok()?;
        String::from_utf8(bytes).ok()
    });
    Some(wants_more(service, decoded))
}

fn pad(text: &str) -> String {
    format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4))
}

fn wants_more(service: &str, claims: Option<String>) -> Failure {
    let detail = format!(
        "A policy of the tenant wants more of the user before {service} may be called for them. Sign in again with the \
         claims that this answer names, and call with the new token."
    );
    Failure { claims_challenge: claims, ..Failure::new(Code::ClaimsChallenge, detail) }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn told(status: u16, body: &Value) -> Failure {
        let reply = Reply { status, headers: Vec::new(), body: Bytes::from(body.to_string()), tries: 1 };
        Refused::read(&reply).failure("client", "Databricks")
    }

    #[rstest]
    #[case::consent(json!({"error": "invalid_grant", "error_codes": [65001], "suberror": "consent_required"}), Code::ConsentMissing)]
    #[case::policy(json!({"error": "interaction_required", "error_codes": [50079], "claims": "{}"}), Code::ClaimsChallenge)]
    #[case::policy_in_a_grant(json!({"error": "invalid_grant", "error_codes": [53003], "claims": "{}"}), Code::ClaimsChallenge)]
    #[case::audience(json!({"error": "invalid_grant", "error_codes": [500_131]}), Code::CallerTokenRefused)]
    #[case::expired(json!({"error": "invalid_grant", "error_codes": [500_133]}), Code::CallerTokenRefused)]
    #[case::service(json!({"error": "invalid_grant", "error_codes": [7_000_114]}), Code::CallerIdentityMissing)]
    #[case::our_secret(json!({"error": "invalid_client", "error_codes": [7_000_215]}), Code::IdentityUnavailable)]
    #[case::no_json(json!("a page"), Code::IdentityUnavailable)]
    fn each_refusal_has_its_code(#[case] body: Value, #[case] code: Code) {
        assert_eq!(told(400, &body).code, code);
    }

    #[test]
    fn entras_code_is_told_and_its_words_are_for_the_log() {
        let body = json!({"error": "invalid_grant", "error_description": "AADSTS500131: Assertion …", "error_codes": [500_131]});
        let failure = told(400, &body);
        assert_eq!(failure.upstream.as_ref().unwrap().code.as_deref(), Some("AADSTS500131"));
        assert!(failure.detail.contains("CAUSEWAY_ENTRA_CLIENT_ID"), "{failure}");
        assert!(failure.chain().contains("Assertion …") && !failure.detail.contains('…'), "{failure}");
    }

    #[test]
    fn an_entra_in_trouble_is_tried_again_whatever_it_says() {
        assert_eq!(told(503, &json!({"error": "temporarily_unavailable"})).code, Code::IdentityUnavailable);
    }

    #[test]
    fn a_neighbours_challenge_is_read_and_another_header_is_none() {
        let claims = r#"{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}"#;
        let header = format!(
            "Bearer realm=\"\", authorization_uri=\"https://login.example/common/oauth2/authorize\", \
             error=\"insufficient_claims\", claims=\"{}\"",
            STANDARD.encode(claims)
        );
        let failure = challenged(&header, "Power BI").unwrap();
        assert_eq!((failure.code, failure.claims_challenge.as_deref()), (Code::ClaimsChallenge, Some(claims)));
        assert!(challenged("Bearer error=\"invalid_token\"", "Power BI").is_none());
    }
}
