//! How often the effect of a run has happened, by the stand-ins' histories; and that what came twice came under one key.

use std::collections::BTreeSet;

use causeway::runs::identity::hash;
use local_stack::power_bi::{DataType, Dataset, Table, sample};
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::messages::{body, said};

/// Effects whose parameters hold the run's note.
fn noted(road: &Declared, kind: &str, note: &str) -> Vec<Value> {
    let quoted = format!("\"{note}\"");
    let all = road.effects("databricks", kind).into_iter();
    all.filter(|effect| effect["parameters"].to_string().contains(&quoted)).collect()
}

pub(super) fn statements(road: &Declared, note: &str) -> usize {
    noted(road, "statement", note).len()
}

/// The same of writes: each sending of one attempt carries the same key, as its leading comment.
pub(super) fn writes(road: &Declared, note: &str) -> usize {
    let all = noted(road, "statement", note);
    let texts: BTreeSet<String> = all.iter().map(|effect| effect["statement"].to_string()).collect();
    assert!(texts.len() <= 1, "{note}: {texts:?}");
    all.len()
}

pub(super) fn job_runs(road: &Declared, note: &str) -> usize {
    noted(road, "jobRun", note).len()
}

pub(super) fn nothing(_: &Declared, _: &str) -> usize {
    0
}

pub(super) fn hooks(road: &Declared, note: &str) -> usize {
    let mut all = road.stack.webhooks.hooked("tell");
    all.retain(|call| call["body"]["note"] == note);
    let keys: BTreeSet<String> = all.iter().map(|call| call["headers"]["idempotency-key"].to_string()).collect();
    assert!(keys.len() <= 1 && !keys.contains("null"), "{note}: {keys:?}");
    all.len()
}

pub(super) fn messages(road: &Declared, note: &str) -> usize {
    let mut all = road.queue("business-results").peek();
    all.retain(|message| body(message)["note"] == note);
    let keys: BTreeSet<&str> = all.iter().map(|message| said(message, "causeway-key")).collect();
    let ids: BTreeSet<_> = all.iter().filter_map(|message| message.properties.message_id.as_deref()).collect();
    assert!(keys.len() <= 1 && ids.len() == all.len(), "{note}: {keys:?}, {ids:?}");
    all.len()
}

pub(super) fn refreshes(road: &Declared, note: &str) -> usize {
    let dataset = dataset_of(note);
    road.effects("powerBi", "refresh").iter().filter(|refresh| refresh["dataset"] == dataset.as_str()).count()
}

/// Rows that are in the table in the end, of two; half a push is no push.
pub(super) fn rows(road: &Declared, note: &str) -> usize {
    let rows = road.stack.power_bi.rows(&dataset_of(note), sample::DAILY_SALES);
    let of = |orders: i64| rows.iter().filter(|row| row["category"] == note && row["orders"] == orders).count();
    assert_eq!((of(1), of(1) + of(2)), (of(2), rows.len()), "{note}: {rows:?}");
    of(1)
}

/// A dataset of the run's own, so that runs do not wait for each other's refreshes and pushes.
pub(super) fn own_dataset(road: &Declared, note: &str, push: bool) -> String {
    let columns = [
        ("day", DataType::DateTime),
        ("category", DataType::String),
        ("orders", DataType::Int64),
        ("amount", DataType::Double),
    ];
    let id = dataset_of(note);
    let dataset = Dataset::new(&id, note, push, vec![Table::new(sample::DAILY_SALES, &columns)]);
    road.stack.power_bi.publish(sample::WORKSPACE, dataset);
    id
}

pub(super) fn two_rows(note: &str) -> Value {
    let row = |orders: i64| json!({"day": "2026-10-05", "category": note, "orders": orders, "amount": 1.5});
    json!([row(1), row(2)])
}

fn dataset_of(note: &str) -> String {
    let digits = hash(&["dataset", note]);
    [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits[part].to_owned()).join("-")
}
