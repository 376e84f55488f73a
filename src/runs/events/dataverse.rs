//! Dataverse: the `RemoteExecutionContext` that a service endpoint puts on Service Bus, in JSON
//! (learn.microsoft.com/power-apps/developer/data-platform/azure-integration; a body in full under use-webhooks).

use serde_json::{Map, Value, json};

use super::dataverse_values::{attributes, decoded, pairs};
use super::{Event, Kind, malformed, text};
use crate::failure::{Code, Failure};
use crate::runs::received::Received;

/// What every message of a service endpoint has among its properties, before `Organization`, `User` and others.
const CLAIMS: &str = "http://schemas.microsoft.com/xrm/2011/Claims/";
/// Set when the payload was above 192 KB; as a name of its own, or behind a namespace.
const TOO_LARGE: &str = "MessageMaxSizeExceeded";
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

const STRIPPED: &str = "The message was above 192 KB, so Dataverse left out its InputParameters, images and \
                        ParentContext (`event.target`, `event.preImage`, `event.postImage`). Read the row by `event.id` \
                        in a step instead, or have the step at Dataverse send fewer attributes and images";

pub(super) fn is_context(body: &Value) -> bool {
    body.get("MessageName").is_some() && body.get("PrimaryEntityName").is_some()
}

/// A context that is not in JSON, and what to do about it: a service endpoint sends .NET binary unless told otherwise.
pub(super) fn in_another_form(message: &Received) -> Option<Failure> {
    let head = message.body.get(..256.min(message.body.len())).unwrap_or_default();
    let named = head.windows(22).any(|part| part == b"RemoteExecutionContext");
    if !named && !message.has_property(|name| name.starts_with(CLAIMS)) {
        return None;
    }
    let form = if head.trim_ascii_start().starts_with(b"<") { "XML" } else { ".NET binary form" };
    Some(Failure::new(
        Code::MessageMalformed,
        format!("Dataverse sent this in {form}. Set the message format of the service endpoint to JSON."),
    ))
}

pub(super) fn read(body: &Value, message: &Received) -> Result<Event, Failure> {
    let wanted = |name: &str| text(body, name).ok_or_else(|| malformed(&format!("its `{name}` is missing")));
    let (entity, done) = (wanted("PrimaryEntityName")?, wanted("MessageName")?);
    let stripped = message.has_property(|name| name.ends_with(TOO_LARGE));
    let input = pairs(body.get("InputParameters"));
    let mut shown = Map::new();
    shown.insert("entity".into(), json!(entity));
    shown.insert("message".into(), json!(done));
    for (name, theirs) in [
        ("id", "PrimaryEntityId"),
        ("requestId", "RequestId"),
        ("operationId", "OperationId"),
        ("correlationId", "CorrelationId"),
        ("userId", "UserId"),
        ("initiatingUserId", "InitiatingUserId"),
        ("businessUnitId", "BusinessUnitId"),
        ("organizationId", "OrganizationId"),
        ("organizationName", "OrganizationName"),
        ("time", "OperationCreatedOn"),
        ("depth", "Depth"),
        ("stage", "Stage"),
    ] {
        shown.insert(name.into(), body.get(theirs).map_or(Value::Null, decoded));
    }
    let mode = if body.get("Mode").and_then(Value::as_i64) == Some(0) { "sync" } else { "async" };
    shown.insert("mode".into(), json!(mode));
    shown.insert("stripped".into(), json!(stripped));
    if let Some(target) = input.iter().find(|(name, _)| *name == "Target").map(|(_, value)| *value) {
        let changed: Vec<_> = pairs(target.get("Attributes")).into_iter().map(|(name, _)| name).collect();
        shown.insert("changed".into(), json!(changed));
        shown.insert("labels".into(), Value::Object(object(target.get("FormattedValues"))));
        shown.insert("target".into(), decoded(target));
    }
    for (one, all, theirs) in
        [("preImage", "preImages", "PreEntityImages"), ("postImage", "postImages", "PostEntityImages")]
    {
        let images = pairs(body.get(theirs));
        // Most steps have one, and its alias says nothing then.
        if let [(_, image)] = images.as_slice() {
            shown.insert(one.into(), attributes(image));
        }
        let images = images.into_iter().map(|(name, image)| (name.to_owned(), attributes(image)));
        shown.insert(all.into(), Value::Object(images.collect()));
    }
    let others = input.into_iter().filter(|(name, _)| *name != "Target");
    let others: Map<String, Value> = others.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
    shown.insert("inputParameters".into(), Value::Object(others));
    shown.insert("outputParameters".into(), Value::Object(object(body.get("OutputParameters"))));
    shown.insert("sharedVariables".into(), Value::Object(object(body.get("SharedVariables"))));
    let identity = identity(body, &entity, &done, message);
    let kind = Kind::Dataverse { entity, message: done };
    Ok(Event { kind, identity, shown, stripped: stripped.then_some(STRIPPED) })
}

fn object(list: Option<&Value>) -> Map<String, Value> {
    pairs(list).into_iter().map(|(name, value)| (name.to_owned(), decoded(value))).collect()
}

/// A service endpoint posts until Service Bus has taken the message: the same context again is the same event. `RequestId`
/// is the request's and `OperationId` the system job's; one request may touch several rows and stages.
fn identity(body: &Value, entity: &str, done: &str, message: &Received) -> Vec<String> {
    let of = |name: &str| match body.get(name) {
        Some(Value::String(text)) if text != NOBODY => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let (request, operation) = (of("RequestId"), of("OperationId"));
    let mut identity = vec![
        of("OrganizationId"),
        request.clone(),
        operation.clone(),
        entity.to_owned(),
        of("PrimaryEntityId"),
        done.to_owned(),
        of("Stage"),
    ];
    if request.is_empty() && operation.is_empty() {
        // Nothing in it tells it from the next one, so the message has to.
        identity.push(crate::runs::accept::request_id(message));
    }
    identity
}
