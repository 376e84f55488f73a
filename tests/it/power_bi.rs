//! Power BI over HTTP: refreshes of both kinds.

use std::time::Duration;

use local_stack::power_bi::{Clock, FailedRefresh, sample};
use serde_json::{Value, json};

use crate::road::Road;

fn refreshes(workspace: &str, dataset: &str) -> String {
    format!("/api/power-bi/workspaces/{workspace}/datasets/{dataset}/refreshes")
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
async fn a_standard_refresh_is_not_taken_for_the_one_before_it() {
    let road = Road::with(|options| options.power_bi_clock = Clock::Auto(Duration::from_millis(50))).await;
    let path = format!("{}?waitSeconds=30", refreshes(sample::SHARED_WORKSPACE, sample::TEAM_SALES));
    let first = road.post(&path, &json!({})).await.expect(200);
    let second = road.post(&path, &json!({})).await.expect(200);
    assert_ne!(first.at("/refreshId"), second.at("/refreshId"));
    assert_eq!(road.effects("powerBi", "refreshEnded").len(), 2);
}
