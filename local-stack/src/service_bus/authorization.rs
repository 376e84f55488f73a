//! Who may call: a bearer token for Service Bus, or a shared access signature. Signatures are not verified here; the
//! audience and the expiry are.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::Value;

/// Why a caller is refused, in the words of the answer's `Detail`.
pub(super) fn refusal(header: Option<&str>, now: Timestamp) -> Option<String> {
    let Some(header) = header.map(str::trim) else {
        return Some("MissingToken: The 'Authorization' header is missing.".into());
    };
    let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => bearer_refusal(rest.trim(), now),
        "sharedaccesssignature" => signature_refusal(rest.trim(), now),
        _ => Some("MalformedToken: The 'Authorization' header has an unknown scheme.".into()),
    }
}

fn bearer_refusal(token: &str, now: Timestamp) -> Option<String> {
    let claims = token
        .split('.')
        .nth(1)
        .and_then(|payload| URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok())
        .and_then(|payload| serde_json::from_slice::<Value>(&payload).ok());
    let Some(claims) = claims else {
        return Some("InvalidToken: The token is not a JSON Web Token.".into());
    };
    // `aud` is `https://servicebus.azure.net` or `https://{namespace}.servicebus.windows.net`.
    let audience = match &claims["aud"] {
        Value::String(one) => one.contains("servicebus"),
        Value::Array(many) => many.iter().filter_map(Value::as_str).any(|one| one.contains("servicebus")),
        _ => false,
    };
    if !audience {
        return Some("InvalidAudience: The authorization header contains a token with an invalid audience.".into());
    }
    let expired = claims["exp"].as_i64().is_some_and(|expiry| expiry <= now.as_second());
    expired.then(|| "ExpiredToken: The token has expired.".into())
}

fn signature_refusal(signature: &str, now: Timestamp) -> Option<String> {
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(signature.as_bytes()).into_owned().collect();
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if ["sr", "sig", "se", "skn"].iter().any(|name| field(name).is_none_or(str::is_empty)) {
        return Some("MalformedToken: The signature needs sr, sig, se and skn.".into());
    }
    let live = field("se").and_then(|expiry| expiry.parse::<i64>().ok()).is_some_and(|expiry| expiry > now.as_second());
    (!live).then(|| "ExpiredToken: The signature has expired.".into())
}
