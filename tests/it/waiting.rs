//! Statements that outlast their wait: 202, status, `mode=start`, cancel, `onTimeout`.

use std::time::Duration;

use local_stack::core::{Action, Fault};
use serde_json::json;

use crate::road::Road;

const SLOW: &str = "SELECT count(*) AS orders FROM main.sales.orders /* slow */";

#[tokio::test(flavor = "multi_thread")]
async fn what_outlasts_its_wait_is_a_202_that_becomes_the_result() {
    let road = Road::start().await;
    road.stack.databricks.hold("/* slow */", None);
    let reply = road.post("/api/sql/statements?waitSeconds=0", &json!({"statement": SLOW})).await;
    let location = reply.accepted();
    let still = road.get(&location).await;
    // Without a key, as flows poll.
    assert!(still.accepted().contains("/api/status/"));
    road.stack.databricks.release();
    let done = road.follow(&location).await.expect(200);
    assert!(done.at("/rows/0/orders").as_u64().is_some_and(|orders| orders > 0), "{}", done.body);
    assert_eq!(done.at("/state"), "SUCCEEDED");
    assert_eq!(road.effects("databricks", "statement").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_waited_for() {
    let road = Road::start().await;
    road.stack.databricks.hold("/* slow */", Some(Duration::from_secs(2)));
    let reply = road.post("/api/sql/statements?waitSeconds=30", &json!({"statement": SLOW})).await.expect(200);
    assert_eq!(reply.at("/returnedRows"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_answers_201_with_the_resource() {
    let road = Road::start().await;
    road.stack.databricks.hold("/* slow */", None);
    let reply = road.post("/api/sql/statements?mode=start", &json!({"statement": SLOW})).await;
    let location = reply.started();
    let seen = road.get(&location).await;
    // The resource, unlike the status, needs a key.
    assert_eq!(seen.status, 401);
    let path = location.split_once("/api/").map(|(_, path)| format!("/api/{path}")).unwrap();
    let seen = road.get(&path).await.expect(200);
    assert!(["PENDING", "RUNNING"].contains(&seen.at("/state").as_str().unwrap()), "{}", seen.body);
    road.stack.databricks.release();
    road.follow(reply.at("/statusUrl").as_str().unwrap()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_statement_is_canceled_for_whoever_follows_it() {
    let road = Road::start().await;
    road.stack.databricks.hold("/* slow */", None);
    let reply = road.post("/api/sql/statements?waitSeconds=0", &json!({"statement": SLOW})).await;
    let location = reply.accepted();
    let id = reply.at("/id").as_str().unwrap();
    // No body: `/cancel` takes none.
    let cancelled = road.call("POST", &format!("/api/sql/statements/{id}/cancel"), None, &[]).await.expect(200);
    assert_eq!(cancelled.at("/statementId"), id);
    road.follow(&location).await.problem(422, "statement-canceled");
    let nothing = "/api/sql/statements/01ef0000-0000-1000-8000-000000000000/cancel";
    road.call("POST", nothing, None, &[]).await.problem(404, "statement-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_timeout_cancel_cancels_reads_and_writes() {
    let road = Road::start().await;
    road.stack.databricks.hold("/* slow */", None);
    for statement in [SLOW, "CREATE TABLE main.sales.late (a INT) /* slow */"] {
        let body = json!({"statement": statement, "onTimeout": "cancel"});
        let reply = road.post("/api/sql/statements?waitSeconds=1", &body).await;
        reply.problem(422, "statement-canceled").saying(&["waitSeconds"]);
    }
    road.stack.databricks.release();
    let failed = road.sql("SELECT * FROM main.sales.late").await;
    failed.problem(422, "statement-failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_cancel_fails_goes_on_and_invites_nobody() {
    let road = Road::start().await;
    road.stack.databricks.hold("/* slow */", None);
    let refused = Action::Status { status: 503, headers: Vec::new(), body: String::new() };
    road.stack.databricks.served.faults.add(Fault::once("POST", "/cancel", refused).times(20));
    let body = json!({"statement": "CREATE TABLE main.sales.late (a INT) /* slow */", "onTimeout": "cancel"});
    let location = road.post("/api/sql/statements?waitSeconds=1", &body).await.accepted();
    road.stack.databricks.release();
    road.follow(&location).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_cannot_be_looked_at_is_a_202() {
    let road = Road::start().await;
    let away = Action::Status { status: 503, headers: vec![("retry-after".into(), "600".into())], body: String::new() };
    road.stack.databricks.served.faults.add(Fault::once("GET", "/api/2.0/sql/statements/", away));
    let reply = road.sql("CREATE TABLE main.sales.seen (a INT)").await;
    let location = reply.accepted();
    road.follow(&location).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warehouse_that_is_away_fails_a_read_for_now_and_a_write_for_good() {
    let road = Road::start().await;
    let status = json!({"state": "FAILED", "error": {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "Away."}});
    let failed = |method: &str| {
        let body = json!({"statement_id": "01ef0000-0000-1000-8000-000000000000", "status": status}).to_string();
        let headers = vec![("content-type".into(), "application/json".into())];
        Fault::once(method, "/api/2.0/sql/statements", Action::Status { status: 200, headers, body })
    };
    road.stack.databricks.served.faults.add(failed("POST"));
    road.sql("SELECT 1").await.problem(503, "warehouse-unavailable");
    // A write was submitted and is on record: its end is its end.
    road.stack.databricks.served.faults.add(failed("GET"));
    road.sql("CREATE TABLE main.sales.away (a INT)").await.problem(422, "warehouse-unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_was_taken_invites_nobody_to_send_it_again() {
    let road = Road::start().await;
    road.stack.databricks.hold("SELECT 8", None);
    let started = road.post("/api/sql/statements?mode=start", &json!({"statement": "SELECT 8 AS eight"})).await;
    started.started();
    let id = started.at("/id").as_str().unwrap();
    let busy = Action::Status { status: 429, headers: vec![("retry-after".into(), "600".into())], body: String::new() };
    road.stack.databricks.served.faults.add(Fault::once("GET", "/sql/statements/", busy));
    let path = format!("/api/sql/statements/{id}/cancel");
    road.call("POST", &path, None, &[]).await.problem(409, "outcome-unknown");
    assert_eq!(road.call("POST", &path, None, &[]).await.expect(200).at("/state"), "CANCELED");
}
