//! SIGKILL at the worst moment: the host starts a new handler and sends the call again, without its body. One effect,
//! and an answer that is right.

use std::time::Duration;

use local_stack::core::{Action, Fault};
use local_stack::power_bi::sample;
use serde_json::{Value, json};

use crate::idempotency::{INSERTING, hurried, insert, submitted};
use crate::operations::declare;
use crate::road::{Reply, Road};

/// Makes the call, kills the handler once `moment` has come, and gives what the caller gets in the end.
async fn killed_when(
    road: &Road,
    path: &str,
    body: &Value,
    key: Option<&str>,
    moment: impl Fn(&Road) -> bool,
) -> Reply {
    let call = async {
        match key {
            Some(key) => road.post_keyed(path, key, body).await,
            None => road.post(path, body).await,
        }
    };
    let kill = async {
        road.until("the moment to kill", |road| moment(road)).await;
        road.stack.databricks.served.faults.clear();
        road.stack.host.as_ref().unwrap().kill_handler(None).await;
    };
    tokio::join!(call, kill).0
}

/// What the host's proxy did: the attempts of the last call.
fn attempts(road: &Road) -> u64 {
    road.effects("host", "invocation").last().and_then(|entry| entry["attempts"].as_u64()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_on_record_is_answered_by_the_next_handler() {
    let road = Road::with(hurried).await;
    let body = insert(&road, "kept").await;
    let looks = road.effects("databricks", "request").len();
    // Submitted and on record; the handler dies while it waits for the end.
    road.stack.databricks.served.faults.add(Fault::once("GET", "/api/2.0/sql/statements/", Action::Hang).times(9));
    let reply = killed_when(&road, "/api/sql/statements", &body, None, |road| {
        let requests = road.effects("databricks", "request");
        requests.iter().skip(looks).any(|request| request["method"] == "GET")
    })
    .await
    .expect(200);
    assert!(reply.replayed() && attempts(&road) > 1);
    assert_eq!(submitted(&road, "INSERT"), 1);
    let count = road.sql("SELECT count(*) AS n FROM main.sales.kept").await.expect(200);
    assert_eq!(count.at("/rows/0/n"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_not_recorded_is_outcome_unknown_and_not_sent_again() {
    let road = Road::with(hurried).await;
    road.stack.databricks.set_history_lag(Duration::from_hours(1));
    let body = insert(&road, "unknown").await;
    let path = "/api/sql/statements?waitSeconds=1";
    let slow = Action::DelayAfterCommit { milliseconds: 600_000 };
    road.stack.databricks.served.faults.add(Fault::once("POST", "/api/2.0/sql/statements", slow));
    let reply = killed_when(&road, path, &body, Some("k"), |road| submitted(road, "INSERT") == 1).await;
    reply.problem(409, "outcome-unknown").saying(&["may or may not"]);
    assert!(attempts(&road) > 1);
    road.post_keyed(path, "k", &body).await.problem(409, "outcome-unknown");
    assert_eq!(submitted(&road, "INSERT"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyed_read_is_run_again() {
    let road = Road::with(hurried).await;
    let slow = Action::DelayAfterCommit { milliseconds: 600_000 };
    road.stack.databricks.served.faults.add(Fault::once("POST", "/api/2.0/sql/statements", slow));
    let body = json!({"statement": "SELECT 7 AS seven"});
    let reply = killed_when(&road, "/api/sql/statements", &body, Some("k"), |road| submitted(road, "seven") == 1).await;
    assert_eq!(reply.expect(200).at("/rows"), &json!([{"seven": 7}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_run_is_started_once() {
    let road = Road::with(hurried).await;
    let slow = Action::DelayAfterCommit { milliseconds: 600_000 };
    road.stack.databricks.served.faults.add(Fault::once("POST", "/jobs/run-now", slow));
    let body = json!({"parameters": {"day": "2026-10-30"}});
    let path = "/api/jobs/rebuild-daily-sales/runs?waitSeconds=60";
    let runs = |road: &Road| road.effects("databricks", "jobRun");
    let reply = killed_when(&road, path, &body, None, |road| runs(road).len() == 1).await.expect(200);
    assert!(attempts(&road) > 1);
    assert_eq!(runs(&road).len(), 1);
    assert_eq!(reply.at("/runId"), &json!(runs(&road)[0]["runId"].to_string()));
    // The second sending had no body: its parameters came from the claim.
    assert_eq!(runs(&road)[0]["parameters"]["day"], "2026-10-30");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_pushed_once() {
    let (workspace, dataset) = (sample::WORKSPACE, sample::SALES_LIVE);
    let path = format!("/api/power-bi/workspaces/{workspace}/datasets/{dataset}/tables/DailySales/rows");
    let body = json!({"rows": [{"orders": 1}]});
    let road = Road::with(hurried).await;
    // With them it could be told; see `power_bi_rows`.
    road.stack.power_bi.set_sequence_numbers(false);
    let slow = Action::DelayAfterCommit { milliseconds: 600_000 };
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/datasets/", slow));
    let reply = killed_when(&road, &path, &body, Some("k"), |road| road.effects("powerBi", "rows").len() == 1).await;
    reply.problem(409, "outcome-unknown").saying(&["may or may not"]);
    assert!(attempts(&road) > 1);
    road.post_keyed(&path, "k", &body).await.problem(409, "outcome-unknown");
    assert_eq!(road.effects("powerBi", "rows").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_runs_once() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("inserting.yaml", INSERTING)];
    let own = declare(folder.path(), &files);
    let road = Road::with(|options| {
        own(options);
        hurried(options);
    })
    .await;
    // The run stands; the handler dies in its first step, before that was sent.
    road.stack.databricks.served.faults.add(Fault::once("POST", "/api/2.0/sql/statements", Action::Hang));
    let asked = |road: &Road| {
        let requests = road.effects("databricks", "request");
        requests.iter().any(|request| request["method"] == "POST")
    };
    let reply = killed_when(&road, "/api/operations/inserting?waitSeconds=1", &json!({}), None, asked).await;
    assert!(attempts(&road) > 1);
    assert_eq!(road.ledger("open/").len(), 1);
    let run = reply.header("x-causeway-run-id").expect("a run").to_owned();
    reply.accepted();
    assert!(road.ledger("runs/").iter().all(|name| name.contains(&run)), "{:?}", road.ledger("runs/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_202_the_work_ends_without_the_handler_that_promised_it() {
    let folder = tempfile::tempdir().unwrap();
    let road = Road::with(declare(folder.path(), &[("inserting.yaml", INSERTING)])).await;
    road.stack.databricks.hold("INSERT INTO main.sales.noted", None);
    let reply = road.post("/api/operations/inserting?waitSeconds=1", &json!({})).await;
    let location = reply.accepted();
    road.stack.host.as_ref().unwrap().kill_handler(None).await;
    road.stack.databricks.release();
    assert_eq!(road.follow(&location).await.expect(200).body, json!({"n": 1}));
    assert_eq!(submitted(&road, "INSERT"), 1);
}
