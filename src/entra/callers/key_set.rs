//! The keys that an issuer publishes (RFC 7517), and whether one of them has signed something. Pure; no I/O.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;

/// Keys by their `kid`.
pub(super) type KeySet = HashMap<String, Arc<SigningKey>>;

/// A public RSA key of 2,048 to 8,192 bits, for RS256 and nothing else.
pub(super) struct SigningKey(ParsedPublicKey);

impl SigningKey {
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Key {
    kty: String,
    kid: String,
    r#use: Option<String>,
    alg: Option<String>,
    n: String,
    e: String,
    /// Entra's own: whose tokens it signs, with `{tenantid}` for whichever tenant.
    issuer: Option<String>,
}

/// The keys of `document` that sign for `tenant_id` and one of `issuers`; the others are left out. `None` when it is none.
///
/// The same document holds the keys of consumers' accounts. One of those once signed tokens for companies, because nobody
/// looked at whose key it was (Microsoft Security Response Center on Storm-0558, September 2023).
pub(super) fn read(document: &[u8], tenant_id: &str, issuers: &[String]) -> Option<KeySet> {
    let document: Document = serde_json::from_slice(document).ok()?;
    let ours =
        |key: &Key| key.issuer.as_ref().is_none_or(|issuer| issuers.contains(&issuer.replace("{tenantid}", tenant_id)));
    let set = document
        .keys
        .into_iter()
        .filter(|key| key.kty == "RSA" && !key.kid.is_empty())
        .filter(|key| key.r#use.as_ref().is_none_or(|what| what == "sig"))
        .filter(|key| key.alg.as_ref().is_none_or(|alg| alg == "RS256"))
        .filter(ours)
        .filter_map(|key| {
            let components = RsaPublicKeyComponents { n: BASE64.decode(&key.n).ok()?, e: BASE64.decode(&key.e).ok()? };
            let parsed = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
            Some((key.kid, Arc::new(SigningKey(parsed))))
        });
    Some(set.collect())
}
