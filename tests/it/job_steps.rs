//! The `job` step of an operation: what it says to Databricks, and how it fails.

use local_stack::databricks::{JobDefinition, TaskDefinition as Task, TaskFailure};
use serde_json::json;

use crate::declared::Declared;

const NIGHT: (&str, &str) = (
    "night",
    "summary: s\nparameters: {note: {type: string}}\nsteps:\n  - id: go\n    job: {job: night, queue: true, \
     performance_target: STANDARD, notebook_params: {day: 7}, parameters: {note: '{{ parameters.note }}'}}\n\
     output: {run: '{{ steps.go.runId }}', duration: '{{ steps.go.duration }}'}\n",
);

#[tokio::test(flavor = "multi_thread")]
async fn a_job_step_says_what_a_start_may_say_and_fails_with_each_task() {
    let road = Declared::with(&[NIGHT], &[], |_| {}).await;
    let task = Task::notebook_exit("main", "1").fails_once(TaskFailure::workload("ValueError: no moon"));
    let job = JobDefinition::new(7, "night").without_queue().parameter("note", "none").task(task);
    road.stack.databricks.define_job(job).expect("a job");
    let reply = road.post("/api/operations/night", &json!({"note": null})).await.problem(422, "job-failed");
    let reply = reply.saying(&["task main FAILED (ValueError: no moon)"]);
    assert_eq!((reply.at("/step"), reply.at("/failedTaskCount")), (&json!("go"), &json!(1)));
    assert_eq!(reply.at("/failedTasks/0/error"), "ValueError: no moon");
    let run = &road.effects("databricks", "jobRun")[0];
    assert_eq!((&run["queue"], &run["performanceTarget"]), (&json!(true), &json!("STANDARD")));
    assert_eq!(run["legacyParameters"]["notebook_params"], json!({"day": "7"}));
    // Null leaves the job's own default.
    assert_eq!(run["parameters"]["note"], "none");
    // The record keeps it for whoever looks later.
    let kept = road.get(&format!("/api/runs/{}", reply.at("/runId").as_str().unwrap())).await.expect(200);
    assert!(kept.body.to_string().contains("no moon"), "{}", kept.body);
}
