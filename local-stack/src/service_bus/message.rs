//! Messages as the broker keeps and hands them out. No queue behaviour here.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

/// The properties that a sender may set, named as in the REST header `BrokerProperties`
/// (learn.microsoft.com/rest/api/servicebus/message-headers-and-properties).
#[derive(Clone, Debug, Default)]
pub struct BrokerProperties {
    pub message_id: Option<String>,
    pub correlation_id: Option<String>,
    pub session_id: Option<String>,
    pub reply_to: Option<String>,
    pub reply_to_session_id: Option<String>,
    pub to: Option<String>,
    /// `Label` on REST, `Subject` in the newer client libraries.
    pub label: Option<String>,
    pub partition_key: Option<String>,
    pub content_type: Option<String>,
    pub time_to_live: Option<std::time::Duration>,
    pub scheduled_enqueue_time: Option<Timestamp>,
}

/// A message to be sent.
#[derive(Clone, Debug, Default)]
pub struct NewMessage {
    pub body: Bytes,
    pub properties: BrokerProperties,
    /// Custom (application) properties: strings, numbers, booleans.
    pub application_properties: BTreeMap<String, Value>,
}

impl NewMessage {
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    #[must_use]
    pub fn message_id(mut self, id: &str) -> Self {
        self.properties.message_id = Some(id.to_owned());
        self
    }

    #[must_use]
    pub fn scheduled(mut self, at: Timestamp) -> Self {
        self.properties.scheduled_enqueue_time = Some(at);
        self
    }

    #[must_use]
    pub fn property(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.application_properties.insert(name.to_owned(), value.into());
        self
    }
}

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Message {
    pub sequence_number: i64,
    pub body: Bytes,
    pub properties: BrokerProperties,
    pub application_properties: BTreeMap<String, Value>,
    /// When it became available: for a scheduled message its scheduled time.
    pub enqueued_time: Timestamp,
    /// `enqueued_time` and time to live; the end of time when it has none.
    pub expires_at: Timestamp,
    /// Deliveries so far; 1 while it is delivered for the first time.
    pub delivery_count: u32,
}

/// A message under a peek lock.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub message: Message,
    pub lock_token: Uuid,
    pub locked_until: Timestamp,
}
