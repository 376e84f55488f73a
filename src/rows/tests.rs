//! The table of values, cell by cell, and what must hold for every value.

mod arrow_in;
mod bare_writers;
mod both_forms;
mod calendar;
mod formats;
mod made;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::failure::Code;

use made::column;

/// The rows without the enclosing brackets, by the road that results take.
fn write_rows(
    out: &mut Vec<u8>,
    columns: &[Column],
    rows: &[Vec<Option<String>>],
    shape: Shape,
    options: ValueOptions,
) -> Result<(), Failure> {
    let text = serde_json::to_vec(rows).expect("cells are JSON");
    let mut chunk = ChunkRows::new(ChunkData::json_array(text.into()))?;
    let mut writer = RowWriter::new(columns, Output { format: Format::Json, shape, values: options })?;
    while writer.write(out, &mut chunk, Piece { bytes: usize::MAX, rows: u64::MAX })? > 0 {}
    Ok(())
}

fn write_with(columns: &[Column], rows: &[Vec<Option<&str>>], options: ValueOptions) -> Result<String, Failure> {
    let rows: Vec<Vec<Option<String>>> =
        rows.iter().map(|row| row.iter().map(|cell| cell.map(str::to_owned)).collect()).collect();
    let mut out = Vec::new();
    write_rows(&mut out, columns, &rows, Shape::Arrays, options)?;
    Ok(String::from_utf8(out).expect("JSON is UTF-8"))
}

use crate::failure::Failure;

fn cell(type_name: &str, type_text: &str, text: &str) -> Result<String, Failure> {
    let written = write_with(&[column("c", type_name, type_text)], &[vec![Some(text)]], ValueOptions::default())?;
    Ok(written[1..written.len() - 1].to_owned())
}

#[rstest::rstest]
#[case("INT", "INT", "-2147483648", "-2147483648")]
#[case("BYTE", "TINYINT", "0", "0")]
#[case("LONG", "BIGINT", "9223372036854775807", "9223372036854775807")]
#[case("LONG", "BIGINT", "-9223372036854775808", "-9223372036854775808")]
#[case("DOUBLE", "DOUBLE", "1.0E10", "1.0e10")]
#[case("DOUBLE", "DOUBLE", "NaN", "\"NaN\"")]
#[case("FLOAT", "FLOAT", "-Infinity", "\"-Infinity\"")]
#[case("DOUBLE", "DOUBLE", "Infinity", "\"Infinity\"")]
#[case("DOUBLE", "DOUBLE", ".5", "0.5")]
#[case("DECIMAL", "DECIMAL(15,2)", "1234567890123.45", "1234567890123.45")]
#[case(
    "DECIMAL",
    "DECIMAL(38,18)",
    "99999999999999999999.999999999999999999",
    "\"99999999999999999999.999999999999999999\""
)]
#[case("BOOLEAN", "BOOLEAN", "true", "true")]
#[case("STRING", "STRING", "", "\"\"")]
#[case("STRING", "STRING", "null", "\"null\"")]
#[case("STRING", "STRING", "a\u{0}\"\\\n\u{1F600}", "\"a\\u0000\\\"\\\\\\n\u{1F600}\"")]
#[case("DATE", "DATE", "2024-02-29", "\"2024-02-29\"")]
#[case("DATE", "DATE", "0001-01-01", "\"0001-01-01\"")]
#[case("DATE", "DATE", "9999-12-31", "\"9999-12-31\"")]
#[case("DATE", "DATE", "+10000-01-01", "\"+10000-01-01\"")]
#[case("TIMESTAMP", "TIMESTAMP", "2021-01-01T10:00:00.000-08:00", "\"2021-01-01T18:00:00.000Z\"")]
#[case("TIMESTAMP", "TIMESTAMP", "2020-12-31T20:30:00.123456-08:00", "\"2021-01-01T04:30:00.123456Z\"")]
#[case("TIMESTAMP", "TIMESTAMP", "2024-03-01T00:30:00+01:00", "\"2024-02-29T23:30:00.000Z\"")]
#[case("TIMESTAMP", "TIMESTAMP", "2024-01-01T00:00:00Z", "\"2024-01-01T00:00:00.000Z\"")]
#[case("TIMESTAMP", "TIMESTAMP", "1850-01-01 00:00:00-07:52:58", "\"1850-01-01T07:52:58.000Z\"")]
#[case("TIMESTAMP", "TIMESTAMP", "0001-01-01T00:00:00Z", "\"0001-01-01T00:00:00.000Z\"")]
#[case("TIMESTAMP", "TIMESTAMP", "0001-01-01T00:00:00+01:00", "\"0000-12-31T23:00:00.000Z\"")]
#[case("TIMESTAMP", "TIMESTAMP", "9999-12-31T23:59:59.999-08:00", "\"+10000-01-01T07:59:59.999Z\"")]
#[case("TIMESTAMP_NTZ", "TIMESTAMP_NTZ", "2021-06-15 12:34:56.789", "\"2021-06-15T12:34:56.789\"")]
#[case("BINARY", "BINARY", "8AA=", "\"8AA=\"")]
#[case("ARRAY", "ARRAY<INT>", "[1, 2,\n3]", "[1,2,3]")]
#[case("STRUCT", "STRUCT<d: DATE>", "{\"d\":2024-01-01}", "\"{\\\"d\\\":2024-01-01}\"")]
#[case("VARIANT", "VARIANT", "12345678901234567890.5", "12345678901234567890.5")]
#[case("INTERVAL", "INTERVAL YEAR TO MONTH", "1-6", "\"1-6\"")]
#[case("GEOGRAPHY", "GEOGRAPHY(4326)", "POINT(1 2)", "\"POINT(1 2)\"")]
fn each_type_is_written_by_its_rule(
    #[case] type_name: &str,
    #[case] type_text: &str,
    #[case] text: &str,
    #[case] expected: &str,
) {
    let written = cell(type_name, type_text, text).expect("the cell is sound");
    assert_eq!(written, expected);
    serde_json::from_str::<Value>(&written).expect("what is written is JSON");
}

