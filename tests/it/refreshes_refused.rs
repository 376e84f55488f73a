//! Refreshes that are refused, or that fail: what cannot work, limits of the day, throttling, eviction.

use std::time::Duration;

use local_stack::core::{Action, Fault};
use local_stack::power_bi::{Clock, FailedRefresh, sample};
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::refreshes::{QUEUEING, SHORT, asked, busy, let_go, sales, team_sales};

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_the_day_has_its_code_and_is_not_tried_again() {
    const RETRYING: (&str, &str) = (
        "retrying",
        "summary: s
steps:
  - id: model
    retry: {attempts: 5, backoff: 1s}
    refresh: {workspace: SHARED, dataset: TEAM_SALES}
",
    );
    let yaml = RETRYING.1.replace("SHARED", sample::SHARED_WORKSPACE).replace("TEAM_SALES", sample::TEAM_SALES);
    let road = Declared::canned(&[(RETRYING.0, &yaml)], &[]).await;
    road.stack.power_bi.set_clock(Clock::Auto(Duration::from_millis(1)));
    for _ in 0..8 {
        road.stack.power_bi.start_foreign_refresh(sample::TEAM_SALES, "Scheduled").expect("a dataset");
    }
    road.until("they end", |road| road.effects("powerBi", "refreshEnded").len() == 8).await;
    let reply = road.post(&team_sales(), &json!({})).await.problem(422, "refresh-limit");
    reply.saying(&["8 times", "a day old", "capacity"]);
    assert_eq!(asked(&road), 1);
    let reply = road.post("/api/operations/retrying", &json!({})).await;
    reply.problem(422, "refresh-limit");
    assert_eq!(asked(&road), 2);
    // A day later there is one again.
    road.stack.power_bi.advance(Duration::from_hours(25));
    road.post(&format!("{}?waitSeconds=60", team_sales()), &json!({})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_start_says_when_to_come_back_and_a_step_does() {
    let road = Declared::canned(&[QUEUEING], &[]).await;
    road.stack.power_bi.set_clock(SHORT);
    let throttled = |seconds: Option<&str>| {
        let headers = seconds.map(|seconds| ("retry-after".to_owned(), seconds.to_owned()));
        let action = Action::Status { status: 429, headers: headers.into_iter().collect(), body: String::new() };
        road.stack.power_bi.served.faults.add(Fault::once("POST", "/refreshes", action));
    };
    throttled(Some("600"));
    let reply = road.post(&sales(), &json!({})).await.problem(429, "refresh-throttled");
    assert_eq!(reply.at("/retryAfterSeconds"), &json!(600));
    // Who names no time is not asked again at once.
    throttled(None);
    road.post(&sales(), &json!({})).await.problem(429, "refresh-throttled");
    assert!(road.effects("powerBi", "refresh").is_empty());
    throttled(None);
    let done = road.post("/api/operations/queueing?waitSeconds=60", &json!({})).await.expect(200);
    assert_eq!(done.at("/coalesced"), &json!(false));
    assert_eq!(road.effects("powerBi", "refresh").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_model_was_evicted_begins_again() {
    let road = Declared::canned(&[QUEUEING], &[]).await;
    road.stack.power_bi.set_clock(SHORT);
    let evicted = FailedRefresh {
        code: "0xC11C0020".into(),
        description: "The model was evicted.".into(),
        ..FailedRefresh::credentials()
    };
    road.stack.power_bi.fail_next_refresh(sample::SALES, evicted.clone());
    road.post("/api/operations/queueing?waitSeconds=60", &json!({})).await.expect(200);
    assert_eq!(road.effects("powerBi", "refresh").len(), 2);
    road.stack.power_bi.fail_next_refresh(sample::SALES, evicted);
    let reply = road.post(&format!("{}?waitSeconds=60", sales()), &json!({"type": "full"})).await;
    reply.problem(422, "refresh-evicted").saying(&["evicted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_refused_before_anything_is_sent_or_queued() {
    let road = busy().await;
    for (body, place) in [
        (json!({"type": "add"}), "type"),
        (json!({"commitMode": "partialBatch"}), "applyRefreshPolicy"),
        (json!({"effectiveDate": "2026-10-31", "applyRefreshPolicy": false}), "effectiveDate"),
        (json!({"effectiveDate": "yesterday"}), "effectiveDate"),
        (json!({"timeout": "5 hours"}), "timeout"),
        (json!({"timeout": "10:00:00", "retryCount": 2}), "retryCount"),
        (json!({"maxParallelism": 0}), "maxParallelism"),
        (json!({"partitions": [{"table": "Orders"}]}), "partitions[0]"),
        (json!({"notifyOption": "MailOnFailure"}), "notifyOption"),
    ] {
        let reply = road.post(&sales(), &body).await.problem(400, "body-invalid");
        assert_eq!(reply.at("/place"), place, "{body}");
    }
    assert!(road.ledger("refreshes/").is_empty() && road.ledger("claims/").is_empty());
    let whole = json!({
        "type": "full", "commitMode": "transactional", "tables": ["DailySales"],
        "partitions": [{"table": "Orders", "partition": "2026"}], "maxParallelism": 2, "retryCount": 1,
        "timeout": "02:00:00", "applyRefreshPolicy": true, "effectiveDate": "2026-10-31",
    });
    let status = road.post(&format!("{}?waitSeconds=0", sales()), &whole).await.accepted();
    let_go(&road);
    road.follow(&status).await.expect(200);
    let exchanges = road.effects("powerBi", "exchange");
    let sent = exchanges.iter().find(|exchange| exchange["method"] == "POST").expect("it was sent");
    let sent: Value = serde_json::from_str(sent["request"].as_str().expect("a text")).expect("JSON");
    assert_eq!(
        sent,
        json!({
            "type": "Full", "commitMode": "Transactional", "maxParallelism": 2, "retryCount": 1, "timeout": "02:00:00",
            "applyRefreshPolicy": true, "effectiveDate": "2026-10-31",
            "objects": [{"table": "DailySales"}, {"table": "Orders", "partition": "2026"}],
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_refresh_that_cannot_work_leaves_the_queue() {
    let road = Declared::canned(&[], &[]).await;
    road.stack.power_bi.set_clock(Clock::Stepped);
    road.stack.power_bi.start_foreign_refresh(sample::TEAM_SALES, "Scheduled").expect("a dataset");
    let reply = road.post(&format!("{}?waitSeconds=0", team_sales()), &json!({"tables": ["DailySales"]})).await;
    let_go(&road);
    road.follow(&reply.accepted()).await.problem(422, "premium-required");
    // Nothing waits any more: the next one is sent by its own call.
    let next = road.post(&format!("{}?waitSeconds=60", team_sales()), &json!({})).await.expect(200);
    assert_eq!(next.header("x-causeway-run-id"), None);
}
