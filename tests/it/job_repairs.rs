//! Repairs of job runs: what runs again, what is refused, and one for each key whatever happens to its answer.

use local_stack::core::{Action, Fault};
use local_stack::databricks::{Clock, JobDefinition, TaskDefinition as Task, TaskFailure};
use serde_json::{Value, json};

use crate::idempotency::hurried;
use crate::road::Road;

/// first -> second -> third, of which the second fails so many times.
fn line(failures: usize) -> JobDefinition {
    let second = (0..failures).fold(Task::notebook_exit("second", "2").after(&["first"]), |task, number| {
        task.fails_once(TaskFailure::workload(&format!("ValueError: failure {number}")))
    });
    JobDefinition::new(7, "line")
        .parameter("day", "today")
        .task(Task::notebook_exit("first", "1"))
        .task(second)
        .task(Task::notebook_exit("third", "3").after(&["second"]))
}

/// The path of a run of it that has failed.
async fn failed(road: &Road, failures: usize) -> String {
    road.stack.databricks.define_job(line(failures)).expect("a job");
    let body = json!({"parameters": {"day": "yesterday"}});
    let begun = road.post("/api/jobs/line/runs?mode=start", &body).await.expect(201);
    road.follow(begun.at("/statusUrl").as_str().unwrap()).await.problem(422, "job-failed");
    format!("/api/jobs/runs/{}", begun.at("/id").as_str().unwrap())
}

fn repairs(road: &Road) -> Vec<Value> {
    road.effects("databricks", "jobRepair")
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_tasks_run_again_once_for_each_key() {
    let road = Road::start().await;
    let path = failed(&road, 1).await;
    let repair = format!("{path}/repair?waitSeconds=60");
    let reply = road.post_keyed(&repair, "k", &json!({})).await.expect(200);
    assert!(path.ends_with(reply.at("/runId").as_str().unwrap()) && reply.at("/repairId").is_string());
    assert_eq!(reply.at("/terminationCode"), "SUCCESS");
    let texts: Vec<_> = reply.at("/outputs").as_array().unwrap().iter().map(|output| &output["json"]).collect();
    assert_eq!(texts, [&json!(1), &json!(2), &json!(3)]);
    assert_eq!(repairs(&road)[0]["tasks"], json!(["second", "third"]));
    // What the run was given is given again.
    assert_eq!(repairs(&road)[0]["parameters"]["day"], "yesterday");
    // The same call, also without its body, is the same repair.
    for body in [Some("{}".to_owned()), None] {
        let again = road.call("POST", &repair, body, &[("Idempotency-Key", "k")]).await.expect(200);
        assert_eq!((again.replayed(), again.at("/repairId")), (true, reply.at("/repairId")));
    }
    assert_eq!(repairs(&road).len(), 1);
    // Nothing has failed any more; a task that is named runs all the same, after the latest repair.
    road.post(&repair, &json!({})).await.problem(400, "body-invalid").saying(&["tasks"]);
    let body = json!({"tasks": ["second"], "dependents": true, "parameters": {"day": "tomorrow"}});
    let second = road.post(&repair, &body).await.expect(200);
    assert_ne!(second.at("/repairId"), reply.at("/repairId"));
    assert_eq!(
        (&repairs(&road)[1]["tasks"], second.at("/parameters/day")),
        (&json!(["second", "third"]), &json!("tomorrow"))
    );
    let tasks = road.get(&path).await.expect(200);
    let attempts: Vec<_> = tasks.at("/tasks").as_array().unwrap().iter().map(|task| &task["attempt"]).collect();
    assert_eq!(attempts, [&json!(0), &json!(2), &json!(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_that_goes_on_is_followed_to_its_own_end() {
    let road = Road::start().await;
    let path = failed(&road, 2).await;
    road.stack.databricks.set_clock(Clock::Stepped);
    let reply = road.post(&format!("{path}/repair?waitSeconds=0"), &json!({})).await;
    let location = reply.accepted();
    // The run's former end is not the repair's.
    road.get(&location).await.accepted();
    road.stack.databricks.set_clock(Clock::Auto(std::time::Duration::from_millis(20)));
    road.stack.databricks.step();
    let ended = road.follow(&location).await.problem(422, "job-failed").saying(&["failure 1"]);
    assert_eq!(ended.at("/failedTasks/0/taskKey"), "second");
    road.post(&format!("{path}/repair?waitSeconds=60"), &json!({})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_repaired_is_told() {
    let road = Road::start().await;
    let path = failed(&road, 1).await;
    let repair = format!("{path}/repair");
    let unknown = road.post(&repair, &json!({"tasks": ["secnd"]})).await.problem(400, "parameters-invalid");
    unknown.saying(&["secnd", "first, second, third"]);
    let unknown = road.post(&repair, &json!({"parameters": {"dya": 1}})).await.problem(400, "parameters-invalid");
    assert_eq!(unknown.saying(&["It has: day"]).at("/place"), "parameters.dya");
    road.post(&repair, &json!({"task": ["second"]})).await.problem(400, "body-invalid");
    road.post("/api/jobs/runs/17/repair", &json!({})).await.problem(404, "job-run-not-found");
    assert!(repairs(&road).is_empty());
    // Of two that come at the same time one begins.
    road.stack.databricks.set_clock(Clock::Stepped);
    let (path, body) = (format!("{repair}?mode=start"), json!({}));
    let (one, other) = tokio::join!(road.post(&path, &body), road.post(&path, &body));
    let (begun, late) = if one.status == 201 { (one, other) } else { (other, one) };
    begun.started();
    late.problem(409, "job-run-active");
    assert_eq!(repairs(&road).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_whose_answer_was_lost_is_found_in_the_history() {
    let road = Road::start().await;
    let path = format!("{}/repair?waitSeconds=60", failed(&road, 3).await);
    let lost = Fault::once("POST", "/jobs/runs/repair", Action::CutAfterCommit);
    road.stack.databricks.served.faults.add(lost);
    road.post_keyed(&path, "k", &json!({})).await.problem(422, "job-failed").saying(&["failure 1"]);
    assert_eq!(repairs(&road).len(), 1);
    let again = road.post_keyed(&path, "k", &json!({})).await.problem(422, "job-failed");
    assert!(again.message().contains("failure 1"));
    // One that never arrived is unknown, and is not sent again.
    let never = Fault::once("POST", "/jobs/runs/repair", Action::CutBeforeCommit);
    road.stack.databricks.served.faults.add(never);
    let path = path.replace("60", "1");
    road.post_keyed(&path, "never", &json!({})).await.problem(409, "outcome-unknown");
    road.post_keyed(&path, "never", &json!({})).await.problem(409, "outcome-unknown");
    assert_eq!(repairs(&road).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_of_a_handler_that_was_killed_is_found_by_the_next_one() {
    let road = Road::with(hurried).await;
    let path = format!("{}/repair", failed(&road, 1).await);
    let lost = Fault::once("POST", "/jobs/runs/repair", Action::DelayAfterCommit { milliseconds: 600_000 });
    road.stack.databricks.served.faults.add(lost);
    let killed = async {
        road.until("the repair has come", |road| repairs(road).len() == 1).await;
        road.stack.databricks.served.faults.clear();
        road.stack.host.as_ref().unwrap().kill_handler(None).await;
    };
    // The host sends the dropped call again, without its body.
    let body = json!({});
    let (reply, ()) = tokio::join!(road.post_keyed(&path, "k", &body), killed);
    let reply = reply.expect(200);
    assert!(reply.replayed() && reply.at("/repairId").is_string(), "{}", reply.body);
    assert_eq!(repairs(&road).len(), 1);
}
