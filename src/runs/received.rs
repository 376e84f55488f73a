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
