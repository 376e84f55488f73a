//! Tokens: issued, signed, and checked by every stand-in that takes them. What a user's token says is `users.rs`, what
//! is no token of ours `forged.rs`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::keys::SigningKey;

/// What a token says, of what stand-ins look at (Microsoft Learn, "Access token claims reference").
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// The resource, without a trailing slash.
    pub aud: String,
    pub iss: String,
    /// Epoch seconds.
    pub iat: i64,
    pub exp: i64,
    /// The object id of the caller.
    pub oid: String,
    pub sub: String,
    /// The client id of the application that asked: `appid` in v1, `azp` in v2.
    #[serde(alias = "azp")]
    pub appid: String,
    pub tid: String,
    /// Entra's `app` for tokens without a user.
    #[serde(default)]
    pub idtyp: String,
    /// What the user has allowed the application; empty without a user.
    #[serde(default)]
    pub scp: String,
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
    /// The first signs; all are published.
    keys: Vec<SigningKey>,
    life: Duration,
    issued: Vec<String>,
    authority: String,
}

impl Tokens {
    /// Tokens of one tenant, good for an hour.
    pub fn new(tenant: &str) -> Self {
        let inner = Inner {
            keys: SigningKey::draw().into_iter().collect(),
            life: Duration::from_hours(1),
            issued: Vec::new(),
            authority: "https://login.microsoftonline.com".into(),
        };
        Self { tenant: tenant.into(), inner: Arc::new(Mutex::new(inner)) }
    }

    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Where the issuer of v2 tokens is from now on, without a trailing slash.
    pub(super) fn set_authority(&self, url: &str) {
        url.trim_end_matches('/').clone_into(&mut self.lock().authority);
    }

    /// The issuer of v2 tokens.
    pub fn issuer(&self) -> String {
        format!("{}/{}/v2.0", self.lock().authority, self.tenant)
    }

    /// The issuer of v1 tokens, the same in all clouds.
    pub fn first_issuer(&self) -> String {
        format!("https://sts.windows.net/{}/", self.tenant)
    }

    /// How long tokens live that are issued from now on.
    pub fn set_life(&self, life: Duration) {
        self.lock().life = life;
    }

    pub fn life(&self) -> Duration {
        self.lock().life
    }

    /// Signs with a new key from now on. The old one stays published, and its tokens good.
    pub fn roll_keys(&self) {
        let new = SigningKey::draw();
        self.lock().keys.splice(0..0, new);
    }

    /// Publishes only the key that signs now: tokens of all others are over.
    pub fn drop_old_keys(&self) {
        self.lock().keys.truncate(1);
    }

    /// Makes every token issued so far invalid.
    pub fn revoke_all(&self) {
        self.roll_keys();
        self.drop_old_keys();
    }

    /// A token for `audience` without a user, and the moment it ends.
    pub fn issue(&self, audience: &str, client_id: &str, object_id: &str) -> (String, Timestamp) {
        let claims = self.application_claims(audience, client_id, object_id, &[]);
        let end = claims["exp"].as_i64().and_then(|end| Timestamp::from_second(end).ok());
        (self.sign(&claims), end.unwrap_or(Timestamp::MAX))
    }

    /// A token that says whatever it is given, truly signed.
    pub fn sign(&self, claims: &Value) -> String {
        let token = {
            let inner = self.lock();
            inner.keys.first().and_then(|key| key.sign(key.id(), claims).ok()).unwrap_or_default()
        };
        self.remember(token)
    }

    /// The name of the key that signs now.
    pub fn key_id(&self) -> String {
        self.lock().keys.first().map(|key| key.id().to_owned()).unwrap_or_default()
    }

    /// The public half of the key that signs now (SubjectPublicKeyInfo, DER).
    pub fn public_key_der(&self) -> Vec<u8> {
        self.lock().keys.first().and_then(|key| key.public_der().ok()).unwrap_or_default()
    }

    /// The published keys (RFC 7517).
    pub fn key_set(&self) -> Value {
        let issuer = self.issuer();
        json!({"keys": self.lock().keys.iter().map(|key| key.published(&issuer)).collect::<Vec<_>>()})
    }

    /// Keeps a token for [`Tokens::every_token`].
    pub(super) fn remember(&self, token: String) -> String {
        self.lock().issued.push(token.clone());
        token
    }

    /// Every token issued so far: what a log must never contain.
    pub fn every_token(&self) -> Vec<String> {
        self.lock().issued.clone()
    }

    /// Checks a token for one of `audiences`; trailing slashes don't count.
    pub fn check(&self, token: &str, audiences: &[&str]) -> Result<Claims, Refusal> {
        let claims = self.read(token)?;
        if claims.exp <= Timestamp::now().as_second() {
            return Err(Refusal::Expired);
        }
        if !audiences.iter().any(|audience| bare(audience).eq_ignore_ascii_case(&claims.aud)) {
            return Err(Refusal::WrongAudience);
        }
        Ok(claims)
    }

