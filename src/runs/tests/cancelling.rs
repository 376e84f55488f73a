//! A run that somebody wants ended: what is under way is stopped at its neighbour, what was perhaps sent is found first.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{Bench, soon};
use crate::failure::Code;
use crate::http::Deadline;
use crate::runs::advance::Advance;
use crate::runs::record::{Record, RunState, StepState, Transition};

pub(super) const JOBS: &str = "summary: s\nsteps: [{id: go, job: {job: 7}}, {id: then, job: {job: 8}}]\n\
    on_failure: [{id: tell, job: {job: 9}}]\n";
const WRITE: &str = "summary: s\nsteps: [{id: put, sql: {statement: INSERT INTO t VALUES (1)}}]\n";

impl Bench {
    pub(super) async fn cancel(&self, run: &str) {
        let newest = self.newest(run).await;
        self.engine.note_cancel(&newest, "test", soon()).await.unwrap();
    }

    /// Wakes the run, whose worker waits for nobody.
    pub(super) async fn wake(&self, run: &str) -> Record {
        let newest = self.newest(run).await;
        self.engine.advance(newest, false, Deadline::after(std::time::Duration::ZERO), soon()).await.unwrap();
        self.newest(run).await
    }
}

/// What Databricks says of every job run.
pub(super) async fn runs_are(server: &MockServer, status: Value) {
    let body = json!({"run_id": 1, "job_id": 7, "run_page_url": "https://host/run/1", "status": status});
    Mock::given(method("GET"))
        .and(path("/api/2.2/jobs/runs/get"))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

pub(super) async fn takes(server: &MockServer, at: &str, body: Value) {
    let answer = ResponseTemplate::new(200).set_body_json(body);
    Mock::given(method("POST")).and(path(at)).respond_with(answer).mount(server).await;
}

pub(super) fn canceled() -> Value {
    json!({"state": "TERMINATED", "termination_details": {"code": "USER_CANCELED", "type": "SUCCESS"}})
}

async fn asked(server: &MockServer, at: &str) -> Vec<Request> {
    let requests = server.received_requests().await.unwrap();
    requests.into_iter().filter(|request| request.url.path() == at).collect()
}

const RUN_NOW: &str = "/api/2.2/jobs/run-now";
const CANCEL: &str = "/api/2.2/jobs/runs/cancel";

#[tokio::test]
async fn a_run_that_has_not_begun_ends_without_an_effect() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("jobs", JOBS)], &server.uri());
    bench.create("jobs", "a").await;
    bench.cancel("a").await;
    bench.cancel("a").await;
    bench.work("a", 0, false).await;
    let ended = bench.newest("a").await;
    assert_eq!((ended.state, ended.transition), (RunState::Cancelled, Transition::Answered));
    let error = ended.error.unwrap();
    assert_eq!((error.code, error.step.as_deref()), (Code::RunCanceled, Some("go")));
    assert!(ended.steps.iter().all(|step| step.state == StepState::Pending), "{:?}", ended.steps);
    assert!(server.received_requests().await.unwrap().is_empty());
    let history = bench.engine.ledger.list("history", soon()).await.unwrap();
    assert!(history[0].path.ends_with("-a-cancelled"), "{history:?}");
    assert_eq!(bench.outbox.count("replies"), 1);
}

#[tokio::test]
async fn what_is_under_way_is_stopped_and_its_end_awaited() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("jobs", JOBS)], &server.uri());
    takes(&server, RUN_NOW, json!({"run_id": 1})).await;
    takes(&server, CANCEL, json!({})).await;
    let running = json!({"state": "RUNNING"});
    runs_are(&server, running.clone()).await;
    bench.create("jobs", "a").await;
    let waiting = bench.wake("a").await;
    assert_eq!((waiting.state, waiting.steps[0].state), (RunState::Waiting, StepState::Submitted));
    assert_eq!(waiting.steps[0].upstream_url.as_deref(), Some("https://host/run/1"));
    bench.cancel("a").await;
    let stopping = bench.wake("a").await;
    assert_eq!((stopping.state, stopping.steps[0].state), (RunState::Waiting, StepState::Submitted));
    assert!(stopping.steps[0].stop_asked_at.is_some() && stopping.cancel.is_some());
    bench.wake("a").await;
    assert_eq!(asked(&server, CANCEL).await.len(), 1, "it is asked once");
    server.reset().await;
    runs_are(&server, canceled()).await;
    let ended = bench.wake("a").await;
    assert_eq!(ended.state, RunState::Cancelled);
    assert_eq!(ended.steps[0].state, StepState::Failed);
    assert_eq!(ended.steps[0].error.as_ref().map(|error| error.code), Some(Code::JobCanceled));
    assert_eq!(ended.steps[1].state, StepState::Pending);
    assert!(asked(&server, RUN_NOW).await.is_empty(), "nothing else is begun");
}

