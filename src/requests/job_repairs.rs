//! Repairing a job run: its failed tasks again, or named ones.
//!
//! A repair has no token. What keeps it to one: Databricks refuses a repair that does not follow the latest one, and a
//! claim remembers which repairs there were before. One whose answer was lost is looked for in the run's history.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::claim::{Claimant, Claimed, Ours, search_until};
use super::job_run_body::known_target;
use super::job_starts::Begun;
use super::{Answer, Call, Requests};
use crate::databricks::{JobRun, Repair};
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
use crate::steps::{Recovery, parameter_texts};

/// The route of claims of repairs.
pub(super) const ROUTE: &str = "job-repairs";
/// Pauses between looks into the history: the first and the longest.
const FIRST_LOOK: Duration = Duration::from_millis(500);
const LONGEST_LOOK: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    tasks: Option<Vec<String>>,
    dependents: Option<bool>,
    parameters: Option<BTreeMap<String, Value>>,
    performance_target: Option<String>,
}

/// What is sent, as a claim keeps it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    tasks: Vec<String>,
    dependents: bool,
    /// Those of the body.
    given: BTreeMap<String, String>,
    /// Those of the run, with those of the body over them.
    parameters: BTreeMap<String, String>,
    performance_target: Option<String>,
    latest_repair_id: Option<String>,
    /// Repairs that the run had before.
    before: Vec<String>,
}

impl Body {
    fn wanted(self, run: &JobRun) -> Result<Wanted, Failure> {
        let given = parameter_texts(self.parameters.iter().flatten());
        // A repair does not keep the parameters of its run (apache/airflow, issue 64828): they are sent again.
        let mut parameters = run.parameters.clone();
        parameters.extend(given.clone());
        Ok(Wanted {
            tasks: self.tasks.unwrap_or_default(),
            dependents: self.dependents.unwrap_or(false),
            given,
            parameters,
            performance_target: known_target(self.performance_target)?,
            latest_repair_id: run.latest_repair().map(|repair| repair.repair_id.clone()),
            before: run.repairs.iter().map(|repair| repair.repair_id.clone()).collect(),
        })
    }
}

impl Requests {
    /// `POST /api/jobs/runs/{id}/repair`.
    pub async fn repair_job_run(&self, call: &Call, id: &str, body: Bytes) -> Result<Answer, Failure> {
        let wait = super::wait_of(call)?;
        let read = if body.is_empty() { None } else { Some(super::body::read::<Body>(&body)?) };
        let signer = self.signer(call.deadline).await?;
        // Looked at before the claim, which must know what there was before the effect.
        let (inputs, run) = match read {
            Some(body) => {
                let run = self.0.neighbours.databricks.job_run_with_repairs(id, call.deadline).await?;
                (Some(super::to_value(&body.wanted(&run)?)?), Some(run))
            }
            None => (None, None),
        };
        let claimant = Claimant { call, route: ROUTE, target: id, body: &body, recovery: |_| Recovery::LookUp };
        let effected = match self.claim(&claimant, inputs).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let sent = self.send_repair(call, id, run.as_ref(), &ours).await;
                self.had(ours, call, sent).await?
            }
        };
        let repair = effected.upstream.as_str().unwrap_or_default().to_owned();
        let begun = Begun { id: id.to_owned(), repair: Some(repair), replayed: effected.replayed };
        self.follow_job_run(call, &signer, begun, wait).await
    }

    async fn send_repair(&self, call: &Call, id: &str, run: Option<&JobRun>, ours: &Ours) -> Result<Value, Failure> {
        let wanted: Wanted = super::from_value(&ours.inputs)?;
        if let Some(run) = run {
            repairable(run, &wanted)?;
            self.check_job_names(&run.job_id, &wanted.given, &[], ours.window).await?;
        }
        let repair = Repair {
            run_id: id.to_owned(),
            tasks: wanted.tasks,
            dependents: wanted.dependents,
            parameters: wanted.parameters,
            performance_target: wanted.performance_target,
            latest_repair_id: wanted.latest_repair_id,
        };
        let failure = match self.0.neighbours.databricks.repair_job_run(&repair, ours.window).await {
            Ok(repair_id) => return Ok(json!(repair_id)),
            Err(error) => Failure::from(error),
        };
        if failure.effect == Effect::None {
            return Err(failure);
        }
        tracing::warn!(job_run_id = id, error = failure.chain(), "the answer to a repair was lost; looking for it");
        self.look_for_repair(id, &ours.inputs, search_until(call)).await.ok_or(failure)
    }

    /// The repair that a claim perhaps began, if the run's history shows exactly one that is new and repeats its tasks.
    pub(super) async fn look_for_repair(&self, id: &str, inputs: &Value, until: Deadline) -> Option<Value> {
        let wanted: Wanted = super::from_value(inputs).ok()?;
        let mut pause = FIRST_LOOK;
        loop {
            match self.0.neighbours.databricks.job_run_with_repairs(id, until).await {
                Ok(run) => {
                    if let Some(repair_id) = run.new_repair(&wanted.before, &wanted.tasks) {
                        return Some(json!(repair_id));
                    }
                }
                Err(error) => {
                    let failure = Failure::from(error);
                    tracing::warn!(job_run_id = id, error = failure.chain(), "could not look at the run's repairs");
                }
            }
            if until.remaining() <= pause {
                return None;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }
}

/// What Databricks would refuse in fewer words.
fn repairable(run: &JobRun, wanted: &Wanted) -> Result<(), Failure> {
    let id = &run.run_id;
    if !run.standing.ended {
        let detail = format!(
            "Job run {id} is {}; only one that has ended can be repaired. Wait for its end, or cancel it.",
            run.standing.state
        );
        return Err(Failure::new(Code::JobRunActive, detail));
    }
    let keys: Vec<&str> = run.tasks.iter().map(|task| task.task_key.as_str()).collect();
    if let Some(key) = wanted.tasks.iter().find(|key| !keys.contains(&key.as_str())) {
        let detail = format!("Job run {id} has no task {key:?}. It has: {}.", keys.join(", "));
        return Err(Failure::new(Code::ParametersInvalid, detail).at("tasks"));
    }
    if wanted.tasks.is_empty() && run.standing.succeeded && !run.tasks.iter().any(crate::databricks::TaskRun::failed) {
        let detail = format!("No task of job run {id} has failed. Name those that shall be repeated in `tasks`.");
        return Err(Failure::new(Code::BodyInvalid, detail).at("tasks"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_is_given_what_its_run_was_given_and_the_body_over_it() {
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let parameters = BTreeMap::from([text("day", "2026-10-05"), text("region", "north")]);
        let run = JobRun { parameters, ..JobRun::default() };
        let body: Body = serde_json::from_value(json!({"parameters": {"region": null, "day": 7, "x": true}})).unwrap();
        let wanted = body.wanted(&run).unwrap();
        assert_eq!(wanted.given, BTreeMap::from([text("day", "7"), text("x", "true")]));
        assert_eq!(wanted.parameters, BTreeMap::from([text("day", "7"), text("region", "north"), text("x", "true")]));
        assert_eq!((wanted.latest_repair_id, wanted.before.len()), (None, 0));
    }
}
