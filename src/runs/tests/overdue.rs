//! Steps that exceed their `timeout`: what is not known to have stopped is not begun anew.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wiremock::MockServer;

use super::cancelling::{canceled, runs_are, takes};
use super::{Bench, soon};
use crate::failure::Code;
use crate::runs::record::{Record, RunState, StepState, Transition};

pub(super) const ONCE: &str = "summary: s\nsteps: [{id: go, timeout: 1m, job: {job: 7}}]\n";
const CALLS: &str = "summary: s\nsteps: [{id: go, timeout: 1m, operation: {name: once}}]\n";
pub(super) const CANCEL: &str = "/api/2.2/jobs/runs/cancel";

impl Bench {
    /// A step that was submitted so long ago.
    pub(super) async fn submitted(&self, operation: &str, inputs: Value, ago: SignedDuration) -> Record {
        let mut record = self.create(operation, "a").await.next(Transition::Waiting, Timestamp::now());
        record.wake_at = Some(record.at);
        let step = &mut record.steps[0];
        (step.state, step.effect, step.upstream_id) = (StepState::Submitted, true, Some("1".into()));
        step.started_at = Some(Timestamp::now() - ago);
        step.rendered_inputs = Some(inputs);
        self.append(record).await
    }

    pub(super) async fn may_be_retried(&self) -> Result<(), Code> {
        self.engine.retryable("a", false, soon()).await.map(|_| ()).map_err(|failure| failure.code)
    }
}

pub(super) fn job() -> Value {
    json!({"job": "7", "parameters": {}, "only": []})
}

pub(super) fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

async fn cancels(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().iter().filter(|request| request.url.path() == CANCEL).count()
}

#[tokio::test]
async fn what_takes_too_long_is_asked_to_stop_once_and_its_end_awaited() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("once", ONCE)], &server.uri());
    takes(&server, CANCEL, json!({})).await;
    runs_are(&server, json!({"state": "RUNNING"})).await;
    bench.submitted("once", job(), minutes(2)).await;
    bench.wake("a").await;
    let waiting = bench.wake("a").await;
    assert_eq!((waiting.state, waiting.steps[0].state), (RunState::Waiting, StepState::Submitted));
    assert_eq!(cancels(&server).await, 1);
    server.reset().await;
    runs_are(&server, canceled()).await;
    let ended = bench.wake("a").await;
    let error = ended.error.clone().unwrap();
    assert_eq!(
        (ended.state, ended.steps[0].state, error.code),
        (RunState::Failed, StepState::Failed, Code::StepTimeout)
    );
    assert!(error.detail.contains("within 60s"), "{}", error.detail);
    assert_eq!(bench.may_be_retried().await, Ok(()));
}

#[tokio::test]
async fn what_ends_well_before_it_could_be_stopped_is_done() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("once", ONCE)], &server.uri());
    takes(&server, CANCEL, json!({})).await;
    runs_are(&server, json!({"state": "RUNNING"})).await;
    bench.submitted("once", job(), minutes(2)).await;
    bench.wake("a").await;
    server.reset().await;
    let done = json!({"state": "TERMINATED", "termination_details": {"code": "SUCCESS", "type": "SUCCESS"}});
    runs_are(&server, done).await;
    assert_eq!(bench.wake("a").await.state, RunState::Succeeded);
}

#[tokio::test]
async fn an_operation_that_takes_too_long_is_known_when_its_run_has_ended() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("calls", CALLS), ("once", ONCE)], &server.uri());
    takes(&server, "/api/2.2/jobs/run-now", json!({"run_id": 1})).await;
    takes(&server, CANCEL, json!({})).await;
    runs_are(&server, json!({"state": "RUNNING"})).await;
    bench.create("calls", "a").await;
    let mut waiting = bench.wake("a").await;
    let child = waiting.steps[0].upstream_id.clone().unwrap().replace("run:", "");
    bench.wake(&child).await;
    waiting = waiting.next(Transition::Waiting, Timestamp::now());
    waiting.wake_at = Some(waiting.at);
    waiting.steps[0].started_at = Some(Timestamp::now() - minutes(2));
    bench.append(waiting).await;
    let asked = bench.wake("a").await;
    assert_eq!((asked.state, asked.steps[0].state), (RunState::Waiting, StepState::Submitted), "it is waited for");
    bench.wake(&child).await;
    assert_eq!(cancels(&server).await, 1);
    server.reset().await;
    runs_are(&server, canceled()).await;
    bench.wake(&child).await;
    let ended = bench.wake("a").await;
    let error = ended.error.clone().unwrap();
    assert_eq!((ended.state, error.code), (RunState::Failed, Code::StepTimeout), "{ended:?}");
    assert!(error.detail.contains(&child), "{}", error.detail);
}
