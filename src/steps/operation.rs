//! `operation`: another operation, to its end. What is here only fills in its parameters: the run that it becomes is the
//! engine's, whose children are found again by their ids.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{InHand, Kind, Neighbours, Polled, Prepared, Recovery, Sent, expression_failed, mismatched};
use crate::failure::Failure;
use crate::http::Deadline;
use crate::operations::{Scope, StepKind};

pub(super) struct Operation;

#[async_trait]
impl Kind for Operation {
    /// The inputs are the other operation's parameters, not yet checked.
    fn prepare(&self, step: &StepKind, scope: &Scope, _neighbours: &Neighbours) -> Result<Prepared, Failure> {
        let StepKind::Operation(step) = step else { return Err(mismatched()) };
        let inputs = match &step.parameters {
            Some(parameters) => parameters.render(scope).map_err(|error| expression_failed(&error))?,
            None => json!({}),
        };
        Ok(Prepared { inputs, effect: true })
    }

    async fn send(&self, _: &Neighbours, _: &Value, _: InHand, _: &str, _: Deadline) -> Result<Sent, Failure> {
        Err(mismatched())
    }

    fn recovery(&self, _: &Value) -> Recovery {
        Recovery::SendAgain
    }

    async fn poll(&self, _: &Neighbours, _: &Value, _: &str, _: Deadline) -> Result<Polled, Failure> {
        Err(mismatched())
    }

    async fn cancel(&self, _: &Neighbours, _: &Value, _: &str, _: Deadline) -> Result<(), Failure> {
        Ok(())
    }
}
