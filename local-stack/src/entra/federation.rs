//! Federated credentials: whose tokens prove an application (Microsoft Learn, "Workload identity federation"). Also the
//! issuer of a platform's tokens, as a cluster's is, and the check of an assertion.
//!
//! Words and codes as Entra was seen to say them: 700211 (Azure/azure-workload-identity issue 1200), 700213 (the same, and
//! Azure/login issue 482), 7002138 (Azure/login issue 515); 700212, 700024 and 50027 (Microsoft Learn, "Microsoft Entra
//! authentication and authorization error codes").

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Tokens;
use super::keys::SigningKey;
use super::token_endpoint::{Refused, refused};

/// What an assertion is asked for in the public cloud.
pub const EXCHANGE: &str = "api://AzureADTokenExchange";
/// The issuer of [`Federation::platform_token`].
pub const PLATFORM: &str = "https://oidc.local-stack.example/00000000-0000-0000-0000-000000000000/";
const MORE: &str = "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation";

/// Whose tokens an application trusts.
#[derive(Clone, Debug)]
pub struct FederatedCredential {
    pub client_id: String,
    /// `None` is the tenant itself: tokens of managed identities.
    pub issuer: Option<String>,
    /// For a managed identity its object id.
    pub subject: String,
    pub audience: String,
}

/// All federated credentials, and the platform's key; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Federation(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    credentials: Vec<FederatedCredential>,
    /// Drawn when it is first needed.
    platform: Option<SigningKey>,
    issued: Vec<String>,
}

impl Federation {
    pub fn add(&self, credential: FederatedCredential) {
        self.lock().credentials.push(credential);
    }

    /// Takes every credential of an application away.
    pub fn clear(&self, client_id: &str) {
        self.lock().credentials.retain(|credential| credential.client_id != client_id);
    }

    /// What a platform mounts for a workload: a token of [`PLATFORM`], good for `life`, or over by `-life`.
    pub fn platform_token(&self, subject: &str, audience: &str, life: jiff::SignedDuration) -> String {
        let now = Timestamp::now().as_second();
        let end = now + life.as_secs();
        let claims = json!({
            "iss": PLATFORM, "sub": subject, "aud": [audience], "iat": now.min(end - 3600), "nbf": now.min(end - 3600),
            "exp": end,
        });
        let mut inner = self.lock();
        if inner.platform.is_none() {
            inner.platform = SigningKey::draw().ok();
        }
        let token = inner.platform.as_ref().and_then(|key| key.sign(key.id(), &claims).ok()).unwrap_or_default();
        inner.issued.push(token.clone());
        token
    }

    /// Every platform token so far: what a log must never contain.
    pub fn every_token(&self) -> Vec<String> {
        self.lock().issued.clone()
    }

    /// Whether `assertion` proves the application.
    pub(super) fn proves(&self, client_id: &str, assertion: &str, tokens: &Tokens) -> Result<(), Refused> {
        let refuse =
            |code: u32, description: &str| Err(refused(StatusCode::UNAUTHORIZED, "invalid_client", code, description));
        let Some(claims) = claims(assertion) else {
            return refuse(50_027, "JWT token is invalid or malformed.");
        };
        let text = |name: &str| claims[name].as_str().unwrap_or_default();
        let (issuer, subject) = (text("iss"), text("sub"));
        let audience = claims["aud"].as_str().or_else(|| claims["aud"][0].as_str()).unwrap_or_default();
        let own = tokens.issuer();
        let inner = self.lock();
        let of_issuer: Vec<_> = inner
            .credentials
            .iter()
            .filter(|known| known.client_id == client_id && known.issuer.as_ref().unwrap_or(&own) == issuer)
            .collect();
        let no_record = "No matching federated identity record found for presented assertion";
        if of_issuer.is_empty() {
            return refuse(700_211, &format!("{no_record} issuer '{issuer}'. {MORE}"));
        }
        let of_subject: Vec<_> = of_issuer.iter().filter(|known| known.subject == subject).collect();
        if of_subject.is_empty() {
            if of_issuer.iter().any(|known| known.subject.eq_ignore_ascii_case(subject)) {
                return refuse(
                    7_002_138,
                    &format!(
                        "{no_record} subject '{subject}'. The subject matches with case-insensitive comparison, but not with case-sensitive comparison. {MORE}"
                    ),
                );
            }
            return refuse(700_213, &format!("{no_record} subject '{subject}'. {MORE}"));
        }
        if !of_subject.iter().any(|known| known.audience == audience) {
            return refuse(700_212, &format!("{no_record} audience '{audience}'. {MORE}"));
        }
        let signed = if issuer == own {
            tokens.read(assertion).is_ok()
        } else {
            issuer == PLATFORM && inner.platform.as_ref().is_some_and(|key| is_signed(key, assertion))
        };
        if !signed {
            return refuse(50_027, "JWT token is invalid or malformed. Signature validation failed.");
        }
        let time = |name: &str| claims[name].as_i64().and_then(|at| Timestamp::from_second(at).ok());
        let (now, from, end) = (Timestamp::now(), time("nbf"), time("exp"));
        if end.is_none_or(|end| end <= now) || from.is_some_and(|from| from > now + Duration::from_mins(5)) {
            let shown = |at: Option<Timestamp>| at.map_or_else(String::new, |at| at.to_string());
            return refuse(
                700_024,
                &format!(
                    "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {}, expiry time of assertion {}. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
                    shown(from),
                    shown(end)
                ),
            );
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn claims(token: &str) -> Option<Value> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

fn is_signed(key: &SigningKey, token: &str) -> bool {
    let Some((signed, signature)) = token.rsplit_once('.') else { return false };
    URL_SAFE_NO_PAD.decode(signature).is_ok_and(|signature| key.verifies(signed, &signature))
}
