//! The settings themselves, one struct a concern. Reading and checking them is `read.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::HostPattern;
use super::identity::{DatabricksAuthentication, PowerBiAuthentication};

/// What the Functions host tells us.
#[derive(Clone, Debug)]
pub struct Host {
    /// `FUNCTIONS_CUSTOMHANDLER_PORT` (Azure); default 0, any free port.
    pub port: u16,
    /// `FUNCTIONS_APP_ROOT_PATH` (Azure); default the current folder. Holds `host.json`.
    pub app_root: PathBuf,
}

/// The Databricks workspace.
#[derive(Clone, Debug)]
pub struct Databricks {
    /// `CAUSEWAY_DATABRICKS_HOST`, required: `https://adb-1234567890123456.7.azuredatabricks.net`, or the name alone
    /// (`adb-1234567890123456.7`), which the cloud completes.
    pub host: Url,
    /// `CAUSEWAY_DATABRICKS_WAREHOUSE_ID`: the warehouse of statements that name none; 16 hex digits.
    pub warehouse_id: Option<String>,
    /// `CAUSEWAY_DATABRICKS_AUTH`: `managed-identity` (default), `client-secret`, `federated`, `oauth-m2m` with
    /// `CAUSEWAY_DATABRICKS_CLIENT_ID` and `CAUSEWAY_DATABRICKS_CLIENT_SECRET_NAME` (default
    /// `databricks-client-secret`), or `pat` with `CAUSEWAY_DATABRICKS_TOKEN_SECRET_NAME` (default `databricks-token`).
    pub authentication: DatabricksAuthentication,
    /// `CAUSEWAY_DATABRICKS_AUDIENCE`: the Entra resource; default `2ff814a6-3304-4ab8-85cb-cd0e6f879c1d`.
    pub audience: String,
    /// For a principal that is not in the workspace yet; default none.
    pub azure_resource: Option<AzureResource>,
}

/// The workspace as a resource of Azure: who may change it there is let in as an administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureResource {
    /// `CAUSEWAY_DATABRICKS_RESOURCE_ID`:
    /// `/subscriptions/…/resourceGroups/…/providers/Microsoft.Databricks/workspaces/…`.
    pub id: String,
    /// `CAUSEWAY_MANAGEMENT_AUDIENCE`: Azure Resource Manager's; default by cloud, `https://management.core.windows.net/`.
    pub management_audience: String,
}

/// What callers of the function `sql` may ask for, and how much of it.
#[derive(Clone, Debug)]
pub struct Sql {
    /// `CAUSEWAY_SQL_MODE`: `read_only` (default), `read_write`, `off`.
    pub mode: SqlMode,
    /// `CAUSEWAY_SQL_DISPOSITION`: `auto` (default), `inline`, `external-links`.
    pub disposition: ResultDisposition,
    /// `CAUSEWAY_SQL_MAX_ROWS`: most rows of a result; default no ceiling.
    pub max_rows: Option<u64>,
    /// `CAUSEWAY_SQL_MAX_BYTES`: most bytes of a result; default no ceiling.
    pub max_bytes: Option<u64>,
    /// `CAUSEWAY_SQL_CONCURRENCY`: calls in flight; default 64.
    pub concurrency: usize,
    /// `CAUSEWAY_SQL_STREAMS`: results streamed at once; default 8.
    pub streams: usize,
    /// `CAUSEWAY_RESULT_BUDGET_MIB`, in bytes: what all streams together hold in memory; default 64 MiB.
    pub result_budget: usize,
}

/// Which statements the function `sql` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlMode {
    ReadOnly,
    ReadWrite,
    Off,
}

/// How a result comes to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultDisposition {
    /// By what the statement and the caller say.
    Auto,
    /// In Databricks' answers: at most 25 MiB, and no way to the storage account is needed.
    Inline,
    /// By links into the workspace's storage account: any size.
    ExternalLinks,
}

