//! Rows that are sent again, and what a killed handler leaves behind.

use super::*;

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

/// Recovery begins sooner than in production, and a dead worker's lease ends sooner.
async fn hurried_road() -> Road {
    Road::with(|options| {
        hurried(options);
        options.extra_environment.insert("CAUSEWAY_MESSAGE_SECONDS".into(), "12".into());
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
