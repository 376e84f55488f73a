//! Declared operations over HTTP: what there is, running to the output, failures, runs.

use std::path::Path;

use local_stack::stack::StackOptions;
use serde_json::json;

use crate::road::Road;

/// The operations in `operations/`, by name.
const SHIPPED: [&str; 8] = [
    "data-quality",
    "load-new-file",
    "process-order",
    "push-daily-sales",
    "refresh-dashboard",
    "refresh-sales",
    "submit-forecast",
    "validate-invoice",
];

const SLOW: &str = "summary: Waits
steps:
  - id: wait
    sql: { statement: \"SELECT 41 + 1 AS answer /* slow */\", expect: one_row }
output: { answer: { value: \"{{ steps.wait.row.answer }}\", type: integer } }
";

const CHECKED: &str = "summary: Checks
parameters:
  least: { type: integer, required: true }
  day: { type: date, required: true }
steps:
  - id: count
    sql: { statement: SELECT 3 AS bad, expect: one_row }
  - id: stop
    assert: { that: steps.count.row.bad < parameters.least, message: \"{{ steps.count.row.bad }} are bad\" }
output: { bad: \"{{ steps.count.row.bad }}\" }
";

/// Operations of these files instead of the examples.
pub(crate) fn declare(folder: &Path, files: &[(&str, &str)]) -> impl FnOnce(&mut StackOptions) {
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a file");
    }
    let folder = folder.display().to_string();
    |options| {
        options.extra_environment.insert("CAUSEWAY_OPERATIONS_FOLDER".into(), folder);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_listed_and_described_with_their_schemas() {
    let road = Road::start().await;
    let list = road.get("/api/operations").await.expect(200);
    let names: Vec<_> = list.at("/value").as_array().unwrap().iter().map(|entry| entry["name"].clone()).collect();
    assert_eq!(names, SHIPPED);
    let one = road.get("/api/operations/refresh-sales").await.expect(200);
    assert_eq!(one.at("/parameters/properties/day/format"), "date");
    assert_eq!(one.at("/parameters/required"), &json!(["day"]));
    assert!(one.at("/output/properties/rows").is_object());
    assert!(one.at("/schedule/next").is_string() && one.at("/summary").is_string());
    road.get("/api/operations/nothing").await.problem(404, "operation-not-found").saying(&["nothing"]);
    road.post("/api/operations/nothing", &json!({})).await.problem(404, "operation-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_runs_to_its_output_and_leaves_a_run_with_steps() {
    let road = Road::start().await;
    let reply = road.post("/api/operations/refresh-sales?waitSeconds=60", &json!({"day": "2026-10-31"})).await;
    let run = reply.header("x-causeway-run-id").expect("a run id").to_owned();
    let reply = if reply.status == 202 { road.follow(&reply.accepted()).await } else { reply }.expect(200);
    assert_eq!(reply.at("/day"), "2026-10-31");
    assert!(reply.at("/rows").is_u64() && reply.at("/refreshed").is_string(), "{}", reply.body);
    let seen = road.get(&format!("/api/runs/{run}")).await.expect(200);
    assert_eq!((seen.at("/runId"), seen.at("/state")), (&json!(run), &json!("succeeded")));
    assert_eq!(seen.at("/operation"), "refresh-sales");
    let steps = seen.at("/steps").as_array().unwrap();
    let ids: Vec<&str> = steps.iter().filter_map(|step| step["id"].as_str()).collect();
    assert_eq!(ids, ["rebuild", "checks", "stop", "model"]);
    assert!(steps.iter().all(|step| step["state"] == "succeeded"), "{steps:?}");
    assert!(steps[0]["upstreamId"].is_string() && steps[0]["startTime"].is_string());
    road.get("/api/runs/00000000000000000000000000000000").await.problem(404, "run-not-found");
    road.get("/api/runs/none").await.problem(404, "run-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_outlasts_its_wait_is_a_202_that_becomes_the_output() {
    let folder = tempfile::tempdir().unwrap();
    let road = Road::with(declare(folder.path(), &[("slow.yaml", SLOW)])).await;
    road.stack.databricks.hold("/* slow */", None);
    let reply = road.post("/api/operations/slow?waitSeconds=0", &json!({})).await;
    let location = reply.accepted();
    assert_eq!(reply.header("x-causeway-run-id"), reply.at("/id").as_str());
    road.get(&location).await.accepted();
    road.stack.databricks.release();
    let done = road.follow(&location).await.expect(200);
    assert_eq!(done.body, json!({"answer": 42}));
    assert_eq!(done.header("x-causeway-run-id"), reply.at("/id").as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_started_operation_is_a_201_with_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let road = Road::with(declare(folder.path(), &[("slow.yaml", SLOW)])).await;
    let reply = road.post("/api/operations/slow?mode=start", &json!({})).await;
    let run = reply.at("/id").as_str().unwrap().to_owned();
    assert!(reply.started().ends_with(&format!("/api/runs/{run}")));
    assert_eq!(road.ended(&run).await["output"], json!({"answer": 42}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_does_not_hold_is_a_422_with_run_and_step() {
    let folder = tempfile::tempdir().unwrap();
    let road = Road::with(declare(folder.path(), &[("checked.yaml", CHECKED)])).await;
    let reply = road.post("/api/operations/checked", &json!({"least": 3, "day": "2026-10-31"})).await;
    let reply = reply.problem(422, "assertion-failed").saying(&["3 are bad"]);
    assert_eq!(reply.at("/step"), "stop");
    let run = reply.at("/runId").as_str().unwrap();
    assert_eq!(reply.header("x-causeway-run-id"), Some(run));
    let seen = road.get(&format!("/api/runs/{run}")).await.expect(200);
    assert_eq!((seen.at("/state"), seen.at("/error/code")), (&json!("failed"), &json!("assertion-failed")));
    let fine = road.post("/api/operations/checked", &json!({"least": 4, "day": "2026-10-31"})).await.expect(200);
    assert_eq!(fine.body, json!({"bad": 3}));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_are_all_told_at_once_and_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let road = Road::with(declare(folder.path(), &[("checked.yaml", CHECKED)])).await;
    let reply = road.post("/api/operations/checked", &json!({"least": "many", "colour": 1})).await;
    reply.problem(400, "parameters-invalid").saying(&["least", "day", "colour"]);
    assert!(road.ledger("runs/").is_empty() && road.ledger("claims/").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_disables_its_own_operation_alone() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("broken.yaml", "summary: Broken\nsteps:\n  - id: a\n    sqll: {}\n"), ("slow.yaml", SLOW)];
    let road = Road::with(declare(folder.path(), &files)).await;
    let reply = road.post("/api/operations/broken", &json!({})).await;
    reply.problem(503, "operation-invalid").saying(&["broken.yaml:3", "mended"]);
    let list = road.get("/api/operations").await.expect(200);
    assert_eq!(list.at("/value/0/code"), "operation-invalid");
    assert!(list.at("/value/0/problems").to_string().contains("sqll"), "{}", list.body);
    let fine = road.post("/api/operations/slow", &json!({})).await.expect(200);
    assert_eq!(fine.body, json!({"answer": 42}));
    assert_eq!(road.get("/api/health/ready").await.expect(200).at("/invalidOperations"), &json!(["broken"]));
}
