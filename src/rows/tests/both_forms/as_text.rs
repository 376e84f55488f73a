//! The rows as Databricks writes them in JSON_ARRAY.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::super::BinaryForm;
use super::values::Row;

fn decimal(unscaled: i128, scale: usize) -> String {
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{}{whole}.{fraction}", if unscaled < 0 { "-" } else { "" })
}

fn floating(value: f64, text: String) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        text
    }
}

fn day(days: i32) -> String {
    let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(days));
    date.to_string()
}

fn moment(micros: i64, zone: Option<i32>) -> String {
    let offset = jiff::tz::Offset::from_seconds(zone.unwrap_or(0) * 60).unwrap();
    let at = offset.to_datetime(jiff::Timestamp::from_microsecond(micros).unwrap());
    let digits = if micros % 1000 == 0 { format!("{at:.3}") } else { format!("{at:.6}") };
    match zone {
        None => digits,
        Some(0) => format!("{digits}Z"),
        Some(zone) => {
            let sign = if zone < 0 { '-' } else { '+' };
            format!("{digits}{sign}{:02}:{:02}", zone.abs() / 60, zone.abs() % 60)
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

fn interval_months(months: i32) -> String {
    format!("{}{}-{}", if months < 0 { "-" } else { "" }, months.abs() / 12, months.abs() % 12)
}

fn interval_nanos(nanos: i64) -> String {
    let span = jiff::SignedDuration::from_nanos(nanos);
    let seconds = span.as_secs().abs();
    format!(
        "{}{} {:02}:{:02}:{:02}.{:09}",
        if nanos < 0 { "-" } else { "" },
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        span.subsec_nanos().abs()
    )
}

fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

fn or_null(text: Option<String>) -> String {
    text.unwrap_or_else(|| "null".to_owned())
}

/// The text of an inner value, as a member of an object.
fn members(members: Vec<(&str, Option<String>)>, sparse: bool) -> String {
    let parts: Vec<String> = members
        .into_iter()
        .filter(|(_, value)| value.is_some() || !sparse)
        .map(|(name, value)| format!("{}: {}", quote(name), or_null(value)))
        .collect();
    format!("{{{}}}", parts.join(", "))
}

impl Row {
    /// The cells as Databricks writes them.
    pub(super) fn cells(&self, form: BinaryForm) -> Vec<Option<String>> {
        let binary = |bytes: &Vec<u8>| match form {
            BinaryForm::Base64 => STANDARD.encode(bytes),
            BinaryForm::Hexadecimal => hex(bytes),
        };
        let double =
            |value: f64| floating(value, if self.exponent { format!("{value:E}") } else { format!("{value}") });
        let float =
            |value: f32| floating(value.into(), if self.exponent { format!("{value:E}") } else { format!("{value}") });
        let map = |parts: Vec<String>| format!("{{{}}}", parts.join(","));
        vec![
            self.boolean.map(|value| value.to_string()),
            self.byte.map(|value| value.to_string()),
            self.short.map(|value| value.to_string()),
            self.int.map(|value| value.to_string()),
            self.long.map(|value| value.to_string()),
            self.float.map(float),
            self.double.map(double),
            self.small.map(|value| decimal(value, 2)),
            self.large.map(|value| decimal(value, 18)),
            self.text.clone(),
            self.date.map(day),
            self.moment.map(|micros| moment(micros, Some(self.zone))),
            self.local.map(|micros| moment(micros, None)),
            self.binary.as_ref().map(binary),
            self.months.map(interval_months),
            self.nanos.map(interval_nanos),
            self.decimals.as_ref().map(|items| {
                let items: Vec<String> = items.iter().map(|item| or_null(item.map(|item| decimal(item, 3)))).collect();
                format!("[{}]", items.join(" ,\n"))
            }),
            self.moments.as_ref().map(|pairs| {
                let text = |micros: i64| quote(&moment(micros, Some(self.zone)));
                map(pairs.iter().map(|(key, value)| format!("{}:{}", quote(key), or_null(value.map(text)))).collect())
            }),
            self.flags.as_ref().map(|pairs| {
                let text = |flag: bool| flag.to_string();
                map(pairs.iter().map(|(key, value)| format!("\"{key}\":{}", or_null(value.map(text)))).collect())
            }),
            self.inner.as_ref().map(|inner| {
                let number = |value: f64| {
                    let text = double(value);
                    if value.is_finite() { text } else { quote(&text) }
                };
                let list = |items: &Vec<Option<i64>>| {
                    let items: Vec<String> =
                        items.iter().map(|item| or_null(item.map(|item| item.to_string()))).collect();
                    format!("[{}]", items.join(","))
                };
                members(
                    vec![
                        ("day", inner.date.map(|days| quote(&day(days)))),
                        ("b:", inner.binary.as_ref().map(|bytes| quote(&binary(bytes)))),
                        ("x", inner.double.map(number)),
                        ("s", inner.text.as_deref().map(quote)),
                        ("n", inner.longs.as_ref().map(list)),
                    ],
                    self.sparse,
                )
            }),
            self.variant.clone(),
            None,
        ]
    }
}
