//! Writes whose answer was lost: found in the query history by their key and answered, or told as unknown; sent once.

use std::time::Duration;

use local_stack::core::{Action, Fault};
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::idempotency::{hurried, insert, submitted};
use crate::road::Road;

const STATEMENTS: &str = "/api/sql/statements";

/// Spoils the answer to the next INSERT.
fn lose(road: &Road, action: Action) {
    let fault = Fault::once("POST", "/api/2.0/sql/statements", action).body_contains("INSERT");
    road.stack.databricks.served.faults.add(fault);
}

async fn rows_of(road: &Road, table: &str) -> Value {
    let counted = road.sql(&format!("SELECT count(*) AS n FROM main.sales.{table}")).await.expect(200);
    counted.at("/rows/0/n").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_was_lost_is_found_and_answered() {
    let road = Road::start().await;
    road.stack.databricks.set_history_lag(Duration::from_millis(1_500));
    let broken = |status, headers| Action::StatusAfterCommit { status, headers, body: String::new() };
    for (at, action) in [Action::CutAfterCommit, broken(502, Vec::new()), broken(503, Vec::new()), Action::EmptyBody]
        .into_iter()
        .enumerate()
    {
        let table = format!("found_{at}");
        let body = insert(&road, &table).await;
        lose(&road, action.clone());
        let reply = road.post_keyed(STATEMENTS, &table, &body).await.expect(200);
        assert_eq!(reply.at("/rows/0/num_affected_rows"), 1, "{action:?}: {}", reply.body);
        // Its claim knows it from now on.
        let again = road.post_keyed(STATEMENTS, &table, &body).await.expect(200);
        assert_eq!((again.replayed(), again.at("/statementId")), (true, reply.at("/statementId")));
        assert_eq!(
            (submitted(&road, &format!("INSERT INTO main.sales.{table}")), rows_of(&road, &table).await),
            (1, json!(1))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_the_history_shows_later_is_unknown_until_then() {
    let road = Road::start().await;
    road.stack.databricks.set_history_lag(Duration::from_hours(1));
    let body = insert(&road, "later").await;
    lose(&road, Action::CutAfterCommit);
    let path = format!("{STATEMENTS}?waitSeconds=1");
    road.post_keyed(&path, "k", &body).await.problem(409, "outcome-unknown").saying(&["may or may not"]);
    road.post_keyed(&path, "k", &body).await.problem(409, "outcome-unknown");
    assert_eq!(submitted(&road, "INSERT"), 1);
    road.stack.databricks.set_history_lag(Duration::ZERO);
    let found = road.post_keyed(STATEMENTS, "k", &body).await.expect(200);
    assert!(found.replayed());
    assert_eq!((submitted(&road, "INSERT"), rows_of(&road, "later").await), (1, json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_never_arrived_is_unknown_and_is_not_sent_again() {
    let road = Road::start().await;
    road.stack.databricks.set_history_lag(Duration::ZERO);
    let body = insert(&road, "never").await;
    lose(&road, Action::CutBeforeCommit);
    let path = format!("{STATEMENTS}?waitSeconds=1");
    road.post_keyed(&path, "k", &body).await.problem(409, "outcome-unknown");
    road.post_keyed(&path, "k", &body).await.problem(409, "outcome-unknown");
    assert_eq!(submitted(&road, "INSERT"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_a_handler_that_was_killed_is_found_by_the_next_one() {
    let road = Road::with(hurried).await;
    road.stack.databricks.set_history_lag(Duration::ZERO);
    let body = insert(&road, "killed").await;
    lose(&road, Action::DelayAfterCommit { milliseconds: 600_000 });
    let killed = async {
        road.until("the statement has come", |road| submitted(road, "INSERT") == 1).await;
        road.stack.databricks.served.faults.clear();
        road.stack.host.as_ref().unwrap().kill_handler(None).await;
    };
    // The host sends the dropped call again, without its body.
    let (reply, ()) = tokio::join!(road.post_keyed(STATEMENTS, "k", &body), killed);
    let reply = reply.expect(200);
    assert!(reply.replayed());
    assert_eq!(reply.at("/rows/0/num_affected_rows"), 1);
    assert_eq!((submitted(&road, "INSERT"), rows_of(&road, "killed").await), (1, json!(1)));
}

const NOTING: (&str, &str) = (
    "noting",
    "summary: s\nsteps: [{id: note, sql: {statement: INSERT INTO main.sales.noted VALUES (1)}}]\noutput: {rows: '{{ steps.note.row.num_affected_rows }}'}\n",
);

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_answer_was_lost_is_found_and_goes_on() {
    let road = Declared::with(&[NOTING], &[], |_| {}).await;
    road.stack.databricks.set_history_lag(Duration::from_millis(1_500));
    road.sql("CREATE TABLE main.sales.noted (a INT)").await.expect(200);
    lose(&road, Action::CutAfterCommit);
    let reply = road.post("/api/operations/noting", &json!({})).await.expect(200);
    assert_eq!(reply.body, json!({"rows": 1}));
    assert_eq!((submitted(&road, "INSERT"), rows_of(&road, "noted").await), (1, json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_a_handler_that_was_killed_is_found_while_its_run_sleeps() {
    // A dead worker's lease ends with its deadline and half a minute.
    let road = Declared::with(&[NOTING], &[("CAUSEWAY_MESSAGE_SECONDS", "13")], |_| {}).await;
    road.stack.databricks.set_history_lag(Duration::from_hours(1));
    road.sql("CREATE TABLE main.sales.noted (a INT)").await.expect(200);
    lose(&road, Action::DelayAfterCommit { milliseconds: 600_000 });
    road.ask("a", "noting", &json!({}));
    road.until("the statement has come", |road| submitted(road, "INSERT") == 1).await;
    road.stack.databricks.served.faults.clear();
    road.stack.host.as_ref().unwrap().kill_handler(None).await;
    let run = causeway::runs::identity::run_id(&["queue", "causeway-requests", "a"]);
    let sleeps = |record: &Value| record["transition"] == "waiting" && record["steps"][0]["looks"].as_u64() > Some(0);
    road.until_true(|_| road.records(&run).iter().any(sleeps)).await;
    road.stack.databricks.set_history_lag(Duration::ZERO);
    let ended = road.ended(&run).await;
    assert_eq!((&ended["state"], &ended["output"]), (&json!("succeeded"), &json!({"rows": 1})), "{ended}");
    assert_eq!((submitted(&road, "INSERT"), rows_of(&road, "noted").await), (1, json!(1)));
}

const AGAIN: (&str, &str) = (
    "again",
    "summary: s\nsteps: [{id: note, sql: {statement: INSERT INTO main.sales.noted VALUES (1), idempotent: true}}]\noutput: {rows: '{{ steps.note.row.num_affected_rows }}'}\n",
);

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotent_step_whose_answer_was_lost_does_not_run_beside_itself() {
    let road = Declared::with(&[AGAIN], &[], |_| {}).await;
    road.stack.databricks.set_history_lag(Duration::from_millis(1_500));
    road.sql("CREATE TABLE main.sales.noted (a INT)").await.expect(200);
    // It still runs when it is looked for.
    road.stack.databricks.hold("INSERT", None);
    lose(&road, Action::CutAfterCommit);
    road.ask("a", "again", &json!({}));
    let run = causeway::runs::identity::run_id(&["queue", "causeway-requests", "a"]);
    let found = |record: &Value| record["steps"][0]["state"] == "submitted";
    road.until_true(|_| road.records(&run).iter().any(found)).await;
    road.stack.databricks.release();
    let ended = road.ended(&run).await;
    assert_eq!((&ended["state"], &ended["output"]), (&json!("succeeded"), &json!({"rows": 1})), "{ended}");
    assert_eq!((submitted(&road, "INSERT"), rows_of(&road, "noted").await), (1, json!(1)));

    // What is not found is run again.
    road.stack.databricks.set_history_lag(Duration::from_hours(1));
    lose(&road, Action::CutBeforeCommit);
    let reply = road.post("/api/operations/again", &json!({})).await.expect(200);
    assert_eq!(reply.body, json!({"rows": 1}));
    assert_eq!(submitted(&road, "INSERT"), 2);
}
