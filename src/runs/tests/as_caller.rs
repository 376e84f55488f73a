//! Runs that act as their caller: nobody but the caller's own call moves one, and it never sleeps.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Anybody, Bench, soon, work};
use crate::failure::Code;
use crate::http::Deadline;
use crate::runs::create::NewRun;
use crate::runs::record::{RunState, StepState, Transition, Trigger};
use crate::runs::{Begun, RunEnd, Runs};

const READS: &str = "summary: s\nrun_as: caller\nsteps: [{id: read, sql: {statement: SELECT 1}}]\noutput: {rows: '{{ steps.read.rowCount }}'}\n";

impl Bench {
    /// The engine's ways in, with the caller's token in hand.
    fn acting_for(&self, caller: &str) -> Runs {
        let neighbours = self.engine.neighbours.acting_for(caller, Arc::new(Anybody), Arc::new(Anybody));
        Runs::new(self.engine.clone()).with_neighbours(neighbours)
    }

    async fn called_by(&self, caller: &str, runs: &Runs) -> Result<Begun, crate::failure::Failure> {
        let entry = self.engine.catalog.get("mine").unwrap();
        runs.begin(entry, "r", Map::new(), caller, true, soon()).await
    }
}

/// A workspace whose one statement stays in this state.
async fn databricks(state: &str) -> MockServer {
    let server = MockServer::start().await;
    let rows = json!({"statement_id": "s1", "status": {"state": state},
        "manifest": {"format": "JSON_ARRAY", "schema": {"columns": [{"name": "1", "type_name": "INT", "type_text": "INT", "position": 0}]},
            "total_row_count": 1, "truncated": false, "chunks": [{"chunk_index": 0, "row_offset": 0, "row_count": 1}]},
        "result": {"chunk_index": 0, "row_offset": 0, "row_count": 1, "data_array": [["1"]]}});
    let going = json!({"statement_id": "s1", "status": {"state": state}});
    let body = if state == "SUCCEEDED" { rows } else { going };
    for verb in ["POST", "GET"] {
        Mock::given(method(verb)).respond_with(ResponseTemplate::new(200).set_body_json(&body)).mount(&server).await;
    }
    server
}

#[tokio::test]
async fn the_callers_own_call_takes_it_to_its_end() {
    let server = databricks("SUCCEEDED").await;
    let bench = Bench::beside(&[("mine", READS)], &server.uri());
    let runs = bench.acting_for("user");
    let begun = bench.called_by("user", &runs).await.unwrap();
    let outcome = runs.carry_on(begun, soon(), soon()).await.unwrap();
    assert!(matches!(outcome.state, RunEnd::Succeeded { output } if output == json!({"rows": 1})));
    assert_eq!(bench.outbox.count("work"), 0, "nobody else is asked to move it");
    let view = runs.view("r", soon()).await.unwrap();
    assert_eq!((&view["runAs"], &view["caller"]), (&json!("caller"), &json!("user")));
}

#[tokio::test]
async fn without_the_callers_token_it_does_not_begin() {
    let bench = Bench::new(&[("mine", READS)]);
    let failure = bench.called_by("keys", &Runs::new(bench.engine.clone())).await.unwrap_err();
    assert_eq!(failure.code, Code::CallerIdentityMissing);
    let failure = bench.called_by("user", &bench.acting_for("another")).await.unwrap_err();
    assert_eq!(failure.code, Code::CallerIdentityMissing);
    assert!(bench.engine.newest("r", soon()).await.unwrap().is_none(), "nothing is left behind");
}

#[tokio::test]
async fn what_does_not_end_within_the_wait_is_stopped_and_never_sleeps() {
    let server = databricks("RUNNING").await;
    let bench = Bench::beside(&[("mine", READS)], &server.uri());
    let runs = bench.acting_for("user");
    let begun = bench.called_by("user", &runs).await.unwrap();
    let patience = Deadline::after(Duration::from_millis(300));
    let outcome = runs.carry_on(begun, patience, Deadline::after(Duration::from_secs(3))).await.unwrap();
    let RunEnd::Failed { failure } = outcome.state else { panic!("{:?}", outcome.state) };
    assert_eq!(failure.code, Code::TooLongForCallerIdentity);
    let asked = server.received_requests().await.unwrap();
    assert!(asked.iter().any(|request| request.url.path().ends_with("/s1/cancel")), "it was asked to stop");
    assert!(!bench.transitions("r").await.contains(&Transition::Waiting));
    assert_eq!(bench.outbox.count("work"), 0);
}

#[tokio::test]
async fn a_worker_that_finds_one_without_its_caller_ends_it_and_sends_nothing() {
    let server = databricks("SUCCEEDED").await;
    let bench = Bench::beside(&[("mine", READS)], &server.uri());
    let runs = bench.acting_for("user");
    let new = NewRun { run: "r".into(), parameters: Map::new(), caller: "user".into(), trigger: Trigger::Http };
    let entry = bench.engine.catalog.get("mine").unwrap();
    let acting = bench.engine.neighbours.acting_for("user", Arc::new(Anybody), Arc::new(Anybody));
    let engine = crate::runs::Engine { neighbours: acting, ..bench.engine.clone() };
    // Its call has died: the lease is over, a statement is perhaps under way.
    let (first, _) = engine.create(entry, &new, false, soon()).await.unwrap();
    let mut leased = first.on_the_log().next(Transition::Leased, jiff::Timestamp::now());
    leased.lease_until = Some(leased.at - jiff::SignedDuration::from_secs(5));
    let mut submitted = bench.append(leased).await.next(Transition::Waiting, jiff::Timestamp::now());
    submitted.wake_at = Some(submitted.at);
    submitted.steps[0].state = StepState::Submitted;
    submitted.steps[0].upstream_id = Some("s1".into());
    let seq = bench.append(submitted).await.seq;
    bench.engine.work(&work("r", seq), false, soon()).await.unwrap();
    let newest = bench.newest("r").await;
    assert_eq!((newest.state, newest.steps[0].state), (RunState::Failed, StepState::Unknown));
    assert!(server.received_requests().await.unwrap().is_empty(), "nothing was asked in our own name");
    drop(runs);
    let retried = bench.engine.retryable("r", false, soon()).await.unwrap_err();
    assert_eq!(retried.code, Code::RunNotRetryable);
}

#[tokio::test]
async fn a_message_for_it_is_parked_with_the_reason() {
    let bench = Bench::new(&[("mine", READS)]);
    let message = crate::runs::Received {
        body: json!({"operation": "mine"}).to_string().into(),
        message_id: Some("m".into()),
        ..crate::runs::Received::default()
    };
    bench.engine.accept(&message, "requests", soon()).await.unwrap();
    let sent = bench.outbox.sent.lock().unwrap();
    let (queue, parked) = sent.last().unwrap();
    assert_eq!(queue, "parking");
    let told: Value = serde_json::from_slice(&parked.body).unwrap_or_default();
    let properties = format!("{:?} {told}", parked.properties);
    assert!(properties.contains("caller-identity-missing"), "{properties}");
}
