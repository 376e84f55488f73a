//! The client of one Databricks workspace: statements, chunks, jobs, tokens.

mod error;
mod jobs;
mod statement_kind;
mod statements;

use std::sync::Arc;

use url::Url;

use crate::entra::TokenSource;
use crate::failure::Failure;
use crate::http::{Deadline, Http};

pub use error::DatabricksError;
pub use jobs::{JobRun, RunNow, TaskOutput, TaskRun};
pub use statement_kind::is_surely_a_read;
pub use statements::{
    ColumnInfo, Parameter, ResultChunk, Statement, StatementFailure, StatementState, SubmitStatement,
};

/// One workspace; cheap to clone.
#[derive(Clone, Debug)]
pub struct Databricks {
    #[allow(dead_code)]
    http: Http,
    #[allow(dead_code)]
    host: Url,
    #[allow(dead_code)]
    tokens: Arc<dyn TokenSource>,
}

impl Databricks {
    pub fn new(http: Http, host: Url, tokens: Arc<dyn TokenSource>) -> Self {
        Self { http, host, tokens }
    }

    /// Whether the workspace answers and takes our token, and the state of `warehouse` when given. Starts nothing.
    pub async fn probe(&self, _warehouse: Option<&str>, _deadline: Deadline) -> Result<Option<String>, Failure> {
        unimplemented!()
    }
}
