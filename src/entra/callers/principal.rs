//! `X-MS-CLIENT-PRINCIPAL`: who App Service authentication says the caller is. It strips the header from what clients send
//! (learn.microsoft.com, "Work with user identities in Azure App Service authentication"), so where it is on, and only
//! there, the header is its word. What it vouches for comes without a token to exchange.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use uuid::Uuid;

use super::refusal::Refusal;
use crate::entra::User;
use crate::settings::EntraCallers;

/// The platform maps some names to those of SAML.
const OBJECT_ID: [&str; 2] = ["oid", "http://schemas.microsoft.com/identity/claims/objectidentifier"];
const TENANT_ID: [&str; 2] = ["tid", "http://schemas.microsoft.com/identity/claims/tenantid"];
const ROLES: [&str; 2] = ["roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"];
/// Of Entra, as `auth_typ`.
const PROVIDER: &str = "aad";
/// How long its word is taken for when it names no end: it is asked anew with each call.
const UNTOLD_LIFE: i64 = 300;

#[derive(Deserialize)]
struct Principal {
    auth_typ: String,
    #[serde(default)]
    claims: Vec<Claim>,
    #[serde(default)]
    role_typ: Option<String>,
}

#[derive(Deserialize)]
struct Claim {
    typ: String,
    val: String,
}

impl Principal {
    fn first<'a>(&'a self, names: &'a [&str]) -> Option<&'a str> {
        self.claims.iter().find(|claim| names.contains(&claim.typ.as_str())).map(|claim| claim.val.as_str())
    }

    fn roles(&self) -> Vec<String> {
        let is_role = |name: &str| ROLES.contains(&name) || self.role_typ.as_deref() == Some(name);
        self.claims.iter().filter(|claim| is_role(&claim.typ)).map(|claim| claim.val.clone()).collect()
    }
}

pub(super) fn read(header: &str, wanted: &EntraCallers, now: Timestamp) -> Result<User, Refusal> {
    let bytes = STANDARD.decode(header).map_err(|_| Refusal::Malformed)?;
    let principal: Principal = serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)?;
    let tenant = principal.first(&TENANT_ID).unwrap_or_default();
    if principal.auth_typ != PROVIDER || !tenant.eq_ignore_ascii_case(&wanted.tenant_id) {
        return Err(Refusal::Issuer);
    }
    let end = principal.first(&["exp"]).and_then(|end| end.parse().ok());
    let skew = i64::try_from(wanted.clock_skew.as_secs()).unwrap_or_default();
    if end.is_some_and(|end: i64| end.saturating_add(skew) <= now.as_second()) {
        return Err(Refusal::Expired);
    }
    let object_id = principal.first(&OBJECT_ID).and_then(|id| Uuid::try_parse(id).ok()).ok_or(Refusal::Kind)?;
    Ok(User {
        object_id: object_id.hyphenated().to_string(),
        tenant_id: wanted.tenant_id.clone(),
        roles: principal.roles(),
        is_application: principal.first(&["idtyp"]) == Some("app"),
        token: SecretString::default(),
        expires: Timestamp::from_second(end.unwrap_or(now.as_second() + UNTOLD_LIFE)).unwrap_or(now),
    })
}
