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
    /// A page of a statement's rows, from this one on.
    Rows {
        id: String,
        row: u64,
        q: super::values::Values,
    },
    /// A page of a list, from Databricks' own token on.
    List {
        list: super::lists::ListOf,
        from: String,
        top: usize,
    },
    /// A page of jobs or of their runs, from Databricks' own token on.
    Jobs {
        list: super::job_lists::JobList,
        from: String,
        limit: usize,
    },
    /// A report on its way into a file, and the file.
    Export {
        w: String,
        r: String,
        e: String,
    },
    ExportFile {
        w: String,
        r: String,
        e: String,
    },
    /// A page of a list of Power BI.
    PowerBiList {
        list: super::power_bi_lists::Listing,
        page: super::power_bi_lists::Page,
    },
    /// A job run to its end; with `repair` as of that repair of it.
    JobRun {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repair: Option<String>,
    },
    Refresh {
        w: String,
        d: String,
        id: String,
    },
    /// A refresh that waits for its dataset; `joined` when another had asked for it before.
    QueuedRefresh {
        run: String,
        joined: bool,
    },
    Run {
        id: String,
    },
    /// Who wants to be told the end of a run.
    Callback {
        run: String,
    },
    /// A page of runs.
    Runs {
        wanted: crate::runs::RunsWanted,
        from: crate::runs::RunsFrom,
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
#[derive(Clone, Debug)]
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
        let (version, ..) = split(token).ok_or_else(invalid)?;
        let name = &self.0.settings.status_key_secret_name;
        match self.0.secrets.version(name, version, deadline).await {
            Err(failure) if failure.code == Code::SecretNotFound => Err(invalid()),
            Err(failure) => Err(failure),
            Ok(secret) => StatusToken::read(token, &secret.value, Timestamp::now()).map(|token| token.0),
        }
    }
}

/// A token that we signed.
#[derive(Debug)]
pub struct StatusToken(Target);

impl StatusToken {
    /// What a token stands for at `now`, if it was signed with `secret`.
    pub fn read(token: &str, secret: &SecretString, now: Timestamp) -> Result<Self, Failure> {
        let (version, payload, signature) = split(token).ok_or_else(invalid)?;
        let signature = BASE64.decode(signature).map_err(|_| invalid())?;
        let signed = format!("v1.{version}.{payload}");
        hmac::verify(&key(secret), signed.as_bytes(), &signature).map_err(|_| invalid())?;
        let payload = BASE64.decode(payload).map_err(|_| invalid())?;
        let payload: Payload = serde_json::from_slice(&payload).map_err(|_| invalid())?;
        if payload.exp < now.as_second() {
            return Err(Failure::new(Code::StatusTokenExpired, "This status URL has expired; it lasts 31 days."));
        }
        Ok(Self(payload.target))
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const VERSION: &str = "0123456789abcdef0123456789abcdef";

    fn signer(key: &str) -> Signer {
        Signer { version: VERSION.into(), key: key.to_owned().into() }
    }

    fn target() -> Target {
        Target::JobRun { id: "7".into(), repair: None }
    }

    #[rstest]
    #[case::at_once(0, Ok(target()))]
    #[case::in_its_last_minute(31 * 24 * 60 - 1, Ok(target()))]
    #[case::a_minute_later(31 * 24 * 60 + 1, Err(Code::StatusTokenExpired))]
    fn a_token_lasts_31_days(#[case] minutes: i64, #[case] expected: Result<Target, Code>) {
        let token = signer("k").sign(&target()).unwrap();
        let now = Timestamp::now() + SignedDuration::from_mins(minutes);
        let read = StatusToken::read(&token, &"k".to_owned().into(), now);
        assert_eq!(read.map(|token| token.0).map_err(|failure| failure.code), expected);
    }

    #[test]
    fn no_bit_of_a_token_can_be_changed() {
        let token = signer("k").sign(&target()).unwrap();
        for (at, bit) in (0..token.len()).flat_map(|at| (0..7).map(move |bit| (at, bit))) {
            let mut changed = token.clone().into_bytes();
            changed[at] ^= 1 << bit;
            let changed = String::from_utf8(changed).unwrap();
            let failure = StatusToken::read(&changed, &"k".to_owned().into(), Timestamp::now()).unwrap_err();
            assert_eq!(failure.code, Code::StatusTokenInvalid, "{changed}");
        }
    }

    #[test]
    fn a_token_that_was_changed_or_signed_by_another_is_refused() {
        let token = signer("k").sign(&target()).unwrap();
        let other = signer("k").sign(&Target::JobRun { id: "8".into(), repair: None }).unwrap();
        let (head, _) = other.rsplit_once('.').unwrap();
        let (_, signature) = token.rsplit_once('.').unwrap();
        let swapped = format!("{head}.{signature}");
        let older = token.replace(VERSION, &VERSION.replace('0', "f"));
        let foreign = signer("another").sign(&target()).unwrap();
        for wrong in [&swapped, &older, &foreign, &token[..token.len() - 2], "", "v1", "v1...", "v2.a.b.c"] {
            let failure = StatusToken::read(wrong, &"k".to_owned().into(), Timestamp::now()).unwrap_err();
            assert_eq!(failure.code, Code::StatusTokenInvalid, "{wrong}");
        }
    }
}
