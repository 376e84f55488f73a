//! A refresh that waits for its dataset, as a run of its own: many may follow it, and it is sent once, after it has left
//! the queue. No file declares it.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::queue::RefreshQueue;
use super::turn::{Asked, Busy, Free, Turn, ask, busy};
use super::{InHand, Ready, WantedRefresh, cancel, look_up, may_begin_again, poll};
use crate::failure::Failure;
use crate::http::Deadline;
use crate::operations::{Scope, StepKind};
use crate::steps::{Kind, Neighbours, Polled, Prepared, Recovery, Sent, from_inputs, mismatched, to_inputs};

pub(in crate::steps) struct QueuedRefresh;

#[derive(Debug, Serialize, Deserialize)]
struct Inputs {
    run: String,
    wanted: WantedRefresh,
}

#[async_trait]
impl Kind for QueuedRefresh {
    fn prepare(&self, step: &StepKind, scope: &Scope, _neighbours: &Neighbours) -> Result<Prepared, Failure> {
        let StepKind::QueuedRefresh = step else { return Err(mismatched()) };
        let inputs = Inputs {
            run: scope.run.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
            wanted: from_inputs(&Value::Object(scope.parameters.clone()))?,
        };
        Ok(Prepared { inputs: to_inputs(&inputs)?, effect: true })
    }

    async fn make_ready(
        &self,
        to: &Neighbours,
        inputs: &Value,
        key: &str,
        deadline: Deadline,
    ) -> Result<Ready, Failure> {
        let Inputs { run, wanted } = from_inputs(inputs)?;
        // It had left the queue and could not be sent, and another has come after it: that one does for both.
        let other = RefreshQueue::of(&to.ledger, &wanted).waiting(deadline).await?;
        if other.is_some_and(|other| other != run) {
            return Ok(Ready::Not(Box::new(super::queue_up(wanted, busy(None, to)))));
        }
        Ok(match ask(to, &wanted, key, Some(&run), deadline).await? {
            Asked::Free(free) => Ready::with(free),
            Asked::Busy(busy) => Ready::Not(Box::new(not_yet(busy))),
        })
    }

    async fn send(
        &self,
        to: &Neighbours,
        inputs: &Value,
        in_hand: InHand,
        _: &str,
        deadline: Deadline,
    ) -> Result<Sent, Failure> {
        let wanted = from_inputs::<Inputs>(inputs)?.wanted;
        Ok(match in_hand.take::<Free>()?.start(to, &wanted, deadline).await? {
            Turn::Started(id) => Sent::Submitted { upstream_id: id.to_text() },
            Turn::Busy(busy) => not_yet(busy),
        })
    }

    fn recovery(&self, _inputs: &Value) -> Recovery {
        Recovery::LookUpFirst
    }

    async fn look_up(
        &self,
        at: &Neighbours,
        inputs: &Value,
        key: &str,
        since: Timestamp,
        deadline: Deadline,
    ) -> Result<Option<String>, Failure> {
        look_up(at, &from_inputs::<Inputs>(inputs)?.wanted, key, since, deadline).await
    }

    async fn give_way(&self, at: &Neighbours, inputs: &Value, deadline: Deadline) -> Result<(), Failure> {
        let Inputs { run, wanted } = from_inputs(inputs)?;
        RefreshQueue::of(&at.ledger, &wanted).leave(&run, deadline).await.map(|_| ())
    }

    fn may_run_again(&self, _inputs: &Value, failure: &Failure) -> bool {
        may_begin_again(failure)
    }

    async fn poll(&self, at: &Neighbours, inputs: &Value, id: &str, deadline: Deadline) -> Result<Polled, Failure> {
        poll(at, &from_inputs::<Inputs>(inputs)?.wanted, id, deadline).await
    }

    async fn cancel(&self, at: &Neighbours, inputs: &Value, id: &str, deadline: Deadline) -> Result<(), Failure> {
        cancel(at, &from_inputs::<Inputs>(inputs)?.wanted, id, deadline).await
    }
}

fn not_yet(busy: Busy) -> Sent {
    Sent::NotYet { after: busy.after, because: busy.because }
}
