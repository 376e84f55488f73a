//! One value against the type of a push column: what is wrong with it, or how it is pushed ("Push semantic model
//! properties", Power BI developer docs). Digits are never turned into floating point on the way.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde_json::value::RawValue;

use crate::power_bi::DataType;
use crate::rows::given::{Plain, not, number, quote, text};

/// Characters of a text, in UTF-16.
const LONGEST_TEXT: usize = 4_000;
/// Digits of a Decimal before and behind the point: "precision 28, scale 4".
const WHOLE_DIGITS: i64 = 24;
const FRACTION_DIGITS: i64 = DataType::DECIMAL_SCALE as i64;
/// Digits that a JSON number carries through any reader; more travel as text, which the service converts.
const EXACT_DIGITS: i64 = 15;
/// Years that Power BI keeps ("Data types in Power BI Desktop").
const YEARS: std::ops::RangeInclusive<i16> = 1900..=9999;

/// Writes `raw`, which is not null, to `out`; or says what is wrong, as the rest of a sentence about the value. `None` is a
/// column whose type is not known. `nested`: lists and objects are pushed as JSON text.
pub(super) fn write(kind: Option<DataType>, raw: &RawValue, nested: bool, out: &mut String) -> Result<(), String> {
    if raw.get().starts_with(['{', '[']) {
        let is_text = matches!(kind, None | Some(DataType::String));
        if !nested || !is_text {
            return Err(not(wanted(kind), raw));
        }
        fits(raw.get())?;
        quote(raw.get(), out);
        return Ok(());
    }
    match kind {
        Some(DataType::Int64) => out.push_str(&whole(raw)?),
        Some(DataType::Double) => double(raw, out)?,
        Some(DataType::Decimal) => decimal(raw, out)?,
        Some(DataType::Boolean) => boolean(raw, out)?,
        Some(DataType::Datetime) => datetime(raw, out)?,
        // The service converts what else is given.
        Some(DataType::String) | None => {
            if let Some(text) = text(raw)? {
                fits(&text)?;
            }
            out.push_str(raw.get());
        }
    }
    Ok(())
}

fn wanted(kind: Option<DataType>) -> &'static str {
    match kind {
        None => "a single value",
        Some(DataType::String) => "a text",
        Some(DataType::Int64) => "a whole number",
        Some(DataType::Double | DataType::Decimal) => "a number",
        Some(DataType::Boolean) => "true or false",
        Some(DataType::Datetime) => "a date or time such as \"2026-01-31T12:00:00Z\"",
    }
}

fn fits(text: &str) -> Result<(), String> {
    // No text has more letters in UTF-16 than bytes.
    if text.len() > LONGEST_TEXT {
        let letters = text.encode_utf16().count();
        if letters > LONGEST_TEXT {
            return Err(format!("has {letters} characters; Power BI takes {LONGEST_TEXT}"));
        }
    }
    Ok(())
}

fn digits(kind: DataType, raw: &RawValue) -> Result<Plain, String> {
    match text(raw)?.as_deref().map(str::trim) {
        Some("NaN" | "Infinity" | "-Infinity") => {
            Err(format!("is no number, which a column of type {} does not take", kind.name()))
        }
        _ => number(raw)?.ok_or_else(|| not(wanted(Some(kind)), raw)),
    }
}

fn whole(raw: &RawValue) -> Result<String, String> {
    let number = digits(DataType::Int64, raw)?;
    if number.fraction_digits() > 0 {
        return Err(not(wanted(Some(DataType::Int64)), raw));
    }
    let whole = number.whole(19).and_then(|whole| Some((whole.parse::<i64>().ok()?, whole)));
    match whole {
        // "MinValue and MaxValue are not allowed."
        Some((i64::MIN | i64::MAX, _)) => Err("is the least or the largest Int64, which Power BI does not take".into()),
        Some((_, whole)) => Ok(whole),
        None => Err("is out of range for Int64".into()),
    }
}

fn double(raw: &RawValue, out: &mut String) -> Result<(), String> {
    digits(DataType::Double, raw)?;
    let text = text(raw)?;
    let text = text.as_deref().unwrap_or(raw.get());
    match text.parse::<f64>() {
        // "Double max and min values are not allowed."
        Ok(number) if number.is_finite() && number.abs() < f64::MAX => {
            if raw.get().starts_with('"') {
                quote(text, out);
            } else {
                out.push_str(text);
            }
            Ok(())
        }
        _ => Err("is out of range for Double".into()),
    }
}

fn decimal(raw: &RawValue, out: &mut String) -> Result<(), String> {
    let number = digits(DataType::Decimal, raw)?;
    if number.fraction_digits() > FRACTION_DIGITS {
        return Err(format!(
            "has more than {FRACTION_DIGITS} digits after the point, which Decimal would lose; round it first"
        ));
    }
    if number.whole_digits() > WHOLE_DIGITS {
        return Err("is too large for Decimal, which has 28 digits, 4 of them after the point".into());
    }
    let exact = number.whole_digits() + number.fraction_digits() <= EXACT_DIGITS;
    if exact {
        out.push_str(&number.plain());
    } else {
        quote(&number.plain(), out);
    }
    Ok(())
}

fn boolean(raw: &RawValue, out: &mut String) -> Result<(), String> {
    let given = text(raw)?;
    let word = given.as_deref().unwrap_or(raw.get());
    let word = ["true", "false"].into_iter().find(|known| known.eq_ignore_ascii_case(word));
    out.push_str(word.ok_or_else(|| not(wanted(Some(DataType::Boolean)), raw))?);
    Ok(())
}

/// Goes out as it came: the service reads more forms than are checked here.
fn datetime(raw: &RawValue, out: &mut String) -> Result<(), String> {
    let wrong = || not(wanted(Some(DataType::Datetime)), raw);
    let text = text(raw)?.ok_or_else(wrong)?;
    let utc = |moment: Timestamp| moment.to_zoned(jiff::tz::TimeZone::UTC).year();
    let year = text.parse::<Timestamp>().map(utc).or_else(|_| text.parse::<DateTime>().map(DateTime::year));
    let year = year.or_else(|_| text.parse::<Date>().map(Date::year));
    match year {
        Ok(year) if YEARS.contains(&year) => {}
        Ok(_) => return Err("is out of range: Power BI keeps the years 1900 to 9999".into()),
        Err(_) if is_of_slashes(&text) => {}
        Err(_) => return Err(wrong()),
    }
    quote(&text, out);
    Ok(())
}

/// `07/30/2014`, with or without a time (MSDN, "Add Rows", has such a date in its example).
fn is_of_slashes(text: &str) -> bool {
    let date = text.split(' ').next().unwrap_or_default();
    let parts: Vec<&str> = date.split('/').collect();
    let digits = |part: &&str| !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(digits)
}

#[cfg(test)]
mod tests;
