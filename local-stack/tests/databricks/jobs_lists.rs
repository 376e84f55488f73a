//! `jobs/list` and `runs/list` in pages that stay right while runs come and go; arrays of more than 100.

use local_stack::databricks::{JobDefinition, TaskDefinition as Task};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::jobs::{quick, started, still, until};

const JOB: u64 = 7;

fn small(id: u64, name: &str) -> JobDefinition {
    JobDefinition::new(id, name).max_concurrent_runs(1000).task(Task::notebook_exit("main", "done"))
}

fn ids(page: &Value, list: &str, id: &str) -> Vec<u64> {
    let items = page[list].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item[id].as_u64().expect("an id")).collect()
}

#[tokio::test]
async fn jobs_are_listed_in_pages_by_name_and_the_newest_first() {
    let caller = quick(vec![small(1, "one"), small(2, "two"), small(3, "Two")]).await;
    let first = caller.get("/api/2.2/jobs/list?limit=2").await.body;
    assert_eq!((ids(&first, "jobs", "job_id"), &first["has_more"]), (vec![3, 2], &json!(true)));
    assert!(first.get("prev_page_token").is_none());
    let token = first["next_page_token"].as_str().expect("a token");
    let second = caller.get(&format!("/api/2.2/jobs/list?limit=2&page_token={token}")).await.body;
    assert_eq!(ids(&second, "jobs", "job_id")[0], 1);
    let back = second["prev_page_token"].as_str().expect("a token");
    let back = caller.get(&format!("/api/2.2/jobs/list?limit=2&page_token={back}")).await.body;
    assert_eq!(ids(&back, "jobs", "job_id"), [3, 2]);
    let named = caller.get("/api/2.2/jobs/list?name=TWO").await.body;
    assert_eq!((ids(&named, "jobs", "job_id"), &named["has_more"]), (vec![3, 2], &json!(false)));
    assert!(named["jobs"][0]["settings"].get("tasks").is_none());
    let expanded = caller.get("/api/2.2/jobs/list?name=one&expand_tasks=true").await.body;
    assert_eq!(expanded["jobs"][0]["settings"]["tasks"][0]["task_key"], "main");
    // Without jobs there is no `jobs`.
    assert_eq!(caller.get("/api/2.2/jobs/list?name=none").await.body, json!({"has_more": false}));
}

#[tokio::test]
async fn a_limit_or_a_token_that_is_none_is_refused() {
    let caller = quick(vec![small(JOB, "one")]).await;
    for path in [
        "list?limit=0",
        "list?limit=101",
        "list?limit=some",
        "list?page_token=nonsense",
        "runs/list?limit=25",
        "runs/list?active_only=true&completed_only=true",
        "runs/list?page_token=YTEwMA",
        "get?job_id=7&page_token=bjE",
        "get",
    ] {
        let reply = caller.get(&format!("/api/2.2/jobs/{path}")).await;
        assert_eq!((reply.status, &reply.body["error_code"]), (400, &json!("INVALID_PARAMETER_VALUE")), "{path}");
    }
}

async fn all_runs(caller: &Caller, query: &str) -> Vec<u64> {
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let page = caller.get(&format!("/api/2.2/jobs/runs/list?{query}&page_token={token}")).await.body;
        found.extend(ids(&page, "runs", "run_id"));
        match page.get("next_page_token") {
            Some(next) => next.as_str().expect("a token").clone_into(&mut token),
            None => return found,
        }
    }
}

#[tokio::test]
async fn runs_are_listed_newest_first_by_job_state_and_time() {
    let caller = quick(vec![small(JOB, "one"), small(8, "other")]).await;
    let mut runs = Vec::new();
    for _ in 0..5 {
        let run_id = started(&caller, json!({"job_id": JOB})).await;
        runs.insert(0, run_id);
        until(&caller, run_id, "TERMINATED").await;
    }
    caller.stand_in.set_clock(local_stack::databricks::Clock::Stepped);
    let active = started(&caller, json!({"job_id": JOB})).await;
    let other = started(&caller, json!({"job_id": 8})).await;
    assert_eq!(all_runs(&caller, "completed_only=true&limit=2").await, runs);
    assert_eq!(all_runs(&caller, "active_only=true").await, [other, active]);
    assert_eq!(all_runs(&caller, &format!("job_id={JOB}&active_only=true")).await, [active]);
    assert_eq!(all_runs(&caller, "limit=0").await.len(), 7);
    let third = caller.get(&format!("/api/2.2/jobs/runs/get?run_id={}", runs[2])).await.body["start_time"].clone();
    let until_third = all_runs(&caller, &format!("start_time_to={third}")).await;
    let from_third = all_runs(&caller, &format!("start_time_from={third}")).await;
    assert!(until_third.contains(&runs[2]) && until_third.contains(&runs[4]) && !until_third.contains(&other));
    assert!(from_third.contains(&runs[2]) && from_third.contains(&other) && !from_third.contains(&runs[4]));
    assert!(all_runs(&caller, "run_type=SUBMIT_RUN").await.is_empty());
}

#[tokio::test]
async fn a_page_of_runs_begins_where_the_last_one_ended_though_runs_began_meanwhile() {
    let caller = still(vec![small(JOB, "one")]).await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.insert(0, started(&caller, json!({"job_id": JOB})).await);
    }
    let first = caller.get("/api/2.2/jobs/runs/list?limit=2").await.body;
    started(&caller, json!({"job_id": JOB})).await;
    let token = first["next_page_token"].as_str().expect("a token");
    let second = caller.get(&format!("/api/2.2/jobs/runs/list?limit=2&page_token={token}")).await.body;
    assert_eq!([ids(&first, "runs", "run_id"), ids(&second, "runs", "run_id")].concat(), runs);
    assert!(second["runs"][0].get("tasks").is_none());
}

#[tokio::test]
async fn more_than_a_hundred_tasks_and_parameters_come_in_parts() {
    let mut job = JobDefinition::new(JOB, "wide");
    for number in 0..250 {
        job = job.task(Task::notebook_exit(&format!("task_{number}"), "x"));
    }
    for number in 0..130 {
        job = job.parameter(&format!("name_{number:03}"), "x");
    }
    let caller = quick(vec![job]).await;
    let run_id = started(&caller, json!({"job_id": JOB})).await;
    until(&caller, run_id, "TERMINATED").await;
    for (path, tasks_at, parameters_at) in [
        (format!("get?job_id={JOB}"), "/settings/tasks", "/settings/parameters"),
        (format!("runs/get?run_id={run_id}"), "/tasks", "/job_parameters"),
    ] {
        let (mut sizes, mut keys, mut token) = (Vec::new(), std::collections::BTreeSet::new(), String::new());
        loop {
            let page = caller.get(&format!("/api/2.2/jobs/{path}&page_token={token}")).await.body;
            let tasks = page.pointer(tasks_at).and_then(Value::as_array).expect("tasks");
            keys.extend(tasks.iter().map(|task| task["task_key"].to_string()));
            sizes.push((tasks.len(), page.pointer(parameters_at).and_then(Value::as_array).map_or(0, Vec::len)));
            match page.get("next_page_token") {
                Some(next) => next.as_str().expect("a token").clone_into(&mut token),
                None => break,
            }
        }
        assert_eq!((sizes, keys.len()), (vec![(100, 100), (100, 30), (50, 0)], 250), "{path}");
    }
    let listed = caller.get("/api/2.2/jobs/runs/list?expand_tasks=true").await.body;
    assert_eq!(listed["runs"][0]["tasks"].as_array().map(Vec::len), Some(100));
    assert_eq!(listed["runs"][0]["has_more"], true);
}
