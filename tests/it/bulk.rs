//! Rows into tables, any number in one call: what lands, what is refused with nothing written, and what a second sending
//! does. What a killed handler leaves behind is at the end.

use std::fmt::Write as _;

use local_stack::core::{Action, Fault};
use serde_json::{Value, json};

use crate::idempotency::{hurried, submitted};
use crate::road::{Reply, Road};

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
async fn rows_that_do_not_fit_are_named_and_nothing_is_written() {
    let road = Road::start().await;
    let path = table(&road, "strict", "id INT NOT NULL, amount DECIMAL(5,2), day DATE").await;
    let rows = json!([
        {"id": 1, "amount": 1, "day": "2026-01-31"},
        {"id": "x", "amount": 1234.5},
        {"amount": 1.234, "day": "31.01.2026"},
        {"id": 4, "colour": "red"},
        [5],
        {"id": 3_000_000_000_u64},
    ]);
    let reply = road.post(&path, &json!({"mode": "insert", "rows": rows})).await.problem(422, "rows-invalid");
    assert_eq!(reply.at("/failedRowCount"), &json!(5));
    let named: Vec<(u64, &str)> = reply
        .at("/failedRows")
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["row"].as_u64().unwrap(), row["column"].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(
        named,
        [(2, "id"), (2, "amount"), (3, "id"), (3, "amount"), (3, "day"), (4, "colour"), (5, "-"), (6, "id")]
    );
    assert!(reply.message().contains("5 of 6 rows"), "{}", reply.message());
    assert_eq!(submitted(&road, "from_json"), 0);
    assert_eq!(road.ledger("spool/"), Vec::<String>::new());
    // 10,000 faults are counted, and the first of them told.
    let bad: Vec<Value> = (0..10_000).map(|id| json!({"id": id, "amount": "much"})).collect();
    let reply = road.post(&path, &json!({"mode": "insert", "rows": bad})).await.problem(422, "rows-invalid");
    assert_eq!(reply.at("/failedRowCount"), &json!(10_000));
    assert_eq!(reply.at("/failedRows").as_array().unwrap().len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_has_one_effect_and_another_body_is_refused() {
    let road = Road::start().await;
    let path = table(&road, "once_more", "id INT").await;
    let body = json!({"mode": "insert", "rows": [{"id": 1}, {"id": 2}]});
    let first = road.post_keyed(&path, "k", &body).await.expect(200);
    let again = road.post_keyed(&path, "k", &body).await.expect(200);
    assert!(again.replayed() && !first.replayed());
    assert_eq!(first.body, again.body);
    assert_eq!(submitted(&road, "from_json"), 1);
    let other = json!({"mode": "insert", "rows": [{"id": 1}, {"id": 3}]});
    road.post_keyed(&path, "k", &other).await.problem(422, "idempotency-key-reused");
    assert_eq!(select(&road, "SELECT count(*) AS n FROM main.sales.once_more").await, json!([{"n": 2}]));
    assert_eq!(road.ledger("spool/"), Vec::<String>::new());
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
async fn a_batch_that_fails_names_its_rows_and_what_stands_before_it() {
    let road = Road::start().await;
    let path = table(&road, "gone", "id BIGINT, text STRING").await;
    let refused = Action::Status {
        status: 400,
        headers: Vec::new(),
        body: json!({"error_code": "BAD_REQUEST", "message": "no"}).to_string(),
    };
    road.stack
        .databricks
        .served
        .faults
        .add(Fault::once("POST", "/api/2.0/sql/statements", refused).body_contains("2000-xxx"));
    let reply = road.call("POST", &format!("{path}?write=insert"), Some(many(2_500)), &[LINES]).await;
    let reply = in_the_end(&road, reply).await;
    assert!((400..500).contains(&reply.status), "{}", reply.body);
    let reply = reply.saying(&["Batch 3 of 3", "(rows 1", "to 2500)", "2 batches before it are written"]);
    assert!(reply.at("/step").as_str().unwrap().starts_with("rows_1"), "{}", reply.body);
    // What was not written is kept: the run may be retried.
    assert_eq!(road.ledger("spool/").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_refused_before_a_row_is_written() {
    let road = Road::start().await;
    let path = table(&road, "asked", "id INT, a STRING").await;
    let one = json!([{"id": 1}]);
    for (body, place) in [
        (json!({"rows": one}), "mode"),
        (json!({"mode": "replace", "rows": one}), "mode"),
        (json!({"mode": "upsert", "rows": one}), "keys"),
        (json!({"mode": "upsert", "keys": ["nothing"], "rows": one}), "keys"),
        (json!({"mode": "insert", "keys": ["id"], "rows": one}), "keys"),
        (json!({"mode": "insert"}), "rows"),
        (json!({"mode": "insert", "rows": "all"}), "rows"),
        (json!({"mode": "insert", "colour": 1, "rows": one}), "colour"),
    ] {
        let reply = road.post(&path, &body).await.problem(400, "body-invalid");
        assert_eq!(reply.at("/place"), place, "{body}");
    }
    for body in ["{\"mode\": \"insert\", \"rows\": [{\"id\": 1}", "[{\"id\": 1}]]", "7", "{\"mode\" \"insert\"}"] {
        road.call("POST", &path, Some(body.into()), &[]).await.problem(400, "body-malformed");
    }
    road.post(&format!("{path}?write=insert"), &json!({"mode": "insert", "rows": one}))
        .await
        .problem(400, "body-invalid");
    road.post(&format!("{path}?write=all"), &one).await.problem(400, "query-invalid");
    road.call("POST", &path, None, &[]).await.problem(400, "body-missing");
    road.post(&rows_of("nowhere"), &json!({"mode": "insert", "rows": one})).await.problem(404, "table-not-found");
    let none = road.post(&path, &json!({"rows": [], "mode": "insert"})).await.expect(200);
    assert_eq!((counts(&none), none.at("/rows")), ([0, 0, 0], &json!(0)));
    // The mode may come after the rows.
    road.call("POST", &path, Some("{\"rows\": [{\"id\": 1}], \"mode\": \"insert\"}".into()), &[]).await.expect(200);
    assert_eq!(submitted(&road, "from_json"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_mode_for_writes_no_row_is_read() {
    let road = Road::with(|options| {
        options.extra_environment.insert("CAUSEWAY_SQL_MODE".into(), "read_only".into());
    })
    .await;
    let reply = road.post(&rows_of("customers"), &json!({"mode": "insert", "rows": [{"customer_id": 1}]})).await;
    reply.problem(403, "statement-not-allowed").saying(&["CAUSEWAY_SQL_MODE", "read_only"]);
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

/// Recovery begins sooner than in production, and a dead worker's lease ends sooner.
async fn hurried_road() -> Road {
    Road::with(|options| {
        hurried(options);
        options.extra_environment.insert("CAUSEWAY_MESSAGE_SECONDS".into(), "10".into());
    })
    .await
}

/// Starts 2,500 rows in three batches, kills the handler once the second has come to Databricks, and waits for the end.
async fn killed_in_the_second_batch(road: &Road, path: &str, write: &str, fault: Action) -> Reply {
    let faults = &road.stack.databricks.served.faults;
    faults.add(Fault::once("POST", "/api/2.0/sql/statements", fault).body_contains("1500-xxx"));
    let target = format!("{path}?write={write}&mode=start");
    let started = road.call("POST", &target, Some(many(2_500)), &[LINES, ("Idempotency-Key", "k")]).await;
    started.started();
    let asked = |road: &Road| {
        let requests = road.effects("databricks", "request");
        let posts = requests.iter().filter(|request| request["method"] == "POST");
        posts.filter(|request| request["target"] == "/api/2.0/sql/statements").count() >= 3
    };
    road.until("the second batch", asked).await;
    road.stack.host.as_ref().unwrap().kill_handler(None).await;
    // Sent again meanwhile: the same run.
    let again = road.call("POST", &target, Some(many(2_500)), &[LINES, ("Idempotency-Key", "k")]).await;
    again.started();
    assert_eq!(again.at("/id"), started.at("/id"));
    road.follow(started.at("/statusUrl").as_str().unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upsert_killed_between_its_batches_ends_with_every_row_once() {
    let road = hurried_road().await;
    let path = table(&road, "killed", "id BIGINT, text STRING").await;
    let reply = killed_in_the_second_batch(&road, &path, "upsert&keys=id", Action::Hang).await.expect(200);
    assert_eq!((counts(&reply), reply.at("/batches")), ([2_500, 0, 0], &json!(3)));
    let found = select(&road, "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM main.sales.killed").await;
    assert_eq!(found, json!([{"n": 2_500, "ids": 2_500}]));
    assert_eq!(road.ledger("spool/"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_killed_after_its_batch_was_written_never_writes_it_twice() {
    let road = hurried_road().await;
    let path = table(&road, "killed", "id BIGINT, text STRING").await;
    let slow = Action::DelayAfterCommit { milliseconds: 600_000 };
    let reply = killed_in_the_second_batch(&road, &path, "insert", slow).await;
    let found = select(&road, "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM main.sales.killed").await;
    assert_eq!(found[0]["n"], found[0]["ids"], "a batch was written twice");
    // Found by its key in the query history, or told as unknown with its rows.
    if reply.status == 200 {
        assert_eq!((counts(&reply), &found[0]["n"]), ([2_500, 0, 0], &json!(2_500)));
    } else {
        reply.problem(409, "outcome-unknown").saying(&["rows_9", "may or may not"]);
    }
}
