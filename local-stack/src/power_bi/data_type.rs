//! The types of push datasets, and which values each takes ("Push semantic model properties" and "Push semantic model
//! limitations", Power BI developer docs). A value is looked at as the JSON text that it came as.

use std::borrow::Cow;

use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    Int64,
    Double,
    Boolean,
    DateTime,
    String,
    Decimal,
}

/// "Supports dates between years 1900 and 9999" ("Data types in Power BI Desktop").
const YEARS: std::ops::RangeInclusive<i16> = 1900..=9999;
/// Of text, in UTF-16 as .NET counts.
const LONGEST: usize = 4_000;
/// Of `Decimal`: 28 digits, 4 of them after the point.
const DIGITS: (usize, usize) = (24, 4);

impl DataType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Int64 => "Int64",
            Self::Double => "Double",
            Self::Boolean => "Boolean",
            Self::DateTime => "DateTime",
            Self::String => "String",
            Self::Decimal => "Decimal",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        let all = [Self::Int64, Self::Double, Self::Boolean, Self::DateTime, Self::String, Self::Decimal];
        // The older `bool` is still taken.
        let name = if name.eq_ignore_ascii_case("bool") { "Boolean" } else { name };
        all.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Why this value is not taken. Text is converted to numbers and dates where it can be.
    pub(super) fn refuses(self, json: &str) -> Option<&'static str> {
        const NO: Option<&str> = Some("cannot be converted to the column's type");
        if json == "null" {
            return None;
        }
        if json.starts_with(['{', '[']) {
            return NO;
        }
        let text = if json.starts_with('"') { unquoted(json) } else { Cow::Borrowed(json) };
        let text = text.as_ref();
        let trimmed = text.trim();
        match self {
            Self::String if text.len() > LONGEST && text.encode_utf16().count() > LONGEST => {
                Some("has more than 4,000 characters")
            }
            Self::String => None,
            Self::Boolean => {
                let good = trimmed.eq_ignore_ascii_case("true") || trimmed.eq_ignore_ascii_case("false");
                if good { None } else { NO }
            }
            Self::Int64 => match trimmed.parse::<i64>() {
                Ok(i64::MIN | i64::MAX) => Some("is Int64.MinValue or Int64.MaxValue, which are not allowed"),
                Ok(_) => None,
                Err(_) => NO,
            },
            Self::Double => match trimmed.parse::<f64>() {
                Ok(number) if number.is_nan() => Some("is not a number, which is not supported"),
                // Infinity is "supported in some functions only"; its text in JSON is written nowhere.
                Ok(number) if !number.is_finite() => NO,
                Ok(f64::MIN | f64::MAX) => Some("is Double.MinValue or Double.MaxValue, which are not allowed"),
                Ok(_) => None,
                Err(_) => NO,
            },
            // What the service does with further digits is written nowhere: refused, so that none is lost.
            Self::Decimal => match digits(trimmed) {
                Some((whole, fraction)) if whole > DIGITS.0 || fraction > DIGITS.1 => {
                    Some("has more digits than precision 28 and scale 4 allow")
                }
                Some(_) => None,
                None => NO,
            },
            Self::DateTime => match year(trimmed) {
                Some(year) if YEARS.contains(&year) => None,
                Some(_) => Some("is not between the years 1900 and 9999"),
                None => NO,
            },
        }
    }

    /// The value as queries answer it: numbers as numbers, dates without a zone.
    pub(super) fn read(self, value: &Value) -> Value {
        let Value::String(text) = value else { return value.clone() };
        let text = text.trim();
        let number = |text: &str| serde_json::from_str(text).ok().filter(Value::is_number);
        match self {
            Self::Int64 | Self::Double | Self::Decimal => number(text).unwrap_or_else(|| value.clone()),
            Self::Boolean => Value::Bool(text.eq_ignore_ascii_case("true")),
            Self::DateTime => moment(text).map_or_else(|| value.clone(), |moment| Value::String(moment.to_string())),
            Self::String => value.clone(),
        }
    }
}

fn unquoted(json: &str) -> Cow<'_, str> {
    let inner = &json[1..json.len() - 1];
    if inner.contains('\\') { Cow::Owned(serde_json::from_str(json).unwrap_or_default()) } else { Cow::Borrowed(inner) }
}

