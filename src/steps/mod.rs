//! One file a kind of step: prepare, send, poll, cancel, and what recovery may do. Knows nothing of runs or records.
//!
//! The recovery table of the design is [`Kind::recovery`]: what may be done when a step was `started` and nobody knows
//! whether it was sent.

mod assert;
mod binding;
mod follow;
mod http_call;
mod in_hand;
mod job;
mod job_view;
mod message;
mod number;
mod operation;
pub mod push_rows;
mod refresh;
mod sql;
mod wait_for;
pub mod write_rows;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clock::Clock;
use crate::databricks::Databricks;
use crate::entra::TokenSource;
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Guarded};
use crate::key_vault::Secrets;
use crate::ledger::Ledger;
use crate::operations::{ExpressionError, Scope, StepKind};
use crate::power_bi::PowerBi;
use crate::service_bus::Messages;
use crate::settings;

pub use crate::databricks::{MOST_TRIES, pause_before};
pub use binding::{JsonParameters, bind_parameters};
pub use follow::Followed;
pub use in_hand::{InHand, Ready};
pub use job::parameter_texts;
pub use job_view::{dependencies_json, job_run_head, job_run_json, job_run_with_tasks};
pub use refresh::{
    InQueue, RefreshId, RefreshQueue, Turn, WantedRefresh, find_lost as find_lost_refresh, outcome as refresh_outcome,
    refresh_json, start_refresh,
};

/// Whom steps act upon; cheap to clone.
#[derive(Clone, Debug)]
pub struct Neighbours {
    pub databricks: Databricks,
    pub power_bi: PowerBi,
    /// The warehouse of statements that name none.
    pub warehouse_id: Option<String>,
    /// What callers handed over and waits to be written; nothing of any run.
    pub ledger: Ledger,
    /// The time of day here.
    pub clock: Clock,
    pub messages: Arc<dyn Messages>,
    /// Queues and topics that steps may send to.
    pub send_queues: Vec<String>,
    /// How results come, and how much of them.
    pub sql: settings::Sql,
    /// The way out to what makers name, and the secrets that they name.
    pub outside: Guarded,
    pub secrets: Arc<dyn Secrets>,
}

impl Neighbours {
    /// The same, called on behalf of a user with tokens of theirs.
    #[must_use]
    pub fn acting_for(
        &self,
        object_id: &str,
        databricks: Arc<dyn TokenSource>,
        power_bi: Arc<dyn TokenSource>,
    ) -> Self {
        Self {
            databricks: self.databricks.acting_for(object_id, databricks),
            power_bi: self.power_bi.acting_with(power_bi),
            ..self.clone()
        }
    }

    /// The object id of the user on whose behalf they are called; `None` in our own name.
    pub fn on_behalf_of(&self) -> Option<&str> {
        self.databricks.user()
    }
}

/// A step, rendered: what is sent, now and in recovery, and never rendered again.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    pub inputs: Value,
    /// Whether sending it may change anything. Steps without an effect write only their end.
    pub effect: bool,
}

/// What came of sending.
#[derive(Clone, Debug)]
pub enum Sent {
    /// The neighbour works on it under this id.
    Submitted { upstream_id: String },
    /// It is done already.
    Done { upstream_id: Option<String>, output: Value },
    /// Refused for now, without effect: worth trying again after a while.
    NotYet { after: Duration, because: Box<Failure> },
    /// Nothing was sent: a run will do it, once its turn comes, for all that want the same.
    Queues { wanted: Box<WantedRefresh>, after: Duration, because: Box<Failure> },
    /// A part of it is done. `inputs` is what is left, on record before anything of it is sent; `progress` is told.
    Part { inputs: Value, progress: Value },
}

/// Whether a part may be sent ([`Kind::in_parts`]). Inputs that have changed meanwhile go on record.
#[derive(Clone, Debug)]
pub enum PartTurn {
    Now(Option<Value>),
    /// Not before so long.
    After(Duration, Option<Value>),
    /// It is being made ready elsewhere: to be asked again, and again less and less often.
    Look,
    /// This is what was seen: unless it is what the step waits for ([`Kind::is_met`]), to be asked again after so long.
    Seen {
        output: Value,
        again: Duration,
        inputs: Value,
    },
}

