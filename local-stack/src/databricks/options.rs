//! What a Databricks stand-in is started with. Only plain values.

use std::path::PathBuf;
use std::time::Duration;

use crate::entra::{self, User, users};

/// How job runs go from one state to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// A step each time this has passed.
    Auto(Duration),
    /// A step only when a test asks for one ([`super::Databricks::step`], `POST /__stand-in/clock/step`).
    Stepped,
}

/// How BINARY stands in JSON_ARRAY: databricks-jdbc decodes base64 (`ByteArrayConverter`), databricks-sql-connector hex
/// (`conversion.py`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Binary {
    Base64,
    Hex,
}

/// A SQL warehouse as it is at the start.
#[derive(Clone, Debug)]
pub struct WarehouseOptions {
    /// 16 hexadecimal digits on the real service.
    pub id: String,
    pub name: String,
    /// `RUNNING` or `STOPPED`.
    pub state: String,
    /// From `STOPPED` to `RUNNING`.
    pub start_delay: Duration,
    /// Statements on it fail, and it never runs.
    pub refuses_to_start: bool,
}

impl WarehouseOptions {
    pub fn running(id: &str, name: &str) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            state: "RUNNING".into(),
            start_delay: Duration::from_millis(500),
            refuses_to_start: false,
        }
    }

    pub fn stopped(id: &str, name: &str) -> Self {
        Self { state: "STOPPED".into(), ..Self::running(id, name) }
    }
}

/// The warehouse of the defaults that runs.
pub const WAREHOUSE: &str = "1a2b3c4d5e6f7081";
/// The warehouse of the defaults that is stopped.
pub const STOPPED_WAREHOUSE: &str = "2b3c4d5e6f708192";
/// The service principal of the defaults.
pub const CLIENT_ID: &str = "6f1d7a52-0c0e-4b3a-9a55-0d6c1c1f8a11";
/// Its secret; only ever worth something on loopback.
pub const CLIENT_SECRET: &str = "local-stack-client-secret";
/// The personal access token of the defaults.
pub const TOKEN: &str = "dapi0123456789abcdef0123456789abcdef";

#[derive(Clone, Debug)]
pub struct DatabricksOptions {
    /// 0 for any free port.
    pub port: u16,
    /// Where the SQL engine's Python environment lives.
    pub data: PathBuf,
    pub warehouses: Vec<WarehouseOptions>,
    /// (client id, client secret) that OAuth M2M accepts.
    pub clients: Vec<(String, String)>,
    /// Personal access tokens.
    pub tokens: Vec<String>,
    /// How long the query history does not know of a statement. No promise of freshness is documented.
    pub history_lag: Duration,
    /// Bytes of an INLINE result before the statement fails; 25 MiB on the real service.
    pub inline_limit: u64,
    /// Rows of a chunk; about 32 K were seen on the real service (databricks-jdbc issue 1071).
    pub chunk_rows: usize,
    /// Rows of a batch inside a chunk of Arrow.
    pub batch_rows: usize,
    /// Whether each message of a compressed Arrow stream is an LZ4 frame of its own, as recorded, or the whole is one.
    pub frame_per_message: bool,
    /// Where the storage account listens; 0 for any free port.
    pub storage_port: u16,
    /// How long a presigned link is good; a quarter of an hour on the real service.
    pub link_life: Duration,
    /// Links in one reply to EXTERNAL_LINKS: one on the real service (SDK, execute_statement).
    pub links_per_reply: usize,
    /// The same for INLINE_OR_EXTERNAL_LINKS, where a reply had every link that there was (recorded: both of two,
    /// testhybridlargequery). The most is not known. It matters: `databricks-sql-kernel` 1.3.0 loses whole chunks, and
    /// says nothing, when links come in several replies and its two fetchers race for the next one.
    pub hybrid_links_per_reply: usize,
    /// Headers that a link comes with, and that its storage account insists on.
    pub link_headers: Vec<(String, String)>,
    /// Stored bytes of a result that INLINE_OR_EXTERNAL_LINKS still attaches. 3 KB were (recorded), 5 MB were not.
    pub attachment_limit: u64,
    /// Whether an attached result comes with the state CLOSED instead of SUCCEEDED, the statement being over with it
    /// ("direct results": adbc-drivers/databricks, rust/src/client/sea.rs).
    pub attached_is_closed: bool,
    /// How BINARY stands in JSON_ARRAY; references contradict each other.
    pub binary: Binary,
    /// The time zone of SQL sessions, by its IANA name.
    pub time_zone: String,
    pub clock: Clock,
    /// Bytes of a notebook's value, and of logs, that `runs/get-output` gives; 5 MB on the real service (SDK, RunOutput).
    pub job_output_limit: usize,
    /// Job runs that may be active at once: 2,000 task runs on the real service, which counts tasks
    /// (learn.microsoft.com/azure/databricks/resources/limits).
    pub active_runs_limit: usize,
    /// How long a result can be read after success; one hour on the real service (SDK, get_statement).
    pub result_life: Duration,
    /// Whether FAILED statements carry `status.sql_state`. Servers of 2024 did not.
    pub sql_state: bool,
    /// Checks tokens of Entra; `None` believes what they say.
    pub entra: Option<entra::Tokens>,
    /// Users of Entra who were added to the workspace.
    pub users: Vec<User>,
    /// The account groups of the service principal.
    pub service_groups: Vec<String>,
    /// False leaves the SQL engine out: only canned statements then succeed, and no Python is needed.
    pub engine: bool,
}

impl Default for DatabricksOptions {
    fn default() -> Self {
        Self {
            port: 0,
            data: crate::python::default_data(),
            warehouses: vec![
                WarehouseOptions::running(WAREHOUSE, "local"),
                WarehouseOptions::stopped(STOPPED_WAREHOUSE, "asleep"),
            ],
            clients: vec![(CLIENT_ID.into(), CLIENT_SECRET.into())],
            tokens: vec![TOKEN.into()],
            history_lag: Duration::from_secs(30),
            inline_limit: 26_214_400,
            chunk_rows: 32_768,
            batch_rows: 4096,
            frame_per_message: true,
            storage_port: 0,
            link_life: Duration::from_mins(15),
            links_per_reply: 1,
            hybrid_links_per_reply: 64,
            link_headers: Vec::new(),
            attachment_limit: 1 << 20,
            attached_is_closed: false,
            binary: Binary::Base64,
            time_zone: "UTC".into(),
            clock: Clock::Auto(Duration::from_millis(300)),
            job_output_limit: 5_000_000,
            active_runs_limit: 2000,
            result_life: Duration::from_hours(1),
            sql_state: true,
            entra: None,
            users: users::USERS.to_vec(),
            service_groups: vec!["integration".into()],
            engine: true,
        }
    }
}
