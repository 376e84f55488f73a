//! Where Databricks is, how we sign in there, and what callers may ask of it.

use std::time::Duration;

use super::super::clouds::Cloud;
use super::super::concerns::{AzureResource, Databricks, PatRotation, ResultDisposition, Sql, SqlMode};
use super::super::identity::DatabricksAuthentication;
use super::super::reader::Reader;
use super::{is_id, or_preset, places, required_origin};

pub(super) fn databricks(reader: &mut Reader<'_>, cloud: &Cloud) -> Databricks {
    const CHOICES: &[&str] = &["managed-identity", "client-secret", "federated", "oauth-m2m", "pat"];
    let host = required_origin(
        reader,
        "CAUSEWAY_DATABRICKS_HOST",
        "the workspace, such as https://adb-1234567890123456.7.azuredatabricks.net",
        &places::DATABRICKS,
        cloud,
    );
    let warehouse_id = reader.checked(
        "CAUSEWAY_DATABRICKS_WAREHOUSE_ID",
        is_id,
        "a warehouse's id (16 hex digits, from its connection details), not its name or path",
    );
    let client_id = reader.checked("CAUSEWAY_DATABRICKS_CLIENT_ID", is_id, "the client id of a service principal");
    // All are read whichever is chosen, so that a misspelt value is told before it is needed.
    let client_secret_name = reader.secret_name("CAUSEWAY_DATABRICKS_CLIENT_SECRET_NAME");
    let token_secret_name = reader.secret_name("CAUSEWAY_DATABRICKS_TOKEN_SECRET_NAME");
    let authentication = match reader.one_of("CAUSEWAY_DATABRICKS_AUTH", CHOICES) {
        "client-secret" => DatabricksAuthentication::ClientSecret,
        "federated" => DatabricksAuthentication::Federated,
        "oauth-m2m" => {
            if client_id.is_none() {
                reader.problem(
                    "CAUSEWAY_DATABRICKS_CLIENT_ID",
                    "is missing: CAUSEWAY_DATABRICKS_AUTH is oauth-m2m, which needs the service principal's client id",
                );
            }
            DatabricksAuthentication::OAuthM2m {
                client_id: client_id.unwrap_or_default(),
                secret_name: client_secret_name,
            }
        }
        "pat" => DatabricksAuthentication::PersonalAccessToken { secret_name: token_secret_name },
        _ => DatabricksAuthentication::ManagedIdentity,
    };
    let audience = reader.text("CAUSEWAY_DATABRICKS_AUDIENCE").unwrap_or_default();
    let azure_resource = azure_resource(reader, cloud, &authentication);
    Databricks { host, warehouse_id, authentication, audience, azure_resource }
}

fn azure_resource(
    reader: &mut Reader<'_>,
    cloud: &Cloud,
    authentication: &DatabricksAuthentication,
) -> Option<AzureResource> {
    const VARIABLE: &str = "CAUSEWAY_DATABRICKS_RESOURCE_ID";
    let management_audience = or_preset(reader, "CAUSEWAY_MANAGEMENT_AUDIENCE", cloud.management_audience);
    let id = reader.checked(
        VARIABLE,
        is_workspace,
        "the workspace's resource id in Azure: \
         /subscriptions/…/resourceGroups/…/providers/Microsoft.Databricks/workspaces/…",
    )?;
    let why = match authentication {
        DatabricksAuthentication::OAuthM2m { .. } => "oauth-m2m",
        DatabricksAuthentication::PersonalAccessToken { .. } => "pat",
        _ => return Some(AzureResource { id, management_audience }),
    };
    reader.problem(
        VARIABLE,
        format!(
            "is of use to an identity of Entra only, but CAUSEWAY_DATABRICKS_AUTH is {why}: take one of the two out"
        ),
    );
    None
}

