//! Many callers who wait for the same run: one of them looks, and all of them hear.

use std::time::Duration;

use futures_util::future::join_all;
use local_stack::databricks::{Clock, JobDefinition, TaskDefinition};
use serde_json::json;

use crate::declared::Declared;
use crate::road::Reply;

const JOB: (&str, &str) =
    ("job", "summary: s\nsteps: [{id: go, job: {job: quiet}}]\noutput: {state: '{{ steps.go.state }}'}\n");
const CALLERS: usize = 30;

async fn started() -> Declared {
    let road = Declared::with(&[JOB], &[], |options| options.databricks.engine = false).await;
    let job = JobDefinition::new(7, "quiet").task(TaskDefinition::notebook_exit("main", "done"));
    road.stack.databricks.define_job(job).expect("a job");
    road.stack.databricks.set_clock(Clock::Stepped);
    road
}

async fn all(road: &Declared, path: &str) -> Vec<Reply> {
    let body = json!({});
    join_all((0..CALLERS).map(|_| road.post_keyed(path, "same", &body))).await
}

/// How often the ledger was asked about runs.
fn reads(road: &Declared) -> usize {
    let requests = road.effects("blob", "request");
    let reads = requests.iter().filter(|request| request["method"] == "GET");
    reads.filter(|request| request["target"].as_str().is_some_and(|target| target.contains("runs"))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_wait_for_one_run_ask_the_ledger_as_one_does() {
    let road = started().await;
    for reply in all(&road, "/api/operations/job?waitSeconds=6").await {
        reply.accepted();
    }
    assert_eq!(road.effects("databricks", "jobRun").len(), 1);
    // Each looks for itself when it comes and perhaps once more, LIST and GET; then one looks, some eight times.
    let reads = reads(&road);
    assert!(reads <= CALLERS * 4 + 40, "{reads} reads of the ledger");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_wait_for_one_run_hear_of_its_end() {
    let road = started().await;
    let ends = async {
        while road.effects("databricks", "jobRun").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for _ in 0..20 {
            road.stack.databricks.step();
        }
    };
    let (replies, ()) = tokio::join!(all(&road, "/api/operations/job?waitSeconds=90"), ends);
    for reply in replies {
        assert_eq!(reply.expect(200).at("/state"), "TERMINATED");
    }
}
