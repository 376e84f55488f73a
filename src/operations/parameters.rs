//! Parameters of operations: types, defaults, checks. The same from HTTP, queue and timer. Nothing is coerced: the text
//! "5" is not the number 5.

use regex::Regex;
use serde_json::{Map, Value};

use super::Operation;

/// A declared parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    /// `string`, `integer`, `number`, `boolean`, `date`, `datetime`, `enum`, `array`, `object`.
    pub kind: String,
    pub required: bool,
    /// Kept sealed, and shown to nobody.
    pub sensitive: bool,
    pub default: Option<Value>,
    pub summary: Option<String>,
    pub description: Option<String>,
    pub bounds: Bounds,
}

/// What narrows a parameter's type.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// A number, or a text for `date` and `datetime`.
    pub min: Option<Value>,
    pub max: Option<Value>,
    /// In characters.
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    pub min_items: Option<usize>,
    pub max_items: Option<usize>,
    /// As declared, and compiled so that the whole text must match.
    pub pattern: Option<(String, Regex)>,
    /// The values of an enum.
    pub values: Vec<String>,
}

/// What is wrong with one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// The name of the parameter or of the unknown member; a message's reader puts `parameters.` before it.
    pub place: String,
    /// Never the value itself, which may be a secret.
    pub message: String,
}

impl Operation {
    /// The names of its sensitive parameters.
    pub fn sensitive(&self) -> Vec<String> {
        self.parameters.iter().filter(|parameter| parameter.sensitive).map(|parameter| parameter.name.clone()).collect()
    }

    /// Checks a body and fills in defaults; a parameter left out without one is null. Every problem at once.
    pub fn accept(&self, body: &Map<String, Value>) -> Result<Map<String, Value>, Vec<FieldProblem>> {
        let mut accepted = Map::new();
        let mut problems = Vec::new();
        for parameter in &self.parameters {
            let given = body.get(&parameter.name).filter(|value| !value.is_null() || parameter.required);
            let value = match given {
                Some(value) => parameter.check(value).map(|()| value.clone()),
                None if parameter.required => Err("is required".to_owned()),
                None => Ok(parameter.default.clone().unwrap_or(Value::Null)),
            };
            match value {
                Ok(value) => {
                    accepted.insert(parameter.name.clone(), value);
                }
                Err(message) => problems.push(FieldProblem { place: parameter.name.clone(), message }),
            }
        }
        for name in body.keys().filter(|name| !self.parameters.iter().any(|parameter| parameter.name == **name)) {
            let known: Vec<_> = self.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
            let message = if known.is_empty() {
                "is unknown; this operation takes no parameters".to_owned()
            } else {
                format!("is unknown; this operation takes {}", known.join(", "))
            };
            problems.push(FieldProblem { place: name.clone(), message });
        }
        if problems.is_empty() { Ok(accepted) } else { Err(problems) }
    }
}

impl Parameter {
    /// Whether a value fits; says what would be right.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        match (self.kind.as_str(), value) {
            ("string", Value::String(text)) => self.check_text(text),
            ("enum", Value::String(text)) if self.bounds.values.contains(text) => Ok(()),
            ("enum", _) => Err(format!("must be one of: {}", self.bounds.values.join(", "))),
            ("integer", Value::Number(number)) if number.is_i64() => self.check_number(number.as_f64()),
            ("number", Value::Number(number)) => self.check_number(number.as_f64()),
            ("boolean", Value::Bool(_)) | ("object", Value::Object(_)) => Ok(()),
            ("date", Value::String(text)) if is_date(text) => self.check_time(text, str::parse::<jiff::civil::Date>),
            ("datetime", Value::String(text)) if text.parse::<jiff::Timestamp>().is_ok() => {
                self.check_time(text, str::parse::<jiff::Timestamp>)
            }
            ("array", Value::Array(items)) => self.check_items(items.len()),
            (kind, _) => Err(format!("must be {}", wanted(kind))),
        }
    }

    fn check_text(&self, text: &str) -> Result<(), String> {
        let length = text.chars().count();
        if let Some(least) = self.bounds.min_length.filter(|least| length < *least) {
            return Err(format!("must have at least {least} characters"));
        }
        if let Some(most) = self.bounds.max_length.filter(|most| length > *most) {
            return Err(format!("must have at most {most} characters"));
        }
        match &self.bounds.pattern {
            Some((pattern, regex)) if !regex.is_match(text) => Err(format!("must match {pattern}")),
            _ => Ok(()),
        }
    }

    fn check_number(&self, number: Option<f64>) -> Result<(), String> {
        let number = number.ok_or("must be a number")?;
        let limit = |limit: &Option<Value>| limit.as_ref().and_then(Value::as_f64);
        if let Some(least) = limit(&self.bounds.min).filter(|least| number < *least) {
            return Err(format!("must be at least {least}"));
        }
        match limit(&self.bounds.max).filter(|most| number > *most) {
            Some(most) => Err(format!("must be at most {most}")),
            None => Ok(()),
        }
    }

    fn check_time<T: PartialOrd, E>(&self, text: &str, read: impl Fn(&str) -> Result<T, E>) -> Result<(), String> {
        let limit = |limit: &Option<Value>| {
            limit.as_ref().and_then(Value::as_str).and_then(|limit| Some((limit.to_owned(), read(limit).ok()?)))
        };
        let Ok(value) = read(text) else { return Err(format!("must be {}", wanted(&self.kind))) };
        if let Some((least, _)) = limit(&self.bounds.min).filter(|(_, least)| value < *least) {
            return Err(format!("must not be before {least}"));
        }
        match limit(&self.bounds.max).filter(|(_, most)| value > *most) {
            Some((most, _)) => Err(format!("must not be after {most}")),
            None => Ok(()),
        }
    }

    fn check_items(&self, items: usize) -> Result<(), String> {
        if let Some(least) = self.bounds.min_items.filter(|least| items < *least) {
            return Err(format!("must have at least {least} items"));
        }
        match self.bounds.max_items.filter(|most| items > *most) {
            Some(most) => Err(format!("must have at most {most} items")),
            None => Ok(()),
        }
    }
}

/// `YYYY-MM-DD` and nothing else; the parser alone would also take a time behind it.
pub(super) fn is_date(text: &str) -> bool {
    text.len() == 10 && text.as_bytes().get(4) == Some(&b'-') && text.parse::<jiff::civil::Date>().is_ok()
}

fn wanted(kind: &str) -> &'static str {
    match kind {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "date" => "a date as YYYY-MM-DD",
        "datetime" => "a time as RFC 3339 with an offset, such as 2026-01-31T06:00:00Z",
        "array" => "a list",
        _ => "an object",
    }
}
