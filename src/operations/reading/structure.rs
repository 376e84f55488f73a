//! Keys and types of a file against the JSON Schema of the format: every problem at once, each at its place.
//! Knows the few keywords that `format` produces.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::super::format::format_schema;
use super::super::yaml::{Node, Place, Tree};

pub(super) type Problems = Vec<(Place, String)>;

pub(super) fn check(root: &Node) -> Problems {
    let mut problems = Vec::new();
    node(root, format_schema(), "the file", &mut problems);
    problems
}

fn resolve(schema: &Value) -> &Value {
    let Some(pointer) = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#')) else {
        return schema;
    };
    format_schema().pointer(pointer).unwrap_or(schema)
}

fn node(value: &Node, schema: &Value, name: &str, problems: &mut Problems) {
    let schema = resolve(schema);
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let fits = choices.iter().find(|choice| fits_type(value, resolve(choice)));
        if let Some(choice) = fits {
            node(value, choice, name, problems);
        } else {
            let wanted: Vec<_> = choices.iter().map(|choice| wanted(resolve(choice))).collect();
            problems.push((value.place, format!("`{name}` must be {}, not {}", wanted.join(" or "), value.kind())));
        }
        return;
    }
    if !fits_type(value, schema) {
        let hint = match (&value.tree, schema.get("type").and_then(Value::as_str)) {
            (Tree::Number(_) | Tree::Boolean(_), Some("string")) => "; put quotes around it",
            _ => "",
        };
        problems.push((value.place, format!("`{name}` must be {}, not {}{hint}", wanted(schema), value.kind())));
        return;
    }
    match &value.tree {
        Tree::Mapping(_) => mapping(value, schema, name, problems),
        Tree::List(items) => list(value, items, schema, name, problems),
        Tree::Text(text) => self::text(value, text, schema, name, problems),
        Tree::Number(number) => {
            let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
            let number = number.as_f64().unwrap_or_default();
            if bound("minimum").is_some_and(|least| number < least)
                || bound("maximum").is_some_and(|most| number > most)
            {
                let least = bound("minimum").unwrap_or_default();
                let most = bound("maximum").map_or_else(String::new, |most| format!(" and at most {most}"));
                problems.push((value.place, format!("`{name}` must be at least {least}{most}")));
            }
        }
        Tree::Null | Tree::Boolean(_) => {}
    }
}

fn mapping(value: &Node, schema: &Value, name: &str, problems: &mut Problems) {
    let empty = serde_json::Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    for (key, member) in value.members() {
        if let Some(property) = properties.get(&key.name) {
            node(member, property, &key.name, problems);
            continue;
        }
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) => {
                let known: Vec<_> = properties.keys().map(String::as_str).collect();
                problems.push((key.place, format!("unknown key `{}`; known here: {}", key.name, known.join(", "))));
            }
            Some(other) => node(member, other, &key.name, problems),
            None => {}
        }
    }
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if value.get(required).is_none() {
            problems.push((value.place, format!("{name} lacks `{required}`")));
        }
    }
}

fn list(value: &Node, items: &[Node], schema: &Value, name: &str, problems: &mut Problems) {
    let limit = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    if limit("minItems").is_some_and(|least| items.len() < least) {
        problems.push((value.place, format!("`{name}` must not be empty")));
    }
    if let Some(most) = limit("maxItems").filter(|most| items.len() > *most) {
        problems.push((value.place, format!("`{name}` has {} items; at most {most}", items.len())));
    }
    if let Some(item) = schema.get("items") {
        let name = match name {
            "steps" | "on_failure" => "step",
            "events" => "event",
            other => other,
        };
        for each in items {
            node(each, item, name, problems);
        }
    }
}

fn text(value: &Node, text: &str, schema: &Value, name: &str, problems: &mut Problems) {
    let allowed = allowed(schema);
    if !allowed.is_empty() && !allowed.contains(&text) {
        problems.push((value.place, format!("`{name}` must be one of: {}", allowed.join(", "))));
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text))
    {
        problems.push((value.place, format!("`{name}` must match {pattern}")));
    }
    if text.is_empty() && schema.get("type").is_some() {
        problems.push((value.place, format!("`{name}` must not be empty")));
    }
}

/// The values of an enum, which the generator writes as `enum`, or as `oneOf` where they are documented.
fn allowed(schema: &Value) -> Vec<&str> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().filter_map(Value::as_str).collect();
    }
    let choices = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    choices.filter_map(|choice| choice.get("const").and_then(Value::as_str)).collect()
}

fn fits_type(value: &Node, schema: &Value) -> bool {
    let kind = schema.get("type").and_then(Value::as_str);
    match kind {
        Some("string") => matches!(value.tree, Tree::Text(_)),
        Some("boolean") => matches!(value.tree, Tree::Boolean(_)),
        Some("number") => matches!(value.tree, Tree::Number(_)),
        Some("integer") => matches!(&value.tree, Tree::Number(number) if number.is_i64() || number.is_u64()),
        Some("array") => matches!(value.tree, Tree::List(_)),
        Some("object") => matches!(value.tree, Tree::Mapping(_)),
        _ => true,
    }
}

fn wanted(schema: &Value) -> &'static str {
    let words: BTreeMap<&str, &str> = BTreeMap::from([
        ("string", "a text"),
        ("boolean", "true or false"),
        ("number", "a number"),
        ("integer", "a whole number"),
        ("array", "a list"),
        ("object", "a mapping"),
    ]);
    schema.get("type").and_then(Value::as_str).and_then(|kind| words.get(kind).copied()).unwrap_or("something else")
}
