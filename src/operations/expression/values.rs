//! JSON to CEL and back. Whole numbers are int, others double; times are written as RFC 3339 in UTC.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cel::Value as Cel;
use cel::objects::{Key, Map as CelMap};
use chrono::{DateTime, NaiveDate, SecondsFormat};
use serde_json::{Map, Number, Value};

use super::Scope;
use super::explain::kind;

/// One of the roots of a scope, with the members that are needed.
pub(super) fn root(
    scope: &Scope,
    name: &str,
    members: Option<&BTreeSet<String>>,
    dates: &BTreeSet<String>,
) -> Result<Option<Cel>, String> {
    let none = BTreeSet::new();
    let times = BTreeSet::from(["startTime".to_owned(), "dueTime".to_owned()]);
    let (map, dates) = match name {
        "parameters" => (&scope.parameters, dates),
        "steps" => (&scope.steps, &none),
        "run" => (&scope.run, &times),
        "variables" => (&scope.variables, &none),
        "event" => (&scope.event, &none),
        "item" => return Ok(scope.item.as_ref().map(from_json)),
        _ => return Ok(None),
    };
    let wanted = map.iter().filter(|(name, _)| members.is_none_or(|members| members.contains(*name)));
    let converted = wanted.map(|(name, value)| {
        let value = match value {
            Value::String(text) if dates.contains(name) => {
                Cel::Timestamp(time(text).ok_or_else(|| format!("`{name}` is neither a date nor a time"))?)
            }
            other => from_json(other),
        };
        Ok((Key::from(name.as_str()), value))
    });
    let map = converted.collect::<Result<HashMap<_, _>, String>>()?;
    Ok(Some(Cel::Map(CelMap { map: Arc::new(map) })))
}

fn time(text: &str) -> Option<DateTime<chrono::FixedOffset>> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(day.and_hms_opt(0, 0, 0)?.and_utc().fixed_offset());
    }
    DateTime::parse_from_rfc3339(text).ok()
}

fn from_json(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Cel::Int(value),
            (None, Some(value)) => Cel::UInt(value),
            (None, None) => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cel::from(text.as_str()),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(from_json).collect())),
        Value::Object(members) => {
            let map = members.iter().map(|(name, value)| (Key::from(name.as_str()), from_json(value))).collect();
            Cel::Map(CelMap { map: Arc::new(map) })
        }
    }
}

pub(super) fn to_json(value: &Cel) -> Result<Value, String> {
    Ok(match value {
        Cel::Null => Value::Null,
        Cel::Bool(value) => Value::Bool(*value),
        Cel::Int(value) => Value::from(*value),
        Cel::UInt(value) => Value::from(*value),
        Cel::Float(value) => Value::Number(
            Number::from_f64(*value).ok_or("the number is infinite or not a number, which JSON cannot say")?,
        ),
        Cel::String(text) => Value::from(text.as_str()),
        Cel::Timestamp(time) => Value::from(time.to_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        Cel::List(items) => Value::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Cel::Map(map) => {
            // The map has no order of its own, and an answer must not change from call to call.
            let mut members: Vec<_> = map.map.iter().map(|(key, value)| (key.to_string(), value)).collect();
            members.sort_by(|left, right| left.0.cmp(&right.0));
            let members = members.into_iter().map(|(name, value)| Ok((name, to_json(value)?)));
            Value::Object(members.collect::<Result<Map<_, _>, String>>()?)
        }
        other => return Err(format!("{} has no form in JSON; make it a text or a number", kind(other))),
    })
}
