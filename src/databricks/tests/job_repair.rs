//! Repairs: the body as the API wants it, what is never sent twice, and how a lost one is found.

use serde_json::{Value, json};
use wiremock::MockServer;

use super::calls::{answers, client, soon};
use super::job_outcome::run;
use crate::databricks::{JobRun, Repair};
use crate::failure::{Code, Effect, Failure};

#[rstest::rstest]
#[case::all(&[], None, json!({"run_id": 5, "rerun_all_failed_tasks": true}))]
#[case::named(&["a"], Some("80"), json!({"run_id": 5, "rerun_tasks": ["a"], "latest_repair_id": 80}))]
#[tokio::test]
async fn a_repair_follows_the_latest_one(
    #[case] tasks: &[&str],
    #[case] latest: Option<&str>,
    #[case] expected: Value,
) {
    let server = MockServer::start().await;
    let id = 734_650_698_524_280_u64;
    answers(&server, "POST", "/api/2.2/jobs/runs/repair", 200, json!({"repair_id": id})).await;
    let repair = Repair {
        run_id: "5".to_owned(),
        tasks: tasks.iter().map(|key| (*key).to_owned()).collect(),
        latest_repair_id: latest.map(str::to_owned),
        ..Repair::default()
    };
    let repair_id = client(&server).repair_job_run(&repair, soon()).await.expect("it begins");
    assert_eq!(repair_id, "734650698524280");
    let sent = &server.received_requests().await.expect("recorded")[0];
    assert_eq!(serde_json::from_slice::<Value>(&sent.body).expect("JSON"), expected);
}

#[tokio::test]
async fn a_repair_that_another_came_before_is_a_conflict_and_a_lost_one_is_never_sent_twice() {
    let server = MockServer::start().await;
    let refusal = "The latest repair ID needs to be provided in order to create a new repair";
    let refusal = json!({"error_code": "INVALID_PARAMETER_VALUE", "message": refusal});
    answers(&server, "POST", "/api/2.2/jobs/runs/repair", 400, refusal).await;
    let repair = Repair { run_id: "5".to_owned(), ..Repair::default() };
    let failure = Failure::from(client(&server).repair_job_run(&repair, soon()).await.expect_err("overtaken"));
    assert_eq!((failure.code, failure.effect), (Code::JobRunActive, Effect::None));

    let server = MockServer::start().await;
    answers(&server, "POST", "/api/2.2/jobs/runs/repair", 500, json!({"message": "oops"})).await;
    let failure = Failure::from(client(&server).repair_job_run(&repair, soon()).await.expect_err("lost"));
    assert_eq!(failure.effect, Effect::Possible);
    assert_eq!(server.received_requests().await.expect("recorded").len(), 1);
}

fn repaired(history: &Value) -> JobRun {
    run(json!({
        "run_id": 5, "job_id": 2, "status": {"state": "TERMINATED", "termination_details": {"code": "SUCCESS"}},
        "tasks": [{"run_id": 20, "task_key": "a"}, {"run_id": 31, "task_key": "b"}, {"run_id": 32, "task_key": "c"}],
        "repair_history": history,
    }))
}

#[test]
fn a_repaired_run_has_not_ended_before_its_repair_has() {
    let failed = json!({"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED"});
    let history = json!([
        {"type": "ORIGINAL", "start_time": 1, "end_time": 2, "state": failed, "task_run_ids": [20, 21]},
        {"type": "REPAIR", "id": 90, "start_time": 5, "end_time": 9, "state": failed, "task_run_ids": [31]},
        {"type": "REPAIR", "id": 80, "start_time": 7, "end_time": 0, "status": {"state": "RUNNING"}, "task_run_ids": [32]},
    ]);
    let run = repaired(&history);
    assert_eq!(run.latest_repair().map(|repair| repair.repair_id.as_str()), Some("80"));
    assert!(run.clone().as_of_repair("90").outcome().is_err());
    assert!(run.clone().as_of_repair("80").outcome().expect("it runs").is_none());
    // The history may lag.
    assert!(run.as_of_repair("70").outcome().expect("it runs").is_none());
}

#[rstest::rstest]
#[case::found(&["80"], &["b"], Some("90"))]
#[case::all_failed_ones(&["80"], &[], Some("90"))]
#[case::of_other_tasks(&["80"], &["a"], None)]
#[case::several(&[], &[], None)]
#[case::none(&["80", "90"], &[], None)]
fn a_lost_repair_is_the_one_that_is_new(#[case] before: &[&str], #[case] tasks: &[&str], #[case] found: Option<&str>) {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let run =
        repaired(&json!([{"id": 80, "task_run_ids": [32]}, {"id": 90, "task_run_ids": [31]}, {"type": "ORIGINAL"}]));
    assert_eq!(run.new_repair(&owned(before), &owned(tasks)), found);
}
