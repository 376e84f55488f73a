//! Jobs of several tasks: outputs of every kind, the latest attempts, more than a page of tasks, places and queues.

use local_stack::databricks::{Clock, JobDefinition, TaskDefinition as Task, TaskFailure};
use serde_json::{Value, json};

use crate::road::{Reply, Road};

fn output<'a>(reply: &'a Reply, key: &str) -> &'a Value {
    let outputs = reply.at("/outputs").as_array().unwrap();
    outputs.iter().find(|output| output["taskKey"] == key).unwrap_or_else(|| panic!("no {key}: {}", reply.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_task_gives_its_output() {
    let road = Road::start().await;
    let body = json!({"parameters": {"month": "2026-10", "day": "2026-10-30"}});
    let close = road.post("/api/jobs/month-end-close/runs?waitSeconds=100", &body).await.expect(200);
    let child = output(&close, "last_day");
    assert_eq!(child["kind"], "run_job");
    let path = format!("/api/jobs/runs/{}", child["text"].as_str().unwrap());
    let reply = road.get(&format!("{path}/output")).await.expect(200);
    let kinds = ["check_orders", "rebuild_day", "top_customers", "models", "report", "tell_operators"]
        .map(|key| output(&reply, key)["kind"].as_str().unwrap());
    assert_eq!(kinds, ["logs", "notebook", "sql", "dbt", "notebook", "none"]);
    assert_eq!(output(&reply, "report")["json"]["day"], "2026-10-30");
    assert_eq!(output(&reply, "tell_operators")["state"], "EXCLUDED");
    assert!(output(&reply, "models")["text"].is_string(), "{}", reply.body);
    assert!(output(&reply, "top_customers")["json"]["query_output"].is_object());
    // The link to what dbt made is presigned.
    assert!(!reply.body.to_string().contains("artifacts"), "{}", reply.body);
    let run = road.get(&path).await.expect(200);
    assert_eq!((run.at("/terminationCode"), run.at("/trigger")), (&json!("SUCCESS"), &json!("RUN_JOB_TASK")));
    assert_eq!(run.at("/tasks/0/kind"), "spark_python");
    assert!(run.at("/tasks/0/durationMs").is_u64() && run.body.get("error").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_tasks_than_a_page_all_come() {
    let road = Road::with(|options| options.databricks.clock = Clock::Auto(std::time::Duration::from_millis(5))).await;
    let tasks = (0..230).fold(JobDefinition::new(7, "wide"), |job, number| {
        job.task(Task::notebook_exit(&format!("t{number:03}"), &number.to_string()))
    });
    road.stack.databricks.define_job(tasks).expect("a job");
    let job = road.get("/api/jobs/wide").await.expect(200);
    assert_eq!(job.at("/tasks").as_array().unwrap().len(), 230);
    let reply = road.post("/api/jobs/wide/runs?waitSeconds=100", &json!({"only": ["t229", "+t100"]})).await.expect(200);
    assert_eq!(reply.at("/outputs").as_array().unwrap().len(), 2);
    let reply = road.post("/api/jobs/wide/runs?waitSeconds=100", &json!({})).await.expect(200);
    let outputs = reply.at("/outputs").as_array().unwrap();
    assert_eq!((outputs.len(), &outputs[229]["json"]), (230, &json!(229)));
    let run = road.get(&format!("/api/jobs/runs/{}", reply.at("/runId").as_str().unwrap())).await.expect(200);
    assert_eq!(run.at("/tasks").as_array().unwrap().len(), 230);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_attempt_counts_and_what_is_cut_says_so() {
    let road = Road::with(|options| options.databricks.job_output_limit = 10).await;
    let failure = TaskFailure::workload("ValueError: at first");
    let retried = Task::notebook_exit("retried", "0123456789").retries(1, 0).fails_once(failure);
    let job = JobDefinition::new(7, "cut").task(retried).task(Task::python_logs("long", "0123456789abc"));
    road.stack.databricks.define_job(job).expect("a job");
    let reply = road.post("/api/jobs/cut/runs?waitSeconds=100", &json!({})).await.expect(200);
    let retried = output(&reply, "retried");
    assert_eq!(
        (&retried["text"], &retried["truncated"], &retried["error"]),
        (&json!("0123456789"), &json!(false), &json!(null))
    );
    let long = output(&reply, "long");
    assert_eq!((&long["text"], &long["truncated"]), (&json!("3456789abc"), &json!(true)));
    let path = format!("/api/jobs/runs/{}", reply.at("/runId").as_str().unwrap());
    assert_eq!(road.get(&format!("{path}/output")).await.expect(200).at("/truncated"), true);
    assert_eq!(road.get(&path).await.expect(200).at("/tasks/0/attempt"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_names_each_task_and_which_waited_for_it() {
    let road = Road::start().await;
    let job = JobDefinition::new(7, "broken")
        .task(Task::python_logs("fine", ""))
        .task(Task::notebook_exit("bad", "").fails(TaskFailure::workload("ValueError: bad day")))
        .task(Task::notebook_exit("worse", "").fails(TaskFailure::cluster()))
        .task(Task::notebook_exit("after", "").after(&["bad"]));
    road.stack.databricks.define_job(job).expect("a job");
    let reply = road.post("/api/jobs/broken/runs?waitSeconds=60", &json!({})).await.problem(422, "job-failed");
    let tasks = reply.at("/failedTasks").as_array().unwrap();
    let told: Vec<_> =
        tasks.iter().map(|task| (task["taskKey"].as_str().unwrap(), task["state"].as_str().unwrap())).collect();
    assert_eq!(told, [("bad", "FAILED"), ("worse", "FAILED"), ("after", "UPSTREAM_FAILED")]);
    assert_eq!((&tasks[1]["terminationCode"], reply.at("/failedTaskCount")), (&json!("CLUSTER_ERROR"), &json!(3)));
    reply.saying(&["ValueError: bad day", "task after UPSTREAM_FAILED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_place_waits_or_says_how_it_could() {
    let road = Road::with(|options| {
        options.databricks.clock = Clock::Stepped;
        options.databricks.active_runs_limit = 2;
    })
    .await;
    let job = JobDefinition::new(7, "single").without_queue().task(Task::python_logs("main", ""));
    road.stack.databricks.define_job(job).expect("a job");
    let path = "/api/jobs/single/runs";
    road.post(&format!("{path}?mode=start"), &json!({})).await.started();
    // One run of the job at a time.
    let skipped = road.post(path, &json!({})).await.problem(422, "job-failed").saying(&["maximum concurrent runs"]);
    skipped.saying(&["\"queue\": true"]);
    let queued = road.post(&format!("{path}?mode=start"), &json!({"queue": true})).await;
    let at = queued.started();
    let at = at.split_once("/api/").map(|(_, path)| format!("/api/{path}")).unwrap();
    let seen = road.get(&at).await.expect(200);
    assert_eq!(seen.at("/state"), "QUEUED");
    assert!(seen.at("/message").as_str().unwrap().contains("maximum concurrent runs"), "{}", seen.body);
    // Two runs of the workspace at a time, of which the queued one takes no place.
    road.post("/api/jobs/slow/runs?mode=start", &json!({})).await.started();
    let begun = road.effects("databricks", "jobRun").len();
    let full = road.post("/api/jobs/slow/runs", &json!({"queue": false})).await.problem(429, "upstream-throttled");
    full.saying(&["active runs", "none was started", "\"queue\": true"]);
    assert_eq!(road.effects("databricks", "jobRun").len(), begun);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_start_may_say_arrives() {
    let road = Road::start().await;
    let body = json!({"performanceTarget": "STANDARD", "queue": false, "notebookParams": {"note": 7}});
    road.post("/api/jobs/slow/runs?mode=start", &body).await.started();
    let run = &road.effects("databricks", "jobRun")[0];
    assert_eq!((&run["performanceTarget"], &run["queue"]), (&json!("STANDARD"), &json!(false)));
    assert_eq!(run["legacyParameters"]["notebook_params"], json!({"note": "7"}));
    for (body, place) in [
        (json!({"performanceTarget": "FAST"}), "performanceTarget"),
        (json!({"notebookParams": {"a": "x".repeat(10_000)}}), "notebookParams"),
        (json!({"notebookParams": {"a": "1"}, "jarParams": ["a"]}), "jarParams"),
    ] {
        let reply = road.post("/api/jobs/slow/runs", &body).await.problem(400, "body-invalid");
        assert_eq!(reply.at("/place"), place);
    }
    assert_eq!(road.effects("databricks", "jobRun").len(), 1);
}
