//! The declarations of parameters, each checked against itself: a default that it would refuse is a slip.

use regex::Regex;

use super::super::expression::RESERVED;
use super::super::parameters::is_date;
use super::super::yaml::{Node, Tree};
use super::super::{Bounds, Parameter};
use super::{Reader, matches};

/// Members of a body that mean something else.
const TAKEN: &[&str] = &["callbackUrl"];

impl Reader<'_> {
    pub(super) fn parameters(&mut self, node: Option<&Node>) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        for (key, declaration) in node.map(Node::members).unwrap_or_default() {
            let name = key.name.as_str();
            if TAKEN.contains(&name) {
                self.problem(key.place, format!("`{name}` is a reserved name"));
            } else if RESERVED.contains(&name) {
                self.problem(key.place, format!("`{name}` is a word of the expression language; choose another name"));
            } else if !matches(r"^[A-Za-z_][A-Za-z0-9_]{0,62}$", name) {
                self.problem(key.place, format!("parameter `{name}` must match ^[A-Za-z_][A-Za-z0-9_]{{0,62}}$"));
            }
            parameters.extend(self.parameter(name, declaration));
        }
        parameters
    }

    fn parameter(&mut self, name: &str, node: &Node) -> Option<Parameter> {
        let kind = node.text_of("type")?;
        let required = node.boolean_of("required").unwrap_or(false);
        self.keys_fit(kind, node);
        let count = |key: &str| match &node.get(key)?.tree {
            Tree::Number(number) => number.as_u64().and_then(|count| usize::try_from(count).ok()),
            _ => None,
        };
        let bounds = Bounds {
            min: self.limit(kind, node, "min"),
            max: self.limit(kind, node, "max"),
            min_length: count("min_length"),
            max_length: count("max_length"),
            min_items: count("min_items"),
            max_items: count("max_items"),
            pattern: self.pattern(node),
            values: node
                .get("values")
                .map(Node::items)
                .unwrap_or_default()
                .iter()
                .filter_map(|value| value.text().map(ToOwned::to_owned))
                .collect(),
        };
        let parameter = Parameter {
            name: name.to_owned(),
            kind: kind.to_owned(),
            required,
            sensitive: node.boolean_of("sensitive").unwrap_or(false),
            default: node.get("default").map(Node::to_json),
            summary: node.text_of("summary").map(ToOwned::to_owned),
            description: node.text_of("description").map(ToOwned::to_owned),
            bounds,
        };
        if parameter.sensitive
            && let Some(default) = node.get("default")
        {
            self.problem(default.place, "a sensitive parameter has no default: this file is read by many");
        }
        if let (Some(default), Some(value)) = (node.get("default"), &parameter.default) {
            if required {
                self.problem(default.place, "a required parameter has no use for a default");
            } else if let Err(message) = if value.is_null() { Ok(()) } else { parameter.check(value) } {
                self.problem(default.place, format!("the default {message}"));
            }
        }
        Some(parameter)
    }

    /// Keys that this type has no use for would be ignored silently.
    fn keys_fit(&mut self, kind: &str, node: &Node) {
        for (key, _) in node.members() {
            let fits: &[&str] = match key.name.as_str() {
                "min" | "max" => &["integer", "number", "date", "datetime"],
                "min_length" | "max_length" | "pattern" => &["string"],
                "min_items" | "max_items" => &["array"],
                "values" => &["enum"],
                _ => continue,
            };
            if !fits.contains(&kind) {
                self.problem(
                    key.place,
                    format!("`{}` does nothing for the type {kind}; it is for {}", key.name, fits.join(", ")),
                );
            }
        }
        if kind == "enum" && node.get("values").is_none() {
            self.problem(node.place, "an enum lacks `values`");
        }
    }

    fn limit(&mut self, kind: &str, node: &Node, name: &str) -> Option<serde_json::Value> {
        let limit = node.get(name)?;
        let fits = match (&limit.tree, kind) {
            (Tree::Number(_), "integer" | "number") => true,
            (Tree::Text(text), "date") => is_date(text),
            (Tree::Text(text), "datetime") => text.parse::<jiff::Timestamp>().is_ok(),
            // Told by `keys_fit` or by the structure.
            (_, other) => !matches!(other, "integer" | "number" | "date" | "datetime"),
        };
        if !fits {
            self.problem(limit.place, format!("`{name}` must be a value of the type {kind}"));
        }
        Some(limit.to_json())
    }

    fn pattern(&mut self, node: &Node) -> Option<(String, Regex)> {
        let pattern = node.get("pattern")?;
        let text = pattern.text()?;
        match Regex::new(&format!("^(?:{text})$")) {
            Ok(regex) => Some((text.to_owned(), regex)),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                self.problem(pattern.place, format!("`pattern` is not a regular expression: {reason}"));
                None
            }
        }
    }
}
