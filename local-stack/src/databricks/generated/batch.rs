//! Generated cells as an Arrow stream, message by message.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};

use super::cell::{Cell, Column, Kind};

/// The schema, each batch and the end of the stream.
pub(super) fn messages(
    columns: &[Column],
    row_offset: u64,
    rows: u64,
    batch_rows: u64,
    zone: &str,
) -> Result<Vec<Vec<u8>>, ArrowError> {
    let fields = columns.iter().map(|column| Field::new(&column.name, kind(column.kind, zone), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    let mut messages = vec![std::mem::take(writer.get_mut())];
    let end = row_offset + rows;
    let mut start = row_offset;
    while start < end {
        let next = end.min(start + batch_rows);
        let arrays = columns.iter().enumerate().map(|(at, column)| array(column, at, start..next, zone));
        writer.write(&RecordBatch::try_new(schema.clone(), arrays.collect())?)?;
        messages.push(std::mem::take(writer.get_mut()));
        start = next;
    }
    writer.finish()?;
    messages.push(std::mem::take(writer.get_mut()));
    Ok(messages)
}

fn kind(kind: Kind, zone: &str) -> DataType {
    match kind {
        Kind::Boolean => DataType::Boolean,
        Kind::Int => DataType::Int32,
        Kind::BigInt => DataType::Int64,
        Kind::Double => DataType::Float64,
        Kind::Decimal { precision, scale } => DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(0)),
        Kind::String => DataType::Utf8,
        Kind::Date => DataType::Date32,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into())),
        Kind::Binary => DataType::Binary,
    }
}

/// Builds an array of one kind of cell.
macro_rules! built {
    ($builder:expr, $column:expr, $at:expr, $rows:expr, $cell:path) => {{
        let mut builder = $builder;
        for row in $rows {
            match $column.cell($at, row) {
                Some($cell(value)) => builder.append_value(value),
                _ => builder.append_null(),
            }
        }
        Arc::new(builder.finish())
    }};
}

fn array(column: &Column, at: usize, rows: std::ops::Range<u64>, zone: &str) -> ArrayRef {
    match column.kind {
        Kind::Boolean => built!(BooleanBuilder::new(), column, at, rows, Cell::Boolean),
        Kind::Int => built!(Int32Builder::new(), column, at, rows, Cell::Int),
        Kind::BigInt => built!(Int64Builder::new(), column, at, rows, Cell::BigInt),
        Kind::Double => built!(Float64Builder::new(), column, at, rows, Cell::Double),
        Kind::Decimal { .. } => {
            let builder = Decimal128Builder::new().with_data_type(kind(column.kind, zone));
            built!(builder, column, at, rows, Cell::Decimal)
        }
        Kind::String => built!(StringBuilder::new(), column, at, rows, Cell::String),
        Kind::Date => built!(Date32Builder::new(), column, at, rows, Cell::Date),
        Kind::Timestamp => {
            let builder = TimestampMicrosecondBuilder::new().with_timezone(zone);
            built!(builder, column, at, rows, Cell::Timestamp)
        }
        Kind::Binary => built!(BinaryBuilder::new(), column, at, rows, Cell::Binary),
    }
}