/// Power BI.
#[derive(Clone, Debug)]
pub struct PowerBi {
    /// `CAUSEWAY_POWER_BI_URL`: default by cloud, `https://api.powerbi.com`.
    pub url: Url,
    /// `CAUSEWAY_POWER_BI_AUDIENCE`: default by cloud, `https://analysis.windows.net/powerbi/api`.
    pub audience: String,
    /// `CAUSEWAY_POWER_BI_AUTH`: `managed-identity` (default), `client-secret`, `federated` or `refresh-token`.
    pub authentication: PowerBiAuthentication,
    /// `CAUSEWAY_POWER_BI_TIME_SCALE`: how many times faster the time of a stand-in runs; default 1.
    pub time_scale: u32,
}

/// Key Vault.
#[derive(Clone, Debug)]
pub struct KeyVault {
    /// `CAUSEWAY_KEY_VAULT_URL`, required: `https://my-vault.vault.azure.net`, or the name alone, which the cloud completes.
    pub url: Url,
    /// `CAUSEWAY_KEY_VAULT_VERIFY_CHALLENGE`: whether the challenge must name the vault's domain; default `true`.
    pub verify_challenge: bool,
    /// `CAUSEWAY_SECRET_CACHE_SECONDS`: how long a secret's current version is believed; default 600.
    pub cache: Duration,
    /// `CAUSEWAY_SECRET_MARKER_SECONDS`: how often, at most, an instance looks for a new version's marker; default 30.
    pub marker: Duration,
    /// `CAUSEWAY_SECRET_GRACE_SECONDS`: how much longer a value serves while the vault does not answer; default 14400.
    pub grace: Duration,
}

/// Renewing the personal access token.
#[derive(Clone, Debug)]
pub struct PatRotation {
    /// `CAUSEWAY_PAT_ROTATION`: who makes the tokens, or `None` when it is off, the default.
    pub identity: Option<DatabricksAuthentication>,
    /// `CAUSEWAY_DATABRICKS_TOKEN_SECRET_NAME`: where the token is kept; default `databricks-token`.
    pub secret_name: String,
    /// `CAUSEWAY_PAT_LIFETIME_DAYS`: how long a new token is good; default 90.
    pub lifetime: Duration,
    /// `CAUSEWAY_PAT_ROTATE_BEFORE_DAYS`: how long before its end a token is renewed; default 30.
    pub before: Duration,
    /// `CAUSEWAY_PAT_GRACE_SECONDS`: how long the old token stays good; default 86400.
    pub grace: Duration,
}

/// Service Bus.
#[derive(Clone, Debug)]
pub struct ServiceBus {
    /// `CAUSEWAY_SERVICE_BUS_URL`, or the name alone, which the cloud completes; default
    /// `https://{ServiceBusConnection__fullyQualifiedNamespace}` (Azure).
    pub url: Url,
    /// `CAUSEWAY_REQUEST_QUEUE`; default `causeway-requests`. Also resolved by the host in `function.json`.
    pub request_queue: String,
    /// `CAUSEWAY_WORK_QUEUE`; default `causeway-work`. Also resolved by the host.
    pub work_queue: String,
    /// `CAUSEWAY_PARKING_QUEUE`; default `causeway-parking`.
    pub parking_queue: String,
    /// `CAUSEWAY_REQUEST_TOPIC`: a topic whose subscription brings requests too; default none. Resolved by the host.
    pub request_topic: Option<String>,
    /// `CAUSEWAY_REQUEST_SUBSCRIPTION`: the subscription; default `causeway`. Resolved by the host.
    pub request_subscription: String,
    /// `CAUSEWAY_REPLY_QUEUES`: where replies may go, separated by commas; default `causeway-replies`.
    pub reply_queues: Vec<String>,
    /// `CAUSEWAY_SEND_QUEUES`: queues and topics that `message` steps may send to, separated by commas; default none.
    pub send_queues: Vec<String>,
}

impl ServiceBus {
    /// The subscription that brings requests, as Service Bus names it.
    pub fn subscription(&self) -> String {
        format!("{}/subscriptions/{}", self.request_topic.as_deref().unwrap_or_default(), self.request_subscription)
    }
}

