//! A step that follows another run, such as a refresh that waits for its dataset.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use wiremock::MockServer;

use super::{Bench, QUICK};
use crate::failure::Code;
use crate::runs::record::{RunState, StepState, Transition};

const MODEL: &str = "summary: s\nsteps: [{id: model, timeout: 1m, refresh: {workspace: sales, dataset: model}}]\n";

#[tokio::test]
async fn a_step_that_follows_for_too_long_ends_and_asks_no_neighbour_to_cancel_a_run() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("model", MODEL), ("quick", QUICK)], &server.uri());
    bench.create("quick", "followed").await;
    let mut follows = bench.create("model", "a").await.next(Transition::Waiting, Timestamp::now());
    follows.wake_at = Some(follows.at);
    let step = &mut follows.steps[0];
    (step.state, step.upstream_id) = (StepState::Submitted, Some("run:followed".into()));
    step.started_at = Some(Timestamp::now() - SignedDuration::from_mins(2));
    step.rendered_inputs = Some(json!({"workspace": "sales", "dataset": "model", "request": {}}));
    bench.append(follows).await;
    let ended = bench.wake("a").await;
    let error = ended.error.unwrap();
    assert_eq!((ended.state, error.code), (RunState::Failed, Code::StepTimeout));
    assert!(error.detail.contains("(run followed)"), "{}", error.detail);
    assert!(server.received_requests().await.unwrap().is_empty(), "Power BI knows no run of ours");
    assert_eq!(bench.newest("followed").await.state, RunState::Running, "it goes on");
}
