//! Event Grid: its own schema and CloudEvents 1.0, brought to one shape, so that an operation's file need not know which
//! one a subscription delivers (learn.microsoft.com/azure/event-grid/event-schema and .../cloud-event-schema).

use serde_json::{Map, Value, json};

use super::{Event, Kind, malformed, text};
use crate::failure::Failure;

/// What CloudEvents 1.0 names itself; whatever else stands in an event is an extension.
const CLOUD: &[&str] =
    &["specversion", "id", "source", "type", "subject", "time", "data", "data_base64", "datacontenttype", "dataschema"];

pub(super) fn is_cloud_event(body: &Value) -> bool {
    body.get("specversion").is_some()
}

pub(super) fn read(body: &Value) -> Result<Event, Failure> {
    let cloud = is_cloud_event(body);
    if cloud && text(body, "specversion").as_deref() != Some("1.0") {
        return Err(malformed("its `specversion` is not 1.0"));
    }
    let names = if cloud { ["id", "source", "type", "time"] } else { ["id", "topic", "eventType", "eventTime"] };
    let wanted = |name: &str| text(body, name).ok_or_else(|| malformed(&format!("it has no `{name}`")));
    let (id, source, of_type) = (wanted(names[0])?, wanted(names[1])?, wanted(names[2])?);
    let subject = text(body, "subject");
    let mut shown = Map::new();
    shown.insert("id".into(), json!(id));
    shown.insert("source".into(), json!(source));
    shown.insert("type".into(), json!(of_type));
    shown.insert("subject".into(), json!(subject));
    shown.insert("time".into(), json!(text(body, names[3])));
    shown.insert("data".into(), body.get("data").cloned().unwrap_or(Value::Null));
    if cloud {
        if let Some(bytes) = body.get("data_base64") {
            shown.insert("dataBase64".into(), bytes.clone());
        }
        let others = body.as_object().into_iter().flatten().filter(|(name, _)| !CLOUD.contains(&name.as_str()));
        let others: Map<String, Value> = others.map(|(name, value)| (name.clone(), value.clone())).collect();
        shown.insert("extensions".into(), Value::Object(others));
    } else if let Some(version) = body.get("dataVersion") {
        shown.insert("dataVersion".into(), version.clone());
    }
    // An id is its source's own: another source may use the same (CloudEvents 1.0, `id`).
    Ok(Event { kind: Kind::EventGrid { of_type, subject }, identity: vec![id, source], shown, stripped: None })
}
