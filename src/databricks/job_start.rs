//! Starting a run of a job. What Databricks would refuse for its form is never sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::call::{body, read};
use super::jobs_wire::id;
use super::legacy_parameters::LegacyParameters;
use super::refusal::unexpected;
use super::subject::Subject;
use super::{Databricks, DatabricksError, Refused};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, RequestKind};

/// Characters of an idempotency token (Databricks SDK, run_now).
const LONGEST_TOKEN: usize = 64;

/// What to start.
#[derive(Clone, Debug, Default)]
pub struct RunNow {
    /// Digits.
    pub job_id: String,
    pub parameters: BTreeMap<String, String>,
    pub only: Vec<String>,
    pub legacy: LegacyParameters,
    /// `STANDARD`, `PERFORMANCE_OPTIMIZED`.
    pub performance_target: Option<String>,
    /// Overrides what the job says about waiting for a place.
    pub queue: Option<bool>,
    /// 64 hex digits; the same token starts one run only.
    pub idempotency_token: String,
}

#[derive(Serialize)]
struct RunNowBody<'a> {
    job_id: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    job_parameters: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    only: &'a [String],
    #[serde(flatten)]
    legacy: &'a LegacyParameters,
    #[serde(skip_serializing_if = "Option::is_none")]
    performance_target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<Queue>,
    idempotency_token: &'a str,
}

#[derive(Serialize)]
struct Queue {
    enabled: bool,
}

#[derive(Deserialize)]
struct Started {
    #[serde(default, deserialize_with = "id")]
    run_id: Option<String>,
}

impl Databricks {
    /// Starts a run, or finds the one that this token started; its id.
    pub async fn run_now(&self, start: &RunNow, deadline: Deadline) -> Result<String, DatabricksError> {
        let subject = Subject::Job(start.job_id.clone());
        if start.idempotency_token.is_empty() || start.idempotency_token.len() > LONGEST_TOKEN {
            return Err(Failure::new(Code::Internal, "A job's idempotency token must have 1 to 64 characters.").into());
        }
        start.legacy.check()?;
        let request = Outbound::post(self.address(&["api", "2.2", "jobs", "run-now"])?).json(body(&RunNowBody {
            job_id: subject.number(&start.job_id)?,
            job_parameters: &start.parameters,
            only: &start.only,
            legacy: &start.legacy,
            performance_target: start.performance_target.as_deref(),
            queue: start.queue.map(|enabled| Queue { enabled }),
            idempotency_token: &start.idempotency_token,
        })?);
        let reply = match self.call(RequestKind::JobRunNow, request, &subject, deadline).await {
            Err(DatabricksError::Refused(refused)) if refused.status == 429 => {
                return Err(no_place(*refused, start.queue).into());
            }
            reply => reply?,
        };
        let started: Started = read(&reply, RequestKind::JobRunNow, &subject)?;
        started.run_id.ok_or_else(|| unexpected(&reply, RequestKind::JobRunNow, &subject, "it has no run_id"))
    }
}

/// A run that cannot start at once and may not wait is a 429 (learn.microsoft.com/azure/databricks/resources/limits).
fn no_place(refused: Refused, queue: Option<bool>) -> Failure {
    let said = refused.message.trim().trim_end_matches('.').to_owned();
    let advice =
        if queue == Some(true) { "" } else { " send `\"queue\": true`, so that the run waits for its turn, or" };
    let detail = format!(
        "Databricks cannot start a run of {} now, and none was started ({said}). Do this:{advice} try again later.",
        refused.subject
    );
    Failure { detail, ..Failure::from(DatabricksError::from(refused)) }
}
