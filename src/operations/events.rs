//! Which events start an operation. What an event is on the wire is the engine's affair.

use super::yaml::Node;
use super::{Definition, Expression, Template};

/// One item of `events`.
#[derive(Clone, Debug)]
pub struct EventRule {
    pub source: EventSource,
    /// The event starts nothing when it is false.
    pub when: Option<Expression>,
    /// The parameters of such a run.
    pub parameters: Option<Template>,
}

/// Where events come from, and which of them are meant. Names ignore case, as both services do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventSource {
    /// Azure Event Grid, in either of its schemas.
    EventGrid { kind: String, begins_with: Option<String>, ends_with: Option<String> },
    /// A Dataverse service endpoint.
    Dataverse { entity: String, message: String },
}

impl EventSource {
    /// Whether an Event Grid event of this type and subject is meant.
    pub fn takes_event_grid(&self, of_type: &str, subject: Option<&str>) -> bool {
        let Self::EventGrid { kind, begins_with, ends_with } = self else { return false };
        let subject = subject.unwrap_or_default().to_lowercase();
        kind.eq_ignore_ascii_case(of_type)
            && begins_with.as_ref().is_none_or(|begin| subject.starts_with(&begin.to_lowercase()))
            && ends_with.as_ref().is_none_or(|end| subject.ends_with(&end.to_lowercase()))
    }

    /// Whether this message on a row of this table is meant.
    pub fn takes_dataverse(&self, of_entity: &str, done: &str) -> bool {
        let Self::Dataverse { entity, message } = self else { return false };
        entity.eq_ignore_ascii_case(of_entity) && message.eq_ignore_ascii_case(done)
    }
}

/// Whether a file that cannot be read wanted events, as far as it can be told: nothing of theirs may be lost meanwhile.
pub fn may_want_events(definition: &Definition) -> bool {
    match Node::parse(&definition.yaml) {
        Ok(root) => root.get("events").is_some(),
        Err(_) => definition.yaml.lines().any(|line| line.starts_with("events:")),
    }
}

#[cfg(test)]
mod tests {
    use super::EventSource;

    #[test]
    fn subjects_and_names_ignore_case() {
        let rule = EventSource::EventGrid {
            kind: "Microsoft.Storage.BlobCreated".into(),
            begins_with: Some("/blobServices/default/containers/In/".into()),
            ends_with: Some(".csv".into()),
        };
        let subject = Some("/blobServices/default/containers/in/blobs/a.CSV");
        assert!(rule.takes_event_grid("microsoft.storage.blobcreated", subject));
        assert!(!rule.takes_event_grid("Microsoft.Storage.BlobDeleted", subject));
        assert!(!rule.takes_event_grid("Microsoft.Storage.BlobCreated", None));
        assert!(!rule.takes_dataverse("account", "Update"));
        let rule = EventSource::Dataverse { entity: "account".into(), message: "Update".into() };
        assert!(rule.takes_dataverse("Account", "update") && !rule.takes_dataverse("contact", "Update"));
    }
}
