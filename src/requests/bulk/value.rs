//! One value against its column's type: what is wrong with it, or how it is written for the warehouse. Digits are never
//! turned into floating point on the way, and nothing is guessed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde_json::value::RawValue;

use super::column::Type;
use crate::rows::given::{Members, not, number, quote, text};

/// Microseconds of 0001-01-01T00:00:00Z, the first moment that a TIMESTAMP has.
const YEAR_1: i128 = -62_135_596_800_000_000;

/// Writes `raw`, which is not null, to `out`; or says what is wrong, as the rest of a sentence about the value.
pub(super) fn write(kind: &Type, raw: &RawValue, out: &mut String) -> Result<(), String> {
    match kind {
        Type::Integer(bits) => out.push_str(&integer(raw, *bits)?),
        Type::Decimal { precision, scale } => quote(&decimal(raw, *precision, *scale)?, out),
        Type::Float | Type::Double => float(kind, raw, out)?,
        Type::Boolean => match raw.get() {
            text @ ("true" | "false") => out.push_str(text),
            _ => return Err(not("true or false", raw)),
        },
        Type::Text(most) => {
            let text = text(raw)?.ok_or_else(|| not("a text", raw))?;
            if let Some(most) = most
                && text.chars().count() > *most
            {
                return Err(format!("has {} letters; the column holds {most}", text.chars().count()));
            }
            quote(&text, out);
        }
        Type::Date => quote(&date(raw)?, out),
        Type::Timestamp => quote(&timestamp(raw)?, out),
        Type::TimestampNtz => quote(&timestamp_ntz(raw)?, out),
        Type::Binary => {
            let text = text(raw)?.filter(|text| STANDARD.decode(text.as_bytes()).is_ok());
            quote(&text.ok_or_else(|| not("bytes in base64", raw))?, out);
        }
        Type::Variant => quote(raw.get(), out),
        Type::Array(_) | Type::Map(..) | Type::Struct(_) => {
            inner(kind, raw)?;
            out.push_str(raw.get());
        }
        // Its type cannot be read here; FAILFAST finds what does not fit.
        Type::Unknown => out.push_str(raw.get()),
    }
    Ok(())
}

/// Checks what is inside a list, a map or a struct; the warehouse gets it as it came.
fn inner(kind: &Type, raw: &RawValue) -> Result<(), String> {
    let not_null = |raw: &RawValue| raw.get() != "null";
    match kind {
        Type::Array(item) => {
            let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| not("a list", raw))?;
            for (index, value) in items.into_iter().enumerate().filter(|(_, value)| not_null(value)) {
                inner(item, value).map_err(|wrong| format!("at [{index}] {wrong}"))?;
            }
        }
        Type::Map(_, item) => {
            let members: Members<'_> = serde_json::from_str(raw.get()).map_err(|_| not("an object", raw))?;
            for (name, value) in members.0.into_iter().filter(|(_, value)| not_null(value)) {
                inner(item, value).map_err(|wrong| format!("at {name:?} {wrong}"))?;
            }
        }
        Type::Struct(fields) => {
            let members: Members<'_> = serde_json::from_str(raw.get()).map_err(|_| not("an object", raw))?;
            for (name, value) in members.0 {
                // A field of another name would be dropped in silence (Spark, from_json).
                let field = fields.iter().find(|(field, _)| *field == name);
                let (_, field) = field.ok_or_else(|| format!("has a field {name:?} that the column does not have"))?;
                if not_null(value) {
                    inner(field, value).map_err(|wrong| format!("at {name:?} {wrong}"))?;
                }
            }
        }
        scalar => write(scalar, raw, &mut String::new())?,
    }
    Ok(())
}

fn integer(raw: &RawValue, bits: u32) -> Result<String, String> {
    let number = number(raw)?.ok_or_else(|| not("a whole number", raw))?;
    let whole = number
        .whole(19)
        .ok_or_else(|| if number.fraction_digits() > 0 { not("a whole number", raw) } else { out_of_range(bits) })?;
    let most = (1_i128 << (bits - 1)) - 1;
    match whole.parse::<i128>() {
        Ok(value) if (-most - 1..=most).contains(&value) => Ok(whole),
        _ => Err(out_of_range(bits)),
    }
}

fn out_of_range(bits: u32) -> String {
    let most = (1_i128 << (bits - 1)) - 1;
    format!("is out of range: the column holds {} to {most}", -most - 1)
}

fn decimal(raw: &RawValue, precision: u32, scale: u32) -> Result<String, String> {
    let number = number(raw)?.ok_or_else(|| not("a number", raw))?;
    if number.fraction_digits() > i64::from(scale) {
        return Err(format!(
            "has more than {scale} digits after the point, which DECIMAL({precision},{scale}) would lose"
        ));
    }
    if number.whole_digits() > i64::from(precision.saturating_sub(scale)) {
        return Err(format!("is too large for DECIMAL({precision},{scale})"));
    }
    Ok(number.plain())
}

fn float(kind: &Type, raw: &RawValue, out: &mut String) -> Result<(), String> {
    if let Some(text) = text(raw)? {
        if !matches!(&*text, "NaN" | "Infinity" | "-Infinity") {
            return Err(not("a number, or \"NaN\", \"Infinity\", \"-Infinity\"", raw));
        }
        quote(&text, out);
        return Ok(());
    }
    let fits = match kind {
        Type::Float => raw.get().parse::<f32>().map(f32::is_finite),
        _ => raw.get().parse::<f64>().map(f64::is_finite),
    };
    match fits {
        Ok(true) => out.push_str(raw.get()),
        Ok(false) => return Err("is out of range".to_owned()),
        Err(_) => return Err(not("a number", raw)),
    }
    Ok(())
}

fn date(raw: &RawValue) -> Result<String, String> {
    let wanted = "a date such as \"2026-01-31\"";
    let text = text(raw)?.filter(|text| text.len() == 10).ok_or_else(|| not(wanted, raw))?;
    match text.parse::<Date>() {
        Ok(day) if day.year() >= 1 => Ok(text.into_owned()),
        _ => Err(not(wanted, raw)),
    }
}

/// A moment in UTC. What is below a microsecond is cut off, as the warehouse's own cast does: `utcNow()` of flows has
/// seven digits.
fn timestamp(raw: &RawValue) -> Result<String, String> {
    let wanted = "a time with its offset, such as \"2026-01-31T12:00:00Z\"";
    let text = text(raw)?.filter(|text| !text.contains('[')).ok_or_else(|| not(wanted, raw))?;
    let moment: Timestamp = text.parse().map_err(|_| not(wanted, raw))?;
    let micros = moment.as_nanosecond().div_euclid(1_000);
    let exact = i64::try_from(micros).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
    let exact = exact.filter(|_| micros >= YEAR_1).ok_or_else(|| not(wanted, raw))?;
    Ok(exact.to_string())
}

fn timestamp_ntz(raw: &RawValue) -> Result<String, String> {
    let wanted = "a time without an offset, such as \"2026-01-31T12:00:00\"";
    let text = text(raw)?.ok_or_else(|| not(wanted, raw))?;
    let zoned = text.contains(['Z', 'z', '+', '[']) || text.get(10..).is_some_and(|time| time.contains('-'));
    match text.parse::<DateTime>() {
        Ok(time) if !zoned && time.year() >= 1 => {
            let micros = time.subsec_nanosecond() / 1_000 * 1_000;
            let exact = time.with().subsec_nanosecond(micros).build().map_err(|_| not(wanted, raw))?;
            Ok(exact.to_string())
        }
        _ => Err(not(wanted, raw)),
    }
}

#[cfg(test)]
mod tests;
