//! Status tokens: what a `Location` points at, signed with a key from Key Vault, so that a poll needs no function key.
//!
//! `v1.{version of the key}.{payload}.{HMAC-SHA256}`, the last two in base64url. It expires after 31 days, the longest
//! that a flow waits.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::Requests;
use crate::failure::{Code, Failure};
use crate::http::Deadline;

const LIFE: SignedDuration = SignedDuration::from_hours(31 * 24);

/// What a token stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "camelCase")]
pub(super) enum Target {
    /// A statement to its end; `q` is how its values are written.
    Statement {
        id: String,
        q: super::values::Values,
    },
    /// A page of a statement's rows: from this chunk, without its first `skip` rows.
    Rows {
        id: String,
        chunk: u64,
        skip: usize,
        q: super::values::Values,
    },
    JobRun {
        id: String,
    },
    Refresh {
        w: String,
        d: String,
        id: String,
    },
    Run {
        id: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    /// Expiry, seconds of the epoch.
    exp: i64,
    #[serde(flatten)]
    target: Target,
}

/// A key in hand: signing cannot fail any more.
#[derive(Debug)]
pub(super) struct Signer {
    version: String,
    key: SecretString,
}

impl Requests {
    /// The current key. Asked for before an effect, so that its answer can carry a `Location`.
    pub(super) async fn signer(&self, deadline: Deadline) -> Result<Signer, Failure> {
        let secret = self.0.secrets.current(&self.0.settings.status_key_secret_name, deadline).await?;
        Ok(Signer { version: secret.version, key: secret.value })
    }

    /// What a token stands for, if we signed it and it has not expired.
    pub(super) async fn open(&self, token: &str, deadline: Deadline) -> Result<Target, Failure> {
        let (version, payload, signature) = split(token).ok_or_else(invalid)?;
        let name = &self.0.settings.status_key_secret_name;
        let secret = match self.0.secrets.version(name, version, deadline).await {
            Err(failure) if failure.code == Code::SecretNotFound => return Err(invalid()),
            other => other?,
        };
        let signature = BASE64.decode(signature).map_err(|_| invalid())?;
        let signed = format!("v1.{version}.{payload}");
        hmac::verify(&key(&secret.value), signed.as_bytes(), &signature).map_err(|_| invalid())?;
        let payload = BASE64.decode(payload).map_err(|_| invalid())?;
        let payload: Payload = serde_json::from_slice(&payload).map_err(|_| invalid())?;
        if payload.exp < Timestamp::now().as_second() {
            return Err(Failure::new(Code::StatusTokenExpired, "This status URL has expired; it lasts 31 days."));
        }
        Ok(payload.target)
    }
}

impl Signer {
    pub(super) fn sign(&self, target: &Target) -> Result<String, Failure> {
        let exp = (Timestamp::now() + LIFE).as_second();
        let payload = serde_json::to_vec(&Payload { exp, target: target.clone() })
            .map_err(|error| Failure::new(Code::Internal, "A status URL could not be made.").caused_by(error))?;
        let signed = format!("v1.{}.{}", self.version, BASE64.encode(payload));
        let signature = hmac::sign(&key(&self.key), signed.as_bytes());
        Ok(format!("{signed}.{}", BASE64.encode(signature.as_ref())))
    }
}

fn key(secret: &SecretString) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes())
}

fn split(token: &str) -> Option<(&str, &str, &str)> {
    let mut parts = token.split('.');
    let (head, version, payload, signature) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (head == "v1" && parts.next().is_none()).then_some((version, payload, signature))
}

fn invalid() -> Failure {
    Failure::new(Code::StatusTokenInvalid, "This status URL is not one that Causeway made. Use the whole `Location`.")
}
