//! What the vault's answers mean (learn.microsoft.com, "Azure Key Vault REST API error codes"), and what a secret's own
//! attributes do. Nothing is asked here.

use std::time::Duration;

use jiff::Timestamp;

use crate::entra::SdkFailure;
use crate::failure::{Code, Failure, Upstream};

/// When it is worth trying again, when nobody says.
const SOON: Duration = Duration::from_secs(5);

/// Whether the vault itself has answered that this secret is not to be had: then no cache helps over it.
pub(super) fn is_for_good(error: &SdkFailure) -> bool {
    matches!(error.answered(), Some(400 | 403 | 404))
}

pub(super) fn refused(name: &str, doing: Doing, error: SdkFailure) -> Failure {
    let status = error.answered();
    let (code, detail) = match status {
        Some(404) => (
            Code::SecretNotFound,
            format!("The secret {name} is not in Key Vault. Create it there, or correct the setting that names it."),
        ),
        // (Stand-ins and the service alike: `innererror` names the reason.)
        Some(403) if error.says("SecretDisabled") || error.says("disabled secret") => (
            Code::SecretNotValid,
            format!("The secret {name} is disabled in Key Vault. Enable it there, or store a new version."),
        ),
        Some(401 | 403) => (Code::SecretUnavailable, doing.denied(name)),
        Some(409) => (
            Code::SecretUnavailable,
            format!(
                "Key Vault does not take a new version of the secret {name}: it was deleted and can still be recovered. \
                 Recover it, or purge it."
            ),
        ),
        Some(429) => (
            Code::KeyVaultUnavailable,
            format!(
                "Key Vault is limiting how often it is asked, so the secret {name} could not be {}. Try again.",
                doing.done()
            ),
        ),
        _ => (
            Code::KeyVaultUnavailable,
            format!(
                "Key Vault could not be reached for the secret {name}, or Causeway could not sign in to it. Try again."
            ),
        ),
    };
    let upstream = Upstream {
        service: "key-vault".to_owned(),
        status: error.status(),
        code: error.code(),
        request_id: error.header("x-ms-request-id"),
    };
    let failure = Failure::new(code, detail).from_upstream(upstream);
    let failure = match code {
        Code::KeyVaultUnavailable => failure.retry_after(error.retry_after().unwrap_or(SOON)),
        _ => failure,
    };
    failure.caused_by(error)
}

/// What was asked of the vault.
#[derive(Clone, Copy, Debug)]
pub(super) enum Doing {
    Reading,
    Writing,
}

impl Doing {
    fn done(self) -> &'static str {
        match self {
            Self::Reading => "read",
            Self::Writing => "stored",
        }
    }

    fn denied(self, name: &str) -> String {
        let (what, role) = match self {
            Self::Reading => ("read", "Key Vault Secrets User"),
            Self::Writing => ("store", "Key Vault Secrets Officer"),
        };
        format!(
            "Key Vault does not let Causeway {what} the secret {name}. Give Causeway's identity the role {role} on the \
             vault, and check that the vault's firewall lets the app in."
        )
    }
}

/// Key Vault gives secrets outside their times, and leaves it to us ("About Azure Key Vault secrets", secret attributes).
pub(super) fn check_times(
    name: &str,
    not_before: Option<Timestamp>,
    expires: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Failure> {
    let detail = if let Some(expires) = expires.filter(|expires| *expires <= now) {
        format!(
            "The secret {name} expired at {expires}. Store a new version in Key Vault, or move its expiration date."
        )
    } else if let Some(from) = not_before.filter(|from| *from > now) {
        format!("The secret {name} is not valid before {from}. Store a version that is, or move its activation date.")
    } else {
        return Ok(());
    };
    Err(Failure::new(Code::SecretNotValid, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_outside_its_times_is_refused_with_the_time() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let now = Timestamp::from_second(100).unwrap();
        assert!(check_times("s", at(100), at(101), now).is_ok());
        for (from, to, word) in [(None, at(100), "expired at 1970"), (at(101), None, "not valid before 1970")] {
            let failure = check_times("s", from, to, now).unwrap_err();
            assert_eq!(failure.code, Code::SecretNotValid);
            assert!(failure.detail.contains(word), "{}", failure.detail);
        }
    }
}
