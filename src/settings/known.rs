//! The one list of every variable that means something to us: the reader takes its defaults from here, and tests hold
//! `local.settings.example.json` to it. What may not live here: how a value is read.

/// A variable, as documentation shows it.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub name: &'static str,
    /// The value when unset. `None`: there is none, or it follows from other variables (see `doc`).
    pub default: Option<&'static str>,
    /// `seconds`, `hours`, `url`, `name`, …
    pub unit: &'static str,
    /// Whether nothing works without it (some become required by another's value: see `doc`).
    pub required: bool,
    pub origin: Origin,
    pub doc: &'static str,
}

/// Who sets a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The operator, for us.
    Ours,
    /// The operator, for Azure and for us.
    Azure,
    /// The Functions host or the platform, when it starts us; never in `local.settings.json`.
    Platform,
}

/// Names beginning so are the values of `variables.*` in operations.
pub const VARIABLE_PREFIX: &str = "CAUSEWAY_VAR_";

/// What all our own names begin with.
pub const OUR_PREFIX: &str = "CAUSEWAY_";

const fn ours(name: &'static str, default: Option<&'static str>, unit: &'static str, doc: &'static str) -> Known {
    Known { name, default, unit, required: false, origin: Origin::Ours, doc }
}

const fn required(name: &'static str, unit: &'static str, doc: &'static str) -> Known {
    Known { name, default: None, unit, required: true, origin: Origin::Ours, doc }
}

const fn theirs(name: &'static str, unit: &'static str, origin: Origin, doc: &'static str) -> Known {
    Known { name, default: None, unit, required: false, origin, doc }
}

