//! The rows as Arrow columns.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Decimal128Builder, Int32Builder, Int64Builder, ListBuilder, MapBuilder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::*;
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Fields};

use super::values::{Inner, Row};

pub(super) fn arrays(rows: &[Row]) -> Vec<(String, ArrayRef)> {
    let decimals = |of: fn(&Row) -> Option<i128>, precision, scale| -> ArrayRef {
        let array: Decimal128Array = rows.iter().map(of).collect();
        Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
    };
    let mut lists = ListBuilder::new(Decimal128Builder::new().with_data_type(DataType::Decimal128(38, 3)));
    let moments_type = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("Etc/UTC".into()));
    let mut moments = MapBuilder::new(
        None,
        StringBuilder::new(),
        TimestampMicrosecondBuilder::new().with_data_type(moments_type.clone()),
    );
    let mut flags = MapBuilder::new(None, Int32Builder::new(), BooleanBuilder::new());
    let mut inner_longs = ListBuilder::new(Int64Builder::new());
    for row in rows {
        lists.append_option(row.decimals.clone());
        for (key, value) in row.moments.iter().flatten() {
            moments.keys().append_value(key);
            moments.values().append_option(*value);
        }
        moments.append(row.moments.is_some()).unwrap();
        for (key, value) in row.flags.iter().flatten() {
            flags.keys().append_value(*key);
            flags.values().append_option(*value);
        }
        flags.append(row.flags.is_some()).unwrap();
        inner_longs.append_option(row.inner.as_ref().and_then(|inner| inner.longs.clone()));
    }
    let inner = |of: fn(&Inner) -> Option<f64>| {
        rows.iter().map(|row| row.inner.as_ref().and_then(of)).collect::<Float64Array>()
    };
    let inner_longs = inner_longs.finish();
    let fields = Fields::from(vec![
        Field::new("day", DataType::Date32, true),
        Field::new("b:", DataType::Binary, true),
        Field::new("x", DataType::Float64, true),
        Field::new("s", DataType::Utf8View, true),
        Field::new("n", inner_longs.data_type().clone(), true),
    ]);
    let children: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.inner.as_ref()?.date).collect::<Date32Array>()),
        Arc::new(rows.iter().map(|row| row.inner.as_ref()?.binary.as_deref()).collect::<BinaryArray>()),
        Arc::new(inner(|inner| inner.double)),
        Arc::new(rows.iter().map(|row| row.inner.as_ref()?.text.as_deref()).collect::<StringViewArray>()),
        Arc::new(inner_longs),
    ];
    let known = rows.iter().map(|row| row.inner.is_some()).collect::<NullBuffer>();
    let all: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.boolean).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|row| row.byte).collect::<Int8Array>()),
        Arc::new(rows.iter().map(|row| row.short).collect::<Int16Array>()),
        Arc::new(rows.iter().map(|row| row.int).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| row.long).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.float).collect::<Float32Array>()),
        Arc::new(rows.iter().map(|row| row.double).collect::<Float64Array>()),
        decimals(|row| row.small, 15, 2),
        decimals(|row| row.large, 38, 18),
        Arc::new(rows.iter().map(|row| row.text.as_deref()).collect::<DictionaryArray<types::Int32Type>>()),
        Arc::new(rows.iter().map(|row| row.date).collect::<Date32Array>()),
        Arc::new(rows.iter().map(|row| row.moment).collect::<TimestampMicrosecondArray>().with_timezone("Etc/UTC")),
        Arc::new(rows.iter().map(|row| row.local).collect::<TimestampMicrosecondArray>()),
        Arc::new(rows.iter().map(|row| row.binary.as_deref()).collect::<LargeBinaryArray>()),
        Arc::new(rows.iter().map(|row| row.months).collect::<IntervalYearMonthArray>()),
        Arc::new(rows.iter().map(|row| row.nanos).collect::<DurationNanosecondArray>()),
        Arc::new(lists.finish()),
        Arc::new(moments.finish()),
        Arc::new(flags.finish()),
        Arc::new(StructArray::new(fields, children, Some(known))),
        Arc::new(rows.iter().map(|row| row.variant.as_deref()).collect::<LargeStringArray>()),
        Arc::new(NullArray::new(rows.len())),
    ];
    all.into_iter().enumerate().map(|(index, array)| (format!("c{index}"), array)).collect()
}
