//! Why a token is not taken, in words for its sender. They say what to do, and nothing of what is in the token.

use crate::failure::{Code, Failure};

/// One reason each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Missing,
    Malformed,
    TooLong,
    Algorithm,
    /// `crit`: an extension that we would have to understand (RFC 7515, section 4.1.11).
    Critical,
    KeyUnknown,
    Signature,
    Issuer,
    Audience,
    Expired,
    NotYetValid,
    /// An ID token, or one that names nobody.
    Kind,
}

impl Refusal {
    pub(super) fn failure(self, audiences: &[String]) -> Failure {
        let code = match self {
            Self::Missing => Code::TokenMissing,
            Self::Malformed | Self::TooLong | Self::Critical => Code::TokenMalformed,
            Self::Algorithm => Code::TokenAlgorithm,
            Self::KeyUnknown => Code::TokenKeyUnknown,
            Self::Signature => Code::TokenSignature,
            Self::Issuer => Code::TokenIssuer,
            Self::Audience => Code::TokenAudience,
            Self::Expired => Code::TokenExpired,
            Self::NotYetValid => Code::TokenNotYetValid,
            Self::Kind => Code::TokenKind,
        };
        let detail = match self {
            Self::Missing => {
                "This app takes Entra tokens. Send the header Authorization: Bearer, and an access token for this app."
            }
            Self::Malformed => {
                "What stands in Authorization is not one bearer token that can be read. Send the access token whole and \
                 unchanged, as Entra issued it."
            }
            Self::TooLong => {
                "The token is longer than 16 KiB. Let Entra leave groups out of the tokens for this app; its roles are \
                 enough."
            }
            Self::Critical => {
                "The token asks for an extension (`crit`) that is not known here. Get the token from Entra."
            }
            Self::Algorithm => "The token is not signed with RS256, as Entra signs. Get the token from Entra.",
            Self::KeyUnknown => {
                "The token was signed with a key that Entra does not publish for this tenant. Ask Entra for a new token."
            }
            Self::Signature => {
                "The token's signature is wrong. Send the token as Entra issued it. (One for Microsoft Graph cannot be \
                 checked by anybody else: ask for one for this app.)"
            }
            Self::Issuer => "The token was issued elsewhere. Sign in to the tenant of this app.",
            // Told only to somebody who holds a token that the tenant has signed.
            Self::Audience => {
                let wanted = audiences.first().map(String::as_str).unwrap_or_default();
                let detail =
                    format!("The token is for another API. Ask Entra for one for {wanted} ({wanted}/.default).");
                return Failure::new(code, detail);
            }
            Self::Expired => "The token has expired. Ask Entra for a new one.",
            Self::NotYetValid => {
                "The token is not valid yet. Try again in a moment; if it repeats, compare the clocks."
            }
            Self::Kind => {
                "The token is no access token of a user or a service: send the access token, not the ID token, and of \
                 somebody who has an object id."
            }
        };
        Failure::new(code, detail)
    }
}
