//! What a token says of its bearer, once its signature is known to be Entra's: for whom, by whom, until when, and who.
//! Names and meanings: learn.microsoft.com, "Access token claims reference".

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use uuid::Uuid;

use super::refusal::Refusal;
use super::token;
use crate::entra::User;
use crate::settings::EntraCallers;

/// What is read of them. Whatever is missing is refused where it is needed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Claims {
    iss: String,
    aud: String,
    /// Seconds of the epoch.
    exp: i64,
    nbf: Option<i64>,
    tid: String,
    oid: String,
    roles: Vec<String>,
    /// What the user has agreed to; absent from the token of a service.
    scp: Option<String>,
    /// `app` or `user`; optional.
    idtyp: Option<String>,
    /// The application that asked for it: `appid` in version 1, `azp` in version 2. An ID token has neither.
    appid: Option<String>,
    azp: Option<String>,
}

pub(super) fn read(payload: &str) -> Result<Claims, Refusal> {
    token::decoded(payload)
}

impl Claims {
    /// Its bearer, if it is for us and good at `now`.
    pub(super) fn user(self, token: &str, wanted: &EntraCallers, now: Timestamp) -> Result<User, Refusal> {
        if !wanted.issuers.contains(&self.iss) || !self.tid.eq_ignore_ascii_case(&wanted.tenant_id) {
            return Err(Refusal::Issuer);
        }
        if !wanted.audiences.contains(&self.aud) {
            return Err(Refusal::Audience);
        }
        let skew = i64::try_from(wanted.clock_skew.as_secs()).unwrap_or_default();
        if self.exp.saturating_add(skew) <= now.as_second() {
            return Err(Refusal::Expired);
        }
        if self.nbf.is_some_and(|from| from.saturating_sub(skew) > now.as_second()) {
            return Err(Refusal::NotYetValid);
        }
        if self.appid.is_none() && self.azp.is_none() {
            return Err(Refusal::Kind);
        }
        // It becomes part of names in the ledger, and of the log.
        let object_id = Uuid::try_parse(&self.oid).map_err(|_| Refusal::Kind)?.hyphenated().to_string();
        Ok(User {
            object_id,
            tenant_id: wanted.tenant_id.clone(),
            roles: self.roles,
            is_application: self.idtyp.map_or(self.scp.is_none(), |kind| kind == "app"),
            token: SecretString::from(token.to_owned()),
            expires: Timestamp::from_second(self.exp).unwrap_or(Timestamp::MAX),
        })
    }
}
