//! Reading and checking. A wrong value never stops the process: it is named, and answered with `misconfigured`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::clouds::{self, Cloud, cloud};
use super::concerns::{
    Databricks, DatabricksAuthentication, Entra, KeyVault, Ledger, Operations, PowerBi, Requests, ResultDisposition,
    Runs, ServiceBus, Sql, SqlMode, Telemetry,
};
use super::known::{VARIABLE_PREFIX, unknown};
use super::ledger_place::ledger_place;
use super::reader::{Reader, base_url};
use super::{Host, Variables};

/// Every setting, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub host: Host,
    pub databricks: Databricks,
    pub sql: Sql,
    pub power_bi: PowerBi,
    pub key_vault: KeyVault,
    pub entra: Entra,
    pub service_bus: ServiceBus,
    pub ledger: Ledger,
    pub requests: Requests,
    pub runs: Runs,
    pub operations: Operations,
    pub telemetry: Telemetry,
}

/// A variable that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblem {
    pub variable: String,
    /// What is wrong and what would be right; never the value of a secret.
    pub problem: String,
}

/// What reading gave.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Always known, with its defaults: without a port nothing could be answered.
    pub host: Host,
    /// Always known, so that problems can be logged.
    pub telemetry: Telemetry,
    pub settings: Result<Settings, Vec<SettingProblem>>,
    /// Variables that begin with `CAUSEWAY_` and that nobody knows.
    pub unknown: Vec<String>,
}

impl Reading {
    /// Reads every setting and tells every problem at once, each with its variable.
    pub fn from(variables: &dyn Variables) -> Self {
        let mut reader = Reader::new(variables);
        let host = host(&mut reader);
        let telemetry = Telemetry { filter: reader.text("CAUSEWAY_LOG").unwrap_or_default() };
        let cloud = cloud(reader.one_of("CAUSEWAY_CLOUD", clouds::NAMES));

        let power_bi_client_secret =
            reader.one_of("CAUSEWAY_POWER_BI_AUTH", &["managed-identity", "client-secret"]) == "client-secret";
        let databricks = databricks(&mut reader);
        let uses_client_secret =
            power_bi_client_secret || databricks.authentication == DatabricksAuthentication::ClientSecret;
        let settings = Settings {
            databricks,
            sql: sql(&mut reader),
            power_bi: PowerBi {
                url: reader.origin("CAUSEWAY_POWER_BI_URL").unwrap_or_else(|| preset(cloud.power_bi_url)),
                audience: reader
                    .text("CAUSEWAY_POWER_BI_AUDIENCE")
                    .unwrap_or_else(|| cloud.power_bi_audience.to_owned()),
                client_secret: power_bi_client_secret,
            },
            key_vault: KeyVault {
                url: required_origin(&mut reader, "CAUSEWAY_KEY_VAULT_URL", "https://my-vault.vault.azure.net"),
                verify_challenge: reader.flag("CAUSEWAY_KEY_VAULT_VERIFY_CHALLENGE"),
                cache: reader.seconds("CAUSEWAY_SECRET_CACHE_SECONDS", 1..=86_400),
            },
            entra: entra(&mut reader, cloud, uses_client_secret),
            service_bus: service_bus(&mut reader),
            ledger: Ledger { place: ledger_place(&mut reader, cloud) },
            requests: Requests {
                public_base_url: reader.url("CAUSEWAY_PUBLIC_BASE_URL"),
                status_key_secret_name: reader.secret_name("CAUSEWAY_STATUS_KEY_SECRET_NAME"),
                claim_life: Duration::from_secs(3600 * reader.whole("CAUSEWAY_CLAIM_HOURS", 1..=720, "hours")),
            },
            runs: runs(&mut reader),
            operations: operations(&mut reader, variables, &host.app_root),
            host: host.clone(),
            telemetry: telemetry.clone(),
        };
        let problems = reader.problems;
        Self {
            host,
            telemetry,
            settings: if problems.is_empty() { Ok(settings) } else { Err(problems) },
            unknown: unknown(variables.names()),
        }
    }
}

fn host(reader: &mut Reader<'_>) -> Host {
    let port = match reader.text("FUNCTIONS_CUSTOMHANDLER_PORT").map(|text| text.parse::<u16>()) {
        None => 0,
        Some(Ok(port)) => port,
        Some(Err(_)) => {
            reader.problem("FUNCTIONS_CUSTOMHANDLER_PORT", "must be a port number from 0 to 65535");
            0
        }
    };
    let app_root = reader.text("FUNCTIONS_APP_ROOT_PATH").unwrap_or_else(|| ".".to_owned());
    Host { port, app_root: PathBuf::from(app_root) }
}

