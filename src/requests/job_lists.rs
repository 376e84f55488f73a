//! Jobs and their runs as lists.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job_definition::summary_json;
use super::token::Target;
use super::{Answer, Call, Requests};
use crate::databricks::RunFilter;
use crate::failure::{Code, Failure};
use crate::steps::job_run_head;

/// Entries of a page when the call does not say (`limit`), and at most: Databricks gives 100 jobs or 24 runs a call.
const DEFAULT_JOBS: usize = 100;
const MOST_JOBS: usize = 1_000;
const DEFAULT_RUNS: usize = 24;
const MOST_RUNS: usize = 240;

/// What is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "camelCase")]
pub(super) enum JobList {
    Jobs {
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    Runs {
        job: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        active: Option<bool>,
        /// Milliseconds of the start.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<i64>,
    },
}

impl Requests {
    /// `GET /api/jobs`.
    pub async fn list_jobs(&self, call: &Call) -> Result<Answer, Failure> {
        let limit = call.whole("limit", 1..=MOST_JOBS)?.unwrap_or(DEFAULT_JOBS);
        let name = call.query("name").filter(|name| !name.is_empty()).map(str::to_owned);
        self.job_list(call, JobList::Jobs { name }, None, limit).await
    }

    /// `GET /api/jobs/{job}/runs`, newest first.
    pub async fn list_job_runs(&self, call: &Call, job: &str) -> Result<Answer, Failure> {
        let limit = call.whole("limit", 1..=MOST_RUNS)?.unwrap_or(DEFAULT_RUNS);
        let active = active(call)?;
        let (since, until) = (moment(call, "from")?, moment(call, "to")?);
        let job = self.0.neighbours.databricks.resolve_job(job, call.deadline).await?;
        self.job_list(call, JobList::Runs { job, active, since, until }, None, limit).await
    }

    /// One page; from `from` on, which is Databricks' own token.
    pub(super) async fn job_list(
        &self,
        call: &Call,
        list: JobList,
        from: Option<&str>,
        limit: usize,
    ) -> Result<Answer, Failure> {
        let databricks = &self.0.neighbours.databricks;
        let (value, next): (Vec<Value>, _) = match &list {
            JobList::Jobs { name } => {
                let listed = databricks.jobs(name.as_deref(), limit, from, call.deadline).await?;
                (listed.items.iter().map(summary_json).collect(), listed.next)
            }
            JobList::Runs { job, active, since, until } => {
                let filter = RunFilter { active: *active, started_from: *since, started_to: *until };
                let listed = databricks.job_runs(job, filter, limit, from, call.deadline).await?;
                (listed.items.iter().map(job_run_head).collect(), listed.next)
            }
        };
        self.listed(call, value, next.map(|from| Target::Jobs { list, from, limit })).await
    }
}

fn wrong(name: &str, detail: String) -> Failure {
    Failure::new(Code::QueryInvalid, detail).at(format!("query.{name}"))
}

fn active(call: &Call) -> Result<Option<bool>, Failure> {
    match call.query("state") {
        None => Ok(None),
        Some("active") => Ok(Some(true)),
        Some("completed") => Ok(Some(false)),
        Some(_) => Err(wrong("state", "`state` is active or completed; leave it out for both.".to_owned())),
    }
}

/// Milliseconds of a moment in the query.
fn moment(call: &Call, name: &str) -> Result<Option<i64>, Failure> {
    let Some(text) = call.query(name) else { return Ok(None) };
    let detail =
        || format!("`{name}` is a moment by RFC 3339, such as 2026-10-05T00:00:00Z (write `+` of an offset as %2B).");
    let moment: Timestamp = text.parse().map_err(|_| wrong(name, detail()))?;
    Ok(Some(moment.as_millisecond()))
}
