//! How fast Arrow becomes NDJSON and CSV here, beside the bare `arrow-json` and `arrow-csv` writers, in one process:
//! `cargo bench --bench convert`, or `-- STRUCT` for the cases of that name. The bytes are compared before anything is timed, where the forms are meant to be
//! equal; rounds are interleaved and medians taken. Nothing asserts a time.

#![expect(
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a bench program may end with a panic, and its data are made up"
)]

#[path = "convert/roads.rs"]
mod roads;

use std::io::Cursor;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array,
    Int64Array, PrimitiveArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use bytes::Bytes;
use causeway::rows::{ChunkData, ChunkRows, Column, Format, Output, Piece, RowWriter, Shape, ValueOptions};

const ROWS: usize = 200_000;
const ROUNDS: usize = 9;

/// One result: its columns, and the bytes of its Arrow stream.
struct Case {
    name: &'static str,
    /// Our bytes are those of the bare writers.
    equal: bool,
    columns: Vec<Column>,
    bytes: Bytes,
}

fn main() {
    println!("{:34} {:>10} {:>10} {:>8}   A/A", "case", "ours", "bare", "ratio");
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    for case in cases().into_iter().filter(|case| case.name.contains(&wanted)) {
        for format in [Format::Ndjson, Format::Csv] {
            if !can_compare(&case, format) {
                continue;
            }
            measure(&case, format);
        }
        roads::text(&case, ROWS);
        if case.columns.len() > 1 {
            roads::decode(&case);
        }
    }
}

/// `arrow-csv` has no form for nested values.
fn can_compare(case: &Case, format: Format) -> bool {
    format == Format::Ndjson || case.columns.iter().all(|column| column.type_name != "ARRAY")
}

fn measure(case: &Case, format: Format) {
    // One buffer each, which has its size after the first round: what is timed is no page fault.
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    ours(case, format, &mut mine);
    bare(case, format, &mut theirs);
    assert!(!case.equal || mine == theirs, "{} differs from the bare writer", case.name);
    let (mut here, mut again, mut there) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        here.push(timed(|| ours(case, format, &mut mine)));
        there.push(timed(|| bare(case, format, &mut theirs)));
        again.push(timed(|| ours(case, format, &mut mine)));
    }
    let (here, again, there) = (median(here), median(again), median(there));
    println!(
        "{:34} {:>8.1}ms {:>8.1}ms {:>7.2}x   {:+.1} %",
        format!("{} {format:?}", case.name),
        here.as_secs_f64() * 1e3,
        there.as_secs_f64() * 1e3,
        there.as_secs_f64() / here.as_secs_f64(),
        (again.as_secs_f64() / here.as_secs_f64() - 1.0) * 100.0,
    );
}

