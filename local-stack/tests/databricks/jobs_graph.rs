//! Jobs of several tasks: order, conditions, retries, time limits, each way to fail, cancellation of one task.

use local_stack::databricks::{JobDefinition, RunIf, TaskDefinition as Task, TaskFailure};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::jobs::{ending, output, quick, started, still, task, until};

const JOB: u64 = 7;

fn job() -> JobDefinition {
    JobDefinition::new(JOB, "graph")
}

async fn ran(caller: &Caller) -> Value {
    let run_id = started(caller, json!({"job_id": JOB})).await;
    until(caller, run_id, "TERMINATED").await
}

fn state<'a>(run: &'a Value, key: &str) -> (&'a str, &'a str) {
    let task = task(run, key);
    let text = |value: &'a Value| value.as_str().unwrap_or_default();
    (text(&task["state"]["life_cycle_state"]), text(&task["status"]["state"]))
}

#[tokio::test]
async fn a_task_waits_for_those_before_it_and_lasts_as_many_steps_as_it_says() {
    let caller = still(vec![
        job()
            .task(Task::python_logs("a", "").lasting(1))
            .task(Task::python_logs("b", "").lasting(2).after(&["a"]))
            .task(Task::python_logs("c", "").after(&["a", "b"])),
    ])
    .await;
    let run_id = started(&caller, json!({"job_id": JOB})).await;
    let pending = until(&caller, run_id, "PENDING").await;
    assert_eq!((state(&pending, "a"), state(&pending, "b")), (("PENDING", "PENDING"), ("BLOCKED", "BLOCKED")));
    caller.stand_in.step();
    let running = until(&caller, run_id, "RUNNING").await;
    assert_eq!((state(&running, "a").0, state(&running, "c").0), ("RUNNING", "BLOCKED"));
    caller.stand_in.step();
    let path = format!("/api/2.2/jobs/runs/get?run_id={run_id}");
    let next = caller.until(&path, |run| state(run, "b").0 == "RUNNING").await;
    assert_eq!((state(&next, "a").0, state(&next, "c").0), ("TERMINATED", "BLOCKED"));
    caller.stand_in.step();
    let still = caller.get(&path).await.body;
    assert_eq!((state(&still, "b").0, state(&still, "c").0), ("RUNNING", "BLOCKED"));
    caller.stand_in.step();
    let run = until(&caller, run_id, "TERMINATED").await;
    assert_eq!(ending(&run), ("TERMINATED", "SUCCESS", "SUCCESS", "SUCCESS"));
    assert_eq!(run["execution_duration"], 0, "0 for multitask jobs");
    assert!(run["run_duration"].is_u64());
}

#[tokio::test]
async fn steps_that_come_all_at_once_count_for_one_task_after_the_other() {
    let line =
        job().task(Task::python_logs("a", "").lasting(2)).task(Task::python_logs("b", "").lasting(2).after(&["a"]));
    let caller = still(vec![line]).await;
    let run_id = started(&caller, json!({"job_id": JOB})).await;
    for _ in 0..5 {
        caller.stand_in.step();
    }
    assert_eq!(until(&caller, run_id, "TERMINATED").await["state"]["result_state"], "SUCCESS");
}

#[tokio::test]
async fn a_failure_skips_what_comes_after_and_the_last_tasks_decide() {
    let caller = quick(vec![
        job()
            .task(Task::python_logs("good", ""))
            .task(Task::python_logs("bad", "").fails(TaskFailure::workload("ValueError: no")).after(&["good"]))
            .task(Task::python_logs("never", "").after(&["bad"]))
            .task(Task::python_logs("anyway", "").after(&["bad", "never"]).run_if(RunIf::AllDone)),
    ])
    .await;
    let run = ran(&caller).await;
    assert_eq!(ending(task(&run, "bad")), ("TERMINATED", "FAILED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR"));
    assert_eq!(ending(task(&run, "never")), ("SKIPPED", "UPSTREAM_FAILED", "SKIPPED", "CLIENT_ERROR"));
    assert_eq!(ending(task(&run, "anyway")), ("TERMINATED", "SUCCESS", "SUCCESS", "SUCCESS"));
    assert_eq!(ending(&run), ("TERMINATED", "SUCCESS_WITH_FAILURES", "SUCCESS_WITH_FAILURES", "SUCCESS"));
    let failed = output(&caller, &task(&run, "bad")["run_id"]).await;
    assert_eq!(failed["error"], "ValueError: no");
    assert!(failed["error_trace"].as_str().expect("a trace").starts_with("Traceback"));
    let never = output(&caller, &task(&run, "never")["run_id"]).await;
    assert!(never.get("error").is_none(), "{never}");
}

