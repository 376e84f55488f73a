//! What a statement gives, into a push table in one call.

use super::*;

/// A statement's rows into the table.
async fn push(road: &Road, body: Value) -> crate::road::Reply {
    let reply = road.post(&rows(TABLE), &body).await;
    if reply.status == 202 { road.follow(&reply.accepted()).await } else { reply }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_pushed_and_clears_the_table_when_asked() {
    let road = Road::start().await;
    road.post(&rows(TABLE), &json!({"rows": [{"orders": 99}]})).await.expect(200);
    let select = "SELECT DATE'2026-10-31' AS day, 'toys' AS category, CAST(id AS INT) AS orders, 1 AS quantity, \
                  CAST(1.5 AS DECIMAL(10,2)) AS amount FROM range(0, 25000) WHERE id < :n";
    let added = push(&road, json!({"statement": select, "parameters": {"n": 2}})).await.expect(200);
    assert_eq!(added.body, json!({"rowsPushed": 2, "batches": 1}));
    assert_eq!(road.stack.power_bi.row_count(sample::SALES_LIVE, TABLE), 3);

    let body = json!({"statement": select, "parameters": {"n": 25_000}, "clear": true});
    let replaced = push(&road, body).await.expect(200);
    assert_eq!(replaced.body, json!({"rowsPushed": 25_000, "batches": 3}));
    assert_whole(&road, 25_000);
    let there = road.stack.power_bi.rows(sample::SALES_LIVE, TABLE);
    assert_eq!(
        there[7],
        json!({"day": "2026-10-31", "category": "toys", "orders": 7, "quantity": 1, "amount": 1.5})
            .as_object()
            .unwrap()
            .clone()
    );
    assert_eq!(crate::idempotency::submitted(&road, "range"), 2, "each statement ran once");
    assert_eq!(road.ledger("spool/"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_pushed_and_nothing_cleared_when_a_row_or_the_statement_is_at_fault() {
    let road = Road::start().await;
    road.post(&rows(TABLE), &days(3)).await.expect(200);
    let long = "SELECT repeat('x', CAST(4000 + id AS INT)) AS category FROM (SELECT explode(sequence(0, 2)) AS id)";
    let reply = push(&road, json!({"statement": long, "clear": true})).await;
    reply.problem(422, "rows-invalid").saying(&["2 of 3 rows", "Row 2", "4001"]);
    let stray = json!({"statement": "SELECT 1 AS orders, 2 AS colour", "clear": true});
    push(&road, stray).await.problem(422, "rows-invalid").saying(&["colour", "AS"]);
    let broken = json!({"statement": "SELECT nope FROM main.sales.orders", "clear": true});
    push(&road, broken).await.problem(422, "statement-failed");
    let write = json!({"statement": "DELETE FROM main.sales.orders"});
    push(&road, write).await.problem(403, "statement-not-allowed");
    for wrong in [json!({}), json!({"statement": "SELECT 1", "rows": []}), json!({"statement": "SELECT 1", "when": 1})]
    {
        road.post(&rows(TABLE), &wrong).await.problem(400, "body-invalid");
    }
    let nowhere = rows("Nowhere");
    road.post(&nowhere, &json!({"statement": "SELECT 1 AS a"})).await.problem(404, "dataset-not-found");
    assert_whole(&road, 3);
    assert!(road.effects("powerBi", "rowsDeleted").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_pushed_as_power_bi_takes_them_also_where_no_columns_are_told() {
    let road = Road::start().await;
    let select =
        "SELECT named_struct('a', 1) AS category, TIMESTAMP'2026-10-31 12:00:00' AS day, CAST(2.5 AS DOUBLE) AS amount";
    for (shown, count) in [(true, 1), (false, 2)] {
        road.stack.power_bi.set_tables_show_columns(shown);
        push(&road, json!({"statement": select})).await.expect(200);
        let there = road.stack.power_bi.rows(sample::SALES_LIVE, TABLE);
        assert_eq!(there.len(), count);
        assert_eq!(there[count - 1]["category"], "{\"a\":1}");
        assert!(there[count - 1]["day"].as_str().unwrap().starts_with("2026-10-31T12:00:00"));
    }
    let nan = json!({"statement": "SELECT CAST('NaN' AS DOUBLE) AS amount"});
    push(&road, nan).await.problem(422, "rows-invalid").saying(&["Row 1", "amount", "no number"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_gives_no_rows_clears_the_table_all_the_same() {
    let road = Road::start().await;
    road.post(&rows(TABLE), &days(3)).await.expect(200);
    let body = json!({"statement": "SELECT 1 AS orders WHERE 1 = 0", "clear": true});
    assert_eq!(push(&road, body).await.expect(200).body, json!({"rowsPushed": 0, "batches": 0}));
    assert_eq!(road.stack.power_bi.row_count(sample::SALES_LIVE, TABLE), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_longer_goes_on_behind_a_202_and_a_killed_handler_does_not_run_it_again() {
    let road = Road::with(|options| {
        crate::idempotency::hurried(options);
        options.extra_environment.insert("CAUSEWAY_MESSAGE_SECONDS".into(), "12".into());
    })
    .await;
    road.stack.databricks.hold("25000", None);
    let select = "SELECT CAST(id AS INT) AS orders FROM range(0, 25000)";
    let body = json!({"statement": select, "clear": true});
    let reply = road.post_keyed(&format!("{}?waitSeconds=1", rows(TABLE)), "k", &body).await;
    let location = reply.accepted();
    road.until("the statement", |road| crate::idempotency::submitted(road, "25000") == 1).await;
    road.stack.host.as_ref().unwrap().kill_handler(None).await;
    let slow = Action::DelayAfterCommit { milliseconds: 600_000 };
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", slow).skip(1));
    road.stack.databricks.release();
    // The second batch came, and the handler that pushed it dies.
    road.until("the second batch", |road| pushes(road).len() == 2).await;
    road.stack.host.as_ref().unwrap().kill_handler(None).await;
    assert_eq!(road.follow(&location).await.expect(200).body, json!({"rowsPushed": 25_000, "batches": 3}));
    assert_whole(&road, 25_000);
    assert_eq!(crate::idempotency::submitted(&road, "25000"), 1, "the statement ran once");
    let again = road.post_keyed(&rows(TABLE), "k", &body).await.expect(200);
    assert!(again.replayed());
}