fn databricks(reader: &mut Reader<'_>) -> Databricks {
    const CHOICES: &[&str] = &["managed-identity", "client-secret", "oauth-m2m", "pat"];
    let host = required_origin(
        reader,
        "CAUSEWAY_DATABRICKS_HOST",
        "the workspace, such as https://adb-1234567890123456.7.azuredatabricks.net",
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
    Databricks { host, warehouse_id, authentication, audience }
}

fn sql(reader: &mut Reader<'_>) -> Sql {
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

fn entra(reader: &mut Reader<'_>, cloud: &Cloud, uses_client_secret: bool) -> Entra {
    let authority = reader.origin("AZURE_AUTHORITY_HOST").unwrap_or_else(|| preset(cloud.authority));
    if authority.scheme() != "https" {
        reader.problem(
            "AZURE_AUTHORITY_HOST",
            "must begin with https://: the Azure SDK takes no other, loopback included",
        );
    }
    let tenant_id = reader.checked("CAUSEWAY_ENTRA_TENANT_ID", is_id, "a tenant's id or domain");
    let client_id = reader.checked("CAUSEWAY_ENTRA_CLIENT_ID", is_id, "the client id of an Entra application");
    if uses_client_secret {
        for (name, missing) in
            [("CAUSEWAY_ENTRA_TENANT_ID", tenant_id.is_none()), ("CAUSEWAY_ENTRA_CLIENT_ID", client_id.is_none())]
        {
            if missing {
                reader.problem(name, "is missing: signing in with client-secret needs it");
            }
        }
    }
    Entra {
        authority,
        tenant_id,
        client_id,
        client_secret_name: reader.secret_name("CAUSEWAY_ENTRA_CLIENT_SECRET_NAME"),
        managed_identity_client_id: reader.checked(
            "CAUSEWAY_MANAGED_IDENTITY_CLIENT_ID",
            is_id,
            "the client id of a user-assigned identity (not its resource id)",
        ),
        has_managed_identity: reader.text("IDENTITY_ENDPOINT").is_some(),
    }
}

fn service_bus(reader: &mut Reader<'_>) -> ServiceBus {
    let url_was_set = reader.text("CAUSEWAY_SERVICE_BUS_URL").is_some();
    let told = reader.origin("CAUSEWAY_SERVICE_BUS_URL");
    let namespace = reader.checked(
        "ServiceBusConnection__fullyQualifiedNamespace",
        is_host_name,
        "the namespace's host name, such as my-bus.servicebus.windows.net",
    );
    let url = told.or_else(|| base_url(&format!("https://{}", namespace.as_deref()?)).ok());
    if url.is_none() && !url_was_set && namespace.is_none() {
        reader.problem(
            "CAUSEWAY_SERVICE_BUS_URL",
            "is missing: set ServiceBusConnection__fullyQualifiedNamespace to the namespace's host name, such as \
             my-bus.servicebus.windows.net (a connection string holds no identity and is not used)",
        );
    }
    ServiceBus {
        url: url.unwrap_or_else(|| preset(PLACEHOLDER)),
        request_queue: reader.queue("CAUSEWAY_REQUEST_QUEUE"),
        work_queue: reader.queue("CAUSEWAY_WORK_QUEUE"),
        parking_queue: reader.queue("CAUSEWAY_PARKING_QUEUE"),
        reply_queues: reader.queues("CAUSEWAY_REPLY_QUEUES"),
    }
}

fn runs(reader: &mut Reader<'_>) -> Runs {
    let runs = Runs {
        send_window: reader.seconds("CAUSEWAY_SEND_WINDOW_SECONDS", 1..=300),
        send_margin: reader.seconds("CAUSEWAY_SEND_MARGIN_SECONDS", 1..=3600),
        // functionTimeout is ten minutes, and the host kills the process when one invocation exceeds it.
        message_deadline: reader.seconds("CAUSEWAY_MESSAGE_SECONDS", 5..=540),
        unknown_operation_wait: reader.seconds("CAUSEWAY_UNKNOWN_OPERATION_SECONDS", 1..=86_400),
        message_id_reuse: reader.seconds("CAUSEWAY_MESSAGE_ID_REUSE_SECONDS", 1..=2_592_000),
    };
    if runs.send_window >= runs.message_deadline {
        reader.problem("CAUSEWAY_SEND_WINDOW_SECONDS", "must be less than CAUSEWAY_MESSAGE_SECONDS");
    }
    runs
}

fn operations(reader: &mut Reader<'_>, variables: &dyn Variables, app_root: &Path) -> Operations {
    let folder = app_root.join(reader.text("CAUSEWAY_OPERATIONS_FOLDER").unwrap_or_default());
    let mut values = BTreeMap::new();
    for name in variables.names() {
        let Some(suffix) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
        let Some(value) = variables.get(&name) else { continue };
        if !is_identifier(suffix) {
            reader
                .problem(&name, "must go on, after CAUSEWAY_VAR_, with a letter, then letters, digits and underscores");
        }
        if values.insert(suffix.to_ascii_lowercase(), value).is_some() {
            reader.problem(&name, "is set twice, in names that differ only in capitals");
        }
    }
    Operations { folder, variables: values }
}

fn required_origin(reader: &mut Reader<'_>, name: &str, example: &str) -> Url {
    if reader.required(name, example).is_empty() {
        return preset(PLACEHOLDER);
    }
    reader.origin(name).unwrap_or_else(|| preset(PLACEHOLDER))
}

/// Stands where a problem has been told; nobody sees it.
const PLACEHOLDER: &str = "https://invalid.invalid";

/// Our own constants, which a test parses.
fn preset(text: &'static str) -> Url {
    #[allow(clippy::expect_used)] // constants of this room, each parsed by a test
    Url::parse(text).expect("a preset is a URL")
}

fn is_id(text: &str) -> bool {
    text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn is_host_name(text: &str) -> bool {
    text.len() <= 253 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte))
}

fn is_identifier(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