#[rstest::rstest]
#[case("INT", "+1")]
#[case("INT", "007")]
#[case("INT", "1.5")]
#[case("INT", "")]
#[case("LONG", "9223372036854775808")]
#[case("DOUBLE", "one")]
#[case("DECIMAL", "1,5")]
#[case("BOOLEAN", "yes")]
#[case("DATE", "2023-02-29")]
#[case("DATE", "1900-02-29")]
#[case("DATE", "2023-1-1")]
#[case("DATE", "0000-01-01")]
#[case("DATE", "-\"")]
#[case("TIMESTAMP", "2021-01-01T10:00:00")]
#[case("TIMESTAMP", "2021-01-01T24:00:00Z")]
#[case("TIMESTAMP", "2021-01-01T10:00:00.Z")]
#[case("TIMESTAMP", "2021-01-01T10:00:00+1:00")]
#[case("TIMESTAMP", "2021-01-01T10:00:0é")]
#[case("TIMESTAMP_NTZ", "2021-01-01T10:00:00+01:00")]
#[case("BINARY", "f00")]
#[case("BINARY", "=8AA")]
#[case("NULL", "x")]
fn a_malformed_cell_is_refused_with_its_column_and_row(#[case] type_name: &str, #[case] text: &str) {
    let columns = [column("first", "STRING", "STRING"), column("bad", type_name, type_name)];
    let rows = [vec![Some("a"), None], vec![Some("b"), Some(text)]];
    let failure = write_with(&columns, &rows, ValueOptions::default()).expect_err("the cell makes no sense");
    assert_eq!(failure.code, Code::UpstreamReplyInvalid);
    assert_eq!(failure.place.as_deref(), Some("rows[1].bad"));
    assert!(failure.detail.contains("bad"), "{}", failure.detail);
}

#[test]
fn nothing_is_appended_when_a_row_fails() {
    let mut out = b"[".to_vec();
    let rows = vec![vec![Some("1".to_owned())], vec![Some("x".to_owned())]];
    let result = write_rows(&mut out, &[column("c", "INT", "INT")], &rows, Shape::Objects, ValueOptions::default());
    assert!(result.is_err());
    assert_eq!(out, b"[");
}

#[test]
fn a_row_of_another_width_is_refused() {
    let failure = write_with(&[column("c", "INT", "INT")], &[vec![Some("1"), Some("2")]], ValueOptions::default());
    assert_eq!(failure.expect_err("two cells, one column").code, Code::UpstreamReplyInvalid);
}

#[test]
fn the_options_change_decimals_and_bigints() {
    let columns = [
        column("d", "DECIMAL", "DECIMAL(38,2)"),
        column("s", "DECIMAL", "DECIMAL(4,2)"),
        column("l", "LONG", "BIGINT"),
    ];
    let rows = [vec![Some("123456789012345678901234567890.12"), Some("1.50"), Some("5")]];
    let numbers = ValueOptions { decimals_as_number: Some(true), bigints_as_string: false };
    assert_eq!(write_with(&columns, &rows, numbers).expect("sound"), "[123456789012345678901234567890.12,1.50,5]");
    let strings = ValueOptions { decimals_as_number: Some(false), bigints_as_string: true };
    assert_eq!(
        write_with(&columns, &rows, strings).expect("sound"),
        r#"["123456789012345678901234567890.12","1.50","5"]"#
    );
}

