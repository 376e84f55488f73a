//! INT, BIGINT, DOUBLE, STRING and DATE read byte for byte as `arrow-json` and `arrow-csv` write them. FLOAT is not
//! among them: of two texts that come back as the same `f32`, `lexical-core` does not always take the shorter one.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;

use super::super::*;
use super::made::*;

fn bare_json(batch: &RecordBatch) -> String {
    let mut out = Vec::new();
    let mut writer = arrow_json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, arrow_json::writer::LineDelimited>(&mut out);
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    String::from_utf8(out).unwrap()
}

fn bare_csv(batch: &RecordBatch) -> String {
    let mut out = Vec::new();
    arrow_csv::WriterBuilder::new().with_header(true).build(&mut out).write(batch).unwrap();
    String::from_utf8(out).unwrap()
}

proptest! {
    #[test]
    fn the_common_types_are_written_as_arrow_writes_them(
        rows in prop::collection::vec(
            (
                prop::option::of(any::<i32>()),
                prop::option::of(any::<i64>()),
                prop::option::of(prop_oneof![
                    any::<f64>().prop_filter("JSON has no other", |value| value.is_finite()),
                    any::<i32>().prop_map(f64::from),
                    (any::<i32>(), -20..20_i32).prop_map(|(value, power)| f64::from(value) * 10_f64.powi(power)),
                ]),
                prop::option::of(prop_oneof![".+", "[a-z,\"\r\n\\\\ \u{0}-\u{1f}]{1,20}"]),
                prop::option::of(-719_162..2_932_896_i32),
            ),
            1..20,
        ),
    ) {
        let arrays: Vec<(&str, ArrayRef)> = vec![
            ("i", Arc::new(rows.iter().map(|row| row.0).collect::<Int32Array>())),
            ("a \"long\", one", Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>())),
            ("d", Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>())),
            ("s", Arc::new(rows.iter().map(|row| row.3.clone()).collect::<StringArray>())),
            ("day", Arc::new(rows.iter().map(|row| row.4).collect::<Date32Array>())),
        ];
        let types = ["INT", "LONG", "DOUBLE", "STRING", "DATE"];
        let columns: Vec<Column> = arrays.iter().zip(types).map(|((name, _), kind)| column(name, kind, kind)).collect();
        let batch = batch(arrays);
        let chunk = || ChunkData::ArrowStream(stream(std::slice::from_ref(&batch)).into());
        prop_assert_eq!(text(&columns, Format::Ndjson, chunk()).unwrap(), bare_json(&batch));
        prop_assert_eq!(text(&columns, Format::Csv, chunk()).unwrap(), bare_csv(&batch));
    }
}
