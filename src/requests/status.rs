//! `GET /api/status/{token}`: 202 while it goes on, 200 with the result, a 4xx when it has failed for good.

use serde_json::json;

use super::answers::{Going, done};
use super::refreshes::status_value;
use super::statements::{going as statement_going, state_name};
use super::token::Target;
use super::{Answer, Call, Requests};
use crate::failure::{Code, Failure};
use crate::steps::{InQueue, RefreshId};

impl Requests {
    /// Looks once at what the token stands for.
    pub async fn status(&self, call: &Call, token: &str) -> Result<Answer, Failure> {
        let target = self.open(token, call.deadline).await?;
        match target.clone() {
            Target::Statement { id, q } => {
                let statement = self.0.neighbours.databricks.statement(&id, call.deadline).await?;
                match statement.outcome() {
                    Err(failure) => {
                        let databricks = &self.0.neighbours.databricks;
                        Err(databricks.with_near_names(failure.settled(), &statement, call.deadline).await)
                    }
                    Ok(Some(())) => match self.result(call, &statement, q).await {
                        // It is there and will be: whoever polls comes again.
                        Err(failure) if failure.code == Code::TooManyCalls => {
                            self.still(call, statement_going(&id, &state_name(&statement), q, false)).await
                        }
                        answer => answer,
                    },
                    Ok(None) => self.still(call, statement_going(&id, &state_name(&statement), q, false)).await,
                }
            }
            Target::Rows { id, row, q } => self.rows_page(call, &id, row, q).await,
            Target::List { list, from, top } => self.list(call, list, Some(&from), top).await,
            Target::Export { w, r, e } => self.export_status(call, &w, &r, &e).await,
            Target::ExportFile { w, r, e } => self.export_file(call, &w, &r, &e).await,
            Target::PowerBiList { list, page } => self.power_bi_list(call, list, page).await,
            Target::Jobs { list, from, limit } => self.job_list(call, list, Some(&from), limit).await,
            Target::JobRun { id, repair } => {
                let databricks = &self.0.neighbours.databricks;
                let run = databricks.job_run_or_repair(&id, repair.as_deref(), call.deadline).await?;
                match self.job_result(call, &run, repair.as_deref()).await? {
                    Some(answer) => Ok(answer),
                    None => self.still(call, plain(&id, &run.standing.state, target)).await,
                }
            }
            Target::Refresh { w, d, id } => {
                let found = RefreshId::from_text(&id)
                    .look(&self.0.neighbours.power_bi, &w, &d, self.0.neighbours.clock.now(), call.deadline)
                    .await?;
                if let Some(value) = status_value(found.as_ref()).map_err(Failure::settled)? {
                    return Ok(done(&value));
                }
                let id = json!(found.and_then(|refresh| refresh.refresh_id));
                self.still(call, Going { id, ..plain("", "inProgress", target) }).await
            }
            Target::QueuedRefresh { run, joined } => {
                let end = self.0.runs.look(&run, call.deadline).await?.seen_by(joined);
                let signer = self.signer(call.deadline).await?;
                self.queued_answer(call, &InQueue { run, joined }, end, false, &signer)
            }
            Target::Runs { wanted, from } => self.run_list(call, wanted, Some(from)).await,
            Target::Run { id } => {
                let outcome = self.0.runs.look(&id, call.deadline).await?;
                let signer = self.signer(call.deadline).await?;
                self.run_answer(call, outcome, false, &signer)
            }
        }
    }

    async fn still(&self, call: &Call, going: Going<'_>) -> Result<Answer, Failure> {
        let signer = self.signer(call.deadline).await?;
        self.going(call, &signer, going, false)
    }
}

fn plain<'a>(id: &str, state: &'a str, target: Target) -> Going<'a> {
    Going { id: json!(id), state, resource: String::new(), target, replayed: false }
}
