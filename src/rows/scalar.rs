//! One value that is neither text nor complex: how it is read from Databricks' text, and what it becomes in JSON.
//! Whole columns take `cells.rs`, by the same functions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ValueOptions;
use super::chunk::BinaryForm;
use super::column::decimal_as_number;
use super::json_text::push_string;
use super::kind::Kind;
use super::moment::{push_date, push_moment, read_date, read_timestamp, read_timestamp_ntz};
use super::number::{
    Floating, is_json_number, push_decimal, push_float_json, push_integer, read_decimal, read_integer,
};

/// A value as it is held in memory.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Boolean(bool),
    Integer(i64),
    Long(i64),
    Float(f32),
    Double(f64),
    Decimal {
        unscaled: i128,
        precision: u8,
        scale: u8,
    },
    /// A decimal whose scale nobody told.
    Digits(String),
    Date(i32),
    Timestamp(i64),
    TimestampNtz(i64),
    Binary(Vec<u8>),
}

impl Scalar {
    /// `None` where the text is not of this kind.
    pub(super) fn read(kind: &Kind, text: &str, binary: BinaryForm) -> Option<Self> {
        Some(match kind {
            Kind::Boolean => Self::Boolean(read_boolean(text)?),
            Kind::Byte => Self::Integer(i8::try_from(read_integer(text)?).ok()?.into()),
            Kind::Short => Self::Integer(i16::try_from(read_integer(text)?).ok()?.into()),
            Kind::Int => Self::Integer(i32::try_from(read_integer(text)?).ok()?.into()),
            Kind::Long => Self::Long(read_integer(text)?),
            Kind::Float => Self::Float(text.parse().ok()?),
            Kind::Double => Self::Double(text.parse().ok()?),
            Kind::Decimal(Some((precision, scale))) => {
                Self::Decimal { unscaled: read_decimal(text, *scale)?, precision: *precision, scale: *scale }
            }
            Kind::Decimal(None) => is_json_number(text).then(|| Self::Digits(text.to_owned()))?,
            Kind::Date => Self::Date(read_date(text)?),
            Kind::Timestamp => Self::Timestamp(read_timestamp(text)?),
            Kind::TimestampNtz => Self::TimestampNtz(read_timestamp_ntz(text)?),
            Kind::Binary => Self::Binary(read_binary(text, binary)?),
            Kind::String
            | Kind::Interval
            | Kind::Null
            | Kind::Array(_)
            | Kind::Map(_)
            | Kind::Struct(_)
            | Kind::Json => {
                return None;
            }
        })
    }

    pub(super) fn write_json(&self, out: &mut Vec<u8>, options: ValueOptions) {
        match self {
            Self::Boolean(value) => push_boolean(out, *value),
            Self::Integer(value) => push_integer(out, *value),
            Self::Long(value) => quoted(out, options.bigints_as_string, |out| push_integer(out, *value)),
            Self::Float(value) => push_floating(out, *value),
            Self::Double(value) => push_floating(out, *value),
            Self::Decimal { unscaled, precision, scale } => {
                let as_number = decimal_as_number(Some((*precision).into()), options);
                quoted(out, !as_number, |out| push_decimal(out, *unscaled, usize::from(*scale)));
            }
            Self::Digits(text) => {
                quoted(out, !decimal_as_number(None, options), |out| out.extend_from_slice(text.as_bytes()));
            }
            Self::Date(days) => push_date(out, *days, true),
            Self::Timestamp(micros) => push_micros(out, *micros, true),
            Self::TimestampNtz(micros) => push_micros(out, *micros, false),
            Self::Binary(bytes) => quoted(out, true, |out| push_base64(out, bytes)),
        }
    }
}

/// Between quotes, where the rule says so.
#[inline]
pub(super) fn quoted(out: &mut Vec<u8>, quotes: bool, write: impl FnOnce(&mut Vec<u8>)) {
    if quotes {
        out.push(b'"');
        write(out);
        out.push(b'"');
    } else {
        write(out);
    }
}

pub(super) fn push_boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// JSON has no NaN and no infinities, so they become strings.
#[inline]
pub(super) fn push_floating(out: &mut Vec<u8>, value: impl Floating) {
    match value.special() {
        None => push_float_json(out, value),
        Some(name) => push_string(out, name),
    }
}

fn push_micros(out: &mut Vec<u8>, micros: i64, utc: bool) {
    let below = u32::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0);
    push_moment(out, micros.div_euclid(1_000_000), below * 1_000, utc, true);
}

pub(super) fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // It fits: the room was made by base64's own measure.
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

pub(super) fn read_boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// BINARY in the form that this warehouse was found to write.
pub(super) fn read_binary(text: &str, form: BinaryForm) -> Option<Vec<u8>> {
    match form {
        BinaryForm::Base64 => STANDARD.decode(text).ok(),
        BinaryForm::Hexadecimal => {
            let (pairs, rest) = text.as_bytes().as_chunks::<2>();
            let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            rest.is_empty()
                .then(|| pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect())?
        }
    }
}
