//! Jobs as they are defined: the list, one with its parameters and tasks, the id of a name. Ids are texts here, numbers
//! on the wire. The bodies are `jobs_wire.rs`; their runs are `job_runs.rs`.

use jiff::Timestamp;

use super::Databricks;
use super::error::DatabricksError;
use super::jobs_wire::{JobBody, JobsPage};
use super::listed::{List, Listed};
use super::subject::Subject;
use crate::failure::{Code, Failure};
use crate::http::{Deadline, RequestKind};

/// Jobs of a page (Databricks SDK, jobs.list).
const JOBS_PAGE: usize = 100;
/// Jobs of one name that are looked at.
const MOST_NAMESAKES: usize = 100;

/// A job. In a list it has neither parameters nor tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    pub job_id: String,
    pub name: Option<String>,
    pub description: Option<String>,
    pub creator: Option<String>,
    pub created_time: Option<Timestamp>,
    pub parameters: Vec<JobParameter>,
    pub tasks: Vec<JobTask>,
    pub schedule: Option<JobSchedule>,
    pub trigger: Option<JobTrigger>,
    /// Whether a run that cannot start at once waits for its turn.
    pub queue: Option<bool>,
    pub max_concurrent_runs: Option<u32>,
    pub timeout_seconds: Option<u64>,
    pub performance_target: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobParameter {
    pub name: String,
    pub default: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobTask {
    pub task_key: String,
    /// `notebook`, `sql`, `dbt`, `run_job`, `spark_python`, …: the member that ends with `_task`. Open.
    pub kind: Option<String>,
    pub depends_on: Vec<Dependency>,
    /// `ALL_SUCCESS`, `ALL_DONE`, …; open.
    pub run_if: Option<String>,
    pub description: Option<String>,
}

/// The task that another waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    pub task_key: String,
    /// Of a condition: `true` or `false`.
    pub outcome: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSchedule {
    /// Quartz syntax, with seconds.
    pub cron: String,
    pub time_zone: Option<String>,
    pub paused: bool,
}

/// What starts a job besides a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobTrigger {
    /// `file_arrival`, `table_update`, `periodic`, `continuous`, …; open.
    pub kind: String,
    pub paused: bool,
}

impl Databricks {
    /// Jobs, of this name when one is given; the server's filter ignores case.
    pub async fn jobs(
        &self,
        name: Option<&str>,
        most: usize,
        from: Option<&str>,
        deadline: Deadline,
    ) -> Result<Listed<Job>, DatabricksError> {
        let mut url = self.address(&["api", "2.2", "jobs", "list"])?;
        if let Some(name) = name {
            url.query_pairs_mut().append_pair("name", name);
        }
        let page = Some(("limit", JOBS_PAGE));
        let list = List { kind: RequestKind::JobGet, url, subject: Subject::Workspace, page };
        self.list::<JobsPage>(&list, most, from, deadline).await
    }

    /// A job with its parameters and tasks, however many pages they take: 100 of each a page.
    pub async fn job(&self, job_id: &str, deadline: Deadline) -> Result<Job, DatabricksError> {
        let subject = Subject::Job(job_id.to_owned());
        subject.number(job_id)?;
        let mut url = self.address(&["api", "2.2", "jobs", "get"])?;
        url.query_pairs_mut().append_pair("job_id", job_id);
        let body: JobBody = self.whole(RequestKind::JobGet, &url, &subject, deadline).await?;
        body.into_job().ok_or_else(|| DatabricksError::nonsense(&subject, "it has no job_id"))
    }

    /// The id of a job given as digits or by its unique name. A name of digits only is taken for an id.
    pub async fn resolve_job(&self, id_or_name: &str, deadline: Deadline) -> Result<String, DatabricksError> {
        if !id_or_name.is_empty() && id_or_name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(id_or_name.to_owned());
        }
        let listed = self.jobs(Some(id_or_name), MOST_NAMESAKES, None, deadline).await?;
        let found = listed.items.into_iter().filter_map(|job| {
            let name = job.name?;
            (name.to_lowercase() == id_or_name.to_lowercase()).then_some((job.job_id, name == id_or_name))
        });
        Ok(only_one(id_or_name, found.collect())?)
    }
}

/// The server's filter ignores case; a name that is the same to the letter comes first.
fn only_one(name: &str, mut found: Vec<(String, bool)>) -> Result<String, Failure> {
    if found.iter().any(|(_, same)| *same) {
        found.retain(|(_, same)| *same);
    }
    match found.as_slice() {
        [] => Err(Failure::new(
            Code::JobNotFound,
            format!("No job named {name} is there, or this app may not see it (it needs CAN MANAGE RUN)."),
        )),
        [(id, _)] => Ok(id.clone()),
        several => {
            let ids: Vec<&str> = several.iter().map(|(id, _)| id.as_str()).collect();
            Err(Failure::new(
                Code::JobAmbiguous,
                format!("{} jobs are named {name}; name one by its id: {}.", ids.len(), ids.join(", ")),
            ))
        }
    }
}
