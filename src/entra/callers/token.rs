//! A token as it was sent (RFC 7515, compact form), taken apart and believed in nothing. Only what is signed with RS256 goes
//! on; where to find a key (`jku`, `x5u`, `jwk`, `x5c`) is never the token's to say, so those are not even read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// The longest token that is looked at, in bytes. Entra's stay far below: it leaves groups out above 200 of them.
const LONGEST: usize = 16 * 1024;
/// The longest name of a key.
const LONGEST_KID: usize = 200;

/// The one algorithm. Fixed here, never chosen by a token: so neither `none` nor HS256 under a public key can be.
const ALGORITHM: &str = "RS256";

/// A token whose signature is still to be checked.
#[derive(Debug)]
pub(super) struct Presented<'a> {
    /// Which of the issuer's keys it says it was signed with.
    pub(super) kid: String,
    /// What is signed.
    pub(super) signed: &'a str,
    /// The claims, in base64url.
    pub(super) payload: &'a str,
    pub(super) signature: Vec<u8>,
}

pub(super) fn read(token: &str) -> Result<Presented<'_>, Refusal> {
    if token.len() > LONGEST {
        return Err(Refusal::TooLong);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
    let (head, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
    if payload.contains('.') {
        return Err(Refusal::Malformed);
    }
    let head: Map<String, Value> = decoded(head)?;
    let text = |name: &str| head.get(name).and_then(Value::as_str);
    if text("alg") != Some(ALGORITHM) {
        return Err(Refusal::Algorithm);
    }
    if head.contains_key("crit") {
        return Err(Refusal::Critical);
    }
    // Entra says `JWT`; the RFC for access tokens (9068) `at+jwt`. Others are no bearer tokens.
    if head.get("typ").is_some_and(|typ| {
        !typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("at+jwt"))
    }) {
        return Err(Refusal::Malformed);
    }
    let kid = text("kid").filter(|kid| !kid.is_empty() && kid.len() <= LONGEST_KID).ok_or(Refusal::KeyUnknown)?;
    let signature = BASE64.decode(signature).map_err(|_| Refusal::Malformed)?;
    Ok(Presented { kid: kid.to_owned(), signed, payload, signature })
}

/// One of its JSON parts.
pub(super) fn decoded<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, Refusal> {
    let bytes = BASE64.decode(part).map_err(|_| Refusal::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)
}
