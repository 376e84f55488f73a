//! Writes that another write came in the way of: run again while that can help, and told when it cannot.

use std::collections::BTreeSet;

use local_stack::core::{Action, Fault};
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::idempotency::{insert, submitted};
use crate::road::Road;

const STATEMENTS: &str = "/api/sql/statements";
const APPEND: &str = "[DELTA_CONCURRENT_APPEND.ROW_LEVEL_CHANGES] Files were added to the table by a concurrent update. \
                      Please retry the operation. SQLSTATE: 2D521";

/// The keys that statements with this text carried.
fn keys(road: &Road, part: &str) -> BTreeSet<String> {
    let statements = road.effects("databricks", "statement");
    let ours = statements.iter().filter(|entry| entry["statement"].as_str().is_some_and(|text| text.contains(part)));
    ours.map(|entry| entry["queryTags"].to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_run_again_and_the_tries_are_told() {
    let road = Road::start().await;
    let body = insert(&road, "again").await;
    road.stack.databricks.fail("INSERT", APPEND, Some("2D521"), 2);
    let reply = road.post_keyed(STATEMENTS, "k", &body).await.expect(200);
    assert_eq!((reply.at("/tries"), reply.at("/rows/0/num_affected_rows")), (&json!(3), &json!(1)));
    assert_eq!((submitted(&road, "INSERT"), keys(&road, "INSERT").len()), (3, 3), "each try has a key of its own");
    let replay = road.post_keyed(STATEMENTS, "k", &body).await.expect(200);
    assert_eq!((replay.replayed(), replay.at("/statementId")), (true, reply.at("/statementId")));
    assert_eq!(submitted(&road, "INSERT"), 3);
    let plain = road.post(STATEMENTS, &body).await.expect(200);
    assert_eq!(plain.body.get("tries"), None, "one try needs no word");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_that_lasts_is_a_409_that_says_that_nothing_was_written() {
    let road = Road::start().await;
    let body = insert(&road, "lasting").await;
    road.stack.databricks.fail("INSERT", APPEND, Some("2D521"), 50);
    let reply = road.post_keyed(STATEMENTS, "k", &body).await.problem(409, "write-conflict");
    let reply = reply.saying(&["nothing of it was written", "new Idempotency-Key", "tried 5 times"]);
    assert_eq!(reply.at("/sqlState"), "2D521");
    assert_eq!(reply.at("/errorClass"), "DELTA_CONCURRENT_APPEND.ROW_LEVEL_CHANGES");
    assert_eq!(submitted(&road, "INSERT"), 5);
    road.post_keyed(STATEMENTS, "k", &body).await.problem(409, "write-conflict");
    assert_eq!(submitted(&road, "INSERT"), 5, "the same key is the same work");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_conflict_again_and_what_is_no_single_write_is_not_run_again() {
    let road = Road::start().await;
    let body = insert(&road, "once").await;
    let lasting = "[DELTA_CONCURRENT_APPEND.CHANGE_TYPE_COLUMN] Rename the column. SQLSTATE: 2D521";
    road.stack.databricks.fail("INSERT", lasting, Some("2D521"), 1);
    road.post(STATEMENTS, &body).await.problem(422, "statement-failed").saying(&["Rename"]);
    assert_eq!(submitted(&road, "INSERT"), 1);
    road.stack.databricks.fail("BEGIN", APPEND, Some("2D521"), 1);
    let script = json!({"statement": "BEGIN UPDATE main.sales.once SET a = 1; UPDATE main.sales.once SET a = 2; END"});
    road.post(STATEMENTS, &script).await.problem(409, "write-conflict");
    assert_eq!(submitted(&road, "BEGIN"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_after_a_202_is_told_by_the_status_url() {
    let road = Road::start().await;
    let body = insert(&road, "async").await;
    road.stack.databricks.fail("INSERT", APPEND, Some("2D521"), 1);
    let started = road.post(&format!("{STATEMENTS}?mode=start"), &body).await;
    started.started();
    let told = road.follow(started.at("/statusUrl").as_str().unwrap()).await;
    told.problem(409, "write-conflict").saying(&["nothing of it was written"]);
    assert_eq!(submitted(&road, "INSERT"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_at_the_same_time_try_a_conflict_again_together() {
    let road = Road::start().await;
    let body = insert(&road, "together").await;
    road.stack.databricks.fail("INSERT", APPEND, Some("2D521"), 2);
    let call = || road.post_keyed(STATEMENTS, "k", &body);
    let (one, two, three) = tokio::join!(call(), call(), call());
    let ids: BTreeSet<String> =
        [one, two, three].into_iter().map(|reply| reply.expect(200).at("/statementId").to_string()).collect();
    assert_eq!((ids.len(), submitted(&road, "INSERT")), (1, 3), "two conflicts and one write");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_try_whose_answer_is_lost_is_looked_for_and_not_made_again() {
    let road = Road::start().await;
    road.stack.databricks.set_history_lag(std::time::Duration::ZERO);
    let body = insert(&road, "second").await;
    road.stack.databricks.fail("INSERT", APPEND, Some("2D521"), 1);
    let cut = Fault::once("POST", "/api/2.0/sql/statements", Action::CutAfterCommit).body_contains("INSERT").skip(1);
    road.stack.databricks.served.faults.add(cut);
    let reply = road.post_keyed(STATEMENTS, "k", &body).await.expect(200);
    assert_eq!((reply.at("/tries"), submitted(&road, "INSERT")), (&json!(2), 2));
    let count = road.sql("SELECT count(*) AS n FROM main.sales.second").await.expect(200);
    assert_eq!(count.at("/rows/0/n"), 1);
}

const NOTING: (&str, &str) = (
    "noting",
    "summary: s\nsteps: [{id: note, sql: {statement: INSERT INTO main.sales.noted VALUES (1)}}]\noutput: {rows: '{{ steps.note.row.num_affected_rows }}'}\n",
);

#[tokio::test(flavor = "multi_thread")]
async fn a_step_begins_again_after_a_conflict_whatever_it_says_of_retries() {
    let road = Declared::with(&[NOTING], &[], |_| {}).await;
    road.sql("CREATE TABLE main.sales.noted (a INT)").await.expect(200);
    road.stack.databricks.fail("INSERT", APPEND, Some("2D521"), 2);
    let reply = road.post("/api/operations/noting", &json!({})).await.expect(200);
    assert_eq!(reply.body, json!({"rows": 1}));
    let run: Value = road.ended(reply.header("x-causeway-run-id").unwrap()).await;
    assert_eq!(run["steps"][0]["attempt"], 3, "{run}");
    assert_eq!(keys(&road, "INSERT").len(), 3);

    road.stack.databricks.fail("INSERT", APPEND, Some("2D521"), 50);
    let reply = road.post("/api/operations/noting", &json!({})).await.problem(409, "write-conflict");
    assert_eq!((reply.at("/step"), submitted(&road, "INSERT")), (&json!("note"), 3 + 5));
}
