//! Declared types of `output`. A conversion that would lose digits, or guess, is an error; null stays null.

use serde_json::{Number, Value, json};

use super::expression::kind_of;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputType {
    String,
    Integer,
    Number,
    Boolean,
    Date,
    Datetime,
    Array,
    Object,
}

impl OutputType {
    pub(super) const NAMES: &'static [&'static str] =
        &["string", "integer", "number", "boolean", "date", "datetime", "array", "object"];

    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "datetime" => Self::Datetime,
            "array" => Self::Array,
            "object" => Self::Object,
            _ => return None,
        })
    }

    /// JSON Schema of a value that may also be null.
    pub(super) fn schema(self) -> Value {
        match self {
            Self::String => json!({"type": ["string", "null"]}),
            Self::Integer => json!({"type": ["integer", "null"], "format": "int64"}),
            Self::Number => json!({"type": ["number", "null"], "format": "double"}),
            Self::Boolean => json!({"type": ["boolean", "null"]}),
            Self::Date => json!({"type": ["string", "null"], "format": "date"}),
            Self::Datetime => json!({"type": ["string", "null"], "format": "date-time"}),
            Self::Array => json!({"type": ["array", "null"]}),
            Self::Object => json!({"type": ["object", "null"]}),
        }
    }
}

/// 2^53: above it a double skips whole numbers.
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(super) fn convert(value: Value, kind: OutputType) -> Result<Value, String> {
    if value.is_null() {
        return Ok(value);
    }
    let refused = format!("{} is not {}", kind_of(&value), wanted(kind));
    match (kind, value) {
        (OutputType::String, value @ Value::String(_))
        | (OutputType::Boolean, value @ Value::Bool(_))
        | (OutputType::Array, value @ Value::Array(_))
        | (OutputType::Object, value @ Value::Object(_)) => Ok(value),
        (OutputType::String, Value::Number(number)) => Ok(Value::from(number.to_string())),
        (OutputType::Number, Value::Number(number)) => match number.as_i64() {
            Some(whole) if whole.unsigned_abs() > 1 << 53 => Err(format!("{refused} that a double holds exactly")),
            _ => Ok(Value::Number(number)),
        },
        (OutputType::Integer, Value::Number(number)) => {
            integer(&number).ok_or_else(|| format!("{refused} without loss"))
        }
        (OutputType::Integer, Value::String(text)) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
            let whole = whole.parse::<i64>().ok().filter(|_| fraction.bytes().all(|digit| digit == b'0'));
            whole.map(Value::from).ok_or_else(|| format!("{refused} without loss"))
        }
        (OutputType::Number, Value::String(text)) => {
            decimal(&text).map(Value::Number).ok_or_else(|| format!("{refused} without loss of digits"))
        }
        (OutputType::Date, Value::String(text)) => date(&text).map(Value::from).ok_or(refused),
        (OutputType::Datetime, Value::String(text)) => {
            text.parse::<jiff::Timestamp>().map(|time| Value::from(time.to_string())).map_err(|_| refused)
        }
        _ => Err(refused),
    }
}

fn integer(number: &Number) -> Option<Value> {
    if number.is_i64() {
        return Some(Value::Number(number.clone()));
    }
    let value = number.as_f64().filter(|value| value.fract() == 0.0 && value.abs() <= EXACT)?;
    format!("{value:.0}").parse::<i64>().ok().map(Value::from)
}

/// The double that is written with the same digits, if there is one.
fn decimal(text: &str) -> Option<Number> {
    let value = text.parse::<f64>().ok()?;
    let number = Number::from_f64(value)?;
    (digits(text)? == digits(&format!("{value}"))?).then_some(number)
}

/// Sign, digits and exponent without zeros at either end; `None` for what is not a plain decimal.
fn digits(text: &str) -> Option<(bool, String)> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let plain = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !plain(whole) || !plain(fraction) {
        return None;
    }
    Some((negative, format!("{}.{}", whole.trim_start_matches('0'), fraction.trim_end_matches('0'))))
}

/// A day, or a time at midnight in UTC: any other time would lose its hours.
fn date(text: &str) -> Option<String> {
    if text.len() == 10 {
        return text.parse::<jiff::civil::Date>().ok().map(|day| day.to_string());
    }
    let time = text.parse::<jiff::Timestamp>().ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    (time.time() == jiff::civil::Time::midnight()).then(|| time.date().to_string())
}

fn wanted(kind: OutputType) -> &'static str {
    match kind {
        OutputType::String => "a text",
        OutputType::Integer => "a whole number",
        OutputType::Number => "a number",
        OutputType::Boolean => "a boolean",
        OutputType::Date => "a date (YYYY-MM-DD)",
        OutputType::Datetime => "a time (RFC 3339)",
        OutputType::Array => "a list",
        OutputType::Object => "an object",
    }
}