/// Every variable, in the order of the documentation.
#[rustfmt::skip] // one row a variable
pub const KNOWN: &[Known] = &[
    ours("CAUSEWAY_CLOUD", Some("public"), "`public`, `usgov-gcc`, `usgov`, `usgov-dod`, `china`", "Azure cloud (`usgov` is GCC High): the defaults of every address and audience, see docs/clouds.md."),
    required("CAUSEWAY_DATABRICKS_HOST", "url", "The workspace, such as https://adb-1234567890123456.7.azuredatabricks.net; or its name alone, which the cloud completes."),
    ours("CAUSEWAY_DATABRICKS_WAREHOUSE_ID", None, "16 hex digits", "Warehouse of statements that name none."),
    ours("CAUSEWAY_DATABRICKS_AUTH", Some("managed-identity"), "`managed-identity`, `client-secret`, `federated`, `oauth-m2m`, `pat`", "How we sign in to Databricks: see docs/identity.md."),
    ours("CAUSEWAY_DATABRICKS_CLIENT_ID", None, "id", "Databricks service principal; required for `oauth-m2m`."),
    ours("CAUSEWAY_DATABRICKS_CLIENT_SECRET_NAME", Some("databricks-client-secret"), "secret name", "Its secret in Key Vault, for `oauth-m2m`."),
    ours("CAUSEWAY_DATABRICKS_TOKEN_SECRET_NAME", Some("databricks-token"), "secret name", "Personal access token in Key Vault, for `pat`."),
    ours("CAUSEWAY_DATABRICKS_AUDIENCE", Some("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"), "Entra resource", "Audience of Databricks, the same in every cloud."),
    ours("CAUSEWAY_DATABRICKS_RESOURCE_ID", None, "resource id", "The workspace in Azure (`/subscriptions/…/providers/Microsoft.Databricks/workspaces/…`): for a principal that is not in the workspace, but Contributor on it. Default none."),
    ours("CAUSEWAY_MANAGEMENT_AUDIENCE", None, "Entra resource", "Azure Resource Manager's, for the same; default by cloud, https://management.core.windows.net/ in public. Its slash counts."),
    ours("CAUSEWAY_SQL_MODE", Some("read_only"), "`read_only`, `read_write`, `off`", "What the function `sql` takes. A guard-rail: the boundary is our principal's grants in Unity Catalog."),
    ours("CAUSEWAY_SQL_DISPOSITION", Some("auto"), "`auto`, `inline`, `external-links`", "How results are fetched that no caller has an opinion on; `inline` where the workspace's storage account cannot be reached."),
    ours("CAUSEWAY_SQL_MAX_ROWS", None, "rows", "Most rows of a result; more are left out, and `truncated` says so. Default no ceiling."),
    ours("CAUSEWAY_SQL_MAX_BYTES", None, "bytes", "Most bytes of a result, as Databricks counts them; the same."),
    ours("CAUSEWAY_SQL_CONCURRENCY", Some("64"), "calls", "Calls of `sql` in flight in one instance; more are 429."),
    ours("CAUSEWAY_SQL_STREAMS", Some("8"), "streams", "Results that one instance streams at once; more are 429."),
    ours("CAUSEWAY_RESULT_BUDGET_MIB", Some("64"), "MiB", "Bytes of results that all streams of an instance hold in memory at once."),
    ours("CAUSEWAY_POWER_BI_URL", None, "url", "Power BI REST API; default by cloud, https://api.powerbi.com in public."),
    ours("CAUSEWAY_POWER_BI_AUDIENCE", None, "Entra resource", "Default by cloud, https://analysis.windows.net/powerbi/api in public."),
    ours("CAUSEWAY_POWER_BI_AUTH", Some("managed-identity"), "`managed-identity`, `client-secret`, `federated`, `refresh-token`", "How we sign in to Power BI: see docs/identity.md."),
    ours("CAUSEWAY_POWER_BI_REFRESH_TOKEN_SECRET_NAME", Some("power-bi-refresh-token"), "secret name", "A person's refresh token in Key Vault, for `refresh-token`; we write newer ones there."),
    ours("CAUSEWAY_POWER_BI_REFRESH_TOKEN_PROOF", Some("client-secret"), "`client-secret`, `federated`, `none`", "How the application in CAUSEWAY_ENTRA_CLIENT_ID proves itself when it uses the refresh token; `none` for a public client."),
    ours("CAUSEWAY_POWER_BI_REFRESH_TOKEN_HOURS", Some("24"), "hours", "How old the one in Key Vault grows before a newer one is written there; 0: each newer one is."),
    ours("CAUSEWAY_POWER_BI_RAW", Some("false"), "`true`, `false`", "Whether the function `power-bi-raw` takes calls: anything that our identity may do in Power BI."),
    ours("CAUSEWAY_POWER_BI_TIME_SCALE", Some("1"), "factor", "How many times faster a stand-in's limits of push datasets run, for tests and benchmarks; never beside the service."),
    required("CAUSEWAY_KEY_VAULT_URL", "url", "The vault, such as https://my-vault.vault.azure.net; or its name alone, which the cloud completes."),
    ours("CAUSEWAY_KEY_VAULT_AUDIENCE", None, "Entra resource", "Default what the vault's challenge names, https://vault.azure.net in public."),
    ours("CAUSEWAY_KEY_VAULT_VERIFY_CHALLENGE", Some("true"), "`true`, `false`", "Whether the vault's challenge must name the vault's own domain."),
    ours("CAUSEWAY_SECRET_CACHE_SECONDS", Some("600"), "seconds", "How long a secret's current version is believed."),
    ours("CAUSEWAY_SECRET_MARKER_SECONDS", Some("30"), "seconds", "How often, at most, an instance looks in the ledger whether Event Grid told of a new version of a secret that it uses."),
    ours("CAUSEWAY_SECRET_GRACE_SECONDS", Some("14400"), "seconds", "How much longer it serves while Key Vault does not answer; never beyond the secret's own expiration."),
    ours("CAUSEWAY_PAT_ROTATION", Some("off"), "`off`, `managed-identity`, `client-secret`, `oauth-m2m`", "Whether the function `rotate-pat` renews the personal access token in CAUSEWAY_DATABRICKS_TOKEN_SECRET_NAME, and as whom it signs in to Databricks to do so: the token is that identity's."),
    ours("CAUSEWAY_PAT_LIFETIME_DAYS", Some("90"), "days", "How long a new token is good."),
    ours("CAUSEWAY_PAT_ROTATE_BEFORE_DAYS", Some("30"), "days", "How long before its end a token is renewed."),
    ours("CAUSEWAY_PAT_GRACE_SECONDS", Some("86400"), "seconds", "How long the old token stays good once the new one is proved."),
    ours("CAUSEWAY_ENTRA_TENANT_ID", None, "tenant", "Required where `client-secret`, `federated` or `refresh-token` is used."),
    ours("CAUSEWAY_ENTRA_CLIENT_ID", None, "id", "Entra application; required for the same."),
    ours("CAUSEWAY_ENTRA_CLIENT_SECRET_NAME", Some("entra-client-secret"), "secret name", "Its secret in Key Vault."),
    ours("CAUSEWAY_ENTRA_ASSERTION", Some("managed-identity"), "`managed-identity`, `token-file`", "Whose token proves the application where `federated` is used: ours, or the one in AZURE_FEDERATED_TOKEN_FILE."),
    ours("CAUSEWAY_ENTRA_ASSERTION_AUDIENCE", None, "Entra resource", "Of the managed identity's token; default by cloud, api://AzureADTokenExchange in public."),
    ours("CAUSEWAY_ON_BEHALF_OF_AUTH", Some("client-secret"), "`client-secret`, `managed-identity`", "How that application proves itself when it exchanges a caller's token: by its secret, or by the managed identity that it trusts as a federated credential."),
    ours("CAUSEWAY_MANAGED_IDENTITY_CLIENT_ID", None, "id", "A user-assigned managed identity; default the system-assigned one."),
    ours("CAUSEWAY_AUTH", Some("keys"), "`keys`, `entra`", "Who may call over HTTP: whoever has a function key, or whoever has an Entra token with an app role. The package is made with the same word (`xtask package --auth`)."),
    ours("CAUSEWAY_CALLER_TENANT_ID", None, "tenant id", "The one tenant whose tokens are taken, for `entra`; default CAUSEWAY_ENTRA_TENANT_ID."),
    ours("CAUSEWAY_CALLER_ISSUERS", None, "urls, comma", "The issuers (`iss`) that are taken, exactly; default the tenant's two, of tokens of version 1 and 2."),
    ours("CAUSEWAY_CALLER_AUDIENCES", None, "Entra resources, comma", "The audiences (`aud`) that are taken, exactly: our application's ID URI, such as api://causeway, and its client id; required for `entra`."),
    ours("CAUSEWAY_CALLER_CLOCK_SKEW_SECONDS", Some("60"), "seconds", "How far a caller's token may be past its end, or before its beginning."),
    ours("CAUSEWAY_CALLER_ROLES", Some("Causeway.Admin=*; Causeway.Sql=sql,runs; Causeway.Jobs=jobs,runs; Causeway.PowerBi=power-bi,runs; Causeway.Operations=operations,runs"), "role=rights; …", "What each app role may do, for `entra`: areas, single operations as operations/{name}, runs/* for the runs of everybody, * for all of it."),
    ours("CAUSEWAY_EASY_AUTH", Some("false"), "`true`, `false`", "Whether App Service authentication stands in front, so that X-MS-CLIENT-PRINCIPAL is its word; else the header is ignored."),
    ours("CAUSEWAY_SERVICE_BUS_URL", None, "url", "Or the name alone, which the cloud completes; default https://{ServiceBusConnection__fullyQualifiedNamespace}."),
    ours("CAUSEWAY_SERVICE_BUS_AUDIENCE", None, "Entra resource", "Default by cloud, https://servicebus.azure.net in all."),
    ours("CAUSEWAY_REQUEST_QUEUE", Some("causeway-requests"), "queue name", "Where requests arrive; also resolved by the host."),
    ours("CAUSEWAY_WORK_QUEUE", Some("causeway-work"), "queue name", "Where runs are woken; also resolved by the host."),
    ours("CAUSEWAY_PARKING_QUEUE", Some("causeway-parking"), "queue name", "Where messages go that can never work."),
    ours("CAUSEWAY_REQUEST_TOPIC", None, "topic name", "A topic whose subscription brings requests and Dataverse's messages too; only with the package option `--topic`. Also resolved by the host."),
    ours("CAUSEWAY_REQUEST_SUBSCRIPTION", Some("causeway"), "subscription name", "Its subscription; also resolved by the host."),
    ours("CAUSEWAY_REPLY_QUEUES", Some("causeway-replies"), "queue names, comma", "Where replies may go."),
    ours("CAUSEWAY_SEND_QUEUES", None, "names of queues and topics, comma", "Where `message` steps may send; default nowhere."),
    ours("CAUSEWAY_LEDGER_URL", None, "url", "Container, file: folder or memory:; default the container causeway-ledger in the account of AzureWebJobsStorage."),
    ours("CAUSEWAY_STORAGE_AUDIENCE", None, "Entra resource", "Default by cloud, https://storage.azure.com in all."),
    ours("CAUSEWAY_PUBLIC_BASE_URL", None, "url", "Base of every Location; default the forwarded host."),
    ours("CAUSEWAY_STATUS_KEY_SECRET_NAME", Some("causeway-status-key"), "secret name", "The key that signs status URLs, in Key Vault."),
    ours("CAUSEWAY_SEALING_KEY_SECRET_NAME", Some("causeway-sealing-key"), "secret name", "The key, in Key Vault, under which sensitive parameters and callback URLs are kept, and callbacks signed: 32 random bytes in base64."),
    ours("CAUSEWAY_CALLBACK_HOSTS", Some("*.logic.azure.com,*.api.powerplatform.com"), "host names, comma", "Where the end of work may be told (`callbackUrl`): a host, or `*.` and what it ends in; with `:port` another port than 443, with `:*` any."),
    ours("CAUSEWAY_HTTP_HOSTS", None, "host names, comma", "What `http` steps may call, written the same; default nobody."),
    ours("CAUSEWAY_PRIVATE_ADDRESSES", Some("false"), "`true`, `false`", "Whether both may lead to addresses that are not on the public internet."),
    ours("CAUSEWAY_CLAIM_HOURS", Some("24"), "hours", "How long an idempotency key is remembered."),
    ours("CAUSEWAY_SEND_WINDOW_SECONDS", Some("30"), "seconds", "From `started` until a side effect may no longer be sent; at least 10 less than CAUSEWAY_MESSAGE_SECONDS."),
    ours("CAUSEWAY_SEND_MARGIN_SECONDS", Some("60"), "seconds", "From there until recovery may begin."),
    ours("CAUSEWAY_MESSAGE_SECONDS", Some("240"), "seconds", "Our deadline for message and timer invocations; at least CAUSEWAY_SEND_WINDOW_SECONDS and 10 more, at most 540."),
    ours("CAUSEWAY_UNKNOWN_OPERATION_SECONDS", Some("900"), "seconds", "How long a message for an unknown operation waits."),
    ours("CAUSEWAY_RETENTION_DAYS", Some("30"), "days", "How long a run is kept after its end; that it was is kept 30 days more."),
    ours("CAUSEWAY_MESSAGE_ID_REUSE_SECONDS", Some("86400"), "seconds", "After this, a repeated message id is a new request."),
    ours("CAUSEWAY_OPERATIONS_FOLDER", Some("operations"), "folder", "Declared operations; relative to the app's root."),
    ours("CAUSEWAY_LOG", Some("info"), "filter", "What is logged: level, or target=level,…"),
    theirs("AZURE_AUTHORITY_HOST", "url", Origin::Azure, "Entra authority; default by cloud, https://login.microsoftonline.com."),
    theirs("AzureWebJobsStorage", "connection string", Origin::Azure, "The host's storage account; only its account is read."),
    theirs("AzureWebJobsStorage__accountName", "name", Origin::Azure, "The same, by name."),
    theirs("AzureWebJobsStorage__blobServiceUri", "url", Origin::Azure, "The same, by the URL of its blob service."),
    theirs("ServiceBusConnection__fullyQualifiedNamespace", "host name", Origin::Azure, "The namespace, such as my-bus.servicebus.windows.net."),
    theirs("FUNCTIONS_CUSTOMHANDLER_PORT", "port", Origin::Platform, "Where the host expects us; default any free port."),
    theirs("FUNCTIONS_APP_ROOT_PATH", "folder", Origin::Platform, "The app's root, which holds host.json; default the current folder."),
    theirs("WEBSITE_AUTH_ENABLED", "`True`, `False`", Origin::Platform, "Whether App Service authentication is on."),
    theirs("IDENTITY_ENDPOINT", "url", Origin::Platform, "Present when the app has a managed identity."),
    theirs("AZURE_FEDERATED_TOKEN_FILE", "file", Origin::Platform, "The token that proves an application with workload identity."),
    theirs("AZURE_TENANT_ID", "tenant", Origin::Platform, "Workload identity sets it: the default of CAUSEWAY_ENTRA_TENANT_ID with `token-file`."),
    theirs("AZURE_CLIENT_ID", "id", Origin::Platform, "The same, of CAUSEWAY_ENTRA_CLIENT_ID."),
];

pub(super) fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

/// Names that begin like ours and mean nothing: probably misspelt.
pub(super) fn unknown(names: Vec<String>) -> Vec<String> {
    let mut unknown: Vec<String> = names
        .into_iter()
        .filter(|name| name.starts_with(OUR_PREFIX) && !name.starts_with(VARIABLE_PREFIX) && known(name).is_none())
        .collect();
    unknown.sort();
    unknown
}
