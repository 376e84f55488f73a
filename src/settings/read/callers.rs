//! Who may call: keys or Entra tokens, and of which issuer and audience. Without both nobody is let in.

use url::Url;
use uuid::Uuid;

use super::super::callers::{Callers, EntraCallers, Roles, roles};
use super::super::identity::Entra;
use super::super::reader::Reader;

pub(super) fn callers(reader: &mut Reader<'_>, entra: &Entra) -> Callers {
    // All are read whichever is chosen, so that a misspelt value is told before it is needed.
    let with_tokens = reader.one_of("CAUSEWAY_AUTH", &["keys", "entra"]) == "entra";
    let told = reader.checked("CAUSEWAY_CALLER_TENANT_ID", is_guid, "a tenant's id, which is a GUID and not a domain");
    let issuers = reader.list("CAUSEWAY_CALLER_ISSUERS");
    if issuers.iter().any(|issuer| !Url::parse(issuer).is_ok_and(|url| url.scheme() == "https")) {
        reader.problem("CAUSEWAY_CALLER_ISSUERS", "must be URLs separated by commas, each beginning with https://");
    }
    let audiences = reader.list("CAUSEWAY_CALLER_AUDIENCES");
    // Five minutes are what Microsoft's own libraries allow by default.
    let clock_skew = reader.seconds("CAUSEWAY_CALLER_CLOCK_SKEW_SECONDS", 0..=300);
    let table = reader.text("CAUSEWAY_CALLER_ROLES").unwrap_or_default();
    let table = roles(&table).unwrap_or_else(|problem| {
        reader.problem("CAUSEWAY_CALLER_ROLES", problem);
        Roles::default()
    });
    let easy_auth = easy_auth(reader, with_tokens);
    if !with_tokens {
        return Callers::Keys;
    }
    if audiences.is_empty() {
        reader.problem(
            "CAUSEWAY_CALLER_AUDIENCES",
            "is missing: CAUSEWAY_AUTH is entra, which needs the audiences of callers' tokens, such as \
             api://causeway and the application's client id",
        );
    }
    let tenant_id = told.or_else(|| entra.tenant_id.clone()).unwrap_or_default().to_ascii_lowercase();
    if !is_guid(&tenant_id) {
        reader.problem(
            "CAUSEWAY_CALLER_TENANT_ID",
            "is missing: CAUSEWAY_AUTH is entra, which needs the id (a GUID) of the tenant whose tokens are taken",
        );
    }
    let issuers = if issuers.is_empty() { issuers_of(&entra.authority, &tenant_id) } else { issuers };
    Callers::Entra(EntraCallers {
        configuration: configuration_of(&entra.authority, &tenant_id),
        tenant_id,
        issuers,
        audiences,
        clock_skew,
        roles: table,
        easy_auth,
    })
}

/// Believed only when the platform says so too: without it the headers are whatever a client sends.
fn easy_auth(reader: &mut Reader<'_>, with_tokens: bool) -> bool {
    let said = reader.flag("CAUSEWAY_EASY_AUTH");
    let on = reader.text("WEBSITE_AUTH_ENABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if said && !with_tokens {
        reader.problem("CAUSEWAY_EASY_AUTH", "needs CAUSEWAY_AUTH=entra: with keys nobody's identity is asked for");
    }
    if said && !on {
        reader.problem(
            "CAUSEWAY_EASY_AUTH",
            "is true, and App Service authentication is not on (WEBSITE_AUTH_ENABLED): any client could say who it is",
        );
    }
    said && on && with_tokens
}

/// Version 1, then version 2 (learn.microsoft.com, "Access token claims reference" and "National clouds"). China's
/// authority has had two names; its tokens bear the newer one.
fn issuers_of(authority: &Url, tenant_id: &str) -> Vec<String> {
    const CHINA: [&str; 2] = ["login.chinacloudapi.cn", "login.partner.microsoftonline.cn"];
    if authority.host_str().is_some_and(|host| CHINA.contains(&host)) {
        return vec![
            format!("https://sts.chinacloudapi.cn/{tenant_id}/"),
            format!("https://login.partner.microsoftonline.cn/{tenant_id}/v2.0"),
        ];
    }
    vec![format!("https://sts.windows.net/{tenant_id}/"), format!("{authority}{tenant_id}/v2.0")]
}

fn configuration_of(authority: &Url, tenant_id: &str) -> Url {
    let mut url = authority.clone();
    url.set_path(&format!("/{tenant_id}/v2.0/.well-known/openid-configuration"));
    url
}

fn is_guid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}
