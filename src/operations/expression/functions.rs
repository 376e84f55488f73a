//! Functions that we add to CEL: strict equality and membership, `date`, and zones by name.

use cel::extractors::Arguments;
use cel::objects::Key;
use cel::{Context, DeclarationError, ExecutionError, Value};

use super::explain::{kind, not_comparable};

// Names that no expression can spell.
pub(super) const EQUAL: &str = "@equal";
pub(super) const UNEQUAL: &str = "@unequal";
pub(super) const MEMBER: &str = "@member";
pub(super) const OFFSET: &str = "@offset";

/// What CEL can ask of a time in a zone. An offset it knows by itself; names are looked up in the time zones that schedules
/// go by, so that there is one set of them, and a small one, in the program.
pub(super) const ZONED: &[&str] = &[
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
];

/// Functions that may follow a `|`.
pub(super) const FILTERS: &[&str] = &["date"];

pub(super) fn declare(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function(EQUAL, |Arguments(pair): Arguments| two(EQUAL, &pair, equal))?;
    context.add_function(UNEQUAL, |Arguments(pair): Arguments| two(UNEQUAL, &pair, |a, b| Ok(!equal(a, b)?)))?;
    context.add_function(MEMBER, |Arguments(pair): Arguments| two(MEMBER, &pair, member))?;
    context.add_function(OFFSET, |Arguments(pair): Arguments| match pair.as_slice() {
        [Value::Timestamp(time), Value::String(zone)] => offset(time.timestamp(), zone)
            .map(Value::from)
            .map_err(|message| ExecutionError::function_error("timezone", message)),
        // Not ours to explain: the call itself says what it takes.
        [_, other] => Ok(other.clone()),
        _ => Err(ExecutionError::invalid_argument_count(2, pair.len())),
    })?;
    context.add_function("date", |Arguments(values): Arguments| match values.as_slice() {
        [value] => date(value).map_err(|message| ExecutionError::function_error("date", message)),
        _ => Err(ExecutionError::invalid_argument_count(1, values.len())),
    })
}

fn two(
    name: &str,
    pair: &[Value],
    decide: impl Fn(&Value, &Value) -> Result<bool, String>,
) -> Result<Value, ExecutionError> {
    match pair {
        [left, right] => {
            decide(left, right).map(Value::Bool).map_err(|message| ExecutionError::function_error(name, message))
        }
        _ => Err(ExecutionError::invalid_argument_count(2, pair.len())),
    }
}

/// Equality as the standard has it, but different kinds are an error instead of false. Null is comparable to all.
fn equal(left: &Value, right: &Value) -> Result<bool, String> {
    match (left, right) {
        (Value::List(left), Value::List(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            left.iter().zip(right.iter()).try_fold(true, |same, (left, right)| Ok(equal(left, right)? && same))
        }
        (Value::Map(left), Value::Map(right)) => {
            if left.map.len() != right.map.len() {
                return Ok(false);
            }
            left.map.iter().try_fold(true, |same, (key, left)| match right.map.get(key) {
                Some(right) => Ok(equal(left, right)? && same),
                None => Ok(false),
            })
        }
        (Value::Null, _) | (_, Value::Null) => Ok(left == right),
        (Value::Int(_) | Value::UInt(_) | Value::Float(_), Value::Int(_) | Value::UInt(_) | Value::Float(_)) => {
            Ok(left == right)
        }
        _ if kind(left) == kind(right) => Ok(left == right),
        _ => Err(not_comparable(kind(left), kind(right))),
    }
}

/// `value in container`: by the same equality in a list, by key in a map.
fn member(value: &Value, container: &Value) -> Result<bool, String> {
    match container {
        Value::List(items) => items.iter().try_fold(false, |found, item| Ok(equal(value, item)? || found)),
        Value::Map(map) => {
            let key: Key = value.clone().try_into().map_err(|_| format!("{} is never a key", kind(value)))?;
            let text_keys = map.map.keys().any(|key| matches!(key, Key::String(_)));
            if text_keys && !matches!(value, Value::String(_)) {
                return Err(not_comparable(kind(value), "string"));
            }
            Ok(map.map.contains_key(&key))
        }
        other => Err(format!("`in` wants a list or a map, not {}", kind(other))),
    }
}

/// `+02:00` for a zone's name, by the second of a time; what is an offset stays one.
fn offset(second: i64, zone: &str) -> Result<String, String> {
    if zone.is_empty() || zone.contains(':') {
        return Ok(zone.to_owned());
    }
    let known = jiff::tz::TimeZone::get(zone).map_err(|_| format!("unknown time zone {zone}"))?;
    let time = jiff::Timestamp::from_second(second).map_err(|_| "the time is out of range".to_owned())?;
    let minutes = known.to_offset(time).seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    Ok(format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60))
}

/// The day of a time, in UTC, as `YYYY-MM-DD`.
fn date(value: &Value) -> Result<Value, String> {
    match value {
        Value::Timestamp(time) => Ok(Value::from(time.to_utc().format("%Y-%m-%d").to_string())),
        Value::String(text) => {
            let day = text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == 10);
            let day = day.or_else(|| {
                let time = text.parse::<jiff::Timestamp>().ok()?;
                Some(time.to_zoned(jiff::tz::TimeZone::UTC).date())
            });
            day.map(|day| Value::from(day.to_string()))
                .ok_or_else(|| "the text is neither a date nor a time".to_owned())
        }
        other => Err(format!("{} is not a time", kind(other))),
    }
}
