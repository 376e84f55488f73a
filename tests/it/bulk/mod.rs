//! Rows into tables, any number in one call: what lands, what is refused with nothing written, and what a second sending
//! does. What a killed handler leaves behind is at the end.

use std::fmt::Write as _;

use local_stack::core::{Action, Fault};
use serde_json::{Value, json};

use crate::idempotency::{hurried, submitted};
use crate::road::{Reply, Road};

mod again;
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
async fn thousands_of_rows_go_in_batches_and_come_as_lines() {
    let road = Road::start().await;
    let path = table(&road, "many", "id BIGINT, text STRING").await;
    let reply = road.call("POST", &format!("{path}?write=insert"), Some(many(5_000)), &[LINES]).await;
    let reply = in_the_end(&road, reply).await.expect(200);
    assert_eq!((counts(&reply), reply.at("/batches")), ([5_000, 0, 0], &json!(6)));
    let sums =
        select(&road, "SELECT count(*) AS n, count(DISTINCT id) AS ids, sum(length(text)) AS l FROM main.sales.many")
            .await;
    assert_eq!((&sums[0]["n"], &sums[0]["ids"]), (&json!(5_000), &json!(5_000)));
    // As an array, and as the changes of what is there and what is not.
    let lines = many(5_010);
    let array = format!("[{}]", lines.trim_end().replace('\n', ","));
    let reply = road.call("POST", &format!("{path}?write=upsert&keys=id"), Some(array), &[]).await;
    let reply = in_the_end(&road, reply).await.expect(200);
    assert_eq!(counts(&reply), [10, 5_000, 0]);
    // No batch was larger than what Databricks takes.
    let statements = road.effects("databricks", "statement");
    assert!(
        statements
            .iter()
            .filter(|entry| entry["statement"].as_str().is_some_and(|text| text.contains("from_json")))
            .count()
            >= 12
    );
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
async fn every_type_arrives_as_it_was_sent() {
    let road = Road::start().await;
    let columns = "id INT, b BOOLEAN, t TINYINT, l BIGINT, d DECIMAL(38,18), f DOUBLE, s STRING, day DATE, at TIMESTAMP, \
                   n TIMESTAMP_NTZ, bin BINARY, list ARRAY<INT>, st STRUCT<x: INT, y: STRING>";
    let path = table(&road, "types", columns).await;
    let full = json!({
        "id": 1, "b": true, "t": -128, "l": "9223372036854775807", "d": "12345678901234567890.123456789012345678",
        "f": 0.1, "s": "emoji 😀 \"quoted\" \\ \n ü", "day": "0001-01-01", "at": "2026-01-31T12:00:00.1234567+02:00",
        "n": "9999-12-31T23:59:59.999999", "bin": "8AD7", "list": [1, null, 3], "st": {"x": 1, "y": "it's"},
    });
    let none: Value = full
        .as_object()
        .unwrap()
        .keys()
        .map(|name| (name.clone(), Value::Null))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let reply = road.post(&path, &json!({"mode": "insert", "rows": [full, none]})).await.expect(200);
    assert_eq!((counts(&reply), reply.at("/batches")), ([2, 0, 0], &json!(1)));
    let body = json!({"statement": "SELECT * FROM main.sales.types ORDER BY id NULLS LAST"});
    let rows =
        road.post("/api/sql/statements?bigints=string&decimals=string", &body).await.expect(200).body["rows"].take();
    let row = &rows[0];
    for (column, value) in [
        ("b", json!(true)),
        ("t", json!(-128)),
        ("l", json!("9223372036854775807")),
        ("d", json!("12345678901234567890.123456789012345678")),
        ("f", json!(0.1)),
        ("s", json!("emoji 😀 \"quoted\" \\ \n ü")),
        ("day", json!("0001-01-01")),
        ("list", json!([1, null, 3])),
        ("st", json!({"x": 1, "y": "it's"})),
    ] {
        assert_eq!(row[column], value, "{column}");
    }
    assert!(row["at"].as_str().unwrap().starts_with("2026-01-31T10:00:00.123456"), "{row}");
    assert!(row["n"].as_str().unwrap().starts_with("9999-12-31T23:59:59.999999"), "{row}");
    assert_eq!(
        select(&road, "SELECT hex(bin) AS h FROM main.sales.types WHERE id = 1").await,
        json!([{"h": "F000FB"}])
    );
    assert!(rows[1].as_object().unwrap().values().all(Value::is_null), "{}", rows[1]);
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

#[tokio::test(flavor = "multi_thread")]
async fn names_may_hold_anything_that_unity_catalog_takes() {
    let road = Road::start().await;
    for (quoted, encoded) in
        [("a b", "a%20b"), ("a%2Fb", "a%252Fb"), ("a#b", "a%23b"), ("a``b", "a%60b"), ("größe", "gr%C3%B6%C3%9Fe")]
    {
        road.sql(&format!("CREATE TABLE main.sales.`{quoted}` (`{quoted}` INT, `the \"value\"` STRING)"))
            .await
            .expect(200);
        let column = quoted.replace("``", "`");
        let row = json!({column.clone(): 1, "the \"value\"": "it's"});
        let body = json!({"mode": "upsert", "keys": [column], "rows": [row]});
        let reply = road.post(&rows_of(encoded), &body).await.expect(200);
        assert_eq!(counts(&reply), [1, 0, 0], "{quoted}");
        let found =
            select(&road, &format!("SELECT `the \"value\"` AS v FROM main.sales.`{quoted}` WHERE `{quoted}` = 1"))
                .await;
        assert_eq!(found, json!([{"v": "it's"}]), "{quoted}");
    }
}
