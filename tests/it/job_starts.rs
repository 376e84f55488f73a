//! Starts that are refused, lost or taken back: names that a job lacks, an answer that never came, a cancel.

use local_stack::core::{Action, Fault};
use local_stack::databricks::Clock;
use serde_json::json;

use crate::road::Road;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_job_does_not_have_is_told_before_anything_starts() {
    let road = Road::start().await;
    let path = "/api/jobs/monthly-report/runs";
    let reply = road.post_keyed(path, "k", &json!({"parameters": {"mnth": "2026-09"}})).await;
    let reply = reply.problem(400, "parameters-invalid").saying(&["mnth", "It has: month"]);
    assert_eq!(reply.at("/place"), "parameters.mnth");
    // Sent again it is refused again.
    let again = road.post_keyed(path, "k", &json!({"parameters": {"mnth": "2026-09"}})).await;
    again.problem(400, "parameters-invalid");
    let reply = road.post(path, &json!({"only": ["total"]})).await.problem(400, "parameters-invalid");
    assert_eq!(reply.saying(&["total", "totals, report"]).at("/place"), "only");
    assert!(road.effects("databricks", "jobRun").is_empty());
    // Who may start a job may not always read it.
    let denied = Action::Status {
        status: 403,
        headers: vec![],
        body: r#"{"error_code": "PERMISSION_DENIED", "message": "no CAN_VIEW"}"#.into(),
    };
    road.stack.databricks.served.faults.add(Fault::once("GET", "/jobs/get", denied.clone()).times(2));
    road.get("/api/jobs/monthly-report").await.problem(424, "databricks-access-denied").saying(&["CAN VIEW"]);
    road.post(&format!("{path}?mode=start"), &json!({"parameters": {"month": "2026-09"}})).await.started();
    assert_eq!(road.effects("databricks", "jobRun")[0]["parameters"]["month"], "2026-09");
    // Null is what a flow sends for an empty field.
    road.post(&format!("{path}?waitSeconds=60"), &json!({"parameters": {"month": null}})).await.expect(200);
    assert_eq!(road.effects("databricks", "jobRun")[1]["parameters"]["month"], "2026-10");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_whose_answer_was_lost_is_found_again_whatever_the_definition_says_now() {
    let road = Road::start().await;
    let lost = Fault::once("POST", "/jobs/run-now", Action::CutAfterCommit).times(5);
    road.stack.databricks.served.faults.add(lost);
    let (path, body) =
        ("/api/jobs/rebuild-daily-sales/runs?waitSeconds=60", json!({"parameters": {"day": "2026-10-30"}}));
    road.post_keyed(path, "k", &body).await.problem(409, "outcome-unknown").saying(&["same Idempotency-Key"]);
    road.stack.databricks.served.faults.clear();
    // The names are not looked at again: what was perhaps started must be found.
    let unreadable =
        Fault::once("GET", "/jobs/get", Action::Status { status: 404, headers: vec![], body: "{}".into() }).times(5);
    road.stack.databricks.served.faults.add(unreadable);
    let reply = road.post_keyed(path, "k", &body).await.expect(200);
    assert_eq!(reply.at("/terminationCode"), "SUCCESS");
    assert_eq!(road.effects("databricks", "jobRun").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_canceled_and_its_end_waited_for_when_asked() {
    let road = Road::with(|options| options.databricks.clock = Clock::Stepped).await;
    let begun = async || {
        let reply = road.post("/api/jobs/slow/runs?mode=start", &json!({})).await.expect(201);
        reply.at("/id").as_str().unwrap().to_owned()
    };
    let path = format!("/api/jobs/runs/{}", begun().await);
    let seen = road.call("POST", &format!("{path}/cancel?waitSeconds=60"), None, &[]).await.expect(200);
    assert_eq!((seen.at("/state"), seen.at("/terminationCode")), (&json!("TERMINATED"), &json!("USER_CANCELED")));
    assert_eq!(road.get(&path).await.expect(200).at("/error/code"), "job-canceled");
    let path = format!("/api/jobs/runs/{}", begun().await);
    let seen = road.call("POST", &format!("{path}/cancel"), None, &[]).await.expect(200);
    assert!(seen.at("/runId").is_string() && seen.at("/state").is_string(), "{}", seen.body);
    road.call("POST", "/api/jobs/runs/17/cancel", None, &[]).await.problem(404, "job-run-not-found");
    road.call("POST", &format!("{path}/cancel?mode=start"), None, &[]).await.problem(400, "query-invalid");
}
