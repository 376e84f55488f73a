//! `message`: where it goes, what it says, and when.

use std::sync::Arc;

use super::super::MessageStep;
use super::super::yaml::{Node, Tree};
use super::{Reader, matches};

/// Properties travel as headers of HTTP; these are its own, and the service's
/// (learn.microsoft.com/rest/api/servicebus/send-message-to-queue).
const TAKEN: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "brokerproperties",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "diagnostic-id",
    "expect",
    "host",
    "te",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "user-agent",
];

impl Reader<'_> {
    pub(super) fn message(&mut self, step: &Arc<str>, node: &Node) -> Option<MessageStep> {
        let entity = match (node.get("queue"), node.get("topic")) {
            (Some(_), Some(topic)) => {
                self.problem(topic.place, "`topic` stands beside `queue`; only one may");
                None
            }
            (None, None) => {
                if matches!(node.tree, Tree::Mapping(_)) {
                    self.problem(node.place, "message lacks `queue` or `topic`");
                }
                None
            }
            (Some(_), None) => self.optional(step, node, "queue"),
            (None, Some(_)) => self.optional(step, node, "topic"),
        };
        let body = self.optional(step, node, "body");
        self.properties(node.get("properties"));
        let after = node.get("after").map(|after| self.duration(after));
        if let (Some(_), Some(at)) = (node.get("after"), node.get("at")) {
            self.problem(at.place, "`at` stands beside `after`; only one may");
        }
        self.time(node.get("at"));
        Some(MessageStep {
            entity: entity?,
            body: body?,
            properties: self.optional(step, node, "properties"),
            session_id: self.optional(step, node, "session_id"),
            subject: self.optional(step, node, "subject"),
            correlation_id: self.optional(step, node, "correlation_id"),
            after: after.flatten(),
            at: self.optional(step, node, "at"),
        })
    }

    fn properties(&mut self, node: Option<&Node>) {
        for (key, value) in node.map(Node::members).unwrap_or_default() {
            let name = key.name.as_str();
            if !matches(r"^[a-z][a-z0-9_.-]{0,63}$", name) {
                let message =
                    "a property's name must match ^[a-z][a-z0-9_.-]{0,63}$: it travels as a header, which has no case";
                self.problem(key.place, message);
            } else if TAKEN.contains(&name) || name.starts_with("x-ms-") || name.starts_with("causeway-") {
                self.problem(key.place, format!("the property `{name}` is a reserved name"));
            }
            if matches!(value.tree, Tree::List(_) | Tree::Mapping(_) | Tree::Null) {
                self.problem(value.place, "a property is a text, a number or a boolean");
            }
        }
    }

    /// A time that is written out is read now.
    pub(super) fn time(&mut self, node: Option<&Node>) {
        if let Some(node) = node
            && let Some(text) = node.text()
            && !text.contains("{{")
            && text.parse::<jiff::Timestamp>().is_err()
        {
            self.problem(node.place, "a time is wanted as RFC 3339 with an offset, such as 2026-01-31T06:00:00Z");
        }
    }
}
