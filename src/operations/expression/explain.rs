//! CEL's errors in a maker's words. Names kinds, never values: a value may be sensitive.

use cel::{ExecutionError, OverloadError, Value};

pub(super) fn explain(error: &ExecutionError) -> String {
    match error {
        ExecutionError::UndeclaredReference(name) => format!("`{name}` is not declared"),
        ExecutionError::NoSuchKey(name) => no_such_member(name),
        ExecutionError::ValuesNotComparable(left, right) => not_comparable(kind(left), kind(right)),
        ExecutionError::NoSuchOverload(overload) => overload_missing(overload),
        ExecutionError::FunctionError { function, message } if function.starts_with('@') => message.clone(),
        ExecutionError::FunctionError { function, message } => format!("{}: {message}", readable(function)),
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            two_kinds(&readable(operator), kind(left), kind(right))
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        ExecutionError::Overflow(..) => "the number is too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "the list has no such item".to_owned(),
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("a function takes {expected} values, not {actual}")
        }
        ExecutionError::UnexpectedType { got, want } => format!("{want} is wanted, not {got}"),
        ExecutionError::UnsupportedKeyType(value) => format!("{} cannot be a key", kind(value)),
        ExecutionError::DuplicateKey(_) => "a map names a key twice".to_owned(),
        ExecutionError::UnsupportedIndex(index, value) => format!("{} has no [{}]", kind(value), kind(index)),
        ExecutionError::UnsupportedTargetType { target } | ExecutionError::NotSupportedAsMethod { target, .. } => {
            format!("{} cannot be used here", kind(target))
        }
        _ => "the expression has no value".to_owned(),
    }
}

pub(super) fn no_such_member(name: &str) -> String {
    format!("there is no member `{name}`; has(…) tells whether there is one")
}

/// Two kinds that have no order, or are never equal.
pub(super) fn not_comparable(left: &str, right: &str) -> String {
    let cast = match (left, right) {
        ("string", "int" | "uint" | "double") | ("int" | "uint" | "double", "string") => {
            "; cast the text, for example double(x): decimals above 15 digits are texts"
        }
        ("string", "timestamp") | ("timestamp", "string") => {
            "; make the text a time, timestamp(\"2026-01-31T00:00:00Z\"), or the time a text, date(x)"
        }
        ("null", _) | (_, "null") => "; ask for null first: x != null",
        _ => "",
    };
    format!("{left} and {right} cannot be compared{cast}")
}

fn overload_missing(overload: &OverloadError) -> String {
    let operator = readable(overload.function());
    match overload.argument_types() {
        [left, right] if [">", ">=", "<", "<="].contains(&operator.as_str()) => {
            not_comparable(short(left), short(right))
        }
        [left, right] => two_kinds(&operator, short(left), short(right)),
        others => {
            let kinds: Vec<_> = others.iter().map(|kind| short(kind)).collect();
            format!(
                "`{operator}` does not take {}",
                if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") }
            )
        }
    }
}

fn two_kinds(operator: &str, left: &str, right: &str) -> String {
    let number = |kind: &str| matches!(kind, "int" | "uint" | "double");
    let cast = if number(left) && number(right) {
        "; cast one of them, for example double(x)"
    } else if (number(left) && right == "string") || (left == "string" && number(right)) {
        "; cast one of them, double(x) or string(x)"
    } else {
        ""
    };
    format!("`{operator}` does not take {left} and {right}{cast}")
}

fn short(kind: &str) -> &str {
    match kind {
        "null_type" => "null",
        "google.protobuf.Timestamp" => "timestamp",
        "google.protobuf.Duration" => "duration",
        other => other,
    }
}

fn readable(function: &str) -> String {
    match function {
        "add" => "+",
        "sub" => "-",
        "mul" => "*",
        "div" => "/",
        "rem" => "%",
        other => other.trim_matches('_').trim_start_matches('@'),
    }
    .to_owned()
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::List(_) => "list",
        Value::Map(_) | Value::Struct(_) => "map",
        Value::Function(..) => "function",
        Value::Int(_) => "int",
        Value::UInt(_) => "uint",
        Value::Float(_) => "double",
        Value::String(_) => "string",
        Value::Bytes(_) => "bytes",
        Value::Bool(_) => "bool",
        Value::Duration(_) => "duration",
        Value::Timestamp(_) => "timestamp",
        Value::Opaque(_) => "type",
        Value::Null => "null",
    }
}
