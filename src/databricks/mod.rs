//! The client of one Databricks workspace: statements, chunks, jobs, tokens. What callers are told about a result's
//! values is `rows`; how often a call is tried is `http`.

mod ahead;
mod binary;
mod budget;
mod call;
mod catalog;
mod catalog_wire;
mod cells;
mod chunks;
mod conflict;
mod count;
mod error;
mod hints;
mod history;
mod job_outcome;
mod job_repair;
mod job_runs;
mod job_runs_wire;
mod job_start;
mod job_state;
mod jobs;
mod jobs_wire;
mod legacy_parameters;
mod lexer;
mod links;
mod listed;
mod near_names;
mod outputs;
mod outputs_wire;
mod pause;
mod personal_tokens;
mod principal;
mod refusal;
mod results;
mod small_read;
mod statement;
mod statement_kind;
mod statements;
mod subject;
mod submission;
#[cfg(test)]
mod tests;
mod tokens;
mod wire;

use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::OnceCell;
use url::Url;

use crate::entra::{Along, Authorized, TokenSource};
use crate::failure::Failure;
use crate::http::{Deadline, Http, Outbound, RequestKind};

pub use budget::Budget;
pub use catalog::{ForeignKey, Place, TableColumn, TableInfo, TableSummary, Warehouse};
pub use chunks::{Chunk, Chunks};
pub use conflict::{MOST_TRIES, pause_before};
pub use error::{DatabricksError, Refused};
pub use history::{KEY_TAG, with_key};
pub use job_repair::Repair;
pub use job_runs::{Durations, JobRun, RepairEntry, RunFilter, TaskRun};
pub use job_start::RunNow;
pub use job_state::Standing;
pub use jobs::{Dependency, Job, JobParameter, JobSchedule, JobTask, JobTrigger};
pub use legacy_parameters::LegacyParameters;
pub use lexer::Unreadable;
pub use listed::Listed;
pub use outputs::TaskOutput;
pub use personal_tokens::{NewToken, TokenInfo};
pub use principal::Me;
pub use small_read::is_surely_small_read;
pub use statement::{
    ChunkInfo, ColumnInfo, Disposition, Parameter, ResultChunk, ResultFormat, Row, Statement, StatementFailure,
    StatementState, SubmitStatement,
};
pub use statement_kind::{Reading, is_a_script, is_plain_dml, is_surely_a_read, reading};
pub use subject::Subject;
pub use tokens::{OAuthM2m, PersonalAccessToken};
pub use wire::Unread;

/// One workspace; cheap to clone.
#[derive(Clone, Debug)]
pub struct Databricks {
    host: Url,
    way: Authorized,
    user: Option<Arc<str>>,
    /// The id of who we are there, once it has been asked for.
    me: Arc<OnceCell<Option<String>>>,
    /// The transport without our token, for links.
    http: Http,
    binary: Arc<binary::Learned>,
}

#[derive(Deserialize)]
struct WarehouseBody {
    state: Option<String>,
}

impl Databricks {
    pub fn new(http: Http, host: Url, tokens: Arc<dyn TokenSource>) -> Self {
        let way = Authorized::new(http.clone(), tokens);
        Self { host, way, user: None, http, binary: Arc::default(), me: Arc::default() }
    }

    /// The same workspace, called with tokens of a user.
    #[must_use]
    pub fn acting_for(&self, object_id: &str, tokens: Arc<dyn TokenSource>) -> Self {
        let user = Some(Arc::from(object_id));
        Self { way: self.way.with_tokens(tokens), user, me: Arc::default(), ..self.clone() }
    }

    /// Has a token in hand, so that the next call is that call alone.
    pub async fn ready(&self, deadline: Deadline) -> Result<(), Failure> {
        self.way.ready(deadline).await
    }

    /// The object id of the user on whose behalf it is called; `None` in our own name.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// For a principal that is not in the workspace, but may change it as a resource of Azure: `management` are tokens of
    /// Azure Resource Manager (learn.microsoft.com/azure/databricks, "Get Microsoft Entra ID tokens for service
    /// principals"; Databricks SDK for Python, azure.py).
    #[must_use]
    pub fn with_azure_resource(mut self, id: &str, management: Arc<dyn TokenSource>) -> Self {
        self.way = self.way.with(Along {
            token_header: "x-databricks-azure-sp-management-token",
            tokens: management,
            header: ("x-databricks-azure-workspace-resource-id", id.to_owned()),
        });
        self
    }

    /// The warehouse that is asked how BINARY is written when it is not known which one ran a statement.
    #[must_use]
    pub fn with_default_warehouse(mut self, id: Option<String>) -> Self {
        self.binary = Arc::new(binary::Learned::by_default(id));
        self
    }

    /// Whether the workspace answers and takes our token, and the state of `warehouse` when given. Starts nothing.
    ///
    /// Without a warehouse a page of one warehouse is asked for, and nothing of it is looked at.
    pub async fn probe(&self, warehouse: Option<&str>, deadline: Deadline) -> Result<Option<String>, Failure> {
        let (url, subject) = if let Some(id) = warehouse {
            let subject = Subject::Warehouse(id.to_owned());
            (self.address_of(&["api", "2.0", "sql", "warehouses", id], id, &subject)?, subject)
        } else {
            let mut url = self.address(&["api", "2.0", "sql", "warehouses"])?;
            url.query_pairs_mut().append_pair("page_size", "1");
            (url, Subject::Workspace)
        };
        let body: WarehouseBody = self.ask(RequestKind::Probe, Outbound::get(url), &subject, deadline).await?;
        Ok(warehouse.and(body.state))
    }
}
