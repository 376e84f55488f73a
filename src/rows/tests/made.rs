//! What the tests of this room make results with.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::writer::StreamWriter;
use lz4_flex::frame::FrameEncoder;
use std::io::Write as _;

use super::super::*;
use crate::failure::Failure;

pub(super) fn column(name: &str, type_name: &str, type_text: &str) -> Column {
    Column::new(name, type_name, type_text, None, None, ValueOptions::default())
}

pub(super) fn batch(arrays: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(arrays.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// The Arrow stream of these batches.
pub(super) fn stream(batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batches[0].schema()).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap()
}

/// The bytes in so many LZ4 frames, one behind the other.
pub(super) fn frames(bytes: &[u8], count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for part in bytes.chunks(bytes.len().div_ceil(count).max(1)) {
        let mut frame = FrameEncoder::new(Vec::new());
        frame.write_all(part).unwrap();
        out.extend(frame.finish().unwrap());
    }
    out
}

/// A whole result of these chunks, written in pieces of so many bytes.
pub(super) fn written(
    columns: &[Column],
    output: Output,
    chunks: Vec<ChunkData>,
    bytes: usize,
) -> Result<Vec<u8>, Failure> {
    let mut writer = RowWriter::new(columns, output)?;
    let mut out = Vec::new();
    writer.begin(&mut out)?;
    for chunk in chunks {
        let mut chunk = ChunkRows::new(chunk)?;
        while writer.write(&mut out, &mut chunk, Piece { bytes, rows: 7 })? > 0 {}
    }
    writer.end(&mut out)?;
    Ok(out)
}

pub(super) fn output(format: Format) -> Output {
    Output { format, ..Output::default() }
}

pub(super) fn text(columns: &[Column], format: Format, chunk: ChunkData) -> Result<String, Failure> {
    written(columns, output(format), vec![chunk], usize::MAX).map(|out| String::from_utf8(out).unwrap())
}

pub(super) fn json_array(text: &str) -> ChunkData {
    ChunkData::json_array(text.to_owned().into())
}
