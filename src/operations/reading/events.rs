//! `events`: which events start the operation, and with which parameters.

use super::super::yaml::{Node, Tree};
use super::super::{EventRule, EventSource, Parameter};
use super::Reader;

/// Words that belong to one source only.
const OF_EVENT_GRID: &[&str] = &["type", "subject"];
const OF_DATAVERSE: &[&str] = &["entity", "message"];

impl Reader<'_> {
    /// `None` when something in it is wrong, which is told.
    pub(super) fn event(&mut self, node: &Node, parameters: &[Parameter]) -> Option<EventRule> {
        if !matches!(node.tree, Tree::Mapping(_)) {
            return None;
        }
        let before = self.names.clone();
        (self.names.schedule, self.names.event) = (true, true);
        let when = node.get("when").map(|when| self.templates(None, |templates| templates.expression(when)));
        let parameters = self.given(node, "the event", parameters);
        self.names = before;
        let source = match node.text_of("source")? {
            "event_grid" => {
                self.strangers(node, "dataverse", OF_DATAVERSE);
                let subject = |name| node.get("subject").and_then(|subject| subject.text_of(name)).map(str::to_owned);
                let (begins_with, ends_with) = (subject("begins_with"), subject("ends_with"));
                EventSource::EventGrid { kind: self.wanted(node, "event_grid", "type")?, begins_with, ends_with }
            }
            "dataverse" => {
                self.strangers(node, "event_grid", OF_EVENT_GRID);
                let (entity, message) =
                    (self.wanted(node, "dataverse", "entity"), self.wanted(node, "dataverse", "message"));
                EventSource::Dataverse { entity: entity?, message: message? }
            }
            _ => return None,
        };
        if matches!(when, Some(None)) {
            return None;
        }
        Some(EventRule { source, when: when.flatten(), parameters })
    }

    fn wanted(&mut self, node: &Node, source: &str, name: &str) -> Option<String> {
        if node.get(name).is_none() {
            self.problem(node.place, format!("an event of `{source}` wants `{name}`"));
        }
        node.text_of(name).map(str::to_owned)
    }

    fn strangers(&mut self, node: &Node, source: &str, words: &[&str]) {
        for (key, _) in node.members() {
            if words.contains(&key.name.as_str()) {
                self.problem(key.place, format!("`{}` belongs to events of `{source}`", key.name));
            }
        }
    }
}
