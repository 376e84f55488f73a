//! What people may do to a run, through the front door: cancel, retry, resolve, list.

use causeway::runs::identity::run_id;
use local_stack::core::{Action, Fault};
use local_stack::databricks::Clock;
use serde_json::{Value, json};

use crate::declared::{Declared, ECHO};
use crate::messages::body;
use crate::road::Reply;

const JOB: (&str, &str) = (
    "job",
    "summary: s
steps:
  - {id: go, job: {job: slow}}
  - {id: tell, sql: {statement: SELECT 1 AS one}}
on_failure: [{id: alarm, sql: {statement: SELECT 2 AS two}}]
output: {done: true}
",
);
const STOPPING: (&str, &str) = (
    "stopping",
    "summary: s
steps:
  - {id: ask, sql: {statement: SELECT 1 AS one}}
  - {id: stop, assert: {that: steps.ask.row.one == 2, message: too few}}
output: {one: '{{ steps.ask.row.one }}'}
",
);
const ALONE: (&str, &str) = (
    "alone",
    "summary: s
concurrency: {key: '{{ parameters.text }}', on_conflict: queue}
parameters: {text: {type: string, required: true}}
steps: [{id: go, job: {job: slow}}]
",
);

fn run_of(id: &str) -> String {
    run_id(&["queue", "causeway-requests", id])
}

impl Declared {
    /// A call that takes no body.
    async fn act(&self, run: &str, what: &str) -> Reply {
        self.call("POST", &format!("/api/runs/{run}/{what}"), None, &[]).await
    }