    /// What a token says that is truly ours, whatever its time and audience.
    pub(crate) fn read(&self, token: &str) -> Result<Claims, Refusal> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Invalid)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::Invalid)?;
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Invalid);
        let header: Value = serde_json::from_slice(&decoded(header)?).map_err(|_| Refusal::Invalid)?;
        let signature = decoded(signature)?;
        let inner = self.lock();
        let key = inner.keys.iter().find(|key| header["kid"] == key.id()).ok_or(Refusal::Invalid)?;
        if header["alg"] != "RS256" || !key.verifies(signed, &signature) {
            return Err(Refusal::Invalid);
        }
        serde_json::from_slice(&decoded(payload)?).map_err(|_| Refusal::Invalid)
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

pub(super) fn bare(audience: &str) -> &str {
    audience.trim_end_matches('/')
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
    use super::super::users::{CONTROLLER, SALES_GERMANY};
    use super::*;

    const VAULT: &str = "https://vault.azure.net";
    const API: &str = "3b8e5f71-c2a4-4d96-8e07-1f6a9b4c2d11";

    #[test]
    fn a_token_is_taken_for_its_audience_only_and_until_revoked() {
        let tokens = Tokens::new("tenant");
        let (token, _) = tokens.issue("https://vault.azure.net/", "app", "object");
        assert_eq!(tokens.check(&token, &[VAULT]).unwrap().oid, "object");
        assert_eq!(tokens.check(&token, &["https://other"]), Err(Refusal::WrongAudience));
        assert_eq!(Tokens::new("tenant").check(&token, &[VAULT]), Err(Refusal::Invalid));
        tokens.revoke_all();
        assert_eq!(tokens.check(&token, &[VAULT]), Err(Refusal::Invalid));
    }

    #[test]
    fn a_token_without_life_is_expired() {
        let tokens = Tokens::new("tenant");
        tokens.set_life(Duration::ZERO);
        let (token, _) = tokens.issue("a", "app", "object");
        assert_eq!(tokens.check(&token, &["a"]), Err(Refusal::Expired));
        tokens.set_life(Duration::from_hours(1));
        let token = tokens.expired_user_token(&SALES_GERMANY, API, &[], Duration::from_mins(10));
        assert_eq!(tokens.check(&token, &[API]), Err(Refusal::Expired));
    }

    #[test]
    fn an_old_key_serves_until_it_is_published_no_more() {
        let tokens = Tokens::new("tenant");
        let (token, _) = tokens.issue("a", "app", "object");
        tokens.roll_keys();
        assert_eq!(tokens.key_set()["keys"].as_array().unwrap().len(), 2);
        assert!(tokens.check(&token, &["a"]).is_ok());
        tokens.drop_old_keys();
        assert_eq!(tokens.check(&token, &["a"]), Err(Refusal::Invalid));
        assert!(tokens.check(&tokens.issue("a", "app", "object").0, &["a"]).is_ok());
    }

    #[test]
    fn a_users_token_has_the_form_that_its_resource_asks_for() {
        let tokens = Tokens::new("tenant");
        let second = tokens.user_claims(&CONTROLLER, API, &["Reader"]);
        assert_eq!(second["iss"], "https://login.microsoftonline.com/tenant/v2.0");
        assert_eq!((&second["ver"], &second["roles"]), (&json!("2.0"), &json!(["Reader"])));
        let first = tokens.user_claims(&CONTROLLER, &format!("api://{API}"), &[]);
        assert_eq!(first["iss"], "https://sts.windows.net/tenant/");
        assert_eq!((&first["upn"], first.get("azp")), (&json!(CONTROLLER.principal_name), None));
        assert_eq!(tokens.check(&tokens.sign(&second), &[API]).unwrap().scp, "user_impersonation");
    }

    #[test]
    fn a_forged_token_is_not_taken() {
        let tokens = Tokens::new("tenant");
        let claims = tokens.user_claims(&CONTROLLER, API, &[]);
        let good = tokens.sign(&claims);
        for forged in [
            tokens.signed_with_another_key(&claims),
            tokens.signed_with_an_unknown_key(&claims),
            tokens.without_signature(&claims),
            tokens.signed_with_the_public_key(&claims),
            tokens.with_changed_claims(&good, |claims| claims["oid"] = json!(SALES_GERMANY.object_id)),
        ] {
            assert_eq!(tokens.check(&forged, &[API]), Err(Refusal::Invalid), "{forged}");
        }
        assert!(tokens.check(&good, &[API]).is_ok());
    }
}
