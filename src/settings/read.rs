//! Reading and checking. A wrong value never stops the process: it is named, and answered with `misconfigured`.

mod azure;
mod callers;
mod databricks;
mod places;
mod power_bi;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use self::azure::{audiences, entra, federation, on_behalf_of, service_bus};
use self::callers::callers;
use self::databricks::{databricks, pat_rotation, sql};
use self::places::Service;
use self::power_bi::power_bi;
use super::callers::Callers;
use super::clouds::{self, Cloud, cloud};
use super::concerns::{
    Databricks, KeyVault, Ledger, Operations, Outside, PatRotation, PowerBi, Requests, Runs, ServiceBus, Sql, Telemetry,
};
use super::identity::{Audiences, DatabricksAuthentication, Entra, Federation, PowerBiAuthentication};
use super::known::{VARIABLE_PREFIX, unknown};
use super::ledger_place::ledger_place;
use super::on_behalf_of::OnBehalfOf;
use super::reader::Reader;
use super::{Host, Variables};

/// Every setting, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub host: Host,
    pub databricks: Databricks,
    pub sql: Sql,
    pub power_bi: PowerBi,
    pub key_vault: KeyVault,
    pub pat_rotation: PatRotation,
    pub entra: Entra,
    pub federation: Federation,
    pub audiences: Audiences,
    pub on_behalf_of: OnBehalfOf,
    pub callers: Callers,
    pub service_bus: ServiceBus,
    pub ledger: Ledger,
    pub requests: Requests,
    pub outside: Outside,
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

        let databricks = databricks(&mut reader, cloud);
        let pat_rotation = pat_rotation(&mut reader);
        let power_bi = power_bi(&mut reader, cloud);
        let needs_application = needs_application(&databricks, &power_bi, &pat_rotation);
        let federation = federation(&mut reader, cloud, needs_application);
        let claim_life = Duration::from_secs(3600 * reader.whole("CAUSEWAY_CLAIM_HOURS", 1..=720, "hours"));
        let entra = entra(&mut reader, cloud, &federation.assertion, needs_application);
        let settings = Settings {
            databricks,
            pat_rotation,
            sql: sql(&mut reader),
            power_bi,
            key_vault: KeyVault {
                url: required_origin(
                    &mut reader,
                    "CAUSEWAY_KEY_VAULT_URL",
                    "https://my-vault.vault.azure.net",
                    &places::KEY_VAULT,
                    cloud,
                ),
                verify_challenge: reader.flag("CAUSEWAY_KEY_VAULT_VERIFY_CHALLENGE"),
                cache: reader.seconds("CAUSEWAY_SECRET_CACHE_SECONDS", 1..=86_400),
                marker: reader.seconds("CAUSEWAY_SECRET_MARKER_SECONDS", 1..=30),
                grace: reader.seconds("CAUSEWAY_SECRET_GRACE_SECONDS", 0..=604_800),
            },
            callers: callers(&mut reader, &entra),
            entra,
            federation,
            audiences: audiences(&mut reader, cloud),
            on_behalf_of: on_behalf_of(&mut reader, cloud),
            service_bus: service_bus(&mut reader, cloud),
            ledger: Ledger { place: ledger_place(&mut reader, cloud) },
            requests: Requests {
                public_base_url: reader.url("CAUSEWAY_PUBLIC_BASE_URL"),
                status_key_secret_name: reader.secret_name("CAUSEWAY_STATUS_KEY_SECRET_NAME"),
                claim_life,
                power_bi_raw: reader.flag("CAUSEWAY_POWER_BI_RAW"),
            },
            outside: Outside {
                callback_hosts: reader.hosts("CAUSEWAY_CALLBACK_HOSTS"),
                http_hosts: reader.hosts("CAUSEWAY_HTTP_HOSTS"),
                private_addresses: reader.flag("CAUSEWAY_PRIVATE_ADDRESSES"),
                sealing_key_secret_name: reader.secret_name("CAUSEWAY_SEALING_KEY_SECRET_NAME"),
            },
            runs: runs(&mut reader, claim_life),
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

/// The first value of a setting that wants an application of Entra.
fn needs_application(databricks: &Databricks, power_bi: &PowerBi, rotation: &PatRotation) -> Option<&'static str> {
    if rotation.identity == Some(DatabricksAuthentication::ClientSecret) {
        return Some("client-secret");
    }
    match (&databricks.authentication, &power_bi.authentication) {
        (DatabricksAuthentication::ClientSecret, _) | (_, PowerBiAuthentication::ClientSecret) => Some("client-secret"),
        (DatabricksAuthentication::Federated, _) | (_, PowerBiAuthentication::Federated) => Some("federated"),
        (_, PowerBiAuthentication::RefreshToken(_)) => Some("refresh-token"),
        _ => None,
    }
}

fn or_preset(reader: &mut Reader<'_>, name: &str, preset: &'static str) -> String {
    reader.text(name).unwrap_or_else(|| preset.to_owned())
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

fn runs(reader: &mut Reader<'_>, claim_life: Duration) -> Runs {
    let runs = Runs {
        send_window: reader.seconds("CAUSEWAY_SEND_WINDOW_SECONDS", 1..=300),
        send_margin: reader.seconds("CAUSEWAY_SEND_MARGIN_SECONDS", 1..=3600),
        // functionTimeout is ten minutes, and the host kills the process when one invocation exceeds it.
        message_deadline: reader.seconds("CAUSEWAY_MESSAGE_SECONDS", 5..=540),
        unknown_operation_wait: reader.seconds("CAUSEWAY_UNKNOWN_OPERATION_SECONDS", 1..=86_400),
        message_id_reuse: reader.seconds("CAUSEWAY_MESSAGE_ID_REUSE_SECONDS", 1..=2_592_000),
        retention: Duration::from_secs(86_400 * reader.whole("CAUSEWAY_RETENTION_DAYS", 1..=3650, "days")),
        claim_life,
    };
    let least = runs.send_window + Runs::BESIDE_THE_WINDOW;
    if runs.message_deadline < least {
        let (window, least) = (runs.send_window.as_secs(), least.as_secs());
        let problem = format!(
            "must be at least {least} where CAUSEWAY_SEND_WINDOW_SECONDS is {window}: an invocation has that window to send a \
             step in, and {} s to write its intent before and what came of it after; or make the window shorter",
            Runs::BESIDE_THE_WINDOW.as_secs()
        );
        reader.problem("CAUSEWAY_MESSAGE_SECONDS", &problem);
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

fn required_origin(reader: &mut Reader<'_>, name: &str, example: &str, service: &Service, cloud: &Cloud) -> Url {
    if reader.required(name, example).is_empty() {
        return preset(PLACEHOLDER);
    }
    service.origin(reader, name, cloud).unwrap_or_else(|| preset(PLACEHOLDER))
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
