//! `push_rows`: rows that are given, or what a statement gives.

use std::sync::Arc;

use super::super::yaml::{Node, Tree};
use super::super::{PushRowsStep, PushedRows};
use super::Reader;

/// Keys that say something of the statement.
const OF_A_STATEMENT: &[&str] = &["parameters", "warehouse", "catalog", "schema"];

impl Reader<'_> {
    pub(super) fn push_rows(&mut self, step: &Arc<str>, node: &Node) -> Option<PushRowsStep> {
        let workspace = self.optional(step, node, "workspace");
        let dataset = self.optional(step, node, "dataset");
        let table = self.optional(step, node, "table");
        let queried = node.get("statement").is_some() || node.get("file").is_some();
        let rows = match node.get("rows") {
            Some(rows) if queried => {
                self.problem(rows.place, "`rows` stands beside a statement; only one may");
                None
            }
            None if queried => self.sql(step, node).map(Box::new).map(PushedRows::Query),
            Some(rows) => self.given_rows(step, node, rows).map(PushedRows::Given),
            None => {
                if matches!(node.tree, Tree::Mapping(_)) {
                    self.problem(node.place, "push_rows lacks `rows`, `statement` or `file`");
                }
                None
            }
        };
        let clear = node.boolean_of("clear").unwrap_or(false);
        Some(PushRowsStep { workspace: workspace?, dataset: dataset?, table: table?, rows: rows?, clear })
    }

    fn given_rows(&mut self, step: &Arc<str>, node: &Node, rows: &Node) -> Option<super::super::Template> {
        for (key, _) in node.members().iter().filter(|(key, _)| OF_A_STATEMENT.contains(&key.name.as_str())) {
            self.problem(key.place, format!("`{}` belongs to a statement, and here are `rows`", key.name));
        }
        if !matches!(rows.tree, Tree::List(_)) && !rows.text().is_some_and(|text| text.contains("{{")) {
            self.problem(rows.place, "`rows` must be a list of objects, or an expression for one in {{ }}");
        }
        self.optional(step, node, "rows")
    }
}
