//! What Entra refuses, and what to do about it.
//!
//! Codes: learn.microsoft.com, "Microsoft Entra authentication and authorization error codes". They may change: a code that
//! is not known falls back to general words, and nothing else is decided by one.

use std::time::Duration;

use super::sdk::SdkFailure;
use crate::failure::{Code, Failure, Upstream};

/// When nothing says when to try again.
const PAUSE: Duration = Duration::from_secs(5);

/// What helps against a code; `None` for one without advice of its own.
pub(super) const fn advice(aadsts: Option<u32>) -> Option<&'static str> {
    let Some(code) = aadsts else { return None };
    Some(match code {
        90_002 => "There is no such tenant in this cloud: check CAUSEWAY_ENTRA_TENANT_ID, and CAUSEWAY_CLOUD.",
        700_016 => {
            "The tenant has no such application: check CAUSEWAY_ENTRA_CLIENT_ID and CAUSEWAY_ENTRA_TENANT_ID, and that the \
             application has a service principal there."
        }
        7_000_215 => {
            "The client secret is wrong: store its value, not its id, in Key Vault, in the secret that \
             CAUSEWAY_ENTRA_CLIENT_SECRET_NAME names."
        }
        7_000_222 => "The client secret has expired: make another, and store it in Key Vault.",
        7_000_218 => {
            "The application must prove itself, and it is said to be a public client: set \
             CAUSEWAY_POWER_BI_REFRESH_TOKEN_PROOF to client-secret or federated."
        }
        700_025 => {
            "The application is a public client, which proves itself with nothing: set \
             CAUSEWAY_POWER_BI_REFRESH_TOKEN_PROOF to none."
        }
        700_211 => "The application has no federated credential with this issuer: add one.",
        70_021 | 700_213 | 7_002_137 | 7_002_138 => {
            "The application has no federated credential with this subject (capitals count): add one, or correct it."
        }
        700_212 => "The application's federated credential has another audience: correct it.",
        700_024 => "The assertion is over, or not yet good: check that the platform renews it, and the clock.",
        50_027 | 5_002_710 | 700_027 => "The assertion is no token that its issuer has signed.",
        53_003 => "A Conditional Access policy forbids it: let the policy except this workload.",
        65_001 => "Nobody has consented: let an administrator consent to the application's delegated permissions.",
        700_082 => "Its refresh token was not used for 90 days: sign in again and store the new one.",
        50_173 | 50_132 | 50_133 | 700_084 | 70_008 | 70_043 => {
            "Its refresh token is over, or was revoked (a new password, or an administrator): sign in again and store the \
             new one."
        }
        50_076 | 50_078 | 50_079 | 50_158 => {
            "It must prove itself again, with more than a password: sign in again and store the new refresh token."
        }
        50_034 | 50_057 => "The account does not exist any more, or is disabled: sign in with another.",
        9_002_313 => "What is stored is no refresh token: store the one that a sign-in with this application gives.",
        70_000 => {
            "The refresh token was given to another application, or in another cloud: check CAUSEWAY_ENTRA_CLIENT_ID, or \
             sign in again with this one."
        }
        _ => return None,
    })
}

/// The number in `AADSTS700016: …`.
pub(super) fn aadsts_in(text: &str) -> Option<u32> {
    let after = &text[text.find("AADSTS")? + "AADSTS".len()..];
    let end = after.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(after.len());
    after[..end].parse().ok()
}

/// No token, because of what the SDK was told.
pub(super) fn refused(detail: String, error: SdkFailure) -> Failure {
    let upstream = Upstream {
        service: "entra".to_owned(),
        status: error.status(),
        code: error.code().or_else(|| error.aadsts().map(|code| format!("AADSTS{code}"))),
        request_id: error.header("x-ms-request-id"),
    };
    let after = error.retry_after().unwrap_or(PAUSE);
    Failure::new(Code::IdentityUnavailable, detail).from_upstream(upstream).retry_after(after).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_wherever_it_stands() {
        assert_eq!(aadsts_in("invalid_client: AADSTS7000215: Invalid"), Some(7_000_215));
        assert_eq!(aadsts_in("AADSTS"), None);
        assert_eq!(aadsts_in("nothing"), None);
    }
}
