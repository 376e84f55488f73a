//! The `wait_for` step, from outside: it goes on when it should, sleeps in between, and gives up with its own code.

use causeway::runs::identity::run_id;
use serde_json::{Value, json};

use crate::declared::Declared;

/// Looked at less often than a worker is patient (5 s), so that the run must sleep in between.
const ARRIVED: (&str, &str) = (
    "arrived",
    "summary: s
steps:
  - id: arrived
    wait_for: {sql: {statement: SELECT 2 AS n, expect: one_row}, until: result.row.n > 0, every: 6s}
  - id: after
    sql: {statement: SELECT 1 AS one, expect: one_row}
output: {n: '{{ steps.arrived.row.n }}'}
",
);
const NEVER: (&str, &str) = (
    "never",
    "summary: s
steps:
  - {id: arrived, wait_for: {sql: {statement: SELECT 3 AS n}, until: result.row.n > 0, every: 1s, timeout: 2s}}
",
);
const PAUSE: (&str, &str) = (
    "pause",
    "summary: s
steps:
  - {id: pause, wait_for: {delay: 3s}}
  - {id: passed, wait_for: {time: '2020-01-01T00:00:00Z'}}
output: {until: '{{ steps.pause.time }}'}
",
);
const WRITES: (&str, &str) = (
    "writes",
    "summary: s\nsteps: [{id: a, wait_for: {sql: {statement: DELETE FROM main.sales.customers}, until: result.rowCount > 0}}]\n",
);
const WRONG: (&str, &str) = (
    "wrong",
    "summary: s\nsteps: [{id: a, wait_for: {sql: {statement: SELECT 3 AS n}, until: result.row.gone > 0}}]\n",
);

async fn ended(road: &Declared, operation: &str) -> Value {
    road.ask(operation, operation, &json!({}));
    road.ended(&run_id(&["queue", "causeway-requests", operation])).await
}

fn looks(road: &Declared, statement: &str) -> usize {
    road.effects("databricks", "statement").iter().filter(|effect| effect["statement"] == statement).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_is_looked_at_until_it_holds_and_the_run_sleeps_in_between() {
    let road = Declared::canned(&[ARRIVED], &[]).await;
    road.reply("SELECT 2 AS n", &["n"], &[&["0"]]);
    road.ask("arrived", "arrived", &json!({}));
    let run = run_id(&["queue", "causeway-requests", "arrived"]);
    road.until("two looks", |road| {
        road.effects("databricks", "statement").iter().filter(|effect| effect["statement"] == "SELECT 2 AS n").count()
            >= 2
    })
    .await;
    assert_eq!(looks(&road, "SELECT 1 AS one"), 0, "it must not go on before");
    road.reply("SELECT 2 AS n", &["n"], &[&["4"]]);
    let ended = road.ended(&run).await;
    assert_eq!((&ended["state"], &ended["output"]["n"]), (&json!("succeeded"), &json!(4)), "{ended}");
    let slept = road.records(&run).iter().filter(|record| record["transition"] == "waiting").count();
    assert!(slept >= 1, "no invocation is held between looks");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_happens_fails_with_a_code_of_its_own_after_a_last_look() {
    let road = Declared::canned(&[NEVER], &[]).await;
    road.reply("SELECT 3 AS n", &["n"], &[&["0"]]);
    let run = ended(&road, "never").await;
    assert_eq!((&run["error"]["code"], &run["error"]["step"]), (&json!("wait-timeout"), &json!("arrived")), "{run}");
    assert!(looks(&road, "SELECT 3 AS n") >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_sleeps_and_a_time_that_has_passed_does_not() {
    let road = Declared::canned(&[PAUSE], &[]).await;
    let run = ended(&road, "pause").await;
    assert_eq!(run["state"], "succeeded", "{run}");
    let took = |step: usize| run["steps"][step]["durationMs"].as_i64().unwrap();
    assert!(took(0) >= 3_000, "{run}");
    let until: jiff::Timestamp = run["output"]["until"].as_str().unwrap().parse().unwrap();
    let next: jiff::Timestamp = run["steps"][1]["startTime"].as_str().unwrap().parse().unwrap();
    assert!(until <= next, "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_only_reads_and_its_expression_must_have_a_value() {
    let road = Declared::canned(&[WRITES, WRONG], &[]).await;
    road.reply("SELECT 3 AS n", &["n"], &[&["0"]]);
    assert_eq!(ended(&road, "writes").await["error"]["code"], "statement-not-allowed");
    assert!(road.effects("databricks", "statement").is_empty());
    let run = ended(&road, "wrong").await;
    assert_eq!((&run["error"]["code"], &run["error"]["step"]), (&json!("expression-failed"), &json!("a")), "{run}");
}
