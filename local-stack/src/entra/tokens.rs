//! Tokens: JWT-shaped, signed with a key that is drawn at start, checked by every stand-in that takes them.
//! HS256 stands where Entra has RS256: clients must not look inside, and the stand-ins share the key.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What a token says (v1 access tokens, Entra's access-token claims reference).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The resource, without a trailing slash.
    pub aud: String,
    pub iss: String,
    /// Epoch seconds.
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    /// The object id of the caller.
    pub oid: String,
    pub sub: String,
    /// The client id of the caller.
    pub appid: String,
    pub tid: String,
    /// Entra's `app` for tokens without a user.
    pub idtyp: String,
    /// Makes any two tokens different.
    pub uti: String,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No `Authorization: Bearer …`.
    Missing,
    /// Not one of ours, or revoked.
    Invalid,
    Expired,
    WrongAudience,
}

/// Issues tokens and checks them; clones share everything.
#[derive(Clone, Debug)]
pub struct Tokens {
    tenant: String,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    key: hmac::Key,
    life: Duration,
    issued: Vec<String>,
}

impl Tokens {
    /// Tokens of one tenant, good for an hour.
    pub fn new(tenant: &str) -> Self {
        let inner = Inner { key: random_key(), life: Duration::from_hours(1), issued: Vec::new() };
        Self { tenant: tenant.into(), inner: Arc::new(Mutex::new(inner)) }
    }

    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// How long tokens live that are issued from now on.
    pub fn set_life(&self, life: Duration) {
        self.lock().life = life;
    }

    pub fn life(&self) -> Duration {
        self.lock().life
    }

    /// Makes every token issued so far invalid.
    pub fn revoke_all(&self) {
        self.lock().key = random_key();
    }

    /// A token for `audience`, and the moment it ends.
    pub fn issue(&self, audience: &str, client_id: &str, object_id: &str) -> (String, Timestamp) {
        let mut inner = self.lock();
        let now = Timestamp::now();
        let seconds = i64::try_from(inner.life.as_secs()).unwrap_or(i64::MAX / 2);
        let end = now.as_second().saturating_add(seconds);
        let claims = Claims {
            aud: bare(audience).into(),
            iss: format!("https://sts.windows.net/{}/", self.tenant),
            iat: now.as_second(),
            nbf: now.as_second(),
            exp: end,
            oid: object_id.into(),
            sub: object_id.into(),
            appid: client_id.into(),
            tid: self.tenant.clone(),
            idtyp: "app".into(),
            uti: random_hex(),
        };
        let header = URL_SAFE_NO_PAD.encode(json!({"typ": "JWT", "alg": "HS256"}).to_string());
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).unwrap_or_default());
        let signed = format!("{header}.{payload}");
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&inner.key, signed.as_bytes()));
        let token = format!("{signed}.{signature}");
        inner.issued.push(token.clone());
        (token, Timestamp::from_second(end).unwrap_or(Timestamp::MAX))
    }

    /// Every token issued so far: what a log must never contain.
    pub fn every_token(&self) -> Vec<String> {
        self.lock().issued.clone()
    }

    /// Checks a token for one of `audiences`; trailing slashes don't count.
    pub fn check(&self, token: &str, audiences: &[&str]) -> Result<Claims, Refusal> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Invalid)?;
        let (_, payload) = signed.split_once('.').ok_or(Refusal::Invalid)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refusal::Invalid)?;
        hmac::verify(&self.lock().key, signed.as_bytes(), &signature).map_err(|_| Refusal::Invalid)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| Refusal::Invalid)?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| Refusal::Invalid)?;
        if claims.exp <= Timestamp::now().as_second() {
            return Err(Refusal::Expired);
        }
        if !audiences.iter().any(|audience| bare(audience).eq_ignore_ascii_case(&claims.aud)) {
            return Err(Refusal::WrongAudience);
        }
        Ok(claims)
    }

    /// Checks the `Authorization` header.
    pub fn check_headers(&self, headers: &http::HeaderMap, audiences: &[&str]) -> Result<Claims, Refusal> {
        let value = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = value.and_then(|value| value.split_once(' ')).ok_or(Refusal::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::Missing);
        }
        self.check(token.trim(), audiences)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bare(audience: &str) -> &str {
    audience.trim_end_matches('/')
}

fn random_key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &random_bytes::<32>())
}

/// 32 hex digits.
pub(crate) fn random_hex() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Random bytes; from a UUID's generator when the system's fails, which it does not.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if rand::fill(&mut bytes).is_err() {
        for (target, source) in bytes.iter_mut().zip(uuid::Uuid::new_v4().into_bytes().iter().cycle()) {
            *target = *source;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_for_its_audience_only_and_until_revoked() {
        let tokens = Tokens::new("tenant");
        let (token, _) = tokens.issue("https://vault.azure.net/", "app", "object");
        assert_eq!(tokens.check(&token, &["https://vault.azure.net"]).unwrap().oid, "object");
        assert_eq!(tokens.check(&token, &["https://other"]), Err(Refusal::WrongAudience));
        assert_eq!(Tokens::new("tenant").check(&token, &["https://vault.azure.net"]), Err(Refusal::Invalid));
        tokens.revoke_all();
        assert_eq!(tokens.check(&token, &["https://vault.azure.net"]), Err(Refusal::Invalid));
    }

    #[test]
    fn a_token_without_life_is_expired() {
        let tokens = Tokens::new("tenant");
        tokens.set_life(Duration::ZERO);
        let (token, _) = tokens.issue("a", "app", "object");
        assert_eq!(tokens.check(&token, &["a"]), Err(Refusal::Expired));
    }
}
