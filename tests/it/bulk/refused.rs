//! Rows and calls that are refused: named, with nothing written.

use super::*;

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
