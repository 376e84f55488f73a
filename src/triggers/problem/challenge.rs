//! `WWW-Authenticate`: how a caller is told, in the words of RFC 6750, that its token is missing, refused or not enough.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{effective, row};
use crate::failure::{Code, Failure};

/// The header of a failure that has one. Nothing of a token is in it: only our own words.
pub(in crate::triggers) fn challenge(failure: &Failure) -> Option<String> {
    let code = effective(failure);
    let row = row(code);
    if code == Code::ClaimsChallenge {
        // As APIs behind Entra say it (Microsoft Learn, "Claims challenges, claims requests and client capabilities").
        let claims = failure.claims_challenge.as_ref().map(|claims| STANDARD.encode(claims));
        let claims = claims.map(|claims| format!(", claims=\"{claims}\"")).unwrap_or_default();
        return Some(format!("Bearer realm=\"causeway\", error=\"insufficient_claims\"{claims}"));
    }
    let error = match (code, row.status) {
        // Section 3.1: whoever has sent no token is told no error.
        (Code::TokenMissing, _) => return Some("Bearer realm=\"causeway\"".to_owned()),
        (Code::RoleMissing, _) => "insufficient_scope",
        (_, 401) => "invalid_token",
        _ => return None,
    };
    Some(format!("Bearer realm=\"causeway\", error=\"{error}\", error_description=\"{}\"", row.title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_401_has_a_challenge_and_little_else_does() {
        for code in Code::ALL {
            let challenge = challenge(&Failure::new(*code, "d"));
            let wanted = row(*code).status == 401 || *code == Code::RoleMissing;
            assert_eq!(challenge.is_some(), wanted, "{code}");
            // Section 3: quoted, and of these letters only.
            let plain =
                |text: String| text.matches('"').count().is_multiple_of(2) && !text.contains('\\') && text.is_ascii();
            assert!(challenge.is_none_or(plain), "{code}");
        }
        let missing = challenge(&Failure::new(Code::TokenMissing, "d")).unwrap();
        assert!(!missing.contains("error"), "{missing}");
    }
}
