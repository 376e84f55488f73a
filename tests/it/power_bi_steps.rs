//! Steps that act on Power BI, from outside: standard and enhanced refreshes, one that must wait, a push that is cut.

use std::time::Duration;

use causeway::runs::identity::run_id;
use local_stack::core::{Action, Fault};
use local_stack::power_bi::{Clock, sample};
use serde_json::{Value, json};

use crate::declared::Declared;

const STANDARD: (&str, &str) = (
    "standard",
    "summary: s
steps: [{id: model, refresh: {workspace: '{{ variables.workspace }}', dataset: '{{ variables.sales_dataset }}'}}]
output: {end: '{{ steps.model.endTime }}', state: '{{ steps.model.state }}'}
",
);
const TABLES: (&str, &str) = (
    "tables",
    "summary: s
steps:
  - {id: model, refresh: {workspace: '{{ variables.workspace }}', dataset: '{{ variables.sales_dataset }}', tables: [DailySales]}}
output: {end: '{{ steps.model.endTime }}', id: '{{ steps.model.refreshId }}'}
",
);
const PUSH: (&str, &str) = (
    "push",
    "summary: s
parameters: {rows: {type: array, required: true}}
steps:
  - id: push
    retry: {attempts: 3, backoff: 1s}
    push_rows:
      {workspace: '{{ variables.workspace }}', dataset: '{{ variables.live_dataset }}', table: DailySales, rows: '{{ parameters.rows }}'}
",
);

const QUERIED: (&str, &str) = (
    "queried",
    "summary: s
parameters: {day: {type: date, required: true}}
steps:
  - id: push
    push_rows:
      workspace: '{{ variables.workspace }}'
      dataset: '{{ variables.live_dataset }}'
      table: DailySales
      statement: SELECT DATE'2026-10-05' AS day, CAST(7 AS BIGINT) AS orders, 12.5D AS amount WHERE :day IS NOT NULL
      parameters: {day: {value: '{{ parameters.day }}', type: DATE}}
      clear: true
output: {pushed: '{{ steps.push.rowsPushed }}'}
",
);

async fn ended(road: &Declared, operation: &str) -> Value {
    road.ended(&run_id(&["queue", "causeway-requests", operation])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standard_refresh_is_followed_in_the_history_to_its_end() {
    let road = Declared::canned(&[STANDARD], &[]).await;
    road.ask("standard", "standard", &json!({}));
    let run = ended(&road, "standard").await;
    assert_eq!((&run["state"], &run["output"]["state"]), (&json!("succeeded"), &json!("completed")), "{run}");
    assert!(run["output"]["end"].is_string());
    assert_eq!(road.effects("powerBi", "refresh").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_waits_for_one_that_began_before_and_then_has_its_own() {
    let road = Declared::canned(&[TABLES], &[]).await;
    road.stack.power_bi.set_clock(Clock::Stepped);
    let foreign = road.stack.power_bi.start_foreign_refresh(sample::SALES, "Scheduled").expect("a dataset");
    road.ask("tables", "tables", &json!({}));
    let run = run_id(&["queue", "causeway-requests", "tables"]);
    road.until_true(|_| road.records(&run).iter().any(|record| record["transition"] == "waiting")).await;
    assert!(road.effects("powerBi", "refresh").is_empty(), "it must not join the one that has not seen its data");
    road.stack.power_bi.set_clock(Clock::Auto(Duration::from_millis(50)));
    // The one that runs keeps the clock that it began with.
    for _ in 0..3 {
        road.stack.power_bi.step();
    }
    let run = ended(&road, "tables").await;
    assert_eq!((&run["state"], &run["steps"][0]["attempt"]), (&json!("succeeded"), &json!(1)), "{run}");
    assert_eq!(road.effects("powerBi", "refresh").len(), 1);
    assert_ne!(run["output"]["id"], foreign);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_answer_is_lost_is_not_repeated_and_says_which_rows() {
    let road = Declared::canned(&[PUSH], &[]).await;
    road.stack.power_bi.set_sequence_numbers(false);
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", Action::CutAfterCommit));
    let rows =
        json!([{"day": "2026-10-05", "orders": 3, "amount": 1.5}, {"day": "2026-10-06", "orders": 1, "amount": 2.5}]);
    road.ask("push", "push", &json!({ "rows": rows }));
    let run = ended(&road, "push").await;
    assert_eq!(
        (&run["error"]["code"], &run["steps"][0]["state"]),
        (&json!("outcome-unknown"), &json!("unknown")),
        "{run}"
    );
    assert!(run["error"]["detail"].as_str().expect("a detail").contains("Rows 1 to 2 of 2"), "{run}");
    assert_eq!(road.effects("powerBi", "rows").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_statement_gives_is_pushed_after_the_table_was_cleared() {
    let road = Declared::with(&[QUERIED], &[], |_| {}).await;
    for key in ["first", "second"] {
        let reply = road.post_keyed("/api/operations/queried", key, &json!({"day": "2026-10-05"})).await.expect(200);
        assert_eq!(reply.at("/pushed"), 1);
    }
    let rows = road.stack.power_bi.rows(sample::SALES_LIVE, "DailySales");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(road.effects("powerBi", "rows").len(), 2);
}
