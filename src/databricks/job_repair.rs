//! Repairing a run of a job, and finding a repair whose answer was lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::call::{body, read};
use super::job_runs::JobRun;
use super::jobs_wire::id;
use super::refusal::unexpected;
use super::subject::Subject;
use super::{Databricks, DatabricksError, Refused};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, RequestKind};

/// What of a run to repeat.
#[derive(Clone, Debug, Default)]
pub struct Repair {
    pub run_id: String,
    /// Keys; empty for all that failed.
    pub tasks: Vec<String>,
    /// Also those that depend on them, even if they had succeeded.
    pub dependents: bool,
    pub parameters: BTreeMap<String, String>,
    pub performance_target: Option<String>,
    /// The repair that this one follows. Databricks refuses one that follows another than the latest.
    pub latest_repair_id: Option<String>,
}

#[derive(Serialize)]
struct RepairBody<'a> {
    run_id: u64,
    /// Only one of this and `rerun_tasks` may be there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rerun_all_failed_tasks: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    rerun_tasks: &'a [String],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rerun_dependent_tasks: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    job_parameters: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    performance_target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_repair_id: Option<u64>,
}

#[derive(Deserialize)]
struct Repaired {
    #[serde(default, deserialize_with = "id")]
    repair_id: Option<String>,
}

impl Databricks {
    /// Repeats tasks of a run that has ended; the repair's id. Nothing makes a repetition known to Databricks: it is
    /// never sent twice.
    pub async fn repair_job_run(&self, repair: &Repair, deadline: Deadline) -> Result<String, DatabricksError> {
        let subject = Subject::JobRun(repair.run_id.clone());
        let latest = repair.latest_repair_id.as_deref().map(|id| subject.number(id)).transpose()?;
        let request =
            Outbound::post(self.address(&["api", "2.2", "jobs", "runs", "repair"])?).json(body(&RepairBody {
                run_id: subject.number(&repair.run_id)?,
                rerun_all_failed_tasks: repair.tasks.is_empty(),
                rerun_tasks: &repair.tasks,
                rerun_dependent_tasks: repair.dependents,
                job_parameters: &repair.parameters,
                performance_target: repair.performance_target.as_deref(),
                latest_repair_id: latest,
            })?);
        let reply = match self.call(RequestKind::JobRunRepair, request, &subject, deadline).await {
            Err(DatabricksError::Refused(refused)) if overtaken(&refused) => {
                return Err(another_came_first(*refused).into());
            }
            reply => reply?,
        };
        let repaired: Repaired = read(&reply, RequestKind::JobRunRepair, &subject)?;
        let lacks = || unexpected(&reply, RequestKind::JobRunRepair, &subject, "it has no repair_id");
        repaired.repair_id.ok_or_else(lacks)
    }
}

impl JobRun {
    /// The one repair that the history has besides `before`, whose tasks are among them all of `tasks`. Several are none:
    /// whose they are cannot be told.
    pub fn new_repair(&self, before: &[String], tasks: &[String]) -> Option<&str> {
        let mut new = self.repairs.iter().filter(|entry| !before.contains(&entry.repair_id));
        let (entry, None) = (new.next()?, new.next()) else { return None };
        let repeated = |key: &String| {
            self.tasks.iter().any(|task| task.task_key == *key && entry.task_run_ids.contains(&task.run_id))
        };
        let fits = entry.task_run_ids.is_empty() || tasks.iter().all(repeated);
        fits.then_some(entry.repair_id.as_str())
    }
}

/// "The latest repair ID needs to be provided in order to create a new repair" (databricks-sdk-py, issue 157); and "the
/// run must not be in progress" (SDK, repair_run).
fn overtaken(refused: &Refused) -> bool {
    let message = refused.message.to_ascii_lowercase();
    let about = |words: &[&str]| words.iter().any(|word| message.contains(word));
    matches!(refused.status, 400 | 409) && about(&["latest repair", "latest_repair", "in progress", "active"])
}

fn another_came_first(refused: Refused) -> Failure {
    let detail = format!(
        "{} was not repaired: it runs, or another repair of it began meanwhile. Look at it, and repair it once it has \
         ended if that is still needed. Databricks says: {}",
        capital(&refused.subject),
        refused.message
    );
    Failure { code: Code::JobRunActive, detail, ..Failure::from(DatabricksError::from(refused)) }
}

fn capital(subject: &Subject) -> String {
    let text = subject.to_string();
    text.replacen("job run", "Job run", 1)
}
