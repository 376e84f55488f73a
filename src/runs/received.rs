//! A message as the host delivered it, decoded by the trigger.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Exact bytes and what the broker said of them. Every part but the body may be missing.
#[derive(Clone, Debug, Default)]
pub struct Received {
    pub body: Bytes,
    pub message_id: Option<String>,
    pub sequence_number: Option<i64>,
    pub enqueued_time: Option<Timestamp>,
    pub delivery_count: Option<u32>,
    pub correlation_id: Option<String>,
    pub session_id: Option<String>,
    pub reply_to: Option<String>,
    pub reply_to_session_id: Option<String>,
    pub content_type: Option<String>,
    pub subject: Option<String>,
    /// Application properties, native JSON.
    pub properties: Map<String, Value>,
}

impl Received {
    /// Whether the message, or the one that it is a copy of, has a property whose name is so.
    pub(super) fn has_property(&self, is: impl Fn(&str) -> bool) -> bool {
        let own = self.properties.keys().any(|name| is(name));
        own || {
            let original = self.properties.get(super::park::ORIGINAL).and_then(Value::as_str);
            let original: Option<Value> = original.and_then(|text| serde_json::from_str(text).ok());
            let original = original.as_ref().and_then(|original| original["properties"].as_object());
            original.is_some_and(|properties| properties.keys().any(|name| is(name)))
        }
    }
}
