//! `push_rows`: rows into a table of a push dataset, batch by batch, each on record before it is sent and none before the
//! dataset's limits allow it. A batch whose answer is lost is settled by sequence numbers where the table has them, by
//! starting again where the table is cleared first, and else told as unknown with its rows.

mod batch;
mod check;
mod declared;
mod inputs;
mod numbers;
mod read;
mod rules;
mod sending;
mod spool;
mod value;

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;

use self::declared::declared;
use self::inputs::{Inputs, Phase};
use super::{
    InHand, Kind, Neighbours, PartTurn, Polled, Prepared, Ready, Recovery, Sent, Settled, from_inputs, mismatched,
    to_inputs,
};
use crate::failure::Failure;
use crate::http::Deadline;
use crate::operations::{Scope, StepKind};

pub use batch::{Batch, Batches};
pub use inputs::{Push, Query, Source};
pub use read::MOST_BATCHES;
pub use rules::Rules;
pub use spool::{forget, spool};

/// How often a push that clears its table begins again from the delete.
const MOST_RESTARTS: u32 = 3;

pub(super) struct PushRows;

#[async_trait]
impl Kind for PushRows {
    fn prepare(&self, step: &StepKind, scope: &Scope, neighbours: &Neighbours) -> Result<Prepared, Failure> {
        let push = match step {
            StepKind::PushRows(step) => declared(step, scope, neighbours)?,
            StepKind::Push => from_inputs(&Value::Object(scope.parameters.clone()))?,
            _ => return Err(mismatched()),
        };
        let run_id = scope.run.get("id").and_then(Value::as_str).unwrap_or_default();
        let inputs = Inputs::new(push, run_id, Uuid::new_v4().simple().to_string());
        Ok(Prepared { inputs: to_inputs(&inputs)?, effect: true })
    }

    fn in_parts(&self) -> bool {
        true
    }

    fn acts(&self, inputs: &Value) -> bool {
        from_inputs::<Inputs>(inputs).map_or(true, |inputs| matches!(inputs.phase, Phase::Clear | Phase::Push))
    }

    async fn turn(&self, to: &Neighbours, inputs: &Value, deadline: Deadline) -> Result<PartTurn, Failure> {
        let mut inputs: Inputs = from_inputs(inputs)?;
        let began = inputs.phase;
        if inputs.phase == Phase::Check {
            inputs.check(to, deadline).await?;
        }
        if inputs.phase == Phase::Wait {
            let id = inputs.statement_id.clone().unwrap_or_default();
            if to.databricks.statement(&id, deadline).await?.outcome()?.is_none() {
                return Ok(PartTurn::Look);
            }
            inputs.phase = Phase::Read;
        }
        if inputs.phase == Phase::Push && !inputs.is_over() {
            return inputs.turn(to, deadline).await;
        }
        Ok(PartTurn::Now(if inputs.phase == began { None } else { Some(to_inputs(&inputs)?) }))
    }

    async fn make_ready(&self, to: &Neighbours, inputs: &Value, _: &str, deadline: Deadline) -> Result<Ready, Failure> {
        let inputs: Inputs = from_inputs(inputs)?;
        match inputs.phase {
            Phase::Push if !inputs.is_over() => Ok(Ready::with(inputs.batch_in_hand(to, deadline).await?)),
            Phase::Clear => to.power_bi.ready(deadline).await.map(|()| Ready::plain()),
            _ => Ok(Ready::plain()),
        }
    }

    async fn send(
        &self,
        to: &Neighbours,
        inputs: &Value,
        in_hand: InHand,
        key: &str,
        deadline: Deadline,
    ) -> Result<Sent, Failure> {
        let mut inputs: Inputs = from_inputs(inputs)?;
        match inputs.phase {
            Phase::Submit => {
                let Source::Query(query) = &inputs.push.source else { return Err(mismatched()) };
                let statement = to.databricks.submit(&query.submission(key), deadline).await?;
                inputs.statement_id = Some(statement.statement_id);
                inputs.phase = Phase::Wait;
            }
            Phase::Read => {
                if inputs.read_on(to, deadline).await? {
                    inputs.all_kept();
                }
            }
            Phase::Clear => {
                let Push { workspace, dataset, table, .. } = &inputs.push;
                to.power_bi.delete_rows(workspace, dataset, table, deadline).await?;
                inputs.phase = Phase::Push;
            }
            Phase::Push if !inputs.is_over() => inputs.push(to, in_hand.take()?, deadline).await?,
            Phase::Push => {}
            Phase::Check | Phase::Wait => return Err(mismatched()),
        }
        inputs.done()
    }

    fn recovery(&self, _inputs: &Value) -> Recovery {
        Recovery::Settle
    }

    async fn settle(
        &self,
        at: &Neighbours,
        inputs: &Value,
        certain: bool,
        deadline: Deadline,
    ) -> Result<Settled, Failure> {
        let mut inputs: Inputs = from_inputs(inputs)?;
        if inputs.phase != Phase::Push || inputs.is_over() {
            return Ok(Settled::NotSent);
        }
        let why = Box::new(inputs.in_doubt());
        if let Some(numbers) = inputs.numbers {
            let Push { workspace, dataset, table, .. } = &inputs.push;
            let known = at.power_bi.sequence_numbers(workspace, dataset, table, deadline).await?.unwrap_or_default();
            if known.contains(&numbers.next) {
                inputs.has_come();
                return Ok(Settled::Happened(inputs.done()?));
            }
            // Else somebody has pushed under our name after us, or the numbers are gone.
            if inputs.next == 0 || known.contains(&(numbers.next - 1)) {
                if certain {
                    inputs.lost(at, deadline).await;
                    return Ok(Settled::NotSent);
                }
                return Ok(Settled::NotYet(why));
            }
        }
        if !inputs.push.clear || inputs.restarts == MOST_RESTARTS {
            return Ok(Settled::Unknown(why));
        }
        if !certain {
            return Ok(Settled::NotYet(why));
        }
        tracing::warn!(run = inputs.run_id, "a batch is in doubt; the table is cleared and all of it pushed again");
        inputs.begin_again();
        Ok(Settled::Happened(inputs.done()?))
    }

    async fn put_away(&self, at: &Neighbours, inputs: &Value, deadline: Deadline) -> Result<(), Failure> {
        from_inputs::<Inputs>(inputs)?.put_away(at, deadline).await;
        Ok(())
    }

    async fn has_come(&self, _: &Neighbours, inputs: &Value, _: Deadline) -> Result<Option<Sent>, Failure> {
        let mut inputs: Inputs = from_inputs(inputs)?;
        if inputs.phase == Phase::Push && !inputs.is_over() {
            inputs.has_come();
        }
        inputs.done().map(Some)
    }

    async fn poll(&self, _: &Neighbours, _: &Value, _: &str, _: Deadline) -> Result<Polled, Failure> {
        Err(mismatched())
    }

    async fn cancel(&self, _: &Neighbours, _: &Value, _: &str, _: Deadline) -> Result<(), Failure> {
        Ok(())
    }
}

/// What is told of a push of one batch whose answer was lost.
pub fn in_doubt(push: &Push) -> Failure {
    Inputs::new(push.clone(), "", String::new()).in_doubt()
}
