//! The shape of `message`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

/// One message to a queue or topic of Service Bus that `CAUSEWAY_SEND_QUEUES` names.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["queue"]}, {"required": ["topic"]}]))]
pub(super) struct Message {
    queue: Option<String>,
    topic: Option<String>,
    /// What it says, as JSON.
    body: Value,
    /// Application properties: texts, numbers, booleans; names in lower case.
    properties: Option<BTreeMap<String, Value>>,
    session_id: Option<String>,
    subject: Option<String>,
    correlation_id: Option<String>,
    /// Not visible before so long, such as 10m.
    after: Option<String>,
    /// Not visible before this time: RFC 3339, or an expression for it.
    at: Option<String>,
}
