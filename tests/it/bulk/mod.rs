//! Rows into tables, any number in one call: what lands, what is refused with nothing written, and what a second sending
//! does. What a killed handler leaves behind is at the end.

use std::fmt::Write as _;

use local_stack::core::{Action, Fault};
use serde_json::{Value, json};

use crate::idempotency::{hurried, submitted};
use crate::road::{Reply, Road};

mod again;
mod any;
mod refused;

const LINES: (&str, &str) = ("content-type", "application/x-ndjson");

fn rows_of(table: &str) -> String {
    format!("/api/sql/catalogs/main/schemas/sales/tables/{table}/rows")
}

/// A table of this name and these columns.
async fn table(road: &Road, name: &str, columns: &str) -> String {
    road.sql(&format!("CREATE TABLE main.sales.{name} ({columns})")).await.expect(200);
    rows_of(name)
}

async fn select(road: &Road, sql: &str) -> Value {
    road.sql(sql).await.expect(200).body["rows"].take()
}

fn counts(reply: &Reply) -> [u64; 3] {
    ["inserted", "updated", "deleted"].map(|name| reply.body[name].as_u64().unwrap_or(u64::MAX))
}

/// Follows a 202, as flows do.
async fn in_the_end(road: &Road, reply: Reply) -> Reply {
    if reply.status == 202 { road.follow(&reply.accepted()).await } else { reply }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_inserted_changed_and_deleted() {
    let road = Road::start().await;
    let path = table(&road, "three", "id INT, name STRING, amount DECIMAL(10,2)").await;
    let rows = json!([
        {"id": 1, "name": "Zoë", "amount": 1.5}, {"id": 2, "name": "O'Hara", "amount": "2.50"}, {"id": 3, "name": null},
    ]);
    let reply = road.post(&path, &json!({"mode": "insert", "rows": rows})).await.expect(200);
    // The third row has another set of columns, and so a batch of its own.
    assert_eq!((counts(&reply), reply.at("/rows"), reply.at("/batches")), ([3, 0, 0], &json!(3), &json!(2)));
    assert_eq!((reply.at("/state"), reply.at("/mode")), (&json!("succeeded"), &json!("insert")));
    assert_eq!(reply.at("/runId").as_str(), reply.header("x-causeway-run-id"));

    let changed = json!([{"id": 2, "name": "B"}, {"id": 4, "name": "D"}]);
    let reply = road.post(&path, &json!({"mode": "upsert", "keys": ["id"], "rows": changed})).await.expect(200);
    assert_eq!(counts(&reply), [1, 1, 0]);
    let gone = json!([{"ID": 1, "name": "whatever"}, {"id": 99}]);
    let reply = road.post(&path, &json!({"mode": "delete", "keys": ["id"], "rows": gone})).await.expect(200);
    assert_eq!(counts(&reply), [0, 0, 1]);
    let rows = select(&road, "SELECT * FROM main.sales.three ORDER BY id").await;
    assert_eq!(
        rows,
        json!([
            {"id": 2, "name": "B", "amount": 2.5}, {"id": 3, "name": null, "amount": null},
            {"id": 4, "name": "D", "amount": null}
        ])
    );
    // What has been written is kept no longer.
    assert_eq!(road.ledger("spool/"), Vec::<String>::new());
}

/// So many rows, one a line, about 1 KB each.
fn many(count: usize) -> String {
    (0..count).fold(String::new(), |mut lines, id| {
        let _ = writeln!(lines, "{}", json!({"id": id, "text": format!("{id}-{}", "x".repeat(1_000))}));
        lines
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rows_with_one_key_the_last_one_stands() {
    let road = Road::start().await;
    let path = table(&road, "latest", "id INT, a STRING, b STRING").await;
    let rows = json!([
        {"id": 1, "a": "first", "b": "kept"}, {"id": 1, "a": "second", "b": "kept"}, {"id": 1, "a": "third"},
        {"id": 2, "a": "x"}, {"id": 1, "b": "last"},
    ]);
    let reply = road.post(&path, &json!({"mode": "upsert", "keys": ["id"], "rows": rows})).await.expect(200);
    assert_eq!((reply.at("/superseded"), reply.at("/batches")), (&json!(1), &json!(3)));
    let rows = select(&road, "SELECT * FROM main.sales.latest ORDER BY id").await;
    assert_eq!(rows, json!([{"id": 1, "a": "third", "b": "last"}, {"id": 2, "a": "x", "b": null}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_longer_goes_on_behind_a_202() {
    let road = Road::start().await;
    let path = table(&road, "later", "id BIGINT, text STRING").await;
    let reply = road.call("POST", &format!("{path}?write=insert&waitSeconds=0"), Some(many(2_500)), &[LINES]).await;
    let done = road.follow(&reply.accepted()).await.expect(200);
    assert_eq!(counts(&done), [2_500, 0, 0]);
    let started =
        road.post(&format!("{path}?mode=start"), &json!({"mode": "delete", "keys": ["id"], "rows": [{"id": 7}]})).await;
    started.started();
    let done = road.follow(started.at("/statusUrl").as_str().unwrap()).await.expect(200);
    assert_eq!(counts(&done), [0, 0, 1]);
}