    async fn is(&self, run: &str, state: &str) {
        let looked = async {
            loop {
                let reply = self.get(&format!("/api/runs/{run}")).await;
                if reply.status == 200 && reply.body["state"] == state {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(crate::road::PATIENCE, looked).await.expect("it comes to this state");
    }
}

fn ids(reply: &Reply) -> Vec<&str> {
    reply.body["value"].as_array().expect("a list").iter().filter_map(|run| run["runId"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_stops_its_job_and_tells_so() {
    let road = Declared::with(&[JOB], &[], |_| {}).await;
    road.stack.databricks.set_clock(Clock::Stepped);
    let run = run_of("a");
    road.ask("a", "job", &json!({}));
    road.is(&run, "waiting").await;
    // Once now and once more: it is asked for as often as one likes.
    let asked = road.act(&run, "cancel").await.expect(200);
    assert_eq!(asked.body["runId"], run.as_str());
    road.let_jobs_go();
    let ended = road.act(&run, "cancel?waitSeconds=60").await.expect(200).body;
    assert_eq!((&ended["state"], &ended["error"]["code"]), (&json!("cancelled"), &json!("run-canceled")), "{ended}");
    assert_eq!(ended["steps"][0]["error"]["code"], "job-canceled", "{ended}");
    assert_eq!(ended["steps"].as_array().map(Vec::len), Some(1), "neither the next step nor on_failure: {ended}");
    let url = ended["steps"][0]["upstreamUrl"].as_str().expect("its page").to_owned();
    assert!(url.starts_with("http") && ended["steps"][0]["key"].as_str().is_some_and(|key| key.len() == 64));
    assert_eq!(road.effects("databricks", "jobCancel").len(), 1, "it is asked to stop once");
    let cancelled = road.act(&run, "cancel").await.expect(200);
    assert_eq!(cancelled.body["state"], "cancelled");
    let reply = body(&road.messages("causeway-replies", 1).await[0]);
    assert_eq!((&reply["state"], &reply["error"]["code"]), (&json!("cancelled"), &json!("run-canceled")));
    assert!(road.ledger("history/")[0].ends_with("-cancelled"));
    assert!(road.ledger("open/").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_waits_learns_that_his_run_was_cancelled() {
    let road = Declared::with(&[JOB], &[], |_| {}).await;
    road.stack.databricks.set_clock(Clock::Stepped);
    let nothing = json!({});
    let call = road.post("/api/operations/job?waitSeconds=60", &nothing);
    let cancel = async {
        let run = road.only_run().await;
        road.until("the job runs", |road| !road.effects("databricks", "jobRun").is_empty()).await;
        road.act(&run, "cancel").await.expect(200);
        road.until("Databricks is asked to stop", |road| road.effects("databricks", "jobCancel").len() == 1).await;
        road.let_jobs_go();
    };
    let (reply, ()) = tokio::join!(call, cancel);
    assert_eq!((reply.status, reply.code()), (422, "run-canceled"), "{}", reply.body);
    assert_eq!(reply.body["step"], "go");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_goes_on_from_the_step_that_failed_and_is_done_once_however_often_it_is_sent() {
    let mut road = Declared::canned(&[STOPPING], &[]).await;
    road.ask("a", "stopping", &json!({}));
    let run = run_of("a");
    assert_eq!(road.ended(&run).await["error"]["code"], "assertion-failed");
    let path = format!("/api/runs/{run}/retry?waitSeconds=30");
    let again = road.call("POST", &path, None, &[("Idempotency-Key", "one")]).await;
    assert_eq!((again.status, again.code()), (422, "assertion-failed"), "{}", again.body);
    assert_eq!(road.effects("databricks", "statement").len(), 1, "what is done stays done");
    let replayed = road.call("POST", &path, None, &[("Idempotency-Key", "one")]).await;
    assert_eq!(replayed.code(), "assertion-failed");
    let seen = road.get(&format!("/api/runs/{run}")).await.body;
    assert_eq!((&seen["retries"], &seen["steps"][1]["attempt"]), (&json!(1), &json!(2)), "{seen}");

    road.declare("stopping", &STOPPING.1.replace("one == 2", "one == 1"));
    road.restart().await;
    let mended = road.act(&run, "retry?definition=current&waitSeconds=30").await.expect(200);
    assert_eq!(mended.body, json!({"one": 1}));
    assert_eq!(mended.header("x-causeway-run-id"), Some(run.as_str()));
    let refused = road.act(&run, "retry").await;
    assert_eq!((refused.status, refused.code()), (409, "run-not-retryable"), "{}", refused.body);
    assert_eq!(road.messages("causeway-replies", 3).await.len(), 3);
    road.until_true(|road| road.ledger("history/").len() >= 2 && road.ledger("open/").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_in_doubt_is_resolved_before_its_run_is_retried() {
    let write = (
        "write",
        "summary: s\nsteps: [{id: put, sql: {statement: \"INSERT INTO main.sales.customers (customer_id, name) VALUES (999, 'x')\"}}]\n",
    );
    let road = Declared::with(&[write], &[], |_| {}).await;
    road.stack.databricks.set_history_lag(std::time::Duration::from_hours(1));
    let cut = Fault::once("POST", "/api/2.0/sql/statements", Action::CutAfterCommit).body_contains("INSERT");
    road.stack.databricks.served.faults.add(cut);
    road.ask("a", "write", &json!({}));
    let run = run_of("a");
    let resolve = format!("/api/runs/{run}/resolve");
    // While it is looked for, what somebody says is noted.
    road.is(&run, "waiting").await;
    let early = road.act(&run, "retry").await;
    assert_eq!((early.status, early.code()), (409, "run-active"));
    let said = json!({"step": "put", "outcome": "happened", "output": {"rowCount": 1}});
    road.post(&resolve, &said).await.expect(200);
    let ended = road.ended(&run).await;
    assert_eq!((&ended["state"], &ended["steps"][0]["resolved"]), (&json!("succeeded"), &json!("happened")), "{ended}");
    let late = road.post(&resolve, &json!({"step": "put", "outcome": "did_not_happen"})).await;
    assert_eq!((late.status, late.code()), (409, "step-not-in-doubt"));
    for wrong in
        [json!({"step": "put"}), json!({"step": "no", "outcome": "happened"}), json!({"step": "put", "outcome": "x"})]
    {
        let refused = road.post(&resolve, &wrong).await;
        assert_eq!((refused.status, refused.code()), (400, "body-invalid"), "{wrong}");
    }
    assert_eq!(road.effects("databricks", "statement").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_by_operation_state_and_time_in_pages() {
    let road = Declared::with(&[ECHO, STOPPING, JOB], &[], |_| {}).await;
    road.stack.databricks.set_clock(Clock::Stepped);
    for id in ["one", "two", "three"] {
        road.ask(id, "echo", &json!({"text": id}));
        road.ended(&run_of(id)).await;
    }
    road.ask("failing", "stopping", &json!({}));
    road.ended(&run_of("failing")).await;
    road.ask("open", "job", &json!({}));
    road.is(&run_of("open"), "waiting").await;
    road.until_true(|road| road.ledger("history/").len() == 4).await;

    let all = road.get("/api/runs").await.expect(200);
    assert_eq!(all.body["value"].as_array().map(Vec::len), Some(5), "{}", all.body);
    assert_eq!((ids(&all)[0], &all.body["value"][0]["state"]), (run_of("open").as_str(), &json!("waiting")));
    assert_eq!(all.body["nextLink"], Value::Null);
    let failed = road.get("/api/runs?state=failed").await.expect(200);
    assert_eq!(ids(&failed), [run_of("failing")]);
    let first = road.get("/api/runs?operation=echo&top=2").await.expect(200);
    assert_eq!(ids(&first).len(), 2);
    let next = road.get(first.body["nextLink"].as_str().expect("a link")).await.expect(200);
    let mut echoes: Vec<&str> = [ids(&first), ids(&next)].concat();
    echoes.sort_unstable();
    let mut expected = ["one", "two", "three"].map(run_of);
    expected.sort();
    assert_eq!(echoes, expected);
    let later = road.get("/api/runs?from=2100-01-01").await.expect(200);
    assert!(ids(&later).is_empty());
    for wrong in ["state=done", "from=soon", "top=0", "operation=a/b", "name=x"] {
        let refused = road.get(&format!("/api/runs?{wrong}")).await;
        assert_eq!((refused.status, refused.code()), (400, "query-invalid"), "{wrong}");
    }
    road.let_jobs_go();
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_one_key_go_one_after_the_other() {
    let road = Declared::with(&[ALONE], &[], |_| {}).await;
    road.stack.databricks.set_clock(Clock::Stepped);
    let runs = ["a", "b"].map(run_of);
    road.ask("a", "alone", &json!({"text": "same"}));
    road.until("the first job runs", |road| road.effects("databricks", "jobRun").len() == 1).await;
    road.ask("b", "alone", &json!({"text": "same"}));
    road.ask("c", "alone", &json!({"text": "other"}));
    road.until("that of another key runs, too", |road| road.effects("databricks", "jobRun").len() == 2).await;
    road.is(&runs[1], "waiting").await;
    let waiting = road.get(&format!("/api/runs/{}", runs[1])).await.body;
    assert_eq!(waiting["steps"][0]["state"], "pending", "{waiting}");
    road.let_jobs_go();
    for run in &runs {
        assert_eq!(road.ended(run).await["state"], "succeeded");
    }
    assert_eq!(road.effects("databricks", "jobRun").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_does_not_exist_is_not_found_by_anybody() {
    let road = Declared::canned(&[ECHO], &[]).await;
    let (nobody, wrong) = ("0".repeat(32), "x");
    for run in [nobody.as_str(), wrong] {
        for what in ["cancel", "retry"] {
            let refused = road.act(run, what).await;
            assert_eq!((refused.status, refused.code()), (404, "run-not-found"), "{what} {run}");
        }
        let body = json!({"step": "ask", "outcome": "happened"});
        let refused = road.post(&format!("/api/runs/{run}/resolve"), &body).await;
        assert_eq!((refused.status, refused.code()), (404, "run-not-found"));
    }
}
