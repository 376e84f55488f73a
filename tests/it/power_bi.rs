//! Power BI over HTTP: refreshes of both kinds, and rows of push datasets.

use std::time::Duration;

use local_stack::core::{Action, Fault};
use local_stack::power_bi::{Clock, FailedRefresh, sample};
use serde_json::{Value, json};

use crate::road::{PATIENCE, Road};

fn refreshes(workspace: &str, dataset: &str) -> String {
    format!("/api/power-bi/workspaces/{workspace}/datasets/{dataset}/refreshes")
}

fn rows(table: &str) -> String {
    format!("/api/power-bi/workspaces/{}/datasets/{}/tables/{table}/rows", sample::WORKSPACE, sample::SALES_LIVE)
}

fn day(orders: usize) -> Value {
    json!({"day": "2026-10-31T00:00:00Z", "category": "toys", "orders": orders, "quantity": 1, "amount": 1.5})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standard_refresh_is_found_in_the_history_and_cannot_be_cancelled() {
    let road = Road::with(|options| options.power_bi_clock = Clock::Stepped).await;
    let path = refreshes(sample::SHARED_WORKSPACE, sample::TEAM_SALES);
    let started = road.post(&format!("{path}?mode=start"), &json!({})).await;
    assert!(started.started().ends_with("/refreshes"), "{}", started.body);
    assert_eq!(started.at("/id"), &Value::Null, "nobody knows its id yet");
    let status = started.at("/statusUrl").as_str().unwrap().to_owned();
    let seen = road.get(&status).await;
    seen.accepted();
    let id = seen.at("/id").as_str().expect("found by its time").to_owned();
    let history = road.get(started.header("location").unwrap()).await.expect(401);
    assert_eq!(history.body, Value::Null, "a resource wants a key, which a status URL does not");
    assert_eq!(road.get(&path).await.expect(200).at("/value/0/refreshId"), &json!(id));
    assert_eq!(road.get(&format!("{path}/{id}")).await.expect(200).at("/refreshId"), &json!(id));
    let cancel = road.call("DELETE", &format!("{path}/{id}"), None, &[]).await;
    cancel.problem(409, "not-cancellable").saying(&["standard"]);
    // NotStarted, InProgress, Completed.
    road.stack.power_bi.step();
    road.stack.power_bi.step();
    let done = road.follow(&status).await.expect(200);
    assert_eq!((done.at("/refreshId"), done.at("/coalesced")), (&json!(id), &json!(false)));
    assert_eq!(done.at("/state"), "completed");
    assert!(done.at("/startTime").is_string() && done.at("/endTime").is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enhanced_refresh_has_an_id_from_its_location_and_can_be_cancelled() {
    let road = Road::with(|options| options.power_bi_clock = Clock::Stepped).await;
    let path = refreshes(sample::WORKSPACE, sample::SALES);
    let body = json!({"tables": ["DailySales"], "commitMode": "transactional"});
    let reply = road.post(&format!("{path}?waitSeconds=0"), &body).await;
    let status = reply.accepted();
    let id = reply.at("/id").as_str().expect("an id").to_owned();
    let effects = road.effects("powerBi", "refresh");
    assert_eq!((effects.len(), &effects[0]["refreshType"]), (1, &json!("ViaEnhancedApi")));
    assert_eq!(road.get(&format!("{path}/{id}")).await.expect(200).at("/state"), "inProgress");
    road.call("DELETE", &format!("{path}/{id}"), None, &[]).await.expect(200);
    road.follow(&status).await.problem(422, "refresh-failed").saying(&["cancelled"]);
    assert_eq!(road.get(&format!("{path}/{id}")).await.expect(200).at("/error/code"), "refresh-failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_is_waited_for_and_its_failure_tells_why() {
    let road = Road::with(|options| options.power_bi_clock = Clock::Auto(Duration::from_millis(50))).await;
    let path = refreshes(sample::WORKSPACE, sample::SALES);
    let done = road.post(&format!("{path}?waitSeconds=30"), &json!({"type": "full"})).await.expect(200);
    assert_eq!(done.at("/state"), "completed");
    road.stack.power_bi.fail_next_refresh(sample::SALES, FailedRefresh::credentials());
    let failed = road.post(&format!("{path}?waitSeconds=30"), &json!({"type": "full"})).await;
    failed.problem(422, "refresh-failed").saying(&["credentials"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enhanced_field_on_shared_capacity_needs_premium() {
    let road = Road::start().await;
    let path = refreshes(sample::SHARED_WORKSPACE, sample::TEAM_SALES);
    let reply = road.post(&path, &json!({"tables": ["DailySales"]})).await.problem(422, "premium-required");
    reply.saying(&["shared capacity"]);
    assert!(road.effects("powerBi", "refresh").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_workspace_or_refresh_that_is_not_there_is_named() {
    let road = Road::start().await;
    let nowhere = "00000000-0000-4000-8000-000000000000";
    let reply = road.post(&refreshes(sample::WORKSPACE, nowhere), &json!({})).await;
    reply.problem(404, "dataset-not-found").saying(&[nowhere]);
    let reply = road.post(&refreshes(sample::FOREIGN_WORKSPACE, sample::FOREIGN_DATASET), &json!({})).await;
    assert!(["power-bi-access-denied", "workspace-not-found"].contains(&reply.code()), "{}", reply.body);
    let reply = road.get(&format!("{}/{nowhere}", refreshes(sample::WORKSPACE, sample::SALES))).await;
    reply.problem(404, "refresh-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_pushed_in_batches_of_at_most_10000() {
    let road = Road::start().await;
    let all: Vec<Value> = (0..25_000).map(day).collect();
    let reply = road.post(&rows("DailySales"), &json!({"rows": all})).await.expect(200);
    assert_eq!(reply.body, json!({"rowsPushed": 25_000, "batches": 3}));
    let counts: Vec<Value> = road.effects("powerBi", "rows").iter().map(|push| push["count"].clone()).collect();
    assert_eq!(counts, [10_000, 10_000, 5_000]);
    let there = road.stack.power_bi.rows(sample::SALES_LIVE, "DailySales");
    assert!(there.iter().enumerate().all(|(at, row)| row["orders"] == at), "out of order");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_fit_are_refused_and_nothing_is_pushed() {
    let road = Road::start().await;
    let reply = road.post(&rows("DailySales"), &json!({"rows": [{"day": "2026-10-31", "colour": "red"}]})).await;
    reply.problem(422, "rows-invalid").saying(&["colour"]);
    road.post(&rows("Nowhere"), &json!({"rows": [day(1)]})).await.problem(404, "dataset-not-found");
    road.post(&rows("DailySales"), &json!({"rows": [7]})).await.problem(400, "body-invalid");
    assert!(road.effects("powerBi", "rows").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_breaks_off_half_way_says_how_far_it_came() {
    let road = Road::start().await;
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", Action::CutAfterCommit).skip(1));
    let all: Vec<Value> = (0..15_000).map(day).collect();
    let body = json!({"rows": all});
    let reply = road.post_keyed(&rows("DailySales"), "half", &body).await;
    reply.problem(409, "outcome-unknown").saying(&["10001 to 15000"]);
    let again = road.post_keyed(&rows("DailySales"), "half", &body).await;
    again.problem(409, "outcome-unknown");
    let pushed =
        tokio::time::timeout(PATIENCE, road.until("two pushes", |road| road.effects("powerBi", "rows").len() == 2));
    pushed.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standard_refresh_is_not_taken_for_the_one_before_it() {
    let road = Road::with(|options| options.power_bi_clock = Clock::Auto(Duration::from_millis(50))).await;
    let path = format!("{}?waitSeconds=30", refreshes(sample::SHARED_WORKSPACE, sample::TEAM_SALES));
    let first = road.post(&path, &json!({})).await.expect(200);
    let second = road.post(&path, &json!({})).await.expect(200);
    assert_ne!(first.at("/refreshId"), second.at("/refreshId"));
    assert_eq!(road.effects("powerBi", "refreshEnded").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_started_push_is_a_run_that_has_the_rows_and_happens_once() {
    let road = Road::start().await;
    let body = json!({"rows": [day(1), day(2)]});
    let path = format!("{}?mode=start", rows("DailySales"));
    let reply = road.post_keyed(&path, "k", &body).await;
    let run = reply.at("/id").as_str().unwrap().to_owned();
    assert!(reply.started().ends_with(&format!("/api/runs/{run}")));
    assert_eq!(road.ended(&run).await["output"], json!({"rowsPushed": 2, "batches": 1}));
    let again = road.post_keyed(&path, "k", &body).await;
    again.started();
    assert!(again.replayed() && again.at("/id") == &json!(run));
    // Waiting for it is another call.
    road.post_keyed(&rows("DailySales"), "k", &body).await.problem(422, "idempotency-key-reused");
    assert_eq!(road.effects("powerBi", "rows").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_without_its_body_never_becomes_a_push_of_nothing() {
    let road = Road::start().await;
    let refusal =
        Action::Status { status: 429, headers: vec![("retry-after".into(), "600".into())], body: String::new() };
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", refusal));
    let path = rows("DailySales");
    road.post_keyed(&path, "k", &json!({"rows": [day(1)]})).await.problem(429, "upstream-throttled");
    road.call("POST", &path, None, &[("Idempotency-Key", "k")]).await.problem(400, "body-missing");
    road.post_keyed(&path, "k", &json!({"rows": [day(1)]})).await.expect(200);
}