#[tokio::test]
async fn what_ends_well_all_the_same_is_no_reason_to_begin_the_next() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("jobs", JOBS)], &server.uri());
    takes(&server, RUN_NOW, json!({"run_id": 1})).await;
    takes(&server, CANCEL, json!({})).await;
    runs_are(&server, json!({"state": "RUNNING"})).await;
    bench.create("jobs", "a").await;
    bench.wake("a").await;
    bench.cancel("a").await;
    bench.wake("a").await;
    server.reset().await;
    let done = json!({"state": "TERMINATED", "termination_details": {"code": "SUCCESS", "type": "SUCCESS"}});
    runs_are(&server, done).await;
    let ended = bench.wake("a").await;
    assert_eq!((ended.state, ended.steps[0].state), (RunState::Cancelled, StepState::Succeeded), "{ended:?}");
    assert_eq!(ended.error.unwrap().step.as_deref(), Some("then"));
}

/// A step that a dead worker had started, with its window long closed.
async fn started(bench: &Bench, operation: &str, inputs: Value) {
    let mut record = bench.create(operation, "a").await.next(Transition::Started, Timestamp::now());
    record.send_before = Some(Timestamp::now() - SignedDuration::from_mins(5));
    record.steps[0].state = StepState::Started;
    record.steps[0].effect = true;
    record.steps[0].started_at = Some(Timestamp::now());
    record.steps[0].rendered_inputs = Some(inputs);
    bench.append(record).await;
}

#[tokio::test]
async fn a_job_that_was_perhaps_started_is_found_by_its_token_and_stopped() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("jobs", JOBS)], &server.uri());
    takes(&server, RUN_NOW, json!({"run_id": 1})).await;
    takes(&server, CANCEL, json!({})).await;
    runs_are(&server, canceled()).await;
    started(&bench, "jobs", json!({"job": "7", "parameters": {}, "only": []})).await;
    bench.cancel("a").await;
    let ended = bench.wake("a").await;
    assert_eq!((ended.state, ended.steps[0].state), (RunState::Cancelled, StepState::Failed));
    let key = crate::runs::identity::hash(&["a", "go", "1"]);
    let token: Value = serde_json::from_slice(&asked(&server, RUN_NOW).await[0].body).unwrap();
    assert_eq!(token["idempotency_token"], key);
    assert_eq!(asked(&server, CANCEL).await.len(), 1);
}

#[tokio::test]
async fn a_write_that_was_perhaps_sent_and_is_not_found_stays_in_doubt() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("write", WRITE)], &server.uri());
    let nothing = ResponseTemplate::new(200).set_body_json(json!({"res": []}));
    Mock::given(method("GET")).and(path("/api/2.0/sql/history/queries")).respond_with(nothing).mount(&server).await;
    let inputs = json!({"statement": "INSERT INTO t VALUES (1)", "parameters": [], "warehouseId": "w", "read": false,
        "idempotent": true, "expectOneRow": false});
    started(&bench, "write", inputs).await;
    bench.cancel("a").await;
    let mut ended = bench.wake("a").await;
    while ended.state == RunState::Waiting {
        ended = bench.wake("a").await;
    }
    assert_eq!((ended.state, ended.steps[0].state), (RunState::Cancelled, StepState::Unknown));
    assert!(ended.error.unwrap().detail.contains("not known"));
    assert!(asked(&server, "/api/2.0/sql/statements").await.is_empty(), "nothing is sent in order to be cancelled");
}

#[tokio::test]
async fn a_run_at_rest_stays_as_it_is() {
    let bench = Bench::new(&[("quick", super::QUICK)]);
    bench.create("quick", "a").await;
    bench.work("a", 0, false).await;
    let rest = bench.newest("a").await;
    bench.cancel("a").await;
    let flow = bench.engine.advance(rest.clone(), false, soon(), soon()).await.unwrap();
    assert!(matches!(flow, Advance::AtRest(_)));
    assert_eq!(bench.newest("a").await.seq, rest.seq);
}