/// Names are compared without regard to case in Azure.
fn is_workspace(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let is = |index: usize, word: &str| parts.get(index).is_some_and(|part| part.eq_ignore_ascii_case(word));
    let named = |index: usize| parts.get(index).is_some_and(|part| !part.is_empty() && is_header_safe(part));
    parts.len() == 9
        && parts[0].is_empty()
        && is(1, "subscriptions")
        && named(2)
        && is(3, "resourceGroups")
        && named(4)
        && is(5, "providers")
        && is(6, "Microsoft.Databricks")
        && is(7, "workspaces")
        && named(8)
}

/// It travels in a header.
fn is_header_safe(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Who makes the tokens, and when.
pub(super) fn pat_rotation(reader: &mut Reader<'_>) -> PatRotation {
    let secret_name = reader.text("CAUSEWAY_DATABRICKS_TOKEN_SECRET_NAME").unwrap_or_default();
    let choices = ["off", "managed-identity", "client-secret", "oauth-m2m"];
    let identity = match reader.one_of("CAUSEWAY_PAT_ROTATION", &choices) {
        "managed-identity" => Some(DatabricksAuthentication::ManagedIdentity),
        "client-secret" => Some(DatabricksAuthentication::ClientSecret),
        "oauth-m2m" => {
            let client_id = reader.text("CAUSEWAY_DATABRICKS_CLIENT_ID").unwrap_or_default();
            if client_id.is_empty() {
                reader.problem(
                    "CAUSEWAY_DATABRICKS_CLIENT_ID",
                    "is missing: CAUSEWAY_PAT_ROTATION is oauth-m2m, which needs the service principal's client id",
                );
            }
            let secret_name = reader.text("CAUSEWAY_DATABRICKS_CLIENT_SECRET_NAME").unwrap_or_default();
            Some(DatabricksAuthentication::OAuthM2m { client_id, secret_name })
        }
        _ => None,
    };
    // Two years is what Databricks gives at most.
    let day = 86_400;
    let lifetime = reader.whole("CAUSEWAY_PAT_LIFETIME_DAYS", 1..=730, "days");
    let before = reader.whole("CAUSEWAY_PAT_ROTATE_BEFORE_DAYS", 0..=729, "days");
    if before >= lifetime {
        let problem = "must be fewer days than CAUSEWAY_PAT_LIFETIME_DAYS: each token would be renewed at once";
        reader.problem("CAUSEWAY_PAT_ROTATE_BEFORE_DAYS", problem);
    }
    PatRotation {
        identity,
        secret_name,
        lifetime: Duration::from_secs(lifetime * day),
        before: Duration::from_secs(before * day),
        grace: reader.seconds("CAUSEWAY_PAT_GRACE_SECONDS", 0..=2_592_000),
    }
}

pub(super) fn sql(reader: &mut Reader<'_>) -> Sql {
    let mode = match reader.one_of("CAUSEWAY_SQL_MODE", &["read_only", "read_write", "off"]) {
        "read_write" => SqlMode::ReadWrite,
        "off" => SqlMode::Off,
        _ => SqlMode::ReadOnly,
    };
    let disposition = match reader.one_of("CAUSEWAY_SQL_DISPOSITION", &["auto", "inline", "external-links"]) {
        "inline" => ResultDisposition::Inline,
        "external-links" => ResultDisposition::ExternalLinks,
        _ => ResultDisposition::Auto,
    };
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Sql {
        mode,
        disposition,
        max_rows: ceiling(reader, "CAUSEWAY_SQL_MAX_ROWS", "rows"),
        max_bytes: ceiling(reader, "CAUSEWAY_SQL_MAX_BYTES", "bytes"),
        concurrency: size(reader.whole("CAUSEWAY_SQL_CONCURRENCY", 1..=10_000, "calls")),
        streams: size(reader.whole("CAUSEWAY_SQL_STREAMS", 1..=1_000, "streams")),
        result_budget: size(reader.whole("CAUSEWAY_RESULT_BUDGET_MIB", 8..=16_384, "MiB") << 20),
    }
}

fn ceiling(reader: &mut Reader<'_>, name: &'static str, unit: &str) -> Option<u64> {
    reader.text(name)?;
    Some(reader.whole(name, 1..=u64::MAX, unit))
}
