//! The shape of `events`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

/// Events of one kind, each of which starts a run.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Event {
    /// Where they come from.
    source: EventSource,
    /// Of Event Grid: its type, such as Microsoft.Storage.BlobCreated.
    #[schemars(rename = "type")]
    kind: Option<String>,
    /// Of Event Grid: what its subject begins or ends with, in any case.
    subject: Option<EventSubject>,
    /// Of Dataverse: the logical name of the table, such as account.
    entity: Option<String>,
    /// Of Dataverse: what was done to the row, such as Create, Update or Delete.
    message: Option<String>,
    /// An expression that sees `event`; the event starts nothing when it is false.
    when: Option<String>,
    /// The parameters of such a run; templates see `event`, `run` and `variables`.
    parameters: Option<BTreeMap<String, Value>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum EventSource {
    EventGrid,
    Dataverse,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct EventSubject {
    begins_with: Option<String>,
    ends_with: Option<String>,
}
