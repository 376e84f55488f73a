//! Steps whose worker died, taken over from what it had on record and had kept.

use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::cancelling::{canceled, runs_are, takes};
use super::readying::{HTTP, JOB};
use super::{Bench, soon};
use crate::runs::record::{RunState, StepState, Transition};

#[tokio::test]
async fn a_job_is_on_record_by_its_id_and_sent_again_to_that_whatever_has_its_name() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("job", JOB)], &server.uri());
    let jobs = json!({"jobs": [{"job_id": 7, "settings": {"name": "night"}}]});
    let list = ResponseTemplate::new(200).set_body_json(jobs);
    Mock::given(method("GET")).and(path("/api/2.2/jobs/list")).respond_with(list).expect(1).mount(&server).await;
    takes(&server, "/api/2.2/jobs/run-now", json!({"run_id": 1})).await;
    runs_are(&server, canceled()).await;
    let created = bench.create("job", "a").await;
    bench.work("a", 0, false).await;
    let second = crate::ledger::entry_path("runs/a", created.seq + 2);
    let started: Value =
        serde_json::from_slice(&bench.engine.ledger.get(&second, soon()).await.unwrap().unwrap()).unwrap();
    assert_eq!(
        (&started["transition"], &started["steps"][0]["renderedInputs"]["job_id"]),
        (&json!("started"), &json!("7"))
    );
    server.verify().await;

    // The same, of a worker that died there; by now the name is another job's.
    server.reset().await;
    let sent = Mock::given(method("POST")).and(path("/api/2.2/jobs/run-now"));
    let sent = sent.and(body_partial_json(json!({"job_id": 7})));
    sent.respond_with(ResponseTemplate::new(200).set_body_json(json!({"run_id": 1}))).expect(1).mount(&server).await;
    let done = json!({"state": "TERMINATED", "termination_details": {"code": "SUCCESS", "type": "SUCCESS"}});
    runs_are(&server, done).await;
    let mut dead = bench.create("job", "b").await.next(Transition::Started, created.at);
    dead.steps[0].state = StepState::Started;
    dead.steps[0].effect = true;
    dead.steps[0].rendered_inputs = Some(started["steps"][0]["renderedInputs"].clone());
    dead.send_before = Some(created.at - jiff::SignedDuration::from_mins(5));
    bench.append(dead).await;
    let ended = bench.wake("b").await;
    assert_eq!(ended.state, RunState::Succeeded, "{ended:?}");
}

#[tokio::test]
async fn a_step_whose_output_is_kept_was_done_whoever_died_before_saying_so() {
    let bench = Bench::new(&[("http", HTTP)]);
    let mut dead = bench.create("http", "a").await;
    dead = dead.next(Transition::Started, dead.at);
    dead.steps[0].state = StepState::Started;
    dead.steps[0].effect = true;
    dead.steps[0].rendered_inputs =
        Some(json!({"url": {"secret": "hook"}, "method": "POST", "headers": {}, "idempotent": false, "expect": []}));
    dead.send_before = Some(dead.at - jiff::SignedDuration::from_mins(5));
    bench.append(dead).await;
    bench.engine.keep_output("a", "go", 1, json!({"status": 200}), soon()).await.unwrap();
    let ended = bench.wake("a").await;
    assert_eq!((ended.state, ended.steps[0].state), (RunState::Succeeded, StepState::Succeeded), "{ended:?}");
}
