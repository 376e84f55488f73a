//! What stands in the cell of a generated result: a value by its column and its row, and its text in `JSON_ARRAY`.

use anyhow::bail;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;

use super::super::options::Binary;
use super::GeneratedColumn;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Int,
    BigInt,
    Double,
    Decimal { precision: u8, scale: u8 },
    String,
    Date,
    Timestamp,
    Binary,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) type_text: String,
    pub(super) type_name: &'static str,
    nulls: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Boolean(bool),
    Int(i32),
    BigInt(i64),
    Double(f64),
    /// Without its scale.
    Decimal(i128),
    String(String),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since 1970.
    Timestamp(i64),
    Binary([u8; 8]),
}

impl Column {
    pub(super) fn new(column: &GeneratedColumn) -> anyhow::Result<Self> {
        let type_text = column.type_text.to_ascii_uppercase();
        let (kind, type_name) = match type_text.as_str() {
            "BOOLEAN" => (Kind::Boolean, "BOOLEAN"),
            "INT" => (Kind::Int, "INT"),
            "BIGINT" => (Kind::BigInt, "LONG"),
            "DOUBLE" => (Kind::Double, "DOUBLE"),
            "STRING" => (Kind::String, "STRING"),
            "DATE" => (Kind::Date, "DATE"),
            "TIMESTAMP" => (Kind::Timestamp, "TIMESTAMP"),
            "BINARY" => (Kind::Binary, "BINARY"),
            other => match decimal(other) {
                Some(kind) => (kind, "DECIMAL"),
                None => bail!("{other} is not a type of generated columns"),
            },
        };
        Ok(Self { name: column.name.clone(), kind, type_text, type_name, nulls: column.nulls })
    }

    pub(super) fn decimal(&self) -> Option<(u8, u8)> {
        match self.kind {
            Kind::Decimal { precision, scale } => Some((precision, scale)),
            _ => None,
        }
    }

    /// The first column of numbers counts the rows; everything else is scattered.
    #[allow(clippy::cast_possible_wrap, clippy::cast_possible_truncation, reason = "bits of a hash become a value")]
    #[allow(clippy::cast_precision_loss, reason = "the number has less than 53 bits")]
    pub(super) fn cell(&self, at: usize, row: u64) -> Option<Cell> {
        if self.nulls && row % 7 == at as u64 % 7 {
            return None;
        }
        let hash = scattered(row ^ ((at as u64) << 48));
        Some(match self.kind {
            Kind::Boolean => Cell::Boolean(hash & 1 == 1),
            Kind::Int if at == 0 => Cell::Int(row as i32),
            Kind::Int => Cell::Int(hash as i32),
            Kind::BigInt if at == 0 => Cell::BigInt(row as i64),
            Kind::BigInt => Cell::BigInt(hash as i64),
            Kind::Double => Cell::Double((hash % 2_000_000_001) as f64 / 1000.0 - 1_000_000.0),
            Kind::Decimal { precision, .. } => {
                let wide =
                    i128::from(hash as i64) * if precision > 18 { i128::from(scattered(hash) as i64) } else { 1 };
                Cell::Decimal(wide % 10_i128.pow(u32::from(precision)))
            }
            Kind::String if row % 11 == 3 => Cell::String(format!("Zo\u{eb} \"{row}\", \u{1f600}\n{hash:x}")),
            Kind::String => Cell::String(format!("row {row} {hash:016x}")),
            Kind::Date => Cell::Date((hash % 40_000) as i32 - 10_000),
            Kind::Timestamp => Cell::Timestamp((hash % 3_000_000_000_000_000) as i64 - 500_000_000_000_000),
            Kind::Binary => Cell::Binary(hash.to_be_bytes()),
        })
    }

    /// As `JSON_ARRAY` has it; None for NULL.
    pub(super) fn text(&self, at: usize, row: u64, zone: &TimeZone, binary: Binary) -> Option<String> {
        Some(match self.cell(at, row)? {
            Cell::Boolean(value) => value.to_string(),
            Cell::Int(value) => value.to_string(),
            Cell::BigInt(value) => value.to_string(),
            Cell::Double(value) => java(value),
            Cell::Decimal(value) => plain(value, self.decimal().map_or(0, |(_, scale)| scale)),
            Cell::String(value) => value,
            Cell::Date(days) => date(1970, 1, 1).saturating_add(jiff::Span::new().days(days)).to_string(),
            Cell::Timestamp(micros) => instant(micros, zone),
            Cell::Binary(bytes) => match binary {
                Binary::Base64 => BASE64_STANDARD.encode(bytes),
                Binary::Hex => format!("{:016X}", u64::from_be_bytes(bytes)),
            },
        })
    }
}

fn decimal(text: &str) -> Option<Kind> {
    let (precision, scale) = text.strip_prefix("DECIMAL(")?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    ((1..=38).contains(&precision) && scale <= precision).then_some(Kind::Decimal { precision, scale })
}

/// The finalizer of `SplitMix64`: neighbouring rows share nothing.
fn scattered(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// As Java's `Double.toString` has it, for the numbers that are generated.
fn java(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

fn plain(value: i128, scale: u8) -> String {
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = usize::from(scale) + 1);
    let sign = if value < 0 { "-" } else { "" };
    let (whole, rest) = digits.split_at(digits.len() - usize::from(scale));
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
}

/// With the session's offset; further digits than milliseconds only where they are not zero.
fn instant(micros: i64, zone: &TimeZone) -> String {
    let Ok(at) = Timestamp::from_microsecond(micros) else { return String::new() };
    let local = at.to_zoned(zone.clone());
    let form = if micros % 1000 == 0 { "%Y-%m-%dT%H:%M:%S.%3f" } else { "%Y-%m-%dT%H:%M:%S.%6f" };
    let offset = local.strftime("%:z").to_string();
    let offset = if offset == "+00:00" { "Z" } else { &offset };
    format!("{}{offset}", local.strftime(form))
}