/// Where the ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerPlace {
    /// A container in Azure Blob: `https://account.blob.core.windows.net/container`; on loopback also
    /// `http://127.0.0.1:10000/account/container`.
    Blob { url: Url },
    /// A folder: `file:///var/causeway`.
    Folder { path: PathBuf },
    /// `memory:`, for tests only.
    Memory,
}

/// The ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// `CAUSEWAY_LEDGER_URL`; default the container `causeway-ledger` in the account of
    /// `AzureWebJobsStorage__accountName` or `AzureWebJobsStorage__blobServiceUri` (Azure).
    pub place: LedgerPlace,
}

/// HTTP calls and their claims.
#[derive(Clone, Debug)]
pub struct Requests {
    /// `CAUSEWAY_PUBLIC_BASE_URL`: the base of every `Location`; default the forwarded host.
    pub public_base_url: Option<Url>,
    /// `CAUSEWAY_STATUS_KEY_SECRET_NAME`: the key that signs status URLs, in Key Vault; default `causeway-status-key`.
    pub status_key_secret_name: String,
    /// `CAUSEWAY_CLAIM_HOURS`: how long an idempotency key is remembered; default 24.
    pub claim_life: Duration,
    /// `CAUSEWAY_POWER_BI_RAW`: whether the function `power-bi-raw` takes calls; default `false`.
    pub power_bi_raw: bool,
}

/// Addresses that somebody else chose, and what is kept only sealed.
#[derive(Clone, Debug)]
pub struct Outside {
    /// `CAUSEWAY_CALLBACK_HOSTS`: patterns of hosts; default `*.logic.azure.com`, `*.api.powerplatform.com`.
    pub callback_hosts: Vec<HostPattern>,
    /// `CAUSEWAY_HTTP_HOSTS`: the same for `http` steps; default none.
    pub http_hosts: Vec<HostPattern>,
    /// `CAUSEWAY_PRIVATE_ADDRESSES`: whether they may lead inside; default `false`.
    pub private_addresses: bool,
    /// `CAUSEWAY_SEALING_KEY_SECRET_NAME`: the key that seals, in Key Vault; default `causeway-sealing-key`.
    pub sealing_key_secret_name: String,
}

/// The engine.
#[derive(Clone, Debug)]
pub struct Runs {
    /// `CAUSEWAY_SEND_WINDOW_SECONDS`: from `started` until a side effect may no longer be sent; default 30, at least 1.
    pub send_window: Duration,
    /// `CAUSEWAY_SEND_MARGIN_SECONDS`: from there until recovery may begin; default 60, at least 1.
    pub send_margin: Duration,
    /// `CAUSEWAY_MESSAGE_SECONDS`: our deadline for message and timer invocations; default 240, at least the window and
    /// [`Self::BESIDE_THE_WINDOW`].
    pub message_deadline: Duration,
    /// `CAUSEWAY_UNKNOWN_OPERATION_SECONDS`: how long a message for an unknown operation waits; default 900.
    pub unknown_operation_wait: Duration,
    /// `CAUSEWAY_MESSAGE_ID_REUSE_SECONDS`: after this, a repeated message id is a new request; default 86400.
    pub message_id_reuse: Duration,
    /// `CAUSEWAY_RETENTION_DAYS`: how long a run is kept after its end; default 30.
    pub retention: Duration,
    /// `CAUSEWAY_CLAIM_HOURS`, after which claims are deleted.
    pub claim_life: Duration,
}

impl Runs {
    /// What an invocation must last beyond the window to send: a request of the ledger before it, for the intent, and what is
    /// kept back to tell the host.
    pub const BESIDE_THE_WINDOW: Duration = Duration::from_secs(10);
}

/// Declared operations.
#[derive(Clone, Debug)]
pub struct Operations {
    /// `CAUSEWAY_OPERATIONS_FOLDER`; default `operations` in the app's root.
    pub folder: PathBuf,
    /// `CAUSEWAY_VAR_*`: what expressions see as `variables.*`, in lower case.
    pub variables: BTreeMap<String, String>,
}

/// Logs.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// `CAUSEWAY_LOG`: what is logged, as `level` or `target=level,…`; default `info`.
    pub filter: String,
}
