//! Rows gathered from chunks: whole, cut by the limits, or an error.

use proptest::prelude::*;

use super::*;
use crate::databricks::statements::ColumnInfo;

fn statement(total: u64) -> Statement {
    Statement {
        statement_id: "s-1".to_owned(),
        state: StatementState::Succeeded,
        failure: None,
        columns: Vec::<ColumnInfo>::new(),
        total_row_count: Some(total),
        total_chunk_count: None,
        truncated: false,
        chunk: None,
        has_result: true,
    }
}

fn chunk(index: u64, offset: u64, rows: usize, next: Option<u64>) -> ResultChunk {
    let rows = (0..rows).map(|_| vec![Some("ab".to_owned()), None]).collect();
    ResultChunk { chunk_index: index, row_offset: offset, rows, next_chunk_index: next }
}

/// Feeds the chunks as they would be fetched; the count of rows and the flag.
fn gather(total: u64, chunks: Vec<ResultChunk>, max_rows: usize, max_bytes: usize) -> Result<(usize, bool), String> {
    let statement = statement(total);
    let mut gathered =
        Gathered { statement: &statement, rows: Vec::new(), bytes: 0, max_rows, max_bytes, stopped: false };
    let mut expected = 0;
    for chunk in chunks {
        match gathered.take(chunk, expected).map_err(|error| error.to_string())? {
            Some(next) => expected = next,
            None => break,
        }
    }
    let (rows, stopped) = gathered.finish().map_err(|error| error.to_string())?;
    Ok((rows.len(), stopped))
}

const MANY: usize = usize::MAX;

#[test]
fn chunks_in_order_make_the_whole_result() {
    let chunks = vec![chunk(0, 0, 2, Some(1)), chunk(1, 2, 2, Some(2)), chunk(2, 4, 1, None)];
    assert_eq!(gather(5, chunks, MANY, MANY), Ok((5, false)));
}

#[rstest::rstest]
#[case::missing(vec![chunk(0, 0, 2, Some(1)), chunk(2, 4, 2, None)])]
#[case::repeated(vec![chunk(0, 0, 2, Some(1)), chunk(0, 0, 2, None)])]
#[case::skipping(vec![chunk(0, 0, 2, Some(2))])]
#[case::standing_still(vec![chunk(0, 0, 2, Some(0))])]
#[case::overlapping(vec![chunk(0, 0, 2, Some(1)), chunk(1, 1, 2, None)])]
#[case::empty(vec![chunk(0, 0, 2, Some(1)), chunk(1, 2, 0, None)])]
#[case::first_empty(vec![chunk(0, 0, 0, Some(1))])]
#[case::too_few(vec![chunk(0, 0, 3, None)])]
#[case::too_many(vec![chunk(0, 0, 5, None)])]
fn a_result_that_is_not_whole_is_an_error(#[case] chunks: Vec<ResultChunk>) {
    gather(4, chunks, MANY, MANY).expect_err("it is not whole");
}

#[rstest::rstest]
#[case::inside_a_chunk(3, MANY, (3, true))]
#[case::at_the_end_of_a_chunk(2, MANY, (2, true))]
#[case::just_enough(4, MANY, (4, false))]
#[case::bytes(MANY, 5, (2, true))]
#[case::bytes_at_the_end_of_a_chunk(MANY, 4, (2, true))]
#[case::a_row_longer_than_the_limit(MANY, 1, (1, true))]
fn the_limits_stop_the_reading_and_say_so(
    #[case] max_rows: usize,
    #[case] max_bytes: usize,
    #[case] expected: (usize, bool),
) {
    let chunks = vec![chunk(0, 0, 2, Some(1)), chunk(1, 2, 2, None)];
    assert_eq!(gather(4, chunks, max_rows, max_bytes), Ok(expected));
}

#[test]
fn a_result_that_databricks_cut_is_not_counted() {
    let statement = Statement { truncated: true, ..statement(9) };
    let mut gathered =
        Gathered { statement: &statement, rows: Vec::new(), bytes: 0, max_rows: MANY, max_bytes: MANY, stopped: false };
    assert_eq!(gathered.take(chunk(0, 0, 2, None), 0).expect("sound"), None);
    assert_eq!(gathered.finish().expect("sound").0.len(), 2);
}

#[test]
fn an_incomplete_result_becomes_its_own_code() {
    let error = DatabricksError::Incomplete { statement_id: "s-1".to_owned(), what: "x".to_owned() };
    assert_eq!(Failure::from(error).code, Code::ResultIncomplete);
}

proptest! {
    #[test]
    fn however_rows_are_cut_into_chunks_they_all_come_or_the_flag_says_so(
        sizes in prop::collection::vec(1..6_usize, 1..8), max_rows in 1..40_usize, max_bytes in 1..80_usize,
    ) {
        let total: usize = sizes.iter().sum();
        let mut offset = 0;
        let mut chunks = Vec::new();
        for (index, size) in (0_u64..).zip(&sizes) {
            let next = (chunks.len() + 1 < sizes.len()).then_some(index + 1);
            chunks.push(chunk(index, offset, *size, next));
            offset += u64::try_from(*size).unwrap();
        }
        let (count, left_out) = gather(offset, chunks, max_rows, max_bytes).unwrap();
        let room = max_rows.min(1.max(max_bytes / 2));
        prop_assert_eq!(count, total.min(room));
        prop_assert_eq!(left_out, count < total);
    }
}
