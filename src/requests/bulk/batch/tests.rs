//! Batches: their size, their columns, and one row a key.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn row(number: u64, columns: &[usize], key: Option<u64>, text: String) -> Row {
    Row { number, columns: columns.to_vec(), key: key.map(|key| key.to_string()), text }
}

#[test]
fn a_batch_is_never_larger_than_a_statement_takes() {
    let mut batches = Batches::default();
    let mut full = Vec::new();
    for number in 1..=30 {
        full.extend(batches.add(row(number, &[0], None, format!("\"{}\"", "x".repeat(99_997)))));
    }
    full.extend(batches.end());
    let ranges: Vec<_> = full.iter().map(|batch| batch.rows).collect();
    assert_eq!(ranges, [(1, 9), (10, 18), (19, 27), (28, 30)]);
    assert!(full.iter().all(|batch| batch.text.len() <= MOST_BYTES));
    let rows: Vec<Value> = serde_json::from_str(&full[0].text).unwrap();
    assert_eq!(rows.len(), 9);
}

#[test]
fn the_largest_row_that_is_taken_fills_a_batch_of_its_own() {
    let mut batches = Batches::default();
    let largest = format!("\"{}\"", "x".repeat(MOST_BYTES - 4));
    assert!(batches.add(row(1, &[0], None, largest.clone())).is_empty());
    assert_eq!(batches.add(row(2, &[0], None, largest)).len(), 1);
    assert_eq!(batches.end()[0].text.len(), MOST_BYTES);
}

#[test]
fn many_sets_of_columns_hold_no_more_than_a_few_batches_in_memory() {
    let mut batches = Batches::default();
    let mut closed = 0;
    for number in 0..200 {
        let set = usize::try_from(number % 40).unwrap();
        closed += batches.add(row(number, &[set], None, format!("\"{}\"", "x".repeat(400_000)))).len();
        assert!(batches.open.len() <= MOST_OPEN);
        assert!(batches.open.iter().map(|open| open.bytes).sum::<usize>() <= MOST_OPEN_BYTES);
    }
    assert!(closed > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Writing the batches in their order gives what writing the rows one by one would have given.
    #[test]
    fn batches_in_order_are_the_rows_in_order(
        rows in prop::collection::vec((0_u64..6, prop::collection::btree_set(1_usize..4, 0..3), 0_u32..1000, 1_usize..250_000), 0..25),
    ) {
        let mut one_by_one: BTreeMap<u64, BTreeMap<usize, u32>> = BTreeMap::new();
        let mut batches = Batches::default();
        let mut written = Vec::new();
        for (number, (key, columns, value, size)) in (1..).zip(rows) {
            let target = one_by_one.entry(key).or_default();
            target.extend(columns.iter().map(|column| (*column, value)));
            let columns: Vec<usize> = columns.into_iter().collect();
            let text = serde_json::json!({"k": key, "v": value, "pad": "x".repeat(size)}).to_string();
            written.extend(batches.add(row(number, &columns, Some(key), text)));
        }
        written.extend(batches.end());
        let mut table: BTreeMap<u64, BTreeMap<usize, u32>> = BTreeMap::new();
        for batch in written {
            prop_assert!(batch.text.len() <= MOST_BYTES);
            let rows: Vec<Value> = serde_json::from_str(&batch.text).unwrap();
            let keys: std::collections::BTreeSet<_> = rows.iter().map(|row| row["k"].as_u64()).collect();
            prop_assert_eq!(keys.len(), rows.len(), "a key stands in one batch twice");
            for row in rows {
                let value = u32::try_from(row["v"].as_u64().unwrap()).unwrap();
                let target = table.entry(row["k"].as_u64().unwrap()).or_default();
                target.extend(batch.columns.iter().map(|column| (*column, value)));
            }
        }
        prop_assert_eq!(table, one_by_one);
    }
}