#[tokio::test]
async fn each_attempt_is_a_run_of_its_own_and_the_last_one_counts() {
    let flaky = Task::python_logs("flaky", "at last").retries(2, 0);
    let flaky = flaky.fails_once(TaskFailure::cluster()).fails_once(TaskFailure::workload("KeyError: 1"));
    let caller = quick(vec![job().task(flaky)]).await;
    let run = ran(&caller).await;
    assert_eq!(ending(&run), ("TERMINATED", "SUCCESS", "SUCCESS", "SUCCESS"));
    let tasks = run["tasks"].as_array().expect("tasks");
    let attempts: Vec<&Value> = tasks.iter().map(|task| &task["attempt_number"]).collect();
    assert_eq!(attempts, [0, 1, 2]);
    assert_eq!(ending(&tasks[0]), ("INTERNAL_ERROR", "FAILED", "CLUSTER_ERROR", "CLOUD_FAILURE"));
    assert_eq!(ending(&tasks[1]).2, "RUN_EXECUTION_ERROR");
    assert_eq!(output(&caller, &tasks[2]["run_id"]).await["logs"], "at last");
}

#[tokio::test]
async fn a_failed_attempt_waits_for_its_retry() {
    let flaky = Task::python_logs("flaky", "").retries(1, 3).fails_once(TaskFailure::workload("once"));
    let caller = still(vec![job().task(flaky)]).await;
    let run_id = started(&caller, json!({"job_id": JOB})).await;
    caller.stand_in.step();
    let path = format!("/api/2.2/jobs/runs/get?run_id={run_id}");
    let waiting = caller.until(&path, |run| state(run, "flaky").0 == "WAITING_FOR_RETRY").await;
    assert_eq!((state(&waiting, "flaky").1, &task(&waiting, "flaky")["attempt_number"]), ("WAITING", &json!(1)));
    for _ in 0..3 {
        caller.stand_in.step();
    }
    assert_eq!(until(&caller, run_id, "TERMINATED").await["state"]["result_state"], "SUCCESS");
}