#[test]
fn columns_of_one_name_all_keep_their_values() {
    let columns: Vec<Column> = ["a", "a", "a_2", "a", "b\""].map(|name| column(name, "INT", "INT")).to_vec();
    let rows = vec![vec![Some("1".to_owned()), Some("2".to_owned()), Some("3".to_owned()), None, Some("5".to_owned())]];
    let mut out = Vec::new();
    write_rows(&mut out, &columns, &rows, Shape::Objects, ValueOptions::default()).expect("sound");
    assert_eq!(String::from_utf8(out).expect("UTF-8"), r#"{"a":1,"a_3":2,"a_2":3,"a_4":null,"b\"":5}"#);
    let values = to_values(&columns, &rows, ValueOptions::default()).expect("sound");
    assert_eq!(Value::Object(values[0].clone()), json!({"a": 1, "a_3": 2, "a_2": 3, "a_4": null, "b\"": 5}));
}

#[test]
fn values_in_memory_never_lose_digits_of_a_decimal() {
    let columns = [column("d", "DECIMAL", "DECIMAL(38,18)"), column("l", "LONG", "BIGINT")];
    let rows = vec![vec![Some("0.123456789012345678".to_owned()), Some(i64::MIN.to_string())]];
    let options = ValueOptions { decimals_as_number: Some(true), bigints_as_string: false };
    let values = to_values(&columns, &rows, options).expect("sound");
    assert_eq!(values[0]["d"], json!("0.123456789012345678"));
    assert_eq!(values[0]["l"], json!(i64::MIN));
}

#[test]
fn a_double_stays_a_double_in_memory() {
    let rows = vec![vec![Some("1".to_owned())], vec![Some("1.0E2".to_owned())], vec![Some("NaN".to_owned())]];
    let values = to_values(&[column("d", "DOUBLE", "DOUBLE")], &rows, ValueOptions::default()).expect("sound");
    assert!(values[0]["d"].is_f64());
    assert_eq!((&values[1]["d"], &values[2]["d"]), (&json!(100.0), &json!("NaN")));
}

#[test]
fn no_columns_make_empty_objects() {
    let mut out = Vec::new();
    write_rows(&mut out, &[], &[vec![], vec![]], Shape::Objects, ValueOptions::default()).expect("sound");
    assert_eq!(out, b"{},{}");
}

proptest! {
    #[test]
    fn every_bigint_comes_back(number: i64) {
        prop_assert_eq!(cell("LONG", "BIGINT", &number.to_string()).unwrap(), number.to_string());
    }

    #[test]
    fn every_finite_double_comes_back(number in proptest::num::f64::NORMAL | proptest::num::f64::ZERO | proptest::num::f64::SUBNORMAL) {
        for text in [format!("{number}"), format!("{number:e}"), format!("{number:E}")] {
            let written = cell("DOUBLE", "DOUBLE", &text).unwrap();
            let read: f64 = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(read.to_bits(), number.to_bits());
        }
    }

    #[test]
    fn every_decimal_keeps_its_digits(whole in "-?(0|[1-9][0-9]{0,19})", fraction in "[0-9]{18}", options in 0..3_u8) {
        let text = format!("{whole}.{fraction}");
        let decimals_as_number = [None, Some(true), Some(false)][usize::from(options)];
        let options = ValueOptions { decimals_as_number, bigints_as_string: false };
        let written = write_with(&[column("d", "DECIMAL", "DECIMAL(38,18)")], &[vec![Some(text.as_str())]], options).unwrap();
        let expected = if decimals_as_number == Some(true) { format!("[{text}]") } else { format!("[\"{text}\"]") };
        prop_assert_eq!(written, expected);
    }

    #[test]
    fn every_text_comes_back(text in ".*") {
        let written = cell("STRING", "STRING", &text).unwrap();
        prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }

    #[test]
    fn any_cell_of_any_type_is_refused_or_is_json(
        type_name in prop::sample::select(vec![
            "BYTE", "LONG", "DOUBLE", "DECIMAL", "BOOLEAN", "STRING", "DATE", "TIMESTAMP", "TIMESTAMP_NTZ", "BINARY",
            "ARRAY", "VARIANT", "INTERVAL", "NULL", "OTHER",
        ]),
        text in prop_oneof![".*", "[-+0-9eE.:TZ ]{0,30}", "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}.{0,8}"],
    ) {
        if let Ok(written) = cell(type_name, type_name, &text) {
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&written).is_ok(), "{written}");
        }
    }

    #[test]
    fn every_moment_is_the_same_moment_in_utc(seconds in -62_135_510_400_i64..253_402_214_400, offset in -1079_i64..1079) {
        let zone = jiff::tz::Offset::from_seconds(i32::try_from(offset * 60).unwrap()).unwrap();
        let moment = jiff::Timestamp::from_second(seconds).unwrap();
        let local = zone.to_datetime(moment);
        prop_assume!((1..=9999).contains(&local.year()));
        let sign = if offset < 0 { '-' } else { '+' };
        let text = format!("{local}{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60);
        let written = cell("TIMESTAMP", "TIMESTAMP", &text).unwrap();
        prop_assert_eq!(written, format!("\"{moment:.3}\""));
    }
}
