//! Databricks jobs over HTTP: by id and by name, outputs, failures, 202 and `mode=start`.

use local_stack::databricks::Clock;
use serde_json::json;

use crate::road::Road;

const REBUILD: u64 = 618_204_117_305_501;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_run_by_its_id_with_its_parameters_and_outputs() {
    let road = Road::start().await;
    let path = format!("/api/jobs/{REBUILD}/runs?waitSeconds=60");
    let reply = road.post(&path, &json!({"parameters": {"day": "2026-10-30"}})).await.expect(200);
    assert_eq!((reply.at("/jobId"), reply.at("/terminationCode")), (&json!(REBUILD.to_string()), &json!("SUCCESS")));
    for member in ["runId", "startTime", "endTime", "runPageUrl"] {
        assert!(reply.body[member].is_string(), "{member}: {}", reply.body);
    }
    assert!(reply.at("/durationMs").is_u64());
    assert!(reply.at("/duration").as_str().is_some_and(|text| text.starts_with("PT")), "{}", reply.body);
    assert_eq!(reply.at("/parameters/day"), "2026-10-30");
    let output = reply.at("/outputs/0");
    assert_eq!(output["taskKey"], "main");
    assert!(output["text"].is_string() && output.get("json").is_some() && output["kind"].is_string(), "{output}");
    let runs = road.effects("databricks", "jobRun");
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["parameters"]["day"], "2026-10-30");
    assert!(runs[0]["idempotencyToken"].is_string(), "{}", runs[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_run_by_its_name_and_tells_the_outputs_of_all_its_tasks() {
    let road = Road::start().await;
    let reply = road.post("/api/jobs/Monthly-Report/runs?waitSeconds=60", &json!({})).await.expect(200);
    let outputs = reply.at("/outputs").as_array().unwrap();
    let tasks: Vec<&str> = outputs.iter().filter_map(|output| output["taskKey"].as_str()).collect();
    assert_eq!(tasks, ["totals", "report"], "{}", reply.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_run_is_a_422_that_names_the_task() {
    let road = Road::start().await;
    let reply = road.post("/api/jobs/always-fails/runs?waitSeconds=60", &json!({})).await;
    let reply = reply.problem(422, "job-failed").saying(&["task main", "the sample job that always fails has failed"]);
    let told = reply.at("/failedTasks/0");
    assert_eq!((&told["taskKey"], &told["state"]), (&json!("main"), &json!("FAILED")));
    assert_eq!((&told["terminationType"], reply.at("/failedTaskCount")), (&json!("CLIENT_ERROR"), &json!(1)));
    assert_eq!(told["error"], "ValueError: the sample job that always fails has failed");
    assert!(told["errorTrace"].as_str().is_some_and(|trace| trace.contains("always_fails.py")), "{told}");
    // The same for whoever follows its status.
    let started = road.post("/api/jobs/always-fails/runs?mode=start", &json!({})).await;
    let path = started.started();
    road.follow(started.at("/statusUrl").as_str().unwrap()).await.problem(422, "job-failed").saying(&["task main"]);
    let path = path.split_once("/api/").map(|(_, path)| format!("/api/{path}")).unwrap();
    let seen = road.get(&path).await.expect(200);
    assert_eq!((seen.at("/state"), seen.at("/error/code")), (&json!("TERMINATED"), &json!("job-failed")));
    assert_eq!((seen.at("/tasks/0/taskKey"), seen.at("/tasks/0/resultState")), (&json!("main"), &json!("FAILED")));
    let output = road.get(&format!("{path}/output")).await.expect(200);
    assert_eq!(
        (output.at("/outputs/0/kind"), output.at("/outputs/0/text")),
        (&json!("logs"), &json!("about to fail\n"))
    );
    assert_eq!(output.at("/outputs/0/error"), "ValueError: the sample job that always fails has failed");
    assert_eq!(output.at("/truncated"), false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_or_run_that_is_not_there_is_a_404() {
    let road = Road::start().await;
    road.post("/api/jobs/no-such-job/runs", &json!({})).await.problem(404, "job-not-found").saying(&["no-such-job"]);
    road.post("/api/jobs/17/runs", &json!({})).await.problem(404, "job-not-found").saying(&["17"]);
    road.get("/api/jobs/runs/17").await.problem(404, "job-run-not-found").saying(&["17"]);
    road.get("/api/jobs/runs/abc").await.problem(404, "job-run-not-found");
    assert!(road.effects("databricks", "jobRun").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_run_that_outlasts_its_wait_is_a_202_that_becomes_the_result() {
    let road = Road::with(|options| options.databricks.clock = Clock::Stepped).await;
    let reply = road.post("/api/jobs/slow/runs?waitSeconds=0", &json!({"parameters": {"note": 7}})).await;
    let location = reply.accepted();
    road.get(&location).await.accepted();
    let path = format!("/api/jobs/runs/{}", reply.at("/id").as_str().unwrap());
    let seen = road.get(&path).await.expect(200);
    assert!(["PENDING", "RUNNING", "QUEUED"].contains(&seen.at("/state").as_str().unwrap()), "{}", seen.body);
    road.stack.databricks.set_clock(Clock::Auto(std::time::Duration::from_millis(20)));
    road.stack.databricks.step();
    let done = road.follow(&location).await.expect(200);
    assert_eq!((done.at("/terminationCode"), done.at("/runId")), (&json!("SUCCESS"), reply.at("/id")));
    // A value that is no text is handed on as text.
    assert_eq!(road.effects("databricks", "jobRun")[0]["parameters"]["note"], "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_some_tasks_can_be_run() {
    let road = Road::start().await;
    let reply =
        road.post("/api/jobs/monthly-report/runs?waitSeconds=60", &json!({"only": ["totals"]})).await.expect(200);
    assert_eq!(reply.at("/outputs").as_array().unwrap().len(), 1);
}