#[tokio::test]
async fn each_kind_of_failure_has_its_own_words() {
    let denied = TaskFailure::platform("UNAUTHORIZED_ERROR", "CLIENT_ERROR", "No access to the warehouse.");
    for (failure, expected, message) in [
        (
            TaskFailure::cluster(),
            ("INTERNAL_ERROR", "FAILED", "CLUSTER_ERROR", "CLOUD_FAILURE"),
            "Task only failed with message: Cluster ",
        ),
        (
            denied,
            ("INTERNAL_ERROR", "FAILED", "UNAUTHORIZED_ERROR", "CLIENT_ERROR"),
            "Task only failed with message: No access to the warehouse.",
        ),
        (
            TaskFailure::TimedOut,
            ("INTERNAL_ERROR", "FAILED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
            "Task only failed with message: Run timed out.",
        ),
    ] {
        let caller = quick(vec![job().task(Task::python_logs("only", "").fails(failure))]).await;
        let run = ran(&caller).await;
        assert_eq!(ending(&run), expected);
        assert!(run["state"]["state_message"].as_str().expect("words").starts_with(message), "{run}");
    }
}

#[tokio::test]
async fn what_lasts_longer_than_it_may_times_out() {
    let slow = Task::python_logs("slow", "").lasting(5).timeout(2);
    let whole = JobDefinition::new(8, "whole").more_steps(5).timeout(2).task(Task::python_logs("fine", ""));
    let caller = still(vec![job().task(slow), whole]).await;
    let (one, other) = (started(&caller, json!({"job_id": JOB})).await, started(&caller, json!({"job_id": 8})).await);
    for _ in 0..3 {
        caller.stand_in.step();
    }
    let run = until(&caller, one, "TERMINATED").await;
    assert_eq!(ending(task(&run, "slow")), ("TERMINATED", "TIMEDOUT", "CANCELED", "CLIENT_ERROR"));
    assert_eq!(task(&run, "slow")["state"]["user_cancelled_or_timedout"], true);
    assert_eq!(run["state"]["result_state"], "FAILED");
    let run = until(&caller, other, "TERMINATED").await;
    assert_eq!(ending(&run), ("TERMINATED", "TIMEDOUT", "CANCELED", "CLIENT_ERROR"));
    assert_eq!(task(&run, "fine")["state"]["result_state"], "SUCCESS");
}

#[tokio::test]
async fn one_task_can_be_canceled_and_what_comes_after_it_is_not_run() {
    let caller = still(vec![
        job()
            .task(Task::python_logs("long", "").lasting(50))
            .task(Task::python_logs("after", "").after(&["long"]))
            .task(Task::python_logs("other", "")),
    ])
    .await;
    let run_id = started(&caller, json!({"job_id": JOB})).await;
    caller.stand_in.step();
    let running = until(&caller, run_id, "RUNNING").await;
    let id = task(&running, "long")["run_id"].clone();
    assert_eq!(caller.post("/api/2.2/jobs/runs/cancel", &json!({"run_id": id})).await.status, 200);
    caller.stand_in.step();
    let run = until(&caller, run_id, "TERMINATED").await;
    assert_eq!(ending(task(&run, "long")).2, "USER_CANCELED");
    assert_eq!(task(&run, "after")["state"]["result_state"], "UPSTREAM_CANCELED");
    assert_eq!(task(&run, "other")["state"]["result_state"], "SUCCESS");
    assert_eq!(run["state"]["result_state"], "CANCELED");
    // The task by itself says the same: whoever canceled it waits for it there.
    let alone = caller.get(&format!("/api/2.2/jobs/runs/get?run_id={id}")).await.body;
    assert_eq!((ending(&alone).1, &alone["job_run_id"]), ("CANCELED", &json!(run_id)));
}

#[tokio::test]
async fn a_canceled_run_is_terminating_before_it_ends() {
    let caller = still(vec![job().ending_steps(1).task(Task::python_logs("long", "").lasting(50))]).await;
    let run_id = started(&caller, json!({"job_id": JOB})).await;
    caller.stand_in.step();
    until(&caller, run_id, "RUNNING").await;
    caller.post("/api/2.2/jobs/runs/cancel", &json!({"run_id": run_id})).await;
    let terminating = until(&caller, run_id, "TERMINATING").await;
    assert_eq!((state(&terminating, "long").0, &terminating["end_time"]), ("TERMINATING", &json!(0)));
    caller.stand_in.step();
    assert_eq!(ending(&until(&caller, run_id, "TERMINATED").await).1, "CANCELED");
    // To cancel what has ended changes nothing.
    assert_eq!(caller.post("/api/2.2/jobs/runs/cancel", &json!({"run_id": run_id})).await.status, 200);
}

#[tokio::test]
async fn a_task_that_is_disabled_is_left_out_and_is_no_hindrance() {
    let caller = quick(vec![
        job().task(Task::python_logs("off", "").disabled()).task(Task::python_logs("next", "").after(&["off"])),
    ])
    .await;
    let run = ran(&caller).await;
    assert_eq!(ending(task(&run, "off")), ("SKIPPED", "DISABLED", "DISABLED", "SUCCESS"));
    assert_eq!(ending(&run).1, "SUCCESS");
}

#[tokio::test]
async fn a_job_that_cannot_be_is_refused() {
    let caller = quick(vec![]).await;
    let circle = job().task(Task::python_logs("a", "").after(&["b"])).task(Task::python_logs("b", "").after(&["a"]));
    let refused = caller.stand_in.define_job(circle).expect_err("a circle");
    assert!(refused.to_string().contains("depend on each other"), "{refused}");
    let twice = job().task(Task::python_logs("a", "")).task(Task::python_logs("a", ""));
    assert!(caller.stand_in.define_job(twice).is_err());
    assert!(caller.stand_in.define_job(job()).is_err());
    let body = json!({"job_id": 9, "name": "over HTTP", "tasks": [{"task_key": "a", "kind": "python", "output": "x"}]});
    assert_eq!(caller.post("/__stand-in/jobs", &body).await.status, 200);
    assert_eq!(caller.get("/api/2.2/jobs/get?job_id=9").await.body["settings"]["name"], "over HTTP");
}
