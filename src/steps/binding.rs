//! JSON values to statement parameters: bound by the warehouse, never spliced into text.
//!
//! Numbers are read as text: a JSON number has as many digits as its writer gave it, and an `f64` keeps 15 to 17.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::number;
use crate::databricks::Parameter;
use crate::failure::{Code, Failure};

/// `{name: value | {value, type}}` as it stands in a body, in order.
#[derive(Debug, Default)]
pub struct JsonParameters(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for JsonParameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members).map(Self)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, Box<RawValue>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

impl JsonParameters {
    /// The parameters of a statement.
    ///
    /// Without a type it is inferred: text is STRING, `true` BOOLEAN, `null` NULL; whole numbers are INT, BIGINT or, beyond,
    /// DECIMAL; fractions DOUBLE when a double holds every digit, else DECIMAL. Arrays, and objects other than
    /// `{value, type}`, are bound as JSON text, for `from_json`.
    pub fn bind(&self) -> Result<Vec<Parameter>, Failure> {
        let mut bound: Vec<Parameter> = Vec::with_capacity(self.0.len());
        let mut seen = HashSet::with_capacity(self.0.len());
        for (name, value) in &self.0 {
            if !seen.insert(name.as_str()) {
                return Err(wrong(name, "is given twice."));
            }
            bound.push(bind(name, value.get())?);
        }
        Ok(bound)
    }
}

/// As [`JsonParameters::bind`], of values that are no text any more.
pub fn bind_parameters(parameters: &Map<String, Value>) -> Result<Vec<Parameter>, Failure> {
    parameters.iter().map(|(name, value)| bind(name, &value.to_string())).collect()
}

fn bind(name: &str, json: &str) -> Result<Parameter, Failure> {
    if name.is_empty() {
        return Err(Failure::new(Code::BodyInvalid, "A parameter has no name.").at("parameters"));
    }
    if !json.starts_with('{') {
        let (value, type_text) = plain(name, json)?;
        return Ok(Parameter { name: name.to_owned(), value, type_text });
    }
    let members: JsonParameters = read(name, json)?;
    let member = |wanted: &str| members.0.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.get());
    let (value, type_text) = match (member("value"), member("type")) {
        (Some(value), type_text) => {
            if let Some((other, _)) = members.0.iter().find(|(key, _)| key != "value" && key != "type") {
                let what = format!(
                    "has the member \"{other}\" beside `value`; there may be `type` and nothing else. To bind an object \
                     as JSON text, put it into `value`."
                );
                return Err(wrong(name, &what));
            }
            match type_text.map(|json| type_of(name, json)).transpose()?.flatten() {
                Some(type_text) => (plain_text(name, value)?, Some(type_text)),
                None => plain(name, value)?,
            }
        }
        (None, Some(_)) if members.0.len() == 1 => {
            return Err(wrong(name, "has a `type` and no `value`. NULL is `{\"value\": null, \"type\": …}`."));
        }
        _ => (Some(json.to_owned()), Some("STRING".to_owned())),
    };
    Ok(Parameter { name: name.to_owned(), value, type_text })
}

/// The text of a plain value and the type that it has by itself.
fn plain(name: &str, json: &str) -> Result<(Option<String>, Option<String>), Failure> {
    let type_text = match json.as_bytes().first() {
        Some(b'n') => None,
        Some(b't' | b'f') => Some("BOOLEAN".to_owned()),
        Some(b'"' | b'[' | b'{') => Some("STRING".to_owned()),
        _ => Some(number::type_of(json).ok_or_else(|| {
            wrong(
                name,
                "is a number with more digits than DECIMAL(38) holds. Send it as text, with the type that you mean.",
            )
        })?),
    };
    Ok((plain_text(name, json)?, type_text))
}

/// `null` is NULL, text is itself, and everything else is as it is written.
fn plain_text(name: &str, json: &str) -> Result<Option<String>, Failure> {
    if json.starts_with(['"', 'n']) { read(name, json) } else { Ok(Some(json.to_owned())) }
}

fn read<T: serde::de::DeserializeOwned>(name: &str, json: &str) -> Result<T, Failure> {
    serde_json::from_str(json).map_err(|error| wrong(name, &format!("cannot be read: {error}.")))
}

/// The declared type; its exact name is the warehouse's business.
fn type_of(name: &str, json: &str) -> Result<Option<String>, Failure> {
    let Ok(text) = serde_json::from_str::<Option<String>>(json) else {
        return Err(wrong(name, "has a `type` that is no text."));
    };
    let Some(text) = text else { return Ok(None) };
    if is_scalar_type(&text) {
        return Ok(Some(text));
    }
    let what = format!(
        "has the type \"{}\", which a statement cannot bind. Use a scalar type such as STRING, INT, DECIMAL(10,2), DATE or \
         TIMESTAMP; send an array or object as it is, without a type, and read it in SQL: \
         from_json(:{name}, 'ARRAY<INT>').",
        text.chars().take(64).collect::<String>()
    );
    Err(wrong(name, &what))
}

/// Words, and perhaps numbers in parentheses behind them.
fn is_scalar_type(text: &str) -> bool {
    let (words, numbers) = match text.trim().split_once('(') {
        Some((words, numbers)) => (words, Some(numbers)),
        None => (text, None),
    };
    let words = words.trim().to_ascii_uppercase();
    let is_name = words.starts_with(|c: char| c.is_ascii_alphabetic())
        && words.len() <= 64
        && words.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_'));
    let is_number = |text: &str| {
        let text = text.trim();
        (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let are_numbers = numbers
        .is_none_or(|numbers| numbers.trim().strip_suffix(')').is_some_and(|inside| inside.split(',').all(is_number)));
    is_name && are_numbers && !matches!(words.as_str(), "ARRAY" | "MAP" | "STRUCT" | "VARIANT" | "OBJECT")
}

fn wrong(name: &str, what: &str) -> Failure {
    Failure::new(Code::BodyInvalid, format!("Parameter \"{name}\" {what}")).at(format!("parameters.{name}"))
}

#[cfg(test)]
mod tests;
