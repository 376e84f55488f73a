//! `refresh`: one refresh of a dataset, to its end. While another runs it waits in the dataset's queue, with whoever wants
//! the same. A standard refresh has no id; it is found in the history by its time.

mod found;
mod lost;
mod queue;
mod queued;
mod shown;
mod turn;
mod wanted;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{
    InHand, Kind, Neighbours, Polled, Prepared, Ready, Recovery, Sent, expression_failed, from_inputs, mismatched,
    to_inputs,
};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::{Scope, StepKind};
use crate::power_bi::{RefreshObject, RefreshRequest};

pub use found::RefreshId;
pub use lost::find_lost;
pub use queue::{InQueue, RefreshQueue};
pub(super) use queued::QueuedRefresh;
pub use shown::{outcome, refresh_json};
use turn::{Asked, Busy, Free, ask};
pub use turn::{Turn, start_refresh};
pub use wanted::WantedRefresh;

pub(super) struct Refresh;

#[async_trait]
impl Kind for Refresh {
    fn prepare(&self, step: &StepKind, scope: &Scope, _neighbours: &Neighbours) -> Result<Prepared, Failure> {
        let StepKind::Refresh(step) = step else { return Err(mismatched()) };
        let mut request: RefreshRequest = serde_json::from_value(Value::Object(step.options.clone()))
            .map_err(|error| Failure::new(Code::BodyInvalid, format!("The refresh's options are wrong: {error}.")))?;
        if let Some(tables) = &step.tables {
            let tables = tables.render(scope).map_err(|error| expression_failed(&error))?;
            request.objects = objects(&tables)?;
        }
        if let Some(date) = &step.effective_date {
            request.effective_date = Some(date.render_text(scope).map_err(|error| expression_failed(&error))?);
        }
        request.check()?;
        let inputs = WantedRefresh {
            workspace: step.workspace.render_text(scope).map_err(|error| expression_failed(&error))?,
            dataset: step.dataset.render_text(scope).map_err(|error| expression_failed(&error))?,
            request,
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
        let wanted: WantedRefresh = from_inputs(inputs)?;
        Ok(match ask(to, &wanted, key, None, deadline).await? {
            Asked::Free(free) => Ready::with(free),
            Asked::Busy(busy) => Ready::Not(Box::new(queue_up(wanted, busy))),
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
        let wanted: WantedRefresh = from_inputs(inputs)?;
        match in_hand.take::<Free>()?.start(to, &wanted, deadline).await? {
            Turn::Started(id) => Ok(Sent::Submitted { upstream_id: id.to_text() }),
            Turn::Busy(busy) => Ok(queue_up(wanted, busy)),
        }
    }

    /// A second refresh does what the first did: nobody is worse off. But one that is still to come would keep the dataset,
    /// and what was sent is better adopted.
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
        look_up(at, &from_inputs(inputs)?, key, since, deadline).await
    }

    fn may_run_again(&self, _inputs: &Value, failure: &Failure) -> bool {
        may_begin_again(failure)
    }

    async fn poll(&self, at: &Neighbours, inputs: &Value, id: &str, deadline: Deadline) -> Result<Polled, Failure> {
        poll(at, &from_inputs(inputs)?, id, deadline).await
    }

    async fn cancel(&self, at: &Neighbours, inputs: &Value, id: &str, deadline: Deadline) -> Result<(), Failure> {
        cancel(at, &from_inputs(inputs)?, id, deadline).await
    }
}

fn queue_up(wanted: WantedRefresh, busy: Busy) -> Sent {
    Sent::Queues { wanted: Box::new(wanted), after: busy.after, because: busy.because }
}

async fn look_up(
    at: &Neighbours,
    wanted: &WantedRefresh,
    key: &str,
    since: Timestamp,
    deadline: Deadline,
) -> Result<Option<String>, Failure> {
    Ok(find_lost(&at.ledger, &at.power_bi, wanted, key, since, deadline).await?.map(|id| id.to_text()))
}

/// Nothing was refreshed, and the same refresh may go through later.
fn may_begin_again(failure: &Failure) -> bool {
    matches!(failure.code, Code::RefreshDropped | Code::RefreshEvicted)
}

async fn poll(at: &Neighbours, wanted: &WantedRefresh, id: &str, deadline: Deadline) -> Result<Polled, Failure> {
    let id = RefreshId::from_text(id);
    match id.look(&at.power_bi, &wanted.workspace, &wanted.dataset, at.clock.now(), deadline).await? {
        None => Ok(Polled::Running),
        Some(refresh) => match outcome(&refresh)? {
            None => Ok(Polled::Running),
            Some(()) => Ok(Polled::Done { output: refresh_json(Some(&refresh), false) }),
        },
    }
}

async fn cancel(at: &Neighbours, wanted: &WantedRefresh, id: &str, deadline: Deadline) -> Result<(), Failure> {
    match RefreshId::from_text(id) {
        RefreshId::Enhanced(id) => {
            Ok(at.power_bi.cancel_refresh(&wanted.workspace, &wanted.dataset, &id, deadline).await?)
        }
        RefreshId::StandardSince { .. } => {
            Err(Failure::new(Code::NotCancellable, "A standard refresh cannot be cancelled; only an enhanced one can."))
        }
    }
}

/// `["Orders", {"table": "Sales", "partition": "2026"}]`.
fn objects(tables: &Value) -> Result<Vec<RefreshObject>, Failure> {
    let wrong =
        || Failure::new(Code::BodyInvalid, "`tables` is a list of table names, or of {table, partition}.").at("tables");
    let list = tables.as_array().ok_or_else(wrong)?;
    list.iter()
        .map(|entry| match entry {
            Value::String(table) => Ok(RefreshObject { table: table.clone(), partition: None }),
            other => RefreshObject::deserialize(other).map_err(|_| wrong()),
        })
        .collect()
}
