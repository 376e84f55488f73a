//! What stands around the values: lines, heads, nothing at all; and JSON_ARRAY as a stream of rows.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, Int32Array};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, TimeUnit};
use proptest::prelude::*;

use super::super::*;
use super::made::*;
use crate::failure::Code;

const ROWS: &str = r#"[["1","a"] , ["2",null],
    ["3",""],["4","say \"x\", \u00e9\n"]]"#;

fn columns() -> Vec<Column> {
    vec![column("n", "INT", "INT"), column("n", "STRING", "STRING")]
}

#[test]
fn each_format_has_its_own_frame() {
    let read = |format| text(&columns(), format, json_array(ROWS)).expect("sound");
    let objects =
        [r#"{"n":1,"n_2":"a"}"#, r#"{"n":2,"n_2":null}"#, r#"{"n":3,"n_2":""}"#, r#"{"n":4,"n_2":"say \"x\", é\n"}"#];
    assert_eq!(read(Format::Json), format!("[{}]", objects.join(",")));
    assert_eq!(read(Format::Ndjson), objects.map(|line| format!("{line}\n")).concat());
    assert_eq!(read(Format::Csv), "n,n_2\n1,a\n2,\n3,\"\"\n4,\"say \"\"x\"\", é\n\"\n");
}

#[test]
fn arrays_are_rows_without_names() {
    for (format, expected) in [(Format::Json, r#"[[1,"a"],[2,null]]"#), (Format::Ndjson, "[1,\"a\"]\n[2,null]\n")] {
        let output = Output { format, shape: Shape::Arrays, ..Output::default() };
        let out = written(&columns(), output, vec![json_array(r#"[["1","a"],["2",null]]"#)], 1).expect("sound");
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}

#[test]
fn a_result_without_rows_still_has_its_head() {
    assert_eq!(text(&columns(), Format::Json, json_array("[]")).expect("sound"), "[]");
    assert_eq!(text(&columns(), Format::Ndjson, json_array(" [ ] ")).expect("sound"), "");
    assert_eq!(text(&columns(), Format::Csv, json_array("[]")).expect("sound"), "n,n_2\n");
    let out = written(&columns(), output(Format::Arrow), vec![], 1).expect("sound");
    let reader = StreamReader::try_new(out.as_slice(), None).expect("a stream");
    assert_eq!(reader.schema().field(1).name(), "n_2");
    assert_eq!(reader.count(), 0);
}

#[test]
fn a_lone_null_is_no_empty_line() {
    let one = [column("c", "STRING", "STRING")];
    assert_eq!(text(&one, Format::Csv, json_array(r#"[[null],[""],["x"]]"#)).expect("sound"), "c\n\"\"\n\"\"\nx\n");
}

#[test]
fn chunks_of_both_forms_follow_each_other() {
    let columns = [column("n", "INT", "INT")];
    let arrow = batch(vec![("n", Arc::new(Int32Array::from_iter_values(2..4)) as ArrayRef)]);
    for format in [Format::Json, Format::Arrow] {
        let chunks = vec![
            json_array(r#"[["0"],["1"]]"#),
            ChunkData::ArrowStream(stream(std::slice::from_ref(&arrow)).into()),
            json_array(r#"[["4"]]"#),
        ];
        let out = written(&columns, output(format), chunks, 1).expect("sound");
        if format == Format::Json {
            assert_eq!(out, br#"[{"n":0},{"n":1},{"n":2},{"n":3},{"n":4}]"#);
        } else {
            let batches = StreamReader::try_new(out.as_slice(), None).expect("a stream");
            let numbers: Vec<i32> = batches
                .flat_map(|batch| batch.expect("sound").column(0).as_primitive::<Int32Type>().values().to_vec())
                .collect();
            assert_eq!(numbers, [0, 1, 2, 3, 4]);
        }
    }
}

#[test]
fn text_becomes_typed_arrow() {
    let columns = [
        column("t", "TIMESTAMP", "TIMESTAMP"),
        column("d", "DECIMAL", "DECIMAL(38,18)"),
        column("a", "ARRAY", "ARRAY<INT>"),
    ];
    let rows = r#"[["2021-01-01T10:00:00.000-08:00","-0.000000000000000001","[1]"]]"#;
    let out = written(&columns, output(Format::Arrow), vec![json_array(rows)], 1).expect("sound");
    let batch = StreamReader::try_new(out.as_slice(), None).expect("a stream").next().expect("one").expect("sound");
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    assert_eq!(batch.column(0).data_type(), &utc);
    assert_eq!(batch.column(0).as_primitive::<TimestampMicrosecondType>().value(0), 1_609_524_000_000_000);
    assert_eq!(batch.column(1).as_primitive::<Decimal128Type>().value(0), -1);
    assert_eq!(batch.column(2).as_string::<i32>().value(0), "[1]");
}

#[test]
fn failures_count_rows_of_the_whole_result() {
    let columns = [column("amount", "INT", "INT")];
    let mut chunk = ChunkRows::new(json_array(r#"[["1"],["2"],["x"]]"#)).expect("it begins well").at_row(15);
    chunk.skip(1).expect("sound");
    let mut writer = RowWriter::new(&columns, output(Format::Json)).expect("sound");
    let piece = Piece { bytes: usize::MAX, rows: u64::MAX };
    let failure = writer.write(&mut Vec::new(), &mut chunk, piece).expect_err("x is no number");
    assert_eq!(failure.place.as_deref(), Some("rows[17].amount"));
}

#[rstest::rstest]
#[case("")]
#[case("{}")]
#[case("[")]
#[case("[[")]
#[case(r#"[["1","a"]"#)]
#[case(r#"[["1","a"],]"#)]
#[case(r#"[["1","a"]] x"#)]
#[case(r#"[["1","a"] ["2","b"]]"#)]
#[case(r#"[["1","a]]"#)]
#[case(r#"[["1","\ud800"]]"#)]
#[case(r#"[["1","\x"]]"#)]
#[case(r#"[["1",nul]]"#)]
#[case(r#"[["1",{}]]"#)]
#[case(r#"[["1"]]"#)]
#[case(r#"[["1","a","b"]]"#)]
fn text_that_is_no_array_of_rows_is_refused(#[case] rows: &str) {
    let failure = text(&columns(), Format::Csv, json_array(rows)).expect_err("it makes no sense");
    assert_eq!(failure.code, Code::UpstreamReplyInvalid);
}

#[test]
fn complex_values_follow_their_type_inside() {
    let kind = "STRUCT<a: DECIMAL(20,2), t: TIMESTAMP, m: MAP<DATE, BIGINT>>";
    let read = |cell: &str| {
        let rows = serde_json::to_string(&[[cell]]).expect("text");
        text(&[column("c", "STRUCT", kind)], Format::Ndjson, json_array(&rows)).expect("sound")
    };
    assert_eq!(
        read(r#"{"t":"2021-01-01T10:00:00-08:00", "a": 1.50, "m": {"2024-02-29": 7}}"#),
        "{\"c\":{\"a\":\"1.50\",\"t\":\"2021-01-01T18:00:00.000Z\",\"m\":{\"2024-02-29\":7}}}\n"
    );
    // A field that the type does not have: nothing of it is lost.
    assert_eq!(read(r#"{"z": 1.50,"a":1}"#), "{\"c\":{\"z\": 1.50,\"a\":1}}\n");
    assert_eq!(read(r#"{"t":2021-01-01}"#), "{\"c\":\"{\\\"t\\\":2021-01-01}\"}\n");
}

#[rstest::rstest]
#[case(r#"{"a":1,"s":{"b":2,"c":"x"},"z":3}"#, r#"{"a":1,"s":{"b":2,"c":"x"},"z":3}"#)]
#[case(r#"{"z":3,"s":{"c":"x","b":2},"a":1}"#, r#"{"a":1,"s":{"b":2,"c":"x"},"z":3}"#)]
#[case(r#"{"a":1,"s":{"c":"x","b":2},"z":3}"#, r#"{"a":1,"s":{"b":2,"c":"x"},"z":3}"#)]
#[case(r#"{"s":{"c":"x"}}"#, r#"{"a":null,"s":{"b":null,"c":"x"},"z":null}"#)]
#[case(r#"{ "\u0061" : 1, "s" : {} }"#, r#"{"a":1,"s":{"b":null,"c":null},"z":null}"#)]
#[case("{}", r#"{"a":null,"s":null,"z":null}"#)]
#[case(r#"{"a":1,"a":2}"#, r#"{"a":1,"a":2}"#)]
#[case(r#"{"s":{"b":2,"b":2},"a": 1}"#, r#"{"s":{"b":2,"b":2},"a": 1}"#)]
fn fields_stand_in_the_order_of_their_type(#[case] cell: &str, #[case] expected: &str) {
    let kind = "STRUCT<a: INT, s: STRUCT<b: INT, c: STRING>, z: INT>";
    let rows = serde_json::to_string(&[[cell]]).expect("text");
    let written = text(&[column("c", "STRUCT", kind)], Format::Ndjson, json_array(&rows)).expect("sound");
    assert_eq!(written, format!("{{\"c\":{expected}}}\n"));
}

proptest! {
    #[test]
    fn any_rows_come_back(rows in prop::collection::vec(prop::collection::vec(prop::option::of(".*"), 3), 0..20)) {
        let text = serde_json::to_string_pretty(&rows).unwrap();
        let mut chunk = ChunkRows::new(json_array(&text)).unwrap();
        prop_assert_eq!(chunk.take_cells(usize::MAX).unwrap(), rows);
    }

    #[test]
    fn changed_text_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = ROWS.as_bytes().to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = written(&columns(), output(Format::Json), vec![ChunkData::json_array(bytes.into())], 10);
    }
}
