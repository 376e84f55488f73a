//! YAML as a tree in which every node knows its place. What the nodes mean is none of its business.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Budget, DuplicateKeyPolicy, Location, MergeKeyPolicy, Options, Spanned};

/// Larger files are refused before they are parsed, in bytes.
pub(super) const MAX_FILE: usize = 256 * 1024;

/// Deeper documents are refused: reading descends on the stack.
const MAX_DEPTH: usize = 32;

/// Documents of more texts, lists and mappings are refused, aliases counted as often as they are used.
const MAX_NODES: usize = 20_000;

/// Line and column, both from 1, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// The place of a byte in a text.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }

    /// The same line, some characters on.
    pub(super) fn right(self, characters: usize) -> Self {
        Self { line: self.line, column: self.column + characters }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    /// Its bytes in the file, where the parser knows them.
    pub(super) bytes: Option<Range<usize>>,
    pub(super) tree: Tree,
}

#[derive(Clone, Debug)]
pub(super) enum Tree {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) place: Place,
}

impl Node {
    /// Reads one document. Duplicate keys, merge keys, unknown tags and documents that explode are errors.
    pub(super) fn parse(yaml: &str) -> Result<Self, (Place, String)> {
        if yaml.len() > MAX_FILE {
            return Err((Place::START, format!("the file has {} bytes; at most {MAX_FILE} are read", yaml.len())));
        }
        let mut budget = Budget::default();
        budget.max_depth = MAX_DEPTH;
        budget.max_nodes = MAX_NODES;
        let mut options = Options::default();
        options.budget = Some(budget);
        options.alias_limits.max_total_replayed_events = MAX_NODES;
        options.duplicate_keys = DuplicateKeyPolicy::Error;
        options.merge_keys = MergeKeyPolicy::Error;
        options.strict_booleans = true;
        options.with_snippet = false;
        match serde_saphyr::from_str_with_options::<Spanned<Raw>>(yaml, options) {
            Ok(raw) => Ok(Self::from_raw(raw)),
            Err(error) => {
                let error = error.without_snippet();
                let place = error.location().map_or(Place::START, place_of);
                Err(explain(yaml, place, &error.to_string()))
            }
        }
    }

    fn from_raw(raw: Spanned<Raw>) -> Self {
        let span = raw.referenced.span();
        let bytes = span.byte_offset().zip(span.byte_len()).and_then(|(start, length)| {
            let start = usize::try_from(start).ok()?;
            Some(start..start.checked_add(usize::try_from(length).ok()?)?)
        });
        let tree = match raw.value {
            Raw::Null => Tree::Null,
            Raw::Boolean(value) => Tree::Boolean(value),
            Raw::Number(value) => Tree::Number(value),
            Raw::Text(value) => Tree::Text(value),
            Raw::List(items) => Tree::List(items.into_iter().map(Self::from_raw).collect()),
            Raw::Mapping(members) => Tree::Mapping(
                members
                    .into_iter()
                    .map(|(key, value)| {
                        (Key { name: key.value, place: place_of(key.referenced) }, Self::from_raw(value))
                    })
                    .collect(),
            ),
        };
        Self { place: place_of(raw.referenced), bytes, tree }
    }

    pub(super) fn members(&self) -> &[(Key, Self)] {
        match &self.tree {
            Tree::Mapping(members) => members,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> &[Self] {
        match &self.tree {
            Tree::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.tree {
            Tree::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Self::text)
    }

    pub(super) fn boolean_of(&self, name: &str) -> Option<bool> {
        match self.get(name)?.tree {
            Tree::Boolean(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        match &self.tree {
            Tree::Null => Value::Null,
            Tree::Boolean(value) => Value::Bool(*value),
            Tree::Number(value) => Value::Number(value.clone()),
            Tree::Text(value) => Value::String(value.clone()),
            Tree::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Tree::Mapping(members) => Value::Object(
                members.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match &self.tree {
            Tree::Null => "nothing",
            Tree::Boolean(_) => "a boolean",
            Tree::Number(_) => "a number",
            Tree::Text(_) => "a text",
            Tree::List(_) => "a list",
            Tree::Mapping(_) => "a mapping",
        }
    }
}

fn place_of(location: Location) -> Place {
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX).max(1);
    Place { line: number(location.line()), column: number(location.column()) }
}

/// The commonest mistake has a message of its own: `{{ … }}` without quotes is a YAML mapping.
fn explain(yaml: &str, place: Place, message: &str) -> (Place, String) {
    let line: Vec<char> = yaml.lines().nth(place.line - 1).unwrap_or_default().chars().collect();
    let opens = |column: &usize| line.get(column - 1..=*column) == Some(&['{', '{']);
    if let Some(column) = (place.column.saturating_sub(1).max(1)..=place.column).find(opens) {
        let place = Place { line: place.line, column };
        return (place, "a value that begins with {{ needs quotes: \"{{ … }}\"".to_owned());
    }
    // The parser puts the place before or behind its message; a diagnostic has it already.
    let message = message.lines().next().unwrap_or_default();
    let message = message.split(" at line ").next().unwrap_or(message);
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let prefix = format!("line {} column {}: ", place.line, place.column);
    let message = message.strip_prefix(&prefix).unwrap_or(message);
    (place, format!("not readable as YAML: {message}"))
}

enum Raw {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Mapping(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor;

        impl<'de> Visitor<'de> for RawVisitor {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, number, boolean, list or mapping")
            }

            fn visit_unit<E: Error>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_none<E: Error>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
                Raw::deserialize(deserializer)
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Boolean(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Number(value.into()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Number(value.into()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Raw, E> {
                Number::from_f64(value)
                    .map(Raw::Number)
                    .ok_or_else(|| E::custom("NaN and infinities have no place here"))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Raw::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
                let mut members: Vec<(Spanned<String>, Spanned<Raw>)> = Vec::new();
                while let Some(member) = access.next_entry()? {
                    members.push(member);
                }
                Ok(Raw::Mapping(members))
            }
        }

        deserializer.deserialize_any(RawVisitor)
    }
}
