//! Events: told apart, decoded, and matched with the operations that want them. Each match is a run, whose id follows from
//! the event, so that a redelivery finds it. What comes over which wire is the triggers' affair.

mod dataverse;
mod dataverse_values;
mod event_grid;
mod secret;
mod start;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::received::Received;
use crate::failure::{Code, Failure};
use crate::operations::EventSource;

/// An event, decoded.
#[derive(Clone, Debug)]
pub struct Event {
    pub(super) kind: Kind,
    /// What makes two deliveries the same event: its id, and whose id that is.
    pub(super) identity: Vec<String>,
    /// What expressions see as `event`.
    pub(super) shown: Map<String, Value>,
    /// What its sender left out, for want of room: told when something needs it.
    pub(super) stripped: Option<&'static str>,
}

/// Where an event is from, and what it is matched by.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    EventGrid { of_type: String, subject: Option<String> },
    Dataverse { entity: String, message: String },
}

impl Event {
    fn fits(&self, source: &EventSource) -> bool {
        match &self.kind {
            Kind::EventGrid { of_type, subject } => source.takes_event_grid(of_type, subject.as_deref()),
            Kind::Dataverse { entity, message } => source.takes_dataverse(entity, message),
        }
    }

    /// Who calls, as a run has it.
    pub(super) fn caller(&self) -> &'static str {
        match self.kind {
            Kind::EventGrid { .. } => "event-grid",
            Kind::Dataverse { .. } => "dataverse",
        }
    }

    /// What it is, in a few words: `Microsoft.Storage.BlobCreated`, `account Update`.
    pub(super) fn name(&self) -> String {
        match &self.kind {
            Kind::EventGrid { of_type, .. } => of_type.clone(),
            Kind::Dataverse { entity, message } => format!("{entity} {message}"),
        }
    }
}

/// The events of a message, when it carries such at all; one event, or a list of them.
pub fn recognise(message: &Received) -> Option<Result<Vec<Event>, Failure>> {
    let Ok(body) = serde_json::from_slice::<Value>(&message.body) else {
        return dataverse::in_another_form(message).map(Err);
    };
    match body {
        Value::Array(items) if !items.is_empty() && items.iter().all(is_event) => {
            Some(items.iter().map(|item| read(item, message)).collect())
        }
        body if is_event(&body) => Some(read(&body, message).map(|event| vec![event])),
        _ => None,
    }
}

/// Both forms of what the Event Grid trigger was given: never anything but events.
pub(super) fn expect(message: &Received) -> Result<Vec<Event>, Failure> {
    recognise(message).unwrap_or_else(|| {
        Err(malformed("it is in neither of Event Grid's schemas (`eventType`, or `specversion` of CloudEvents)"))
    })
}

fn is_event(body: &Value) -> bool {
    let has = |name: &str| body.get(name).is_some();
    event_grid::is_cloud_event(body) || has("eventType") || dataverse::is_context(body)
}

fn read(body: &Value, message: &Received) -> Result<Event, Failure> {
    if dataverse::is_context(body) { dataverse::read(body, message) } else { event_grid::read(body) }
}

fn malformed(why: &str) -> Failure {
    Failure::new(Code::MessageMalformed, format!("The event cannot be read: {why}."))
}

fn text(body: &Value, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}