/// How many digits stand before and after the point, those that matter.
fn digits(text: &str) -> Option<(usize, usize)> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    // Without an exponent, which only large and small numbers are written with.
    let plain = if text.contains(['e', 'E']) { number.to_string() } else { text.to_owned() };
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let whole = whole.trim_start_matches(['+', '-']).trim_start_matches('0');
    Some((whole.len(), fraction.trim_end_matches('0').len()))
}

fn year(text: &str) -> Option<i16> {
    moment(text).map(jiff::civil::DateTime::year)
}

/// A moment in UTC: ISO 8601, or month, day and year as in the swagger's example of rows.
pub(super) fn moment(text: &str) -> Option<jiff::civil::DateTime> {
    if text.contains('/') {
        let forms = ["%m/%d/%Y", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p"];
        return forms.iter().find_map(|form| {
            let broken = jiff::fmt::strtime::parse(form, text).ok()?;
            broken.to_datetime().or_else(|_| broken.to_date().map(Into::into)).ok()
        });
    }
    if text.len() <= 10 {
        return text.parse::<jiff::civil::Date>().ok().map(Into::into);
    }
    let zoned = text.parse::<jiff::Timestamp>().ok();
    zoned.map(|moment| jiff::tz::TimeZone::UTC.to_datetime(moment)).or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_takes_what_it_can_hold_and_no_more() {
        use DataType::{Boolean, DateTime, Decimal, Double, Int64, String};
        let takes = |kind: DataType, json: &str| assert_eq!(kind.refuses(json), None, "{kind:?} {json}");
        let refuses = |kind: DataType, json: &str| assert!(kind.refuses(json).is_some(), "{kind:?} {json}");
        for kind in [Boolean, DateTime, Decimal, Double, Int64, String] {
            takes(kind, "null");
            refuses(kind, "{}");
            refuses(kind, "[1]");
        }
        for good in ["1", "-9223372036854775807", "\" 7 \""] {
            takes(Int64, good);
        }
        for bad in ["1.5", "9223372036854775807", "-9223372036854775808", "\"9223372036854775807\"", "true", "\"x\""] {
            refuses(Int64, bad);
        }
        for good in ["1", "1.5e300", "\"2.5\""] {
            takes(Double, good);
        }
        for bad in ["\"NaN\"", "\"Infinity\"", "1.7976931348623157e308", "-1.7976931348623157e308", "\"\""] {
            refuses(Double, bad);
        }
        let most = "9".repeat(24);
        for good in ["1.2345", "-0.5000000", "1e3", &format!("{most}.9999"), &format!("\"{most}.9999\"")] {
            takes(Decimal, good);
        }
        for bad in ["1.23456", &format!("1{most}"), "1e24", "\"NaN\""] {
            refuses(Decimal, bad);
        }
        for good in
            ["2026-10-31", "2026-10-31T08:00:00", "2026-10-31T08:00:00.5Z", "07/30/2014", "7/30/2014 12:00:00 AM"]
        {
            takes(DateTime, &format!("\"{good}\""));
        }
        for bad in ["\"someday\"", "\"1899-12-31\"", "\"0001-01-01T00:00:00Z\"", "5"] {
            refuses(DateTime, bad);
        }
        takes(String, &format!("\"{}\"", "ä".repeat(4_000)));
        refuses(String, &format!("\"{}\"", "ä".repeat(4_001)));
        takes(String, &format!("\"{}\"", "\\n".repeat(4_000)));
        takes(String, "5");
        takes(Boolean, "\"True\"");
        refuses(Boolean, "1");
    }

    #[test]
    fn queries_answer_numbers_as_numbers_and_dates_without_a_zone() {
        let read = |kind: DataType, text: &str| kind.read(&Value::String(text.into())).to_string();
        assert_eq!(read(DataType::Int64, "7"), "7");
        assert_eq!(read(DataType::DateTime, "2026-10-31T08:00:00Z"), "\"2026-10-31T08:00:00\"");
        assert_eq!(read(DataType::String, "7"), "\"7\"");
    }
}
