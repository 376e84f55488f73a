//! The answer of a refresh that waits for its dataset: of the run that does it.

use serde_json::json;

use crate::failure::Failure;
use crate::http::Deadline;
use crate::requests::answers::{Going, done};
use crate::requests::token::{Signer, Target};
use crate::requests::{Answer, Call, Mode, Requests, is_transient};
use crate::runs::RunEnd;
use crate::steps::InQueue;

impl Requests {
    /// Waits for the end of a run that waits for its dataset.
    pub(super) async fn follow_queued(
        &self,
        call: &Call,
        place: &InQueue,
        wait: Deadline,
        signer: &Signer,
    ) -> Result<Answer, Failure> {
        let end = match self.0.runs.follow(&place.run, wait, call.deadline).await {
            Ok(outcome) => outcome.seen_by(place.joined),
            // It stands in the ledger and goes on without us.
            Err(failure) if is_transient(&failure) => {
                tracing::warn!(run = place.run, error = failure.chain(), "could not follow the run");
                RunEnd::Going { state: "waiting".into(), progress: None }
            }
            Err(failure) => return Err(failure.effect_possible().in_run(&place.run)),
        };
        self.queued_answer(call, place, end, call.mode == Mode::Start, signer)
    }

    /// What a queued refresh stands at: its result, a settled failure, or where to look.
    pub(in crate::requests) fn queued_answer(
        &self,
        call: &Call,
        place: &InQueue,
        end: RunEnd,
        started: bool,
        signer: &Signer,
    ) -> Result<Answer, Failure> {
        let answer = match end {
            RunEnd::Failed { failure } if !started => return Err(failure.settled()),
            RunEnd::Succeeded { output } if !started => done(&output),
            end => {
                let state = match &end {
                    RunEnd::Going { state, .. } => state,
                    RunEnd::Succeeded { .. } => "succeeded",
                    RunEnd::Failed { .. } => "failed",
                };
                let going = Going {
                    id: json!(place.run),
                    state,
                    resource: format!("/api/runs/{}", place.run),
                    target: Target::QueuedRefresh { run: place.run.clone(), joined: place.joined },
                    replayed: false,
                };
                self.going(call, signer, going, started)?
            }
        };
        Ok(Answer { run_id: Some(place.run.clone()), ..answer })
    }
}
