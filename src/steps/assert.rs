//! `assert`: goes on only when its expression is true. Has no effect and is done when it is prepared.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{InHand, Kind, Neighbours, Polled, Prepared, Recovery, Sent, expression_failed, mismatched};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::{Scope, StepKind};

pub(super) struct Assert;

#[async_trait]
impl Kind for Assert {
    fn prepare(&self, step: &StepKind, scope: &Scope, _neighbours: &Neighbours) -> Result<Prepared, Failure> {
        let StepKind::Assert(step) = step else { return Err(mismatched()) };
        if step.that.is_true(scope).map_err(|error| expression_failed(&error))? {
            return Ok(Prepared { inputs: json!({}), effect: false });
        }
        let message = step.message.render_text(scope).map_err(|error| expression_failed(&error))?;
        Err(Failure::new(Code::AssertionFailed, message))
    }

    async fn send(&self, _: &Neighbours, _: &Value, _: InHand, _: &str, _: Deadline) -> Result<Sent, Failure> {
        Ok(Sent::Done { upstream_id: None, output: json!({}) })
    }

    fn recovery(&self, _: &Value) -> Recovery {
        Recovery::SendAgain
    }

    async fn poll(&self, _: &Neighbours, _: &Value, _: &str, _: Deadline) -> Result<Polled, Failure> {
        Ok(Polled::Done { output: json!({}) })
    }

    async fn cancel(&self, _: &Neighbours, _: &Value, _: &str, _: Deadline) -> Result<(), Failure> {
        Ok(())
    }
}
