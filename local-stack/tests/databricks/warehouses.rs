//! Warehouses: states, starting on a statement, refusing to.

use std::time::Duration;

use local_stack::databricks::{STOPPED_WAREHOUSE, WAREHOUSE};
use serde_json::json;

use crate::caller::{id, with, without_engine};

#[tokio::test]
async fn a_stopped_warehouse_starts_when_a_statement_comes() {
    let caller = with(without_engine()).await;
    let path = format!("/api/2.0/sql/warehouses/{STOPPED_WAREHOUSE}");
    assert_eq!(caller.get(&path).await.body["state"], "STOPPED");
    caller.stand_in.set_warehouse(STOPPED_WAREHOUSE, None, Some(Duration::from_hours(1)), None);
    let more = json!({"warehouse_id": STOPPED_WAREHOUSE, "wait_timeout": "0s"});
    let reply = caller.execute("SELECT 1", more).await;
    caller.until(&path, |body| body["state"] == "STARTING").await;
    let pending = caller.get(&format!("/api/2.0/sql/statements/{}", id(&reply))).await.body;
    assert_eq!(pending["status"], json!({"state": "PENDING"}));
    caller.stand_in.set_warehouse(STOPPED_WAREHOUSE, Some("RUNNING"), None, None);
    caller.until_state(&id(&reply), "FAILED").await; // no engine, but it got that far
    assert_eq!(caller.get(&path).await.body["state"], "RUNNING");
}

#[tokio::test]
async fn a_warehouse_that_refuses_to_start_fails_its_statements() {
    let caller = with(without_engine()).await;
    caller.stand_in.set_warehouse(STOPPED_WAREHOUSE, None, None, Some(true));
    let reply = caller.execute("SELECT 1", json!({"warehouse_id": STOPPED_WAREHOUSE})).await.body;
    assert_eq!(reply["status"]["state"], "FAILED");
    let message = reply["status"]["error"]["message"].as_str().expect("a message");
    assert!(message.contains("could not be started"), "{message}");
}

#[tokio::test]
async fn warehouses_are_listed_stopped_and_started() {
    let caller = with(without_engine()).await;
    let all = caller.get("/api/2.0/sql/warehouses").await.body;
    assert_eq!((&all["warehouses"][0]["id"], &all["warehouses"][0]["state"]), (&json!(WAREHOUSE), &json!("RUNNING")));
    let path = format!("/api/2.0/sql/warehouses/{WAREHOUSE}");
    assert_eq!(caller.post(&format!("{path}/stop"), &json!({})).await.status, 200);
    assert_eq!(caller.get(&path).await.body["state"], "STOPPED");
    caller.stand_in.set_warehouse(WAREHOUSE, None, Some(Duration::ZERO), None);
    assert_eq!(caller.post(&format!("{path}/start"), &json!({})).await.status, 200);
    caller.until(&path, |body| body["state"] == "RUNNING").await;
    assert_eq!(caller.get("/api/2.0/sql/warehouses/nope").await.status, 404);
}