fn timed(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

fn median(mut rounds: Vec<Duration>) -> Duration {
    rounds.sort();
    rounds[rounds.len() / 2]
}

fn ours(case: &Case, format: Format, out: &mut Vec<u8>) {
    convert(&case.columns, ChunkData::ArrowStream(case.bytes.clone()), format, out);
}

fn convert(columns: &[Column], chunk: ChunkData, format: Format, out: &mut Vec<u8>) {
    let output = Output { format, shape: Shape::Objects, values: ValueOptions::default() };
    let mut writer = RowWriter::new(columns, output).expect("the columns are sound");
    let mut chunk = ChunkRows::new(chunk).expect("the chunk is sound");
    out.clear();
    writer.begin(out).expect("it can begin");
    let piece = Piece { bytes: 256 * 1024, rows: u64::MAX };
    while writer.write(out, &mut chunk, piece).expect("rows are written") > 0 {}
    writer.end(out).expect("it can end");
}

fn bare(case: &Case, format: Format, out: &mut Vec<u8>) {
    out.clear();
    let batches = StreamReader::try_new(Cursor::new(&case.bytes), None).expect("a stream");
    if format == Format::Csv {
        let mut writer = arrow_csv::WriterBuilder::new().with_header(true).build(out);
        for batch in batches {
            writer.write(&batch.expect("a batch")).expect("it is written");
        }
    } else {
        let mut writer = arrow_json::WriterBuilder::new()
            .with_explicit_nulls(true)
            .build::<_, arrow_json::writer::LineDelimited>(out);
        for batch in batches {
            writer.write(&batch.expect("a batch")).expect("it is written");
        }
        writer.finish().expect("it ends");
    }
}

fn cases() -> Vec<Case> {
    let numbers =
        || (0..ROWS).map(|row| i64::try_from(row).unwrap_or(0).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()));
    let some = |row: usize| !row.is_multiple_of(17);
    let int: ArrayRef =
        Arc::new(numbers().enumerate().map(|(row, n)| some(row).then_some((n >> 40) as i32)).collect::<Int32Array>());
    let long: ArrayRef = Arc::new(numbers().map(Some).collect::<Int64Array>());
    let short_double: ArrayRef = Arc::new(numbers().map(|n| Some((n >> 44) as f64 / 100.0)).collect::<Float64Array>());
    let double: ArrayRef = Arc::new(numbers().map(|n| Some((n >> 11) as f64 / 1e9)).collect::<Float64Array>());
    let text: ArrayRef = Arc::new(
        numbers()
            .enumerate()
            .map(|(row, n)| {
                some(row).then(|| match row % 50 {
                    0 => format!("a \"quoted\" word, {n}"),
                    1 => format!("Größe {n} \u{1F600}"),
                    _ => format!("customer {:08}", n.unsigned_abs() % 100_000_000),
                })
            })
            .collect::<StringArray>(),
    );
    let date: ArrayRef = Arc::new(numbers().map(|n| Some((n >> 48) as i32)).collect::<Date32Array>());
    let micros = |n: i64| n >> 13;
    let timestamp: ArrayRef =
        Arc::new(numbers().map(|n| Some(micros(n))).collect::<TimestampMicrosecondArray>().with_timezone("+00:00"));
    let ntz: ArrayRef = Arc::new(numbers().map(|n| Some(micros(n))).collect::<TimestampMicrosecondArray>());
    let decimal = |precision: u8, scale: i8, shift: u32| -> ArrayRef {
        let values: Decimal128Array = numbers().map(|n| Some(i128::from(n >> shift))).collect();
        Arc::new(values.with_precision_and_scale(precision, scale).expect("it fits"))
    };
    let float: ArrayRef = Arc::new(numbers().map(|n| Some((n >> 44) as f32 / 8.0)).collect::<Float32Array>());
    let boolean: ArrayRef = Arc::new(numbers().map(|n| Some(n > 0)).collect::<BooleanArray>());
    let binary: ArrayRef = Arc::new(numbers().map(|n| Some(n.to_le_bytes())).collect::<BinaryArray>());
    let mut lists = ListBuilder::new(PrimitiveArray::<Int32Type>::builder(0));
    let mut json = StringBuilder::new();
    for n in numbers() {
        lists.append_value((0..4).map(|at| Some((n >> (40 + at)) as i32)));
        json.append_value(format!("{{\"a\":{},\"b\":\"{n}\"}}", n >> 40));
    }
    let five = [("i", "INT", &int), ("l", "LONG", &long), ("d", "DOUBLE", &short_double), ("s", "STRING", &text)];
    let mut five = five.to_vec();
    five.push(("day", "DATE", &date));
    let mut cases = vec![case("INT BIGINT DOUBLE STRING DATE", true, &five)];
    for (name, column) in [
        ("INT", ("i", "INT", &int)),
        ("BIGINT", ("l", "LONG", &long)),
        ("DOUBLE, short", ("d", "DOUBLE", &short_double)),
        ("DOUBLE, 17 digits", ("d", "DOUBLE", &double)),
        ("STRING", ("s", "STRING", &text)),
        ("DATE", ("day", "DATE", &date)),
    ] {
        cases.push(case(name, true, &[column]));
    }
    for (name, column) in [
        ("TIMESTAMP", ("t", "TIMESTAMP", &timestamp)),
        ("TIMESTAMP_NTZ", ("t", "TIMESTAMP_NTZ", &ntz)),
        ("DECIMAL(10,2)", ("d", "DECIMAL", &decimal(10, 2, 32))),
        ("DECIMAL(38,18)", ("d", "DECIMAL", &decimal(38, 18, 0))),
        ("FLOAT", ("f", "FLOAT", &float)),
        ("BOOLEAN", ("b", "BOOLEAN", &boolean)),
        ("BINARY", ("b", "BINARY", &binary)),
        ("ARRAY<INT>", ("a", "ARRAY", &(Arc::new(lists.finish()) as ArrayRef))),
        ("STRUCT as text", ("a", "STRUCT", &(Arc::new(json.finish()) as ArrayRef))),
    ] {
        cases.push(case(name, false, &[column]));
    }
    cases
}

fn case(name: &'static str, equal: bool, columns: &[(&str, &str, &ArrayRef)]) -> Case {
    let described = columns
        .iter()
        .map(|(name, type_name, _)| {
            let type_text = match *type_name {
                "ARRAY" => "ARRAY<INT>",
                "STRUCT" => "STRUCT<a: BIGINT, b: STRING>",
                other => other,
            };
            Column::new(*name, *type_name, type_text, None, None, ValueOptions::default())
        })
        .collect();
    let arrays = columns.iter().map(|(name, _, array)| (*name, Arc::clone(array), true));
    let batch = RecordBatch::try_from_iter_with_nullable(arrays).expect("a batch");
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).expect("a stream");
    for from in (0..ROWS).step_by(8192) {
        writer.write(&batch.slice(from, 8192.min(ROWS - from))).expect("it is written");
    }
    writer.finish().expect("it ends");
    drop(writer);
    Case { name, equal, columns: described, bytes: bytes.into() }
}