/// What became of a part that was perhaps sent ([`Recovery::Settle`]).
#[derive(Clone, Debug)]
pub enum Settled {
    /// It happened, as if this had been the answer.
    Happened(Sent),
    /// It surely did not.
    NotSent,
    /// It cannot be told yet; and this, if it can never be.
    NotYet(Box<Failure>),
    /// Nobody can tell.
    Unknown(Box<Failure>),
}

/// What came of looking.
#[derive(Clone, Debug, PartialEq)]
pub enum Polled {
    Running,
    Done { output: Value },
}

/// What may be done about a step that was started and perhaps sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Sending again cannot double the effect.
    SendAgain,
    /// Its neighbour's history may show it: a hit is taken for ours, a miss proves nothing.
    LookUp,
    /// The same; and when it cannot be found, sending again cannot double the effect. Not before: what is still under way
    /// could come after later work and undo it.
    LookUpFirst,
    /// Its neighbour can tell, now or later ([`Kind::settle`]).
    Settle,
    /// Only a human can tell.
    Unknown,
}

/// One kind of step.
#[async_trait]
pub trait Kind: Send + Sync {
    /// Fills in the step's templates and checks the result.
    fn prepare(&self, step: &StepKind, scope: &Scope, neighbours: &Neighbours) -> Result<Prepared, Failure>;

    /// Gets what sending needs and what is harmless to ask for, before the intent is on record: a worker that dies here
    /// leaves nobody in doubt. Between the record and the sending there is nothing else to wait for.
    async fn make_ready(&self, _: &Neighbours, _: &Value, _key: &str, _: Deadline) -> Result<Ready, Failure> {
        Ok(Ready::plain())
    }

    /// Sends it, once. `key` is the same for every sending of one attempt.
    async fn send(
        &self,
        to: &Neighbours,
        inputs: &Value,
        in_hand: InHand,
        key: &str,
        deadline: Deadline,
    ) -> Result<Sent, Failure>;

    /// What recovery may do with these inputs.
    fn recovery(&self, inputs: &Value) -> Recovery;

    /// The neighbour's id of what was sent under `key`, if it can be found ([`Recovery::LookUp`]). `None` proves nothing.
    async fn look_up(
        &self,
        _at: &Neighbours,
        _inputs: &Value,
        _key: &str,
        _since: Timestamp,
        _deadline: Deadline,
    ) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    /// The step has ended badly and is not sent again: lets go of what it holds at its neighbour's door.
    async fn give_way(&self, _at: &Neighbours, _inputs: &Value, _deadline: Deadline) -> Result<(), Failure> {
        Ok(())
    }

    /// The step has ended well, and that is on record: what it kept in order to be sent again is needed no more.
    async fn put_away(&self, _at: &Neighbours, _inputs: &Value, _deadline: Deadline) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether it is sent in parts, over several invocations: each on record before it is sent, and asked for its turn.
    fn in_parts(&self) -> bool {
        false
    }

    /// Whether sending the part that is next may change anything.
    fn acts(&self, _inputs: &Value) -> bool {
        true
    }

    /// Whether the part that is next may be sent. Nothing of it is under way.
    async fn turn(&self, _to: &Neighbours, _inputs: &Value, _deadline: Deadline) -> Result<PartTurn, Failure> {
        Ok(PartTurn::Now(None))
    }

    /// Whether what was seen, which is the scope's `result`, is what the step waits for ([`PartTurn::Seen`]).
    fn is_met(&self, _step: &StepKind, _scope: &Scope) -> Result<bool, Failure> {
        Err(mismatched())
    }

    /// What became of the part that was perhaps sent. `certain`: what has not come by now will not come any more.
    async fn settle(
        &self,
        _at: &Neighbours,
        _inputs: &Value,
        _certain: bool,
        _deadline: Deadline,
    ) -> Result<Settled, Failure> {
        Err(mismatched())
    }

    /// Whether this failure left nothing behind and the same work may succeed when it is begun again, whatever the maker
    /// says of retries: another write came first.
    fn may_run_again(&self, _inputs: &Value, _failure: &Failure) -> bool {
        false
    }

