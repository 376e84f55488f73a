//! Cells of JSON_ARRAY into typed columns: text is read once, and from there on both forms of a result are the same.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int8Builder,
    Int16Builder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, NullArray};
use arrow_schema::{DataType, TimeUnit};

use super::chunk::BinaryForm;
use super::kind::Kind;
use super::moment::{read_date, read_timestamp, read_timestamp_ntz};
use super::number::{is_json_number, read_decimal, read_integer};
use super::scalar::{read_binary, read_boolean};

/// A column that is being filled.
#[derive(Debug)]
pub(super) enum Typed {
    Boolean(BooleanBuilder),
    Byte(Int8Builder),
    Short(Int16Builder),
    Int(Int32Builder),
    Long(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder, u8),
    Digits(StringBuilder),
    Text(StringBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    TimestampNtz(TimestampMicrosecondBuilder),
    Binary(BinaryBuilder, BinaryForm),
    Null(usize),
}

/// The Arrow type of a column that comes as text; complex values stay JSON text.
pub(super) fn data_type(kind: &Kind) -> DataType {
    match kind {
        Kind::Boolean => DataType::Boolean,
        Kind::Byte => DataType::Int8,
        Kind::Short => DataType::Int16,
        Kind::Int => DataType::Int32,
        Kind::Long => DataType::Int64,
        Kind::Float => DataType::Float32,
        Kind::Double => DataType::Float64,
        Kind::Decimal(Some((precision, scale))) => {
            DataType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(i8::MAX))
        }
        Kind::Date => DataType::Date32,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))),
        Kind::TimestampNtz => DataType::Timestamp(TimeUnit::Microsecond, None),
        Kind::Binary => DataType::Binary,
        Kind::Null => DataType::Null,
        Kind::Decimal(None)
        | Kind::String
        | Kind::Interval
        | Kind::Array(_)
        | Kind::Map(_)
        | Kind::Struct(_)
        | Kind::Json => DataType::Utf8,
    }
}

impl Typed {
    pub(super) fn new(kind: &Kind, binary: BinaryForm) -> Self {
        let moments = || TimestampMicrosecondBuilder::new().with_data_type(data_type(kind));
        match kind {
            Kind::Boolean => Self::Boolean(BooleanBuilder::new()),
            Kind::Byte => Self::Byte(Int8Builder::new()),
            Kind::Short => Self::Short(Int16Builder::new()),
            Kind::Int => Self::Int(Int32Builder::new()),
            Kind::Long => Self::Long(Int64Builder::new()),
            Kind::Float => Self::Float(Float32Builder::new()),
            Kind::Double => Self::Double(Float64Builder::new()),
            Kind::Decimal(Some((_, scale))) => {
                Self::Decimal(Decimal128Builder::new().with_data_type(data_type(kind)), *scale)
            }
            Kind::Decimal(None) => Self::Digits(StringBuilder::new()),
            Kind::Date => Self::Date(Date32Builder::new()),
            Kind::Timestamp => Self::Timestamp(moments()),
            Kind::TimestampNtz => Self::TimestampNtz(moments()),
            Kind::Binary => Self::Binary(BinaryBuilder::new(), binary),
            Kind::Null => Self::Null(0),
            Kind::String | Kind::Interval | Kind::Array(_) | Kind::Map(_) | Kind::Struct(_) | Kind::Json => {
                Self::Text(StringBuilder::new())
            }
        }
    }

    /// Takes the next cell in; on failure it says what the cell is not.
    pub(super) fn push(&mut self, text: Option<&str>) -> Result<(), &'static str> {
        let Some(text) = text else {
            self.push_null();
            return Ok(());
        };
        match self {
            Self::Boolean(builder) => builder.append_value(read_boolean(text).ok_or("true or false")?),
            Self::Byte(builder) => builder.append_value(integer(text).ok_or("a whole number of 8 bits")?),
            Self::Short(builder) => builder.append_value(integer(text).ok_or("a whole number of 16 bits")?),
            Self::Int(builder) => builder.append_value(integer(text).ok_or("a whole number of 32 bits")?),
            Self::Long(builder) => builder.append_value(integer(text).ok_or("a whole number of 64 bits")?),
            Self::Float(builder) => builder.append_value(text.parse().map_err(|_| "a number")?),
            Self::Double(builder) => builder.append_value(text.parse().map_err(|_| "a number")?),
            Self::Decimal(builder, scale) => {
                builder.append_value(read_decimal(text, *scale).ok_or("a decimal number of this scale")?);
            }
            Self::Digits(builder) => {
                builder.append_value(is_json_number(text).then_some(text).ok_or("a decimal number")?);
            }
            Self::Text(builder) => builder.append_value(text),
            Self::Date(builder) => builder.append_value(read_date(text).ok_or("a date")?),
            Self::Timestamp(builder) => builder.append_value(read_timestamp(text).ok_or("a time with its offset")?),
            Self::TimestampNtz(builder) => {
                builder.append_value(read_timestamp_ntz(text).ok_or("a time without an offset")?);
            }
            Self::Binary(builder, form) => builder.append_value(read_binary(text, *form).ok_or(match form {
                BinaryForm::Base64 => "base64",
                BinaryForm::Hexadecimal => "hexadecimal",
            })?),
            Self::Null(_) => return Err("NULL"),
        }
        Ok(())
    }

    fn push_null(&mut self) {
        match self {
            Self::Boolean(builder) => builder.append_null(),
            Self::Byte(builder) => builder.append_null(),
            Self::Short(builder) => builder.append_null(),
            Self::Int(builder) => builder.append_null(),
            Self::Long(builder) => builder.append_null(),
            Self::Float(builder) => builder.append_null(),
            Self::Double(builder) => builder.append_null(),
            Self::Decimal(builder, _) => builder.append_null(),
            Self::Digits(builder) | Self::Text(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Timestamp(builder) | Self::TimestampNtz(builder) => builder.append_null(),
            Self::Binary(builder, _) => builder.append_null(),
            Self::Null(count) => *count += 1,
        }
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Byte(builder) => Arc::new(builder.finish()),
            Self::Short(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Long(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder, _) => Arc::new(builder.finish()),
            Self::Digits(builder) | Self::Text(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) | Self::TimestampNtz(builder) => Arc::new(builder.finish()),
            Self::Binary(builder, _) => Arc::new(builder.finish()),
            Self::Null(count) => Arc::new(NullArray::new(std::mem::take(count))),
        }
    }
}

fn integer<T: TryFrom<i64>>(text: &str) -> Option<T> {
    T::try_from(read_integer(text)?).ok()
}
