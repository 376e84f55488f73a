//! `wait_for`: goes on when a time has come, or when what is looked at is as it should be. Between two looks the run sleeps
//! and nothing is held. Changes nothing.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::http_call::HttpCall;
use super::sql::{Sql, surely_read};
use super::{
    InHand, Kind, Neighbours, PartTurn, Polled, Prepared, Ready, Recovery, Sent, expression_failed, from_inputs,
    mismatched, to_inputs,
};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::{ConditionStep, Look, Scope, StepKind, WaitForStep};

/// How soon to come back to a statement that still runs; this doubles.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_LOOK: Duration = Duration::from_mins(1);

pub(super) struct WaitFor;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Inputs {
    Until(Timestamp),
    Condition(Box<Condition>),
}

/// A condition, and how far the looking has come.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(flatten)]
    look: Looked,
    give_up_at: Timestamp,
    first_ms: u64,
    longest_ms: u64,
    /// Looks that were not enough.
    looks: u32,
    /// The look that is under way, and how often it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statement_id: Option<String>,
    asked: u32,
    /// The last look has been.
    over: bool,
}

/// What is looked at, as its step has it on record.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Looked {
    Sql(Value),
    Http(Value),
}

/// What a look gave.
enum Saw {
    Output(Value),
    /// The statement still runs.
    Running(String),
    /// It is too busy to be looked at.
    NotYet(Duration),
}

#[async_trait]
impl Kind for WaitFor {
    fn prepare(&self, step: &StepKind, scope: &Scope, neighbours: &Neighbours) -> Result<Prepared, Failure> {
        let StepKind::WaitFor(step) = step else { return Err(mismatched()) };
        let inputs = match step {
            WaitForStep::Delay(delay) => Inputs::Until(neighbours.clock.now() + *delay),
            WaitForStep::Time(time) => {
                let time = time.render_text(scope).map_err(|error| expression_failed(&error))?;
                Inputs::Until(super::time(&time, "time")?)
            }
            WaitForStep::Condition(condition) => {
                Inputs::Condition(Box::new(Condition::new(condition, scope, neighbours)?))
            }
        };
        Ok(Prepared { inputs: to_inputs(&inputs)?, effect: false })
    }

    fn in_parts(&self) -> bool {
        true
    }

    fn acts(&self, _inputs: &Value) -> bool {
        false
    }

    async fn turn(&self, to: &Neighbours, inputs: &Value, deadline: Deadline) -> Result<PartTurn, Failure> {
        match from_inputs(inputs)? {
            Inputs::Until(time) => {
                let left = Duration::try_from(to.clock.now().duration_until(time)).unwrap_or_default();
                Ok(if left.is_zero() { PartTurn::Now(None) } else { PartTurn::After(left, None) })
            }
            Inputs::Condition(condition) => condition.look(to, deadline).await,
        }
    }

    fn is_met(&self, step: &StepKind, scope: &Scope) -> Result<bool, Failure> {
        let StepKind::WaitFor(WaitForStep::Condition(condition)) = step else { return Err(mismatched()) };
        condition.until.is_true(scope).map_err(|error| expression_failed(&error))
    }

    /// Its time has come: a condition that is met ends the step before.
    async fn send(&self, _: &Neighbours, inputs: &Value, _: InHand, _: &str, _: Deadline) -> Result<Sent, Failure> {
        match from_inputs(inputs)? {
            Inputs::Until(time) => Ok(Sent::Done { upstream_id: None, output: json!({"time": time}) }),
            Inputs::Condition(_) => Err(mismatched()),
        }
    }

    fn recovery(&self, _inputs: &Value) -> Recovery {
        Recovery::SendAgain
    }
}

impl Condition {
    fn new(step: &ConditionStep, scope: &Scope, neighbours: &Neighbours) -> Result<Self, Failure> {
        let look = match &step.look {
            Look::Sql(sql) => {
                surely_read(&sql.statement, "sql")?;
                Looked::Sql(Sql.prepare(&StepKind::Sql(sql.clone()), scope, neighbours)?.inputs)
            }
            Look::Http(http) => {
                Looked::Http(HttpCall.prepare(&StepKind::Http(http.clone()), scope, neighbours)?.inputs)
            }
        };
        Ok(Self {
            look,
            give_up_at: neighbours.clock.now() + step.timeout,
            first_ms: millis(step.first),
            longest_ms: millis(step.longest),
            looks: 0,
            statement_id: None,
            asked: 0,
            over: false,
        })
    }

    async fn look(mut self: Box<Self>, to: &Neighbours, deadline: Deadline) -> Result<PartTurn, Failure> {
        if self.over {
            let detail = format!(
                "What is waited for had not happened by {}, after {} looks. Look why, or wait longer: `timeout`.",
                self.give_up_at, self.looks
            );
            return Err(Failure::new(Code::WaitTimeout, detail));
        }
        let under_way = self.statement_id.take();
        let left = Duration::try_from(to.clock.now().duration_until(self.give_up_at)).unwrap_or_default();
        let output = match self.look.see(to, under_way, deadline).await? {
            Saw::Output(output) => output,
            Saw::NotYet(after) => {
                self.over = left.is_zero();
                return Ok(PartTurn::After(after.min(left), Some(to_inputs(&Inputs::Condition(self))?)));
            }
            Saw::Running(running) => {
                let pause = doubled(FIRST_LOOK, self.asked, LONGEST_LOOK);
                self.asked += 1;
                self.statement_id = Some(running);
                return Ok(PartTurn::After(pause, Some(to_inputs(&Inputs::Condition(self))?)));
            }
        };
        let left = Duration::try_from(to.clock.now().duration_until(self.give_up_at)).unwrap_or_default();
        let pause = doubled(Duration::from_millis(self.first_ms), self.looks, Duration::from_millis(self.longest_ms));
        self.looks += 1;
        self.asked = 0;
        self.over = left.is_zero();
        Ok(PartTurn::Seen { output, again: pause.min(left), inputs: to_inputs(&Inputs::Condition(self))? })
    }
}

impl Looked {
    async fn see(&self, to: &Neighbours, under_way: Option<String>, deadline: Deadline) -> Result<Saw, Failure> {
        let sent = match (self, under_way) {
            (Self::Sql(inputs), Some(id)) => {
                return Ok(match Sql.poll(to, inputs, &id, deadline).await? {
                    Polled::Done { output } => Saw::Output(output),
                    Polled::Running => Saw::Running(id),
                });
            }
            (Self::Sql(inputs), None) => Sql.send(to, inputs, InHand::default(), "", deadline).await?,
            (Self::Http(inputs), _) => {
                let Ready::Now(in_hand) = HttpCall.make_ready(to, inputs, "", deadline).await? else {
                    return Err(mismatched());
                };
                HttpCall.send(to, inputs, in_hand, "", deadline).await?
            }
        };
        match sent {
            Sent::Done { output, .. } => Ok(Saw::Output(output)),
            Sent::Submitted { upstream_id } => Ok(Saw::Running(upstream_id)),
            Sent::NotYet { after, .. } => Ok(Saw::NotYet(after)),
            Sent::Part { .. } | Sent::Queues { .. } => Err(mismatched()),
        }
    }
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times.min(16)).unwrap_or(u32::MAX)).min(longest)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
