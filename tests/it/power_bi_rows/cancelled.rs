//! A push that somebody wants ended stops between two batches, says how far it came, and goes on from there when it is
//! retried.

use std::time::Duration;

use local_stack::core::{Action, Fault};
use serde_json::json;

use super::{TABLE, assert_whole, days, pushes, rows};
use crate::road::{PATIENCE, Road};

/// A run of 15,000 rows that sleeps for ten minutes after its first batch.
async fn asleep(road: &Road) -> String {
    let headers = vec![("retry-after".into(), "600".into())];
    let refusal = Action::Status { status: 429, headers, body: String::new() };
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", refusal).skip(1));
    let reply = road.post(&format!("{}?waitSeconds=0", rows(TABLE)), &days(15_000)).await;
    let run = reply.header("x-causeway-run-id").expect("a run").to_owned();
    let sleeps = async {
        loop {
            let seen = road.get(&format!("/api/runs/{run}")).await.expect(200);
            if seen.body["state"] == "waiting" && seen.body.pointer("/steps/0/progress/batches") == Some(&json!(1)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, sleeps).await.expect("it sleeps");
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_stops_between_two_batches_and_a_retry_pushes_the_rest() {
    let road = Road::start().await;
    let run = asleep(&road).await;
    let cancelled = road.call("POST", &format!("/api/runs/{run}/cancel?waitSeconds=60"), None, &[]).await.expect(200);
    assert_eq!((cancelled.at("/state"), cancelled.at("/error/code")), (&json!("cancelled"), &json!("run-canceled")));
    let detail = cancelled.at("/error/detail").as_str().unwrap_or_default();
    assert!(detail.contains("The first 10000 of 15000 rows are in the table."), "{detail}");
    assert_eq!(cancelled.at("/steps/0/progress/rowsPushed"), &json!(10_000));
    assert_eq!(pushes(&road), [10_000]);
    // A batch is put away when the one after the next is got ready.
    assert_eq!(road.ledger("spool/").len(), 2, "what is left is kept");

    // Power BI said when to come again, and that counts for whoever comes.
    let path = format!("/api/runs/{run}/retry?mode=start");
    let started = road.call("POST", &path, None, &[]).await.expect(201);
    assert_eq!(started.at("/id"), &json!(run));
    road.until("the run goes on", |road| road.ledger("open/").iter().any(|name| !name.ends_with("/0"))).await;
    let again = road.call("POST", &format!("/api/runs/{run}/cancel?waitSeconds=60"), None, &[]).await.expect(200);
    assert_eq!((again.at("/state"), again.at("/retries")), (&json!("cancelled"), &json!(1)));
    assert_eq!(pushes(&road), [10_000], "nothing is pushed twice");
    assert_whole(&road, 10_000);
}
