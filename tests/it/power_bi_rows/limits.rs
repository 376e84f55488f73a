//! The limits of push datasets: kept before the service must refuse, by all processes together, and a refusal is heeded.

use std::time::Duration;

use futures_util::future::join_all;
use local_stack::core::{Action, Fault};
use local_stack::host::Groups;
use local_stack::stack::StackOptions;
use serde_json::json;

use super::*;
use crate::declared::Declared;

/// Pushes what a caller gives it.
const PUSHING: (&str, &str) = (
    "pushing",
    r#"
summary: Push
parameters:
  from: { type: integer, required: true }
steps:
  - id: push
    push_rows:
      workspace: "0c3f7f6e-2f55-4f0b-9d3c-5a1d7c9b1a01"
      dataset: "5b7f0a54-6c1e-4a38-8f0e-2f3f8d1c2b02"
      table: DailySales
      rows:
        - { day: "2026-10-31", orders: "{{ parameters.from }}" }
        - { day: "2026-10-31", orders: "{{ parameters.from + 1 }}" }
output: { pushed: "{{ steps.push.rowsPushed }}" }
"#,
);

/// Time that runs so many times faster, on both sides.
fn faster(options: &mut StackOptions, scale: u32) {
    options.extra_environment.insert("CAUSEWAY_POWER_BI_TIME_SCALE".into(), scale.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_the_requests_of_a_minute_and_none_is_refused() {
    let road = Declared::with(&[PUSHING], &[], |options| {
        options.groups = Groups::Flex;
        options.databricks.engine = false;
        // A minute is two seconds.
        faster(options, 30);
    })
    .await;
    road.stack.power_bi.set_sequence_numbers(false);
    road.stack.power_bi.set_time_scale(30.0);
    // The functions `power-bi` and `operations` are processes of their own. Together they push 140 times,
    // more than a minute takes.
    let direct = (0..70).map(|at| {
        let road = &road;
        async move { road.post(&rows(TABLE), &json!({"rows": [day(at)]})).await }
    });
    let declared = (0..70).map(|at| {
        let road = &road;
        async move { road.post("/api/operations/pushing", &json!({"from": 70 + 2 * at})).await }
    });
    let (direct, declared) = tokio::join!(join_all(direct), join_all(declared));
    for reply in direct.into_iter().chain(declared) {
        let reply = if reply.status == 202 { road.follow(&reply.accepted()).await } else { reply };
        reply.expect(200);
    }
    let tally = road.stack.power_bi.tally(sample::SALES_LIVE, TABLE, "orders", 0..210);
    assert!(tally.is_exact(), "{tally:?}");
    let exchanges = road.effects("powerBi", "exchange");
    let refused: Vec<&Value> =
        exchanges.iter().filter(|exchange| exchange["status"] == 429).map(|exchange| &exchange["reply"]).collect();
    assert!(refused.is_empty(), "the limit was found out by being refused: {refused:?}");
    assert!(!road.ledger("budgets/").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_than_an_hour_takes_go_on_in_the_next() {
    let road = Road::with(|options| {
        options.databricks.engine = false;
        // An hour is six seconds.
        faster(options, 600);
    })
    .await;
    // Somebody has just pushed nearly a million rows.
    let now = jiff::Timestamp::now().as_millisecond();
    let before = json!({"writer": "w", "requests": [[now, 99, 985_000]]}).to_string();
    let name = format!("budgets/{}/00000000", sample::SALES_LIVE);
    road.stack.blob.write(local_stack::stack::LEDGER_CONTAINER, &name, before).unwrap();
    let reply = road.post(&format!("{}?waitSeconds=0", rows(TABLE)), &days(25_000)).await;
    let location = reply.accepted();
    assert_eq!(road.follow(&location).await.expect(200).body, json!({"rowsPushed": 25_000, "batches": 3}));
    assert_whole(&road, 25_000);
    let times: Vec<jiff::Timestamp> =
        road.stack.history.of("powerBi", "rows").into_iter().map(|entry| entry.at).collect();
    let hour_ends = jiff::Timestamp::from_millisecond(now + 6_000).unwrap();
    assert!(times[1..].iter().all(|time| *time >= hour_ends), "{times:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_heeded_and_the_rows_go_on_behind_a_202() {
    for numbers in [true, false] {
        let road = Road::start().await;
        road.stack.power_bi.set_sequence_numbers(numbers);
        let after = |seconds: &str| Action::Status {
            status: 429,
            headers: vec![("retry-after".into(), seconds.into())],
            body: String::new(),
        };
        // What fits the wait is waited for.
        road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", after("1")));
        road.post(&rows(TABLE), &days(1)).await.expect(200);
        road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", after("600")));
        let reply = road.post(&format!("{}?waitSeconds=1", rows(TABLE)), &days(1)).await;
        let location = reply.accepted();
        let run = reply.header("x-causeway-run-id").expect("a run").to_owned();
        let wake_at = road.get(&format!("/api/runs/{run}")).await.expect(200).body["wakeAt"].clone();
        let wake_at: jiff::Timestamp = wake_at.as_str().expect("it sleeps").parse().unwrap();
        let away = jiff::Timestamp::now().duration_until(wake_at);
        assert!(away > jiff::SignedDuration::from_mins(9), "{away}");
        // Others do not even try before.
        let other = road.post(&format!("{}?waitSeconds=1", rows(TABLE)), &days(1)).await;
        other.accepted();
        assert_eq!(pushes(&road), [1]);
        assert_eq!(asked(&road), 3);
        assert_eq!(road.get(&location).await.status, 202);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_function_is_held_while_a_push_waits_for_its_turn() {
    let road = Road::start().await;
    road.stack.power_bi.set_sequence_numbers(false);
    let refusal =
        Action::Status { status: 429, headers: vec![("retry-after".into(), "40".into())], body: String::new() };
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", refusal).skip(1));
    let reply = road.post(&format!("{}?waitSeconds=0", rows(TABLE)), &days(15_000)).await;
    let run = reply.header("x-causeway-run-id").expect("a run").to_owned();
    let asleep = async {
        loop {
            let seen = road.get(&format!("/api/runs/{run}")).await.expect(200);
            if seen.body["state"] == "waiting" && seen.body.pointer("/steps/0/progress/batches") == Some(&json!(1)) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let seen = tokio::time::timeout(crate::road::PATIENCE, asleep).await.expect("it sleeps");
    assert_eq!(seen.at("/steps/0/state"), &json!("ready"));
    assert_eq!(pushes(&road), [10_000]);
}

/// What the newest entry of the dataset's budget says was taken: requests and rows.
fn taken(road: &Road) -> (u64, u64) {
    let newest = road.ledger("budgets/").pop().expect("a budget");
    let entry = road.stack.blob.read(local_stack::stack::LEDGER_CONTAINER, &newest).expect("its newest entry");
    let entry: Value = serde_json::from_slice(&entry).unwrap();
    let taken = entry["requests"].as_array().unwrap().iter();
    taken.fold((0, 0), |(requests, rows), one| (requests + one[1].as_u64().unwrap(), rows + one[2].as_u64().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_refused_or_lost_can_be_pushed_within_the_same_hour() {
    let soon = |name: &str| (name.to_owned(), "1".to_owned());
    let road = Road::with(|options| {
        options.databricks.engine = false;
        options.extra_environment.extend([soon("CAUSEWAY_SEND_WINDOW_SECONDS"), soon("CAUSEWAY_SEND_MARGIN_SECONDS")]);
    })
    .await;
    let refused =
        Action::Status { status: 429, headers: vec![("retry-after".into(), "1".into())], body: String::new() };
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", refused).skip(1));
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", Action::CutBeforeCommit).skip(1));
    let reply = road.post(&rows(TABLE), &days(45_000)).await;
    let reply = if reply.status == 202 { road.follow(&reply.accepted()).await } else { reply };
    assert_eq!(reply.expect(200).body, json!({"rowsPushed": 45_000, "batches": 5}));
    assert_whole(&road, 45_000);
    // The service may count a request that it refuses; rows that are not in the table it cannot.
    assert_eq!(taken(&road), (7, 45_000));
}
