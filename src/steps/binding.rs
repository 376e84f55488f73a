//! JSON values to statement parameters: bound by the warehouse, never spliced into text.

use serde_json::{Map, Value};

use crate::databricks::Parameter;
use crate::failure::{Code, Failure};

/// Reads `{name: value | {value, type}}`.
///
/// Without a type it is inferred: text is STRING, `true` BOOLEAN, whole numbers INT or BIGINT (DECIMAL(38,0) beyond),
/// fractions DOUBLE, `null` NULL. Arrays, and objects other than `{value, type}`, are bound as JSON text, for `from_json`.
pub fn bind_parameters(parameters: &Map<String, Value>) -> Result<Vec<Parameter>, Failure> {
    parameters.iter().map(|(name, value)| bind(name, value)).collect()
}

fn bind(name: &str, value: &Value) -> Result<Parameter, Failure> {
    let (text, type_text) = match typed(value) {
        Some((value, type_text)) => (plain_text(value), type_text.map(str::to_owned).or_else(|| inferred(value))),
        None => (plain_text(value), inferred(value)),
    };
    let known = type_text.as_deref().is_none_or(is_scalar_type);
    if !known {
        return Err(Failure::new(
            Code::BodyInvalid,
            format!(
                "Parameter \"{name}\" has the type \"{}\", which a statement cannot bind. Use a scalar type such as \
                 STRING, INT, DECIMAL(10,2), DATE or TIMESTAMP; send arrays and objects as JSON and read them with \
                 from_json.",
                type_text.unwrap_or_default()
            ),
        )
        .at(format!("parameters.{name}")));
    }
    Ok(Parameter { name: name.to_owned(), value: text, type_text })
}

/// `{value, type}`, with nothing else in it.
fn typed(value: &Value) -> Option<(&Value, Option<&str>)> {
    let object = value.as_object()?;
    let inner = object.get("value")?;
    let only_these = object.keys().all(|key| key == "value" || key == "type");
    let type_text = match object.get("type") {
        None => None,
        Some(Value::String(text)) => Some(text.as_str()),
        Some(_) => return None,
    };
    only_these.then_some((inner, type_text))
}

fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn inferred(value: &Value) -> Option<String> {
    let name = match value {
        Value::Null => return None,
        Value::Bool(_) => "BOOLEAN",
        Value::Number(number) => match number.as_i64() {
            Some(whole) if i32::try_from(whole).is_ok() => "INT",
            Some(_) => "BIGINT",
            None if number.is_u64() => "DECIMAL(38,0)",
            None => "DOUBLE",
        },
        Value::String(_) | Value::Array(_) | Value::Object(_) => "STRING",
    };
    Some(name.to_owned())
}

/// Whether the type is one that the API binds; its exact name is the warehouse's business.
fn is_scalar_type(type_text: &str) -> bool {
    let head = type_text.split('(').next().unwrap_or_default().trim().to_ascii_uppercase();
    let words = !head.is_empty()
        && type_text.len() <= 64
        && type_text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '(' | ')' | ',' | ' ' | '_'));
    words && !matches!(head.as_str(), "ARRAY" | "MAP" | "STRUCT" | "VARIANT")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bound(value: &Value) -> (Option<String>, Option<String>) {
        let parameters = json!({ "p": value });
        let bound = bind_parameters(parameters.as_object().unwrap()).unwrap();
        (bound[0].value.clone(), bound[0].type_text.clone())
    }

    fn pair(value: &str, type_text: &str) -> (Option<String>, Option<String>) {
        (Some(value.into()), Some(type_text.into()))
    }

    #[test]
    fn plain_values_are_bound_with_the_type_that_they_have() {
        assert_eq!(bound(&json!("O'Hara")), pair("O'Hara", "STRING"));
        assert_eq!(bound(&json!(7)), pair("7", "INT"));
        assert_eq!(bound(&json!(3_000_000_000_i64)), pair("3000000000", "BIGINT"));
        assert_eq!(bound(&json!(u64::MAX)), pair("18446744073709551615", "DECIMAL(38,0)"));
        assert_eq!(bound(&json!(2.5)), pair("2.5", "DOUBLE"));
        assert_eq!(bound(&json!(true)), pair("true", "BOOLEAN"));
        assert_eq!(bound(&json!(null)), (None, None));
    }

    #[test]
    fn a_named_type_is_kept_and_null_may_have_one() {
        assert_eq!(bound(&json!({"value": "2026-01-02", "type": "DATE"})), pair("2026-01-02", "DATE"));
        assert_eq!(bound(&json!({"value": null, "type": "DATE"})), (None, Some("DATE".into())));
        assert_eq!(bound(&json!({"value": 1.5, "type": "DECIMAL(10,2)"})), pair("1.5", "DECIMAL(10,2)"));
    }

    #[test]
    fn arrays_and_objects_are_bound_as_json_text() {
        assert_eq!(bound(&json!([1, 2])), pair("[1,2]", "STRING"));
        assert_eq!(bound(&json!({"a": 1})), pair("{\"a\":1}", "STRING"));
    }

    #[test]
    fn a_type_that_no_statement_can_bind_is_refused_by_name() {
        let parameters = json!({ "ids": {"value": "[1]", "type": "ARRAY<INT>"} });
        let failure = bind_parameters(parameters.as_object().unwrap()).unwrap_err();
        assert_eq!(failure.code, Code::BodyInvalid);
        assert_eq!(failure.place.as_deref(), Some("parameters.ids"));
    }
}
