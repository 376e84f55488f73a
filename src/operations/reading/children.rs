//! `operation` and `for_each`: what becomes runs of its own. Whether the other operation is there is looked at once all
//! files are read.

use std::sync::Arc;

use super::super::steps::{CallPlaces, Given};
use super::super::yaml::{Node, Tree};
use super::super::{ForEach, MOST_ITEMS, OperationStep};
use super::Reader;

impl Reader<'_> {
    pub(super) fn operation_step(&mut self, step: &Arc<str>, node: &Node) -> Option<OperationStep> {
        let name = node.get("name");
        let parameters = node.get("parameters");
        let given = parameters.map(Node::members).unwrap_or_default().iter();
        let given = given.map(|(key, value)| {
            let open = holds_an_expression(value);
            Given {
                name: key.name.clone(),
                place: if open { key.place } else { value.place },
                value: (!open).then(|| value.to_json()),
                sensitive: self.may_name_a_sensitive_one(value),
            }
        });
        let given = given.collect();
        let template = self.optional(step, node, "parameters");
        if parameters.is_some() && template.is_none() {
            return None;
        }
        let name = name?;
        let places = CallPlaces { name: name.place, parameters: parameters.unwrap_or(node).place, given };
        Some(OperationStep { name: name.text()?.to_owned(), parameters: template, places })
    }

    pub(super) fn for_each(&mut self, step: &Arc<str>, node: &Node) -> Option<ForEach> {
        let items = node.get("in")?;
        match &items.tree {
            Tree::List(list) if list.len() > MOST_ITEMS => {
                self.problem(items.place, format!("`in` has {} items; at most {MOST_ITEMS}", list.len()));
            }
            Tree::Text(text) if !text.contains("{{") => {
                self.problem(items.place, "`in` must be a list, or an expression for one in {{ }}");
            }
            _ => {}
        }
        // The list is kept, for its items' runs.
        self.names.told = true;
        let items = self.optional(step, node, "in");
        self.names.told = false;
        let items = items?;
        let parallel = node.get("parallel").and_then(|parallel| parallel.to_json().as_u64()).unwrap_or(1);
        Some(ForEach {
            items,
            parallel: usize::try_from(parallel).ok()?,
            keep_going: node.text_of("on_item_failure") == Some("continue"),
        })
    }

    /// Rather once too often: a name in a text counts, too.
    fn may_name_a_sensitive_one(&self, node: &Node) -> bool {
        let in_text = |text: &str| text.contains("{{") && self.names.sensitive.iter().any(|name| text.contains(name));
        match &node.tree {
            Tree::Text(text) => in_text(text),
            Tree::List(items) => items.iter().any(|item| self.may_name_a_sensitive_one(item)),
            Tree::Mapping(members) => members.iter().any(|(_, member)| self.may_name_a_sensitive_one(member)),
            _ => false,
        }
    }
}

fn holds_an_expression(node: &Node) -> bool {
    match &node.tree {
        Tree::Text(text) => text.contains("{{"),
        Tree::List(items) => items.iter().any(holds_an_expression),
        Tree::Mapping(members) => members.iter().any(|(_, member)| holds_an_expression(member)),
        _ => false,
    }
}