    /// Whether sending again under the same key finds what was sent, so that it can be cancelled.
    fn found_by_sending(&self) -> bool {
        false
    }

    /// The part that was in doubt has come, as somebody says: what is left of the step, or its end. `None` of a step that is
    /// not sent in parts.
    async fn has_come(&self, _at: &Neighbours, _inputs: &Value, _deadline: Deadline) -> Result<Option<Sent>, Failure> {
        Ok(None)
    }

    /// Its page at the neighbour, for people.
    async fn page(&self, _at: &Neighbours, _upstream_id: &str, _deadline: Deadline) -> Option<String> {
        None
    }

    /// Looks once. A failure of the *work* has a settled code; a failure to look is the neighbour's. What is done when it
    /// has been sent is never looked at.
    async fn poll(
        &self,
        _at: &Neighbours,
        _inputs: &Value,
        _upstream_id: &str,
        _deadline: Deadline,
    ) -> Result<Polled, Failure> {
        Err(mismatched())
    }

    /// Asks the neighbour to stop; there is nothing to ask where all is done when it has been sent.
    async fn cancel(
        &self,
        _at: &Neighbours,
        _inputs: &Value,
        _upstream_id: &str,
        _deadline: Deadline,
    ) -> Result<(), Failure> {
        Ok(())
    }
}

/// Who knows the kind of a declared step.
pub trait Kinds: fmt::Debug + Send + Sync {
    fn of(&self, step: &StepKind) -> &dyn Kind;
}

/// The kinds of this room.
#[derive(Clone, Copy, Debug)]
pub struct EveryKind;

impl Kinds for EveryKind {
    fn of(&self, step: &StepKind) -> &dyn Kind {
        match step {
            StepKind::Sql(_) => &sql::Sql,
            StepKind::Job(_) => &job::Job,
            StepKind::Refresh(_) => &refresh::Refresh,
            StepKind::QueuedRefresh => &refresh::QueuedRefresh,
            StepKind::Http(_) => &http_call::HttpCall,
            StepKind::Follow => &follow::Follow,
            StepKind::PushRows(_) | StepKind::Push => &push_rows::PushRows,
            StepKind::Assert(_) => &assert::Assert,
            StepKind::Message(_) => &message::Message,
            StepKind::WaitFor(_) => &wait_for::WaitFor,
            StepKind::Operation(_) => &operation::Operation,
            StepKind::WriteRows(_) => &write_rows::WriteRows,
        }
    }
}

/// Whether a failure while polling says that the work itself ended badly, rather than that we could not look.
pub fn is_end_of_work(failure: &Failure) -> bool {
    let not_seen = matches!(
        failure.code,
        Code::UpstreamReplyInvalid
            | Code::SecretNotFound
            | Code::DatabricksAccessDenied
            | Code::PowerBiAccessDenied
            | Code::DeadlineExceeded
            | Code::Misconfigured
    );
    !not_seen && !failure.is_away()
}

fn expression_failed(error: &ExpressionError) -> Failure {
    Failure::new(Code::ExpressionFailed, error.to_string())
}

/// A time that a template gave.
fn time(text: &str, place: &str) -> Result<Timestamp, Failure> {
    text.parse().map_err(|_| {
        let detail = format!("`{place}` is not a time as RFC 3339 with an offset, such as 2026-01-31T06:00:00Z.");
        Failure::new(Code::ExpressionFailed, detail).at(place)
    })
}

fn to_inputs<T: Serialize>(inputs: &T) -> Result<Value, Failure> {
    serde_json::to_value(inputs)
        .map_err(|error| Failure::new(Code::Internal, "A step's inputs could not be written.").caused_by(error))
}

fn from_inputs<T: DeserializeOwned>(inputs: &Value) -> Result<T, Failure> {
    T::deserialize(inputs)
        .map_err(|error| Failure::new(Code::Internal, "A step's recorded inputs cannot be read.").caused_by(error))
}

/// A kind was handed a step of another kind: the two matches in this room disagree.
fn mismatched() -> Failure {
    Failure::new(Code::Internal, "A step was handed to another kind than its own.")
}
