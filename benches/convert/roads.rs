//! How fast results come in: an Arrow chunk in an LZ4 frame decoded, beside `lz4_flex` and `arrow-ipc` alone, and the
//! text of JSON_ARRAY written again, beside the same rows from Arrow.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use bytes::Bytes;
use causeway::rows::{ChunkData, ChunkRows, Format};
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::{Case, ROUNDS, convert, median, timed};

/// As many rows and columns as a chunk of a wide table has.
const CHUNK_ROWS: usize = 20_000;
const COLUMNS: usize = 34;

/// The columns of `case` again and again, 34 of them, decoded and thrown away.
pub(super) fn decode(case: &Case) {
    let batches = StreamReader::try_new(case.bytes.as_ref(), None).expect("a stream");
    let batches: Vec<RecordBatch> = batches.map(|batch| batch.expect("a batch")).collect();
    let wide = |batch: &RecordBatch| {
        let columns = (0..COLUMNS).map(|at| (format!("c{at}"), Arc::clone(&batch.columns()[at % batch.num_columns()])));
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).expect("a batch")
    };
    let mut plain = Vec::new();
    let mut writer = StreamWriter::try_new(&mut plain, &wide(&batches[0]).schema()).expect("a stream");
    let mut rows = 0;
    for batch in &batches {
        let count = batch.num_rows().min(CHUNK_ROWS - rows);
        writer.write(&wide(&batch.slice(0, count))).expect("it is written");
        rows += count;
    }
    writer.finish().expect("it ends");
    drop(writer);
    for (name, mode) in [("independent", BlockMode::Independent), ("linked", BlockMode::Linked)] {
        let info = FrameInfo::new().block_size(BlockSize::Max4MB).block_mode(mode);
        let mut frame = FrameEncoder::with_frame_info(info, Vec::new());
        frame.write_all(&plain).expect("it is packed");
        let packed = Bytes::from(frame.finish().expect("it is packed"));
        let here = median((0..ROUNDS).map(|_| timed(|| skip(packed.clone()))).collect());
        let there = median((0..ROUNDS).map(|_| timed(|| bare(&packed))).collect());
        let speed = |took: std::time::Duration| plain.len() as f64 / took.as_secs_f64() / 1e6;
        println!(
            "{:34} {:>6.0}MB/s {:>6.0}MB/s {:>7.2}x   {} of {} bytes",
            format!("LZ4 and Arrow, blocks {name}"),
            speed(here),
            speed(there),
            there.as_secs_f64() / here.as_secs_f64(),
            packed.len(),
            plain.len(),
        );
    }
    let here = median((0..ROUNDS).map(|_| timed(|| skip(plain.clone().into()))).collect());
    println!("{:34} {:>8.1}ms", "Arrow without LZ4, with a copy", here.as_secs_f64() * 1e3);
}

fn skip(bytes: Bytes) {
    let mut chunk = ChunkRows::new(ChunkData::ArrowStream(bytes)).expect("the chunk is sound");
    chunk.skip(u64::MAX).expect("the chunk is sound");
}

fn bare(packed: &Bytes) {
    let mut plain = Vec::new();
    FrameDecoder::new(packed.as_ref()).read_to_end(&mut plain).expect("it is unpacked");
    let rows: usize = StreamReader::try_new(plain.as_slice(), None)
        .expect("a stream")
        .map(|batch| batch.expect("a batch").column(0).len())
        .sum();
    std::hint::black_box(rows);
}

/// The rows of `case` as the strings that JSON_ARRAY has.
pub(super) fn text(case: &Case, rows: usize) {
    let mut lines = Vec::new();
    super::ours(case, Format::Ndjson, &mut lines);
    let mut array = Vec::with_capacity(lines.len());
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let row: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).expect("a row");
        let cells: Vec<Option<String>> = row
            .into_iter()
            .map(|(_, cell)| match cell {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text),
                other => Some(other.to_string()),
            })
            .collect();
        array.push(if array.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut array, &cells).expect("it is written");
    }
    array.push(b']');
    let chunk = ChunkData::json_array(array.into());
    for format in [Format::Ndjson, Format::Csv] {
        let (mut direct, mut typed) = (Vec::new(), Vec::new());
        super::ours(case, format, &mut direct);
        convert(&case.columns, chunk.clone(), format, &mut typed);
        assert!(direct == typed, "{} differs between the two forms", case.name);
        let here =
            median((0..ROUNDS).map(|_| timed(|| convert(&case.columns, chunk.clone(), format, &mut typed))).collect());
        let there = median((0..ROUNDS).map(|_| timed(|| super::ours(case, format, &mut direct))).collect());
        println!(
            "{:34} {:>8.1}ms {:>8.1}ms   {:.1} million rows/s, beside Arrow",
            format!("{}, JSON_ARRAY {format:?}", case.name),
            here.as_secs_f64() * 1e3,
            there.as_secs_f64() * 1e3,
            rows as f64 / here.as_secs_f64() / 1e6,
        );
    }
}
