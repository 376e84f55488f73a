//! Arrow as it comes over the network: in frames, cut, corrupt.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use proptest::prelude::*;

use super::super::*;
use super::made::*;
use crate::failure::Code;

fn columns() -> Vec<Column> {
    vec![column("n", "INT", "INT"), column("s", "STRING", "STRING")]
}

fn numbers(range: std::ops::Range<i32>) -> RecordBatch {
    let words: Vec<String> = range.clone().map(|n| format!("word {n}")).collect();
    batch(vec![
        ("n", Arc::new(Int32Array::from_iter_values(range)) as ArrayRef),
        ("s", Arc::new(StringArray::from(words)) as ArrayRef),
    ])
}

fn sound() -> Vec<u8> {
    stream(&[numbers(0..300), numbers(300..301), numbers(301..1000)])
}

fn expected(rows: i32) -> String {
    let lines: Vec<String> = (0..rows).map(|n| format!("{{\"n\":{n},\"s\":\"word {n}\"}}\n")).collect();
    lines.concat()
}

fn read(bytes: Vec<u8>) -> Result<String, crate::failure::Failure> {
    text(&columns(), Format::Ndjson, ChunkData::ArrowStream(bytes.into()))
}

#[rstest::rstest]
#[case(1)]
#[case(2)]
#[case(18)]
fn a_stream_in_many_frames_gives_every_row(#[case] count: usize) {
    assert_eq!(read(frames(&sound(), count)).expect("sound"), expected(1000));
}

#[test]
fn plain_bytes_give_every_row() {
    assert_eq!(read(sound()).expect("sound"), expected(1000));
}

#[test]
fn a_stream_in_each_frame_gives_every_row() {
    let parts = [frames(&stream(&[numbers(0..5)]), 1), frames(&stream(&[numbers(5..9)]), 1)];
    assert_eq!(read(parts.concat()).expect("sound"), expected(9));
}

#[test]
fn skipped_rows_are_not_written() {
    let mut chunk = ChunkRows::new(ChunkData::ArrowStream(frames(&sound(), 3).into())).expect("sound");
    chunk.skip(2).expect("there are as many");
    chunk.skip(996).expect("there are as many");
    let mut writer = RowWriter::new(&columns(), output(Format::Csv)).expect("sound");
    let mut out = Vec::new();
    let piece = Piece { bytes: usize::MAX, rows: u64::MAX };
    assert_eq!(writer.write(&mut out, &mut chunk, piece).expect("sound"), 2);
    assert_eq!(out, b"998,word 998\n999,word 999\n");
}

#[test]
fn every_cut_of_plain_bytes_is_a_typed_error() {
    let bytes = stream(&[numbers(0..3), numbers(3..9)]);
    for end in 0..bytes.len() {
        let failure = read(bytes[..end].to_vec()).expect_err("rows are missing");
        assert_eq!(failure.code, Code::ResultIncomplete, "cut at {end} of {}", bytes.len());
    }
}

#[test]
fn every_cut_of_frames_is_a_typed_error() {
    let bytes = frames(&stream(&[numbers(0..3), numbers(3..9)]), 3);
    for end in 0..bytes.len() {
        let failure = read(bytes[..end].to_vec()).expect_err("rows are missing");
        let typed = matches!(failure.code, Code::ResultIncomplete | Code::UpstreamReplyInvalid);
        assert!(typed, "cut at {end}: {failure}");
    }
}

#[test]
fn a_stream_without_its_end_marker_is_incomplete() {
    let mut bytes = stream(&[numbers(0..3)]);
    bytes.truncate(bytes.len() - 8);
    for bytes in [bytes.clone(), frames(&bytes, 2)] {
        assert_eq!(read(bytes).expect_err("no end").code, Code::ResultIncomplete);
    }
}

#[test]
fn a_length_that_nobody_has_the_memory_for_is_refused() {
    let mut bytes = vec![0xFF; 4];
    bytes.extend(i32::MAX.to_le_bytes());
    assert_eq!(read(bytes).expect_err("too large").code, Code::UpstreamReplyInvalid);
}

#[test]
fn frames_that_claim_more_than_they_hold_cost_no_more_than_they_hold() {
    // A message of 127 MiB, of which nothing comes; and one that comes, unpacked far larger than it was sent.
    let mut claims = stream(&[numbers(0..3)]);
    let end = claims.len() - 8;
    claims.truncate(end);
    let zeros = vec![0; 64 << 20];
    for bytes in [frames(&claims, 1), [frames(&claims, 1), frames(&zeros, 1)].concat(), frames(&zeros, 1)] {
        assert!(bytes.len() < 400 << 10, "{} bytes are no bomb", bytes.len());
        let failure = read(bytes).expect_err("it is no stream");
        assert!(matches!(failure.code, Code::ResultIncomplete | Code::UpstreamReplyInvalid), "{failure}");
    }
}

#[test]
fn rows_without_bytes_come_no_faster_than_they_are_taken() {
    // NULL has no bytes, so that a few hundred of them claim as many rows as they like.
    let nothing: ArrayRef = Arc::new(arrow_array::NullArray::new(1 << 40));
    let bytes = stream(&[batch(vec![("n", nothing)])]);
    let columns = [column("n", "NULL", "VOID")];
    for format in [Format::Ndjson, Format::Csv, Format::Arrow] {
        let mut chunk = ChunkRows::new(ChunkData::ArrowStream(bytes.clone().into())).expect("sound");
        let mut writer = RowWriter::new(&columns, output(format)).expect("sound");
        let mut out = Vec::new();
        let written = writer.write(&mut out, &mut chunk, Piece { bytes: 1 << 16, rows: 1_000 });
        assert!(written.is_err() || out.len() < 1 << 20, "{} bytes", out.len());
    }
}

#[test]
fn a_column_of_another_arrow_type_is_refused_by_name() {
    let columns = [column("n", "INT", "INT"), column("when", "TIMESTAMP", "TIMESTAMP")];
    let local: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values([0]));
    let batch = batch(vec![("n", Arc::new(Int32Array::from_iter_values([1]))), ("when", local)]);
    let failure = text(&columns, Format::Csv, ChunkData::ArrowStream(stream(&[batch]).into())).expect_err("no offset");
    assert_eq!((failure.code, failure.place.as_deref()), (Code::UpstreamReplyInvalid, Some("columns.when")));
    let failure = text(&columns[..1], Format::Csv, ChunkData::ArrowStream(sound().into())).expect_err("two for one");
    assert_eq!(failure.code, Code::UpstreamReplyInvalid);
}

proptest! {
    #[test]
    fn corrupt_bytes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        framed: bool,
    ) {
        let plain = stream(&[numbers(0..9), numbers(9..40)]);
        let mut bytes = if framed { frames(&plain, 2) } else { plain };
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for format in [Format::Json, Format::Csv, Format::Arrow] {
            let _ = written(&columns(), output(format), vec![ChunkData::ArrowStream(bytes.clone().into())], 100);
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let failure = read(bytes).expect_err("they are no stream");
        prop_assert!(matches!(failure.code, Code::ResultIncomplete | Code::UpstreamReplyInvalid));
    }
}
