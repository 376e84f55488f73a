//! How rows are gathered.

use super::*;

fn all(rows: impl Iterator<Item = String>) -> Vec<Batch> {
    let mut batches = Batches::default();
    let mut closed: Vec<Batch> = rows.filter_map(|row| batches.add(&row)).collect();
    closed.extend(batches.end());
    closed
}

#[test]
fn a_batch_has_at_most_ten_thousand_rows() {
    let sizes = |count: usize| all((0..count).map(|_| "{}".into())).iter().map(|batch| batch.rows).collect::<Vec<_>>();
    assert_eq!(sizes(0), Vec::<u64>::new());
    assert_eq!(sizes(10_000), [10_000]);
    assert_eq!(sizes(20_001), [10_000, 10_000, 1]);
}

#[test]
fn a_batch_has_at_most_fifteen_mebibytes_with_all_that_is_around_it() {
    let row = format!("{{\"text\":\"{}\"}}", "x".repeat(1_000_000));
    let split = all((0..40).map(|_| row.clone()));
    assert_eq!(split.iter().map(|batch| batch.rows).collect::<Vec<_>>(), [15, 15, 10]);
    for batch in split {
        assert!(batch.text.len() + AROUND - 2 <= MAX_BYTES_PER_BATCH);
        assert!(serde_json::from_str::<Vec<serde_json::Value>>(&batch.text).is_ok());
    }
}
