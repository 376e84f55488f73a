//! Tokens that Entra never issued, for tests of those who must refuse them (RFC 8725, sections 2 and 3).

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::Tokens;
use super::keys::{SigningKey, unsigned};

impl Tokens {
    /// Signed with a key that is nobody's, under the name of the one that signs now.
    pub fn signed_with_another_key(&self, claims: &Value) -> String {
        let id = self.key_id();
        let token = SigningKey::draw().and_then(|key| key.sign(&id, claims)).unwrap_or_default();
        self.remember(token)
    }

    /// Signed with a key that is nobody's and has a name of its own: what has not been rolled over to yet, for whoever
    /// sees it.
    pub fn signed_with_an_unknown_key(&self, claims: &Value) -> String {
        let token = SigningKey::draw().and_then(|key| key.sign(key.id(), claims)).unwrap_or_default();
        self.remember(token)
    }

    /// `alg: none`, without a signature.
    pub fn without_signature(&self, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": "none", "kid": self.key_id()});
        self.remember(format!("{}.", unsigned(&header, claims)))
    }

    /// `alg: HS256`, with the public key as the shared secret: as PEM, the form in which careless libraries hold it.
    pub fn signed_with_the_public_key(&self, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": "HS256", "kid": self.key_id()});
        let signed = unsigned(&header, claims);
        let body: Vec<String> = STANDARD
            .encode(self.public_key_der())
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", body.join("\n"));
        let key = hmac::Key::new(hmac::HMAC_SHA256, pem.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
        self.remember(format!("{signed}.{signature}"))
    }

    /// A good token whose claims were changed afterwards.
    pub fn with_changed_claims(&self, token: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            return String::new();
        };
        let claims = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
        let mut claims: Value = serde_json::from_slice(&claims).unwrap_or_default();
        change(&mut claims);
        self.remember(format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string())))
    }
}
