//! A submitted statement to its answer: rows, a failure, a cancellation, or where to look.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reads::gone;
use super::run_as::{LETTING_GO, too_long};
use super::statements::{going, state_name};
use super::token::Signer;
use super::values::Values;
use super::{Answer, Call, Mode, Requests, guard, is_transient};
use crate::databricks::Statement;
use crate::failure::{Code, Failure};
use crate::http::Deadline;

/// How long a cancelled statement is watched for its end.
const CANCEL_SHOWS: Duration = Duration::from_secs(4);

/// What becomes of a statement that outlasts the wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum OnTimeout {
    /// It goes on, and the answer is 202.
    #[default]
    Continue,
    /// It is cancelled, and the answer is `statement-canceled`.
    Cancel,
}

/// How a statement is followed.
#[derive(Debug)]
pub(super) struct Follow {
    pub wait: Deadline,
    pub values: Values,
    pub on_timeout: OnTimeout,
    /// It stands in a claim: the key of its `Location`, and whether an earlier sending of the call submitted it. From
    /// then on no answer may invite the caller to send it again.
    pub claimed: Option<(Signer, bool)>,
}

impl Follow {
    fn replayed(&self) -> bool {
        self.claimed.as_ref().is_some_and(|(_, replayed)| *replayed)
    }

    fn settled(&self, failure: Failure) -> Failure {
        if self.claimed.is_some() { failure.settled() } else { failure }
    }
}

impl Requests {
    /// `GET /api/sql/statements/{id}/rows`: the whole result as a stream, or with `pageSize` a page of it. Of a
    /// statement that outlasts the wait 202, whose `Location` answers the same.
    pub async fn rows(&self, call: &Call, id: &str) -> Result<Answer, Failure> {
        guard::open(&self.0.sql)?;
        let values = Values::of_rows(call)?;
        let row = call.whole("row", 0..=u64::MAX)?.unwrap_or_default();
        let wait = super::wait_of(call)?;
        let this = self.running_as_asked(call).await?;
        let databricks = &this.0.neighbours.databricks;
        let first = databricks.statement(id, call.deadline).await?;
        let _waiting = this.0.waiting.join(id);
        let statement = tokio::select! {
            seen = databricks.wait_for(first, wait) => seen?,
            () = call.presence.gone() => return Err(gone()),
        };
        match statement.outcome() {
            Ok(Some(())) => return this.result_from(call, &statement, values, row).await,
            Ok(None) if this.is_acting() => return Err(too_long("It goes on. Ask again, with the caller's token.")),
            Ok(None) => {}
            Err(failure) => return Err(databricks.with_near_names(failure.settled(), &statement, call.deadline).await),
        }
        let signer = self.signer(call.deadline).await?;
        self.going(call, &signer, going(id, &state_name(&statement), values, false), false)
    }

    /// Looks for a statement whose id is on record. Not being able to look is no failure of the work: 202.
    pub(super) async fn follow_statement(&self, call: &Call, id: &str, follow: Follow) -> Result<Answer, Failure> {
        if call.mode == Mode::Start {
            return self.statement_goes_on(call, id, "PENDING", follow).await;
        }
        match self.0.neighbours.databricks.statement(id, call.deadline).await.map_err(Failure::from) {
            Ok(statement) => self.settle(call, statement, follow).await,
            Err(failure) if is_transient(&failure) => {
                tracing::warn!(statement_id = id, error = failure.chain(), "could not look at the statement");
                self.statement_goes_on(call, id, "PENDING", follow).await
            }
            Err(failure) => {
                Err(follow.settled(if follow.claimed.is_some() { forgotten(id, failure) } else { failure }))
            }
        }
    }

    /// Waits for the end of a statement and answers.
    pub(super) async fn settle(&self, call: &Call, first: Statement, follow: Follow) -> Result<Answer, Failure> {
        let id = first.statement_id.clone();
        if call.mode == Mode::Start {
            return self.statement_goes_on(call, &id, &state_name(&first), follow).await;
        }
        let statement = match self.0.neighbours.databricks.wait_for(first.clone(), follow.wait).await {
            Ok(last) if !last.has_ended() && (follow.on_timeout == OnTimeout::Cancel || self.is_acting()) => {
                return self.stop(call, last, follow).await;
            }
            Ok(last) => last,
            Err(error) => {
                let failure = Failure::from(error);
                tracing::warn!(statement_id = id, error = failure.chain(), "could not look at the statement");
                first
            }
        };
        self.end(call, &statement, follow).await
    }

