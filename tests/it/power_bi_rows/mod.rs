//! Rows into push datasets, any number in one call: what comes, what is refused with nothing pushed, what takes longer.
//! What becomes of lost answers and killed handlers is `doubt.rs` and `killed.rs`, of the limits `limits.rs`, of statements `query.rs`.

use local_stack::core::{Action, Fault};
use local_stack::power_bi::sample;
use serde_json::{Value, json};

use crate::road::Road;

mod cancelled;
mod doubt;
mod killed;
mod limits;
mod query;
mod refused;

const TABLE: &str = "DailySales";

fn rows(table: &str) -> String {
    format!("/api/power-bi/workspaces/{}/datasets/{}/tables/{table}/rows", sample::WORKSPACE, sample::SALES_LIVE)
}

fn day(orders: i64) -> Value {
    json!({"day": "2026-10-31T00:00:00Z", "category": "toys", "orders": orders, "quantity": 1, "amount": 1.5})
}

fn days(count: i64) -> Value {
    json!({"rows": (0..count).map(day).collect::<Vec<_>>()})
}

/// How many rows each push had, in order.
fn pushes(road: &Road) -> Vec<u64> {
    road.effects("powerBi", "rows").iter().filter_map(|push| push["count"].as_u64()).collect()
}

/// Pushes that came to Power BI, also those that were refused.
fn asked(road: &Road) -> usize {
    let requests = road.effects("powerBi", "request");
    let posts = requests.iter().filter(|request| request["method"] == "POST");
    posts.filter(|request| request["target"].as_str().is_some_and(|target| target.ends_with("/rows"))).count()
}

/// Every row is there once, in the order in which they were given.
#[track_caller]
fn assert_whole(road: &Road, count: i64) {
    let tally = road.stack.power_bi.tally(sample::SALES_LIVE, TABLE, "orders", 0..count);
    assert!(tally.is_exact(), "lost {}, doubled {}: {tally:?}", tally.lost.len(), tally.doubled.len());
    let there = road.stack.power_bi.rows(sample::SALES_LIVE, TABLE);
    assert!(there.iter().enumerate().all(|(at, row)| row["orders"] == at), "out of order");
}

/// A stack whose push tables have no sequence numbers.
async fn without_numbers() -> Road {
    let road = Road::start().await;
    road.stack.power_bi.set_sequence_numbers(false);
    road
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_pushed_in_batches_of_at_most_10000() {
    let road = Road::start().await;
    let reply = road.post(&rows(TABLE), &days(25_000)).await.expect(200);
    assert_eq!(reply.body, json!({"rowsPushed": 25_000, "batches": 3}));
    assert_eq!(pushes(&road), [10_000, 10_000, 5_000]);
    assert_whole(&road, 25_000);
    // What has been pushed is kept no longer.
    assert_eq!(road.ledger("spool/"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn few_rows_cost_two_claims_and_every_tenth_time_a_budget() {
    let road = without_numbers().await;
    for count in 1..=11_i64 {
        let reply = road.post(&rows(TABLE), &json!({"rows": [day(count - 1)]})).await.expect(200);
        assert_eq!(reply.body, json!({"rowsPushed": 1, "batches": 1}));
    }
    let all = road.ledger("").len();
    let [claims, budgets] = ["claims/", "budgets/"].map(|prefix| road.ledger(prefix).len());
    assert_eq!((claims, all - claims - budgets), (22, 0), "{:?}", road.ledger(""));
    // Ten at a time; on a slow machine what was taken may have run out before.
    assert!((2..=11).contains(&budgets), "{budgets}");
    assert_whole(&road, 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_sequence_numbers_is_pushed_to_by_a_run() {
    let road = Road::start().await;
    let reply = road.post(&rows(TABLE), &json!({"rows": [day(0), day(1)]})).await.expect(200);
    assert_eq!(reply.body, json!({"rowsPushed": 2, "batches": 1}));
    assert!(reply.header("x-causeway-run-id").is_some());
    assert!(road.effects("powerBi", "rows")[0]["sequenceNumber"].as_i64() > Some(0));
    assert_whole(&road, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_longer_goes_on_behind_a_202_that_tells_how_far_it_is() {
    let road = Road::start().await;
    // The third batch is held back.
    let slow = Action::Delay { milliseconds: 1_500 };
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", slow).skip(2));
    let reply = road.post(&format!("{}?waitSeconds=0", rows(TABLE)), &days(25_000)).await;
    let location = reply.accepted();
    road.until("the second batch", |road| pushes(road).len() == 2).await;
    let seen = road.get(&location).await;
    if seen.status == 202 {
        assert_eq!(seen.at("/progress/ofRows"), &json!(25_000), "{}", seen.body);
        assert!(seen.at("/progress/batches").as_u64() <= Some(2) && seen.at("/progress/ofBatches") == &json!(3));
    }
    let done = road.follow(&location).await.expect(200);
    assert_eq!(done.body, json!({"rowsPushed": 25_000, "batches": 3}));
    assert_whole(&road, 25_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_started_push_is_a_run_that_has_the_rows_and_happens_once() {
    let road = Road::start().await;
    let body = days(2);
    let path = format!("{}?mode=start", rows(TABLE));
    let reply = road.post_keyed(&path, "k", &body).await;
    let run = reply.at("/id").as_str().unwrap().to_owned();
    assert!(reply.started().ends_with(&format!("/api/runs/{run}")));
    assert_eq!(road.ended(&run).await["output"], json!({"rowsPushed": 2, "batches": 1}));
    let again = road.post_keyed(&path, "k", &body).await;
    again.started();
    assert!(again.replayed() && again.at("/id") == &json!(run));
    // Waiting for it is another call.
    road.post_keyed(&rows(TABLE), "k", &body).await.problem(422, "idempotency-key-reused");
    assert_eq!(pushes(&road), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_has_one_effect_and_another_body_is_refused() {
    for numbers in [true, false] {
        let road = Road::start().await;
        road.stack.power_bi.set_sequence_numbers(numbers);
        for count in [2, 12_000] {
            let key = format!("k{count}");
            let first = road.post_keyed(&rows(TABLE), &key, &days(count)).await.expect(200);
            let again = road.post_keyed(&rows(TABLE), &key, &days(count)).await.expect(200);
            assert!(again.replayed() && !first.replayed());
            assert_eq!(first.body, again.body);
            let without = road.call("POST", &rows(TABLE), None, &[("Idempotency-Key", &key)]).await.expect(200);
            assert_eq!(without.body, first.body);
            let other = road.post_keyed(&rows(TABLE), &key, &days(count + 1)).await;
            other.problem(422, "idempotency-key-reused");
        }
        assert_eq!(pushes(&road), [2, 10_000, 2_000]);
        assert_eq!(road.ledger("spool/"), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_without_its_body_never_becomes_a_push_of_nothing() {
    let road = without_numbers().await;
    let refusal = Action::Status { status: 400, headers: Vec::new(), body: String::new() };
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", refusal));
    let path = rows(TABLE);
    road.post_keyed(&path, "k", &days(1)).await.problem(422, "rows-invalid");
    road.call("POST", &path, None, &[("Idempotency-Key", "k")]).await.problem(400, "body-missing");
    road.post_keyed(&path, "k", &days(1)).await.expect(200);
    assert_whole(&road, 1);
}
