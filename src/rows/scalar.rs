//! What one cell becomes: one writer for each rule, chosen once a column. What the columns are is `column.rs`.
//!
//! Cells of JSON_ARRAY are strings whatever their type (Databricks SDK, execute_statement). Every writer checks its
//! cell before it stands in the output, so that a reply that makes no sense never becomes broken JSON.

use serde::de::IgnoredAny;

use super::moment::{write_date, write_timestamp, write_timestamp_ntz};
use super::{Column, Conversion, ValueOptions};
use crate::failure::{Code, Failure};

/// Appends one cell; on failure it says what the cell is not.
pub(super) type Writer = fn(&mut Vec<u8>, &str) -> Result<(), &'static str>;

pub(super) fn writer_of(column: &Column, options: ValueOptions) -> Writer {
    match column.conversion(options) {
        Conversion::Number if column.is_floating() => floating,
        Conversion::Number if column.is_decimal() => decimal,
        Conversion::Number => integer,
        Conversion::StringNumber if column.is_decimal() => decimal_text,
        Conversion::StringNumber => integer_text,
        Conversion::Boolean => boolean,
        Conversion::String => string,
        Conversion::Date => write_date,
        Conversion::Timestamp => write_timestamp,
        Conversion::TimestampNtz => write_timestamp_ntz,
        Conversion::Base64 => base64,
        Conversion::Json => json,
        Conversion::Null => null,
    }
}

/// The failure for a cell that is not what its column says.
pub(super) fn malformed(column: &Column, row: usize, why: &'static str) -> Failure {
    Failure::new(
        Code::UpstreamReplyInvalid,
        format!(
            "Databricks sent a value in column {} ({}), row {row}, that is not {why}.",
            column.name, column.type_text
        ),
    )
    .at(format!("rows[{row}].{}", column.name))
}

fn integer(out: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    if !is_integer(text) {
        return Err("a whole number of at most 64 bits");
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn integer_text(out: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    out.push(b'"');
    integer(out, text)?;
    out.push(b'"');
    Ok(())
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let shaped = match digits {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    // Up to 18 digits always fit; the parse is only for the few that may not.
    shaped && (digits.len() <= 18 || text.parse::<i64>().is_ok())
}

fn decimal(out: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    if !is_json_number(text) {
        return Err("a decimal number");
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn decimal_text(out: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    out.push(b'"');
    decimal(out, text)?;
    out.push(b'"');
    Ok(())
}

/// The cell as it came; JSON has no NaN and no infinities, so they become strings.
fn floating(out: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    if is_json_number(text) {
        out.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    let special: &[u8] = match text.parse::<f64>() {
        Ok(value) if value.is_nan() => b"\"NaN\"",
        Ok(f64::INFINITY) => b"\"Infinity\"",
        Ok(f64::NEG_INFINITY) => b"\"-Infinity\"",
        Ok(value) => return serde_json::to_writer(out, &value).map_err(|_| "a number"),
        Err(_) => return Err("a number"),
    };
    out.extend_from_slice(special);
    Ok(())
}

/// RFC 8259's grammar: no `+`, no leading zero, digits on both sides of the point.
pub(super) fn is_json_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(at);
    if whole == 0 || (whole > 1 && bytes[at] == b'0') {
        return false;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return false;
        }
        at += 1 + fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return false;
        }
        at += exponent;
    }
    at == bytes.len()
}

fn boolean(out: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    if text.eq_ignore_ascii_case("true") {
        out.extend_from_slice(b"true");
    } else if text.eq_ignore_ascii_case("false") {
        out.extend_from_slice(b"false");
    } else {
        return Err("true or false");
    }
    Ok(())
}

fn string(out: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    serde_json::to_writer(out, text).map_err(|_| "text")
}

/// The cell as it came, checked. How BINARY looks on the wire is not documented: the JDBC driver reads base64. A value
/// in another form, such as hexadecimal, is refused where it can be told; SQL's own `hex()` is always safe.
fn base64(out: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    let padding = bytes.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let body = &bytes[..bytes.len() - padding];
    let sound = bytes.len().is_multiple_of(4)
        && body.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    if !sound {
        return Err("base64");
    }
    out.push(b'"');
    out.extend_from_slice(bytes);
    out.push(b'"');
    Ok(())
}

/// Valid JSON stands as it came; what is not (old servers wrote inner dates without quotes) becomes a string.
fn json(out: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return string(out, text);
    }
    // Line breaks in valid JSON are white space only; NDJSON and logs want none.
    let start = out.len();
    out.extend_from_slice(text.as_bytes());
    for byte in &mut out[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    Ok(())
}

fn null(_out: &mut Vec<u8>, _text: &str) -> Result<(), &'static str> {
    Err("NULL")
}