    /// `onTimeout: cancel`. A cancel may come too late, so what the statement then stands at is the answer.
    async fn stop(&self, call: &Call, statement: Statement, follow: Follow) -> Result<Answer, Failure> {
        let databricks = &self.0.neighbours.databricks;
        let seen = match databricks.cancel_statement(&statement.statement_id, call.deadline).await {
            Ok(()) => databricks.wait_for(statement.clone(), call.deadline.within(CANCEL_SHOWS)).await,
            Err(error) => Err(error),
        };
        let statement = seen.unwrap_or_else(|error| {
            let (id, failure) = (&statement.statement_id, Failure::from(error));
            tracing::warn!(statement_id = id, error = failure.chain(), "could not cancel the statement");
            statement
        });
        match self.end(call, &statement, follow).await {
            Err(failure) if failure.code == Code::StatementCanceled && self.is_acting() => {
                Err(too_long("The statement was cancelled."))
            }
            Err(failure) if failure.code == Code::StatementCanceled => Err(Failure {
                detail: "The statement did not finish within `waitSeconds` and was cancelled, as `onTimeout` says."
                    .into(),
                ..failure
            }),
            answer => answer,
        }
    }

    async fn end(&self, call: &Call, statement: &Statement, follow: Follow) -> Result<Answer, Failure> {
        let (id, state) = (&statement.statement_id, state_name(statement));
        match statement.outcome() {
            Ok(None) => self.statement_goes_on(call, id, &state, follow).await,
            Err(failure) => {
                let databricks = &self.0.neighbours.databricks;
                Err(follow.settled(databricks.with_near_names(failure, statement, call.deadline).await))
            }
            Ok(Some(())) => match self.result(call, statement, follow.values).await {
                Ok(answer) => Ok(Answer { replayed: follow.replayed(), ..answer }),
                // The work is done and is not to be repeated; its rows can be had again.
                Err(failure)
                    if !self.is_acting()
                        && (failure.code == Code::TooManyCalls
                            || (follow.claimed.is_some() && is_transient(&failure))) =>
                {
                    tracing::warn!(statement_id = id, error = failure.chain(), "could not read the rows");
                    self.statement_goes_on(call, id, &state, follow).await
                }
                Err(failure) => Err(follow.settled(failure)),
            },
        }
    }

    /// 201 for `mode=start`, else 202.
    async fn statement_goes_on(&self, call: &Call, id: &str, state: &str, follow: Follow) -> Result<Answer, Failure> {
        let replayed = follow.replayed();
        if self.is_acting() {
            return match call.mode {
                Mode::Start => {
                    Ok(self.started_by_caller(call, id, state, &format!("/api/sql/statements/{id}"), replayed))
                }
                Mode::Wait(_) => Err(self.left(id).await),
            };
        }
        let signer = match follow.claimed {
            Some((signer, _)) => signer,
            None => self.signer(call.deadline).await?,
        };
        self.going(call, &signer, going(id, state, follow.values, replayed), call.mode == Mode::Start)
    }
}

impl Requests {
    /// Work as the caller whose end was not seen: nobody can look later, so that it is asked to stop.
    async fn left(&self, id: &str) -> Failure {
        let asked = self.0.neighbours.databricks.cancel_statement(id, Deadline::after(LETTING_GO)).await;
        if let Err(error) = asked {
            tracing::warn!(statement_id = id, error = Failure::from(error).chain(), "could not cancel the statement");
        }
        let what = format!("Statement {id} was asked to stop and may have ended all the same: look with runAs=caller.");
        too_long(&what).effect_possible()
    }
}

/// A statement that was submitted for this call and that Databricks knows no more (SDK, get_statement: 12 hours after its
/// end at the soonest). That it is not found does not say that nothing happened.
fn forgotten(id: &str, failure: Failure) -> Failure {
    if failure.code != Code::StatementNotFound {
        return failure;
    }
    let detail = format!(
        "This call has submitted statement {id}, and how it ended is not known any more: Databricks forgets statements 12 \
         hours after their end. Look at the target; if the work is missing, call again with a new Idempotency-Key."
    );
    Failure { code: Code::OutcomeUnknown, detail, ..failure }
}
