//! A result reads the same, byte for byte, whether Databricks sent it as JSON_ARRAY or as Arrow.

mod as_arrow;
mod as_text;
mod values;

use arrow_array::RecordBatch;
use proptest::prelude::*;
use serde_json::Value;

use super::super::*;
use super::made::*;
use as_arrow::arrays;
use values::row;

fn columns() -> Vec<Column> {
    [
        ("BOOLEAN", "BOOLEAN"),
        ("BYTE", "TINYINT"),
        ("SHORT", "SMALLINT"),
        ("INT", "INT"),
        ("LONG", "BIGINT"),
        ("FLOAT", "FLOAT"),
        ("DOUBLE", "DOUBLE"),
        ("DECIMAL", "DECIMAL(15,2)"),
        ("DECIMAL", "DECIMAL(38,18)"),
        ("STRING", "STRING"),
        ("DATE", "DATE"),
        ("TIMESTAMP", "TIMESTAMP"),
        ("TIMESTAMP_NTZ", "TIMESTAMP_NTZ"),
        ("BINARY", "BINARY"),
        ("INTERVAL", "INTERVAL YEAR TO MONTH"),
        ("INTERVAL", "INTERVAL DAY TO SECOND"),
        ("ARRAY", "ARRAY<DECIMAL(38,3)>"),
        ("MAP", "MAP<STRING, TIMESTAMP>"),
        ("MAP", "MAP<INT, BOOLEAN>"),
        (
            "STRUCT",
            "STRUCT<day: DATE, `b:`: BINARY COMMENT 'it''s, >', x: DOUBLE NOT NULL, s: STRING, n: ARRAY<BIGINT>>",
        ),
        ("VARIANT", "VARIANT"),
        ("NULL", "VOID"),
    ]
    .iter()
    .enumerate()
    .map(|(index, (name, text))| column(&format!("c{index}"), name, text))
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_result_reads_the_same_in_both_forms(
        rows in prop::collection::vec(row(), 1..9),
        options in (0..3_u8, any::<bool>(), any::<bool>()),
        hexadecimal: bool,
        piece in prop_oneof![Just(1_usize), 40..4000_usize],
        cut in 1..5_usize,
    ) {
        let binary = if hexadecimal { BinaryForm::Hexadecimal } else { BinaryForm::Base64 };
        let shape = if options.2 { Shape::Arrays } else { Shape::Objects };
        let values = ValueOptions {
            decimals_as_number: [None, Some(true), Some(false)][usize::from(options.0)],
            bigints_as_string: options.1,
        };
        let columns = columns();
        let cells: Vec<Vec<Option<String>>> = rows.iter().map(|row| row.cells(binary)).collect();
        let text = serde_json::to_vec(&cells).unwrap();
        let arrays = arrays(&rows);
        let whole = batch(arrays.iter().map(|(name, array)| (name.as_str(), array.clone())).collect());
        let batches: Vec<RecordBatch> =
            (0..rows.len()).step_by(cut).map(|from| whole.slice(from, cut.min(rows.len() - from))).collect();
        let arrow = frames(&stream(&batches), cut);
        for format in [Format::Json, Format::Ndjson, Format::Csv] {
            let output = Output { format, shape, values };
            let from_text = ChunkData::JsonArray { text: text.clone().into(), binary };
            let from_text = written(&columns, output, vec![from_text], piece).unwrap();
            let from_arrow = written(&columns, output, vec![ChunkData::ArrowStream(arrow.clone().into())], usize::MAX).unwrap();
            prop_assert_eq!(String::from_utf8(from_text).unwrap(), String::from_utf8(from_arrow).unwrap());
        }
        let output = Output { format: Format::Json, shape, values };
        let json = written(&columns, output, vec![ChunkData::ArrowStream(arrow.into())], piece).unwrap();
        let read: Vec<Value> = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(read.len(), rows.len());
    }
}
