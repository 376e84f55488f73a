//! `message`: one message to a queue or topic of Service Bus that the operator allows. Sent again after a lost answer, with
//! the same `causeway-key`, by which a receiver tells the copies; never with the same MessageId, which the broker's
//! duplicate detection would swallow.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    InHand, Kind, Neighbours, Prepared, Ready, Recovery, Sent, expression_failed, from_inputs, mismatched, to_inputs,
};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::{MessageStep, Scope, StepKind, Template};
use crate::service_bus::{MAX_MESSAGE_BYTES, Message as Outgoing};

/// The property that holds the step's key.
const KEY: &str = "causeway-key";
/// Left of a message's size for the broker's own properties.
const ROOM: usize = 4 * 1024;
/// What all properties together may take ("Service Bus quotas": 64 KB for the header).
const MOST_PROPERTIES: usize = 32 * 1024;
/// The longest session id ("Service Bus quotas").
const LONGEST_SESSION_ID: usize = 128;

pub(super) struct Message;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inputs {
    entity: String,
    /// As text, so that what is sent again is the same to the byte.
    body: String,
    properties: Vec<(String, Value)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scheduled: Option<Timestamp>,
}

#[async_trait]
impl Kind for Message {
    fn prepare(&self, step: &StepKind, scope: &Scope, neighbours: &Neighbours) -> Result<Prepared, Failure> {
        let StepKind::Message(step) = step else { return Err(mismatched()) };
        let inputs = Inputs {
            entity: allowed(step.entity.render_text(scope).map_err(|error| expression_failed(&error))?, neighbours)?,
            body: step.body.render(scope).map_err(|error| expression_failed(&error))?.to_string(),
            properties: properties(step, scope)?,
            session_id: text(step.session_id.as_ref(), scope)?,
            subject: text(step.subject.as_ref(), scope)?,
            correlation_id: text(step.correlation_id.as_ref(), scope)?,
            scheduled: scheduled(step, scope, neighbours)?,
        };
        inputs.check()?;
        Ok(Prepared { inputs: to_inputs(&inputs)?, effect: true })
    }

    async fn make_ready(&self, to: &Neighbours, _: &Value, _: &str, deadline: Deadline) -> Result<Ready, Failure> {
        to.messages.ready(deadline).await?;
        Ok(Ready::plain())
    }

    async fn send(
        &self,
        to: &Neighbours,
        inputs: &Value,
        _: InHand,
        key: &str,
        deadline: Deadline,
    ) -> Result<Sent, Failure> {
        let inputs: Inputs = from_inputs(inputs)?;
        let bytes = inputs.body.len();
        let message = Outgoing {
            body: Bytes::from(inputs.body),
            session_id: inputs.session_id,
            subject: inputs.subject,
            correlation_id: inputs.correlation_id,
            scheduled: inputs.scheduled,
            properties: vec![(KEY.to_owned(), key.to_owned())],
            values: inputs.properties,
            ..Outgoing::default()
        };
        to.messages.send(&inputs.entity, message, deadline).await?;
        let output = json!({"entity": inputs.entity, "key": key, "bytes": bytes, "scheduledTime": inputs.scheduled});
        Ok(Sent::Done { upstream_id: None, output })
    }

    fn recovery(&self, _inputs: &Value) -> Recovery {
        Recovery::SendAgain
    }
}

impl Inputs {
    /// Refuses what Service Bus would, before anything is on record as sent.
    fn check(&self) -> Result<(), Failure> {
        let properties: usize = self.properties.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
        if properties > MOST_PROPERTIES {
            let detail = format!(
                "The properties of the message have {properties} bytes; at most {MOST_PROPERTIES} are sent. Put more into its \
                 body."
            );
            return Err(Failure::new(Code::OutputTooLarge, detail).at("properties"));
        }
        let (size, most) = (self.body.len() + properties, MAX_MESSAGE_BYTES - ROOM);
        if size > most {
            let detail = format!(
                "The message has {size} bytes, properties included; at most {most} are sent. Send where the data is, not the \
                 data."
            );
            return Err(Failure::new(Code::OutputTooLarge, detail).at("body"));
        }
        if self.session_id.as_ref().is_some_and(|id| id.encode_utf16().count() > LONGEST_SESSION_ID) {
            let detail = format!("A session id has at most {LONGEST_SESSION_ID} characters.");
            return Err(Failure::new(Code::ParametersInvalid, detail).at("session_id"));
        }
        Ok(())
    }
}

fn allowed(entity: String, neighbours: &Neighbours) -> Result<String, Failure> {
    if neighbours.send_queues.iter().any(|allowed| allowed.eq_ignore_ascii_case(&entity)) {
        return Ok(entity);
    }
    let entity: String = entity.chars().take(260).collect();
    let detail =
        format!("No message may go to \"{entity}\". Add it to CAUSEWAY_SEND_QUEUES, or send to what is named there.");
    Err(Failure::new(Code::QueueNotAllowed, detail).at("queue"))
}

/// Null is left out; a text that looks like a number stays a text.
fn properties(step: &MessageStep, scope: &Scope) -> Result<Vec<(String, Value)>, Failure> {
    let Some(template) = &step.properties else { return Ok(Vec::new()) };
    let rendered = template.render(scope).map_err(|error| expression_failed(&error))?;
    let Value::Object(members) = rendered else { return Err(mismatched()) };
    let mut properties = Vec::new();
    for (name, value) in members {
        match value {
            Value::Null => {}
            Value::String(_) | Value::Number(_) | Value::Bool(_) => properties.push((name, value)),
            Value::Array(_) | Value::Object(_) => {
                let detail = format!("The property \"{name}\" is neither a text nor a number nor a boolean.");
                return Err(Failure::new(Code::ExpressionFailed, detail).at(format!("properties.{name}")));
            }
        }
    }
    Ok(properties)
}

/// Null and an empty text say nothing.
fn text(template: Option<&Template>, scope: &Scope) -> Result<Option<String>, Failure> {
    let Some(template) = template else { return Ok(None) };
    match template.render(scope).map_err(|error| expression_failed(&error))? {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        _ => template.render_text(scope).map(Some).map_err(|error| expression_failed(&error)),
    }
}

fn scheduled(step: &MessageStep, scope: &Scope, neighbours: &Neighbours) -> Result<Option<Timestamp>, Failure> {
    if let Some(after) = step.after {
        return Ok(Some(neighbours.clock.now() + after));
    }
    text(step.at.as_ref(), scope)?.map(|at| super::time(&at, "at")).transpose()
}

#[cfg(test)]
mod tests;
