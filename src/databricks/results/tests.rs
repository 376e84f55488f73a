//! Rows gathered from chunks: whole, cut by the limits, or an error.

use proptest::prelude::*;

use super::*;
use crate::databricks::chunks::Count;

/// A chunk's index, number of its first row, and rows.
type Held = (u64, u64, usize);

fn chunk(index: u64, offset: u64, rows: usize) -> Held {
    (index, offset, rows)
}

/// Feeds the chunks as they would come; the count of rows and the flag.
fn gather(total: u64, chunks: &[Held], max_rows: usize, max_bytes: usize) -> Result<(usize, bool), String> {
    let mut count = Count::of("s-1", Some(0), Some(total));
    let mut gathered = Gathered::new(max_rows, max_bytes);
    for (place, (index, offset, rows)) in chunks.iter().enumerate() {
        count.take(*index, Some(*offset), *rows as u64).map_err(|error| error.to_string())?;
        let rows = vec![vec![Some("ab".to_owned()), None]; *rows];
        if !gathered.take(rows) || (gathered.is_full() && place + 1 < chunks.len()) {
            return Ok((gathered.rows.len(), true));
        }
    }
    count.finish().map_err(|error| error.to_string())?;
    Ok((gathered.rows.len(), false))
}

const MANY: usize = usize::MAX;

#[test]
fn chunks_in_order_make_the_whole_result() {
    let chunks = vec![chunk(0, 0, 2), chunk(1, 2, 2), chunk(2, 4, 1)];
    assert_eq!(gather(5, &chunks, MANY, MANY), Ok((5, false)));
}

#[rstest::rstest]
#[case::missing(vec![chunk(0, 0, 2), chunk(2, 4, 2)])]
#[case::repeated(vec![chunk(0, 0, 2), chunk(0, 0, 2)])]
#[case::overlapping(vec![chunk(0, 0, 2), chunk(1, 1, 2)])]
#[case::empty(vec![chunk(0, 0, 2), chunk(1, 2, 0)])]
#[case::first_empty(vec![chunk(0, 0, 0), chunk(1, 0, 4)])]
#[case::too_few(vec![chunk(0, 0, 3)])]
#[case::too_many(vec![chunk(0, 0, 5)])]
fn a_result_that_is_not_whole_is_an_error(#[case] chunks: Vec<Held>) {
    gather(4, &chunks, MANY, MANY).expect_err("it is not whole");
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
    let chunks = vec![chunk(0, 0, 2), chunk(1, 2, 2)];
    assert_eq!(gather(4, &chunks, max_rows, max_bytes), Ok(expected));
}

#[test]
fn a_gap_in_the_indexes_loses_nothing_as_long_as_every_row_comes() {
    let chunks = [chunk(0, 0, 2), chunk(0, 2, 1), chunk(7, 3, 1)];
    assert_eq!(gather(4, &chunks, MANY, MANY), Ok((4, false)));
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
            chunks.push(chunk(index, offset, *size));
            offset += u64::try_from(*size).unwrap();
        }
        let (count, left_out) = gather(offset, &chunks, max_rows, max_bytes).unwrap();
        let room = max_rows.min(1.max(max_bytes / 2));
        prop_assert_eq!(count, total.min(room));
        prop_assert_eq!(left_out, count < total);
    }
}
