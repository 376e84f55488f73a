//! One call, one effect: the same `Idempotency-Key` again, at the same time, with another body, after a refusal, and
//! after answers that were lost. What a killed handler leaves behind is `killed.rs`.

use std::time::Duration;

use local_stack::core::{Action, Fault};
use local_stack::power_bi::{Clock, sample};
use local_stack::stack::StackOptions;
use serde_json::{Value, json};

use crate::operations::declare;
use crate::road::Road;

const STATEMENTS: &str = "/api/sql/statements";

pub(crate) const INSERTING: &str = "summary: Inserts
steps:
  - id: make
    sql: { statement: CREATE TABLE IF NOT EXISTS main.sales.noted (a INT), idempotent: true }
  - id: note
    sql: { statement: INSERT INTO main.sales.noted VALUES (1) }
  - id: count
    sql: { statement: SELECT count(*) AS n FROM main.sales.noted, expect: one_row }
output: { n: { value: \"{{ steps.count.row.n }}\", type: integer } }
";

/// Recovery begins sooner than in production.
pub(crate) fn hurried(options: &mut StackOptions) {
    for (name, seconds) in [("CAUSEWAY_SEND_WINDOW_SECONDS", "2"), ("CAUSEWAY_SEND_MARGIN_SECONDS", "1")] {
        options.extra_environment.insert(name.into(), seconds.into());
    }
}

/// Statements that were submitted with this text in them.
pub(crate) fn submitted(road: &Road, part: &str) -> usize {
    let statements = road.effects("databricks", "statement");
    statements.iter().filter(|entry| entry["statement"].as_str().is_some_and(|text| text.contains(part))).count()
}

/// A table, and an INSERT into it.
pub(crate) async fn insert(road: &Road, table: &str) -> Value {
    road.sql(&format!("CREATE TABLE main.sales.{table} (a INT)")).await.expect(200);
    json!({"statement": format!("INSERT INTO main.sales.{table} VALUES (1)")})
}

/// Sends one call twice with a key, then another body with it, then the body with another key.
async fn once(road: &Road, path: &str, body: &Value, other: &Value, effects: impl Fn(&Road) -> usize) {
    let first = road.post_keyed(path, "key-1", body).await;
    assert!([200, 201, 202].contains(&first.status) && !first.replayed(), "{path}: {}", first.body);
    let before = effects(road);
    let again = road.post_keyed(path, "key-1", body).await;
    assert!([200, 201, 202].contains(&again.status), "{path}: {}", again.body);
    assert!(again.replayed(), "{path} does not say that it is a replay");
    assert_eq!(effects(road), before, "{path} did it twice");
    for member in ["id", "statementId", "runId", "rowsPushed", "refreshId"] {
        if first.status == again.status {
            assert_eq!(first.body.get(member), again.body.get(member), "{path}: {member}");
        }
    }
    let reused = road.post_keyed(path, "key-1", other).await;
    reused.problem(422, "idempotency-key-reused").saying(&["Idempotency-Key"]);
    assert_eq!(effects(road), before, "{path} did it for a refused call");
    let fresh = road.post_keyed(path, "key-2", body).await;
    assert!([200, 201, 202].contains(&fresh.status) && !fresh.replayed(), "{path}: {}", fresh.body);
    assert!(effects(road) > before, "{path} did not do it for a new key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_with_a_key_runs_once() {
    let road = Road::start().await;
    let body = insert(&road, "once").await;
    once(&road, STATEMENTS, &body, &json!({"statement": "SELECT 1"}), |road| submitted(road, "INSERT")).await;
    let count = road.sql("SELECT count(*) AS n FROM main.sales.once").await.expect(200);
    assert_eq!(count.at("/rows/0/n"), 2);
    // A read makes a claim only when it has a key.
    let before = road.ledger("claims/").len();
    road.sql("SELECT 1").await.expect(200);
    assert_eq!(road.ledger("claims/").len(), before);
    road.post_keyed(STATEMENTS, "read", &json!({"statement": "SELECT 1"})).await.expect(200);
    assert!(road.ledger("claims/").len() > before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_run_with_a_key_starts_once() {
    let road = Road::start().await;
    let other = json!({"parameters": {"note": "other"}});
    once(&road, "/api/jobs/slow/runs?mode=start", &json!({}), &other, |road| {
        road.effects("databricks", "jobRun").len()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_with_a_key_starts_once() {
    let road = Road::with(|options| options.power_bi_clock = Clock::Auto(Duration::from_millis(20))).await;
    let path = format!("/api/power-bi/workspaces/{}/datasets/{}/refreshes", sample::WORKSPACE, sample::SALES);
    once(&road, &path, &json!({"type": "full"}), &json!({"type": "calculate"}), |road| {
        road.effects("powerBi", "refresh").len()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_with_a_key_are_pushed_once() {
    let road = Road::start().await;
    let path = format!(
        "/api/power-bi/workspaces/{}/datasets/{}/tables/DailySales/rows",
        sample::WORKSPACE,
        sample::SALES_LIVE
    );
    let body = json!({"rows": [{"orders": 1}]});
    once(&road, &path, &body, &json!({"rows": [{"orders": 2}]}), |road| road.effects("powerBi", "rows").len()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_with_a_key_runs_once() {
    let folder = tempfile::tempdir().unwrap();
    let road = Road::with(declare(folder.path(), &[("inserting.yaml", INSERTING)])).await;
    let path = "/api/operations/inserting";
    let first = road.post_keyed(path, "k", &json!({})).await.expect(200);
    let again = road.post_keyed(path, "k", &json!({})).await.expect(200);
    assert_eq!(
        (first.body, first.headers.get("x-causeway-run-id")),
        (again.body.clone(), again.headers.get("x-causeway-run-id"))
    );
    assert!(again.replayed());
    assert_eq!(submitted(&road, "INSERT"), 1);
    // A key of one route is no key of another.
    let body = insert(&road, "elsewhere").await;
    assert!(!road.post_keyed(STATEMENTS, "k", &body).await.expect(200).replayed());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_the_same_time_with_one_key_have_one_effect() {
    let folder = tempfile::tempdir().unwrap();
    let road = Road::with(declare(folder.path(), &[("inserting.yaml", INSERTING)])).await;
    let body = insert(&road, "both").await;
    let slow = Action::DelayAfterCommit { milliseconds: 800 };
    road.stack
        .databricks
        .served
        .faults
        .add(Fault::once("POST", "/api/2.0/sql/statements", slow).body_contains("INSERT"));
    let call = || road.post_keyed(STATEMENTS, "k", &body);
    let (one, two, three) = tokio::join!(call(), call(), call());
    let replies = [one.expect(200), two.expect(200), three.expect(200)];
    assert_eq!(replies.iter().filter(|reply| reply.replayed()).count(), 2);
    assert_eq!(submitted(&road, "INSERT"), 1);

    let none = json!({});
    let call = || road.post_keyed("/api/operations/inserting", "k", &none);
    let (one, two) = tokio::join!(call(), call());
    assert_eq!(one.expect(200).body, two.expect(200).body);
    assert_eq!(submitted(&road, "sales.noted VALUES"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_of_a_write_is_outcome_unknown_now_and_later() {
    let road = Road::start().await;
    // The history shows nothing in time.
    road.stack.databricks.set_history_lag(Duration::from_hours(1));
    let body = insert(&road, "lost").await;
    let path = &format!("{STATEMENTS}?waitSeconds=1");
    let cut = Fault::once("POST", "/api/2.0/sql/statements", Action::CutAfterCommit).body_contains("INSERT");
    road.stack.databricks.served.faults.add(cut);
    let reply = road.post_keyed(path, "k", &body).await;
    reply.problem(409, "outcome-unknown").saying(&["may or may not", "Idempotency-Key"]);
    road.post_keyed(path, "k", &body).await.problem(409, "outcome-unknown");
    assert_eq!(submitted(&road, "INSERT"), 1);
    // A 500 of which nobody knows what it did is no better, also without a key.
    let broken = Action::StatusAfterCommit { status: 500, headers: Vec::new(), body: String::new() };
    road.stack.databricks.served.faults.add(Fault::once("POST", "/api/2.0/sql/statements", broken));
    road.post(path, &body).await.problem(409, "outcome-unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_of_a_job_run_or_a_read_is_simply_asked_again() {
    let road = Road::start().await;
    road.stack.databricks.served.faults.add(Fault::once("POST", "/jobs/run-now", Action::CutAfterCommit));
    let reply = road.post("/api/jobs/slow/runs?mode=start", &json!({})).await;
    reply.started();
    assert_eq!(road.effects("databricks", "jobRun").len(), 1);
    road.stack.databricks.served.faults.add(Fault::once("POST", "/sql/statements", Action::CutAfterCommit));
    road.sql("SELECT 1 AS one").await.expect(200);
    // Lost again and again: unknown, but the same key begins it once.
    let cut = Fault::once("POST", "/jobs/run-now", Action::CutAfterCommit).times(20);
    road.stack.databricks.served.faults.add(cut);
    let path = "/api/jobs/slow/runs?mode=start";
    let lost = road.post_keyed(path, "k", &json!({})).await;
    lost.problem(409, "outcome-unknown").saying(&["same Idempotency-Key"]);
    road.stack.databricks.served.faults.clear();
    road.post_keyed(path, "k", &json!({})).await.started();
    assert_eq!(road.effects("databricks", "jobRun").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_refusal_frees_the_key() {
    let road = Road::start().await;
    let body = insert(&road, "freed").await;
    for (status, code) in [(429, "upstream-throttled"), (503, "upstream-unavailable")] {
        let headers = vec![("retry-after".into(), "600".into())];
        let refusal = Action::Status { status, headers, body: String::new() };
        road.stack.databricks.served.faults.add(Fault::once("POST", "/api/2.0/sql/statements", refusal));
        let key = format!("after-{status}");
        road.post_keyed(STATEMENTS, &key, &body).await.problem(status, code);
        let again = road.post_keyed(STATEMENTS, &key, &body).await.expect(200);
        assert!(!again.replayed());
    }
    assert_eq!(submitted(&road, "INSERT"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_body_does_nothing() {
    let road = Road::start().await;
    for path in [
        STATEMENTS.to_owned(),
        "/api/jobs/slow/runs".to_owned(),
        "/api/operations/refresh-sales".to_owned(),
        format!("/api/power-bi/workspaces/{}/datasets/{}/refreshes", sample::WORKSPACE, sample::SALES),
        format!("/api/power-bi/workspaces/{}/datasets/{}/tables/T/rows", sample::WORKSPACE, sample::SALES_LIVE),
    ] {
        for body in [None, Some(" \n".to_owned())] {
            let reply = road.call("POST", &path, body, &[]).await;
            reply.problem(400, "body-missing").saying(&["`{}`"]);
        }
    }
    for key in ["two words", &"x".repeat(257)] {
        let reply = road.post_keyed(STATEMENTS, key, &json!({"statement": "SELECT 1"})).await;
        reply.problem(400, "header-invalid").saying(&["Idempotency-Key"]);
    }
}
