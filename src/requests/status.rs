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
                match statement.outcome().map_err(Failure::settled)? {
                    Some(()) => match self.result(call, &statement, q).await {
                        // It is there and will be: whoever polls comes again.
                        Err(failure) if failure.code == Code::TooManyCalls => {
                            self.still(call, statement_going(&id, &state_name(&statement), q, false)).await
                        }
                        answer => answer,
                    },
                    None => self.still(call, statement_going(&id, &state_name(&statement), q, false)).await,
                }
            }
            Target::Rows { id, row, q } => self.rows_page(call, &id, row, q).await,
            Target::List { list, from, top } => self.list(call, list, Some(&from), top).await,
            Target::JobRun { id } => {
                let run = self.0.neighbours.databricks.job_run(&id, call.deadline).await?;
                match run.outcome().map_err(Failure::settled)? {
                    Some(()) => self.job_result(call, &run).await,
                    None => self.still(call, plain(&id, &run.state, target)).await,
                }
            }
            Target::Refresh { w, d, id } => {
                let found = RefreshId::from_text(&id).look(&self.0.neighbours.power_bi, &w, &d, call.deadline).await?;
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
