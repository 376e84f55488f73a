//! Retry and resolve: what failed is done anew under a key of its own, what is in doubt is not, what is done stays done.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::cancelling::{JOBS, canceled, runs_are, takes};
use super::{Bench, QUICK, soon};
use crate::failure::Code;
use crate::operations::{Definition, Entry};
use crate::runs::notes::Said;
use crate::runs::record::{Happened, Record, RunState, StepState, Transition};

const FAILING: &str = "summary: s\nsteps: [{id: first, assert: {that: 1 < 2, message: never}}, \
    {id: second, assert: {that: 1 > 2, message: too few}}]\n\
    on_failure: [{id: tell, assert: {that: 1 < 2, message: never}}]\n";
const WRITE: &str = "summary: s\nsteps: [{id: put, sql: {statement: INSERT INTO t VALUES (1)}}]\n";

impl Bench {
    pub(super) async fn retry(&self, run: &str, current: bool) -> Result<Record, crate::failure::Failure> {
        let after = self.engine.retryable(run, current, soon()).await?;
        let (record, _) = self.engine.reopen(run, after, current, false, soon()).await?;
        Ok(record)
    }

    /// Another text for an operation, as after a deployment.
    pub(super) fn declare(&mut self, name: &str, yaml: &str) {
        let definition = Definition { name: name.to_owned(), yaml: yaml.to_owned(), files: BTreeMap::new() };
        let operation = definition.parse(&BTreeMap::new()).map(Arc::new);
        let mut entries = self.engine.catalog.entries.clone();
        entries.insert(name.to_owned(), Entry { definition, operation });
        self.engine.catalog = Arc::new(crate::operations::Catalog { entries });
    }

    pub(super) async fn names(&self, prefix: &str) -> Vec<String> {
        let listed = self.engine.ledger.list(prefix, soon()).await.unwrap();
        let mut names: Vec<String> = listed.into_iter().map(|listed| listed.path).collect();
        names.sort();
        names
    }
}

fn states(record: &Record) -> Vec<(StepState, u32)> {
    record.steps.iter().map(|step| (step.state, step.attempt)).collect()
}

#[tokio::test]
async fn a_retry_does_anew_what_failed_and_tells_its_end_again() {
    let bench = Bench::new(&[("failing", FAILING)]);
    bench.create("failing", "a").await;
    bench.work("a", 0, false).await;
    let failed = bench.newest("a").await;
    let retried = bench.retry("a", false).await.unwrap();
    assert_eq!(
        (retried.transition, retried.state, retried.opened),
        (Transition::Retried, RunState::Running, retried.seq)
    );
    let pending = (StepState::Pending, 2);
    assert_eq!(states(&retried), [(StepState::Succeeded, 1), pending, pending]);
    assert_eq!(bench.names("open").await, [format!("open/a/{}", retried.seq)]);
    assert_eq!(bench.outbox.work().last(), Some(&(retried.seq, None)));
    // Sent again, the same call opens nothing twice.
    let again = bench.engine.reopen("a", failed.seq, false, false, soon()).await.unwrap();
    assert_eq!((again.0.seq, again.1), (retried.seq, false));
    bench.work("a", retried.seq, false).await;
    let ended = bench.newest("a").await;
    assert_eq!((ended.state, ended.retries), (RunState::Failed, 1));
    assert_eq!(bench.outbox.count("replies"), 2);
    assert!(bench.names("open").await.is_empty());
    let again = bench.engine.reopen("a", failed.seq, false, false, soon()).await.unwrap();
    assert_eq!(again.0.seq, ended.seq, "nor after its end");
}

#[tokio::test]
async fn a_retry_that_got_no_further_than_its_marker_leaves_nothing_open() {
    let bench = Bench::new(&[("failing", FAILING)]);
    bench.create("failing", "a").await;
    bench.work("a", 0, false).await;
    let seq = bench.newest("a").await.seq;
    let marker = bytes::Bytes::from_static(b"{\"writer\": \"a dead one\"}");
    bench.engine.ledger.put(&format!("open/a/{}", seq + 1), marker, soon()).await.unwrap();
    bench.engine.nudge(Timestamp::now(), soon()).await.unwrap();
    assert_eq!(bench.names("open").await.len(), 1, "its caller may come again");
    bench.engine.nudge(Timestamp::now() + jiff::SignedDuration::from_hours(25), soon()).await.unwrap();
    assert!(bench.names("open").await.is_empty());
}

#[tokio::test]
async fn a_run_is_closed_before_it_is_opened_again() {
    let bench = Bench::new(&[("failing", FAILING)]);
    bench.create("failing", "a").await;
    bench.work("a", 0, false).await;
    // Its worker died when the end was told, and nothing else of it was done.
    let name = bench.names("history").await.remove(0);
    bench.engine.ledger.delete(&name, soon()).await.unwrap();
    let marker = || bytes::Bytes::from_static(b"{\"writer\": \"a dead one\"}");
    bench.engine.ledger.put("open/a/0", marker(), soon()).await.unwrap();
    let retried = bench.retry("a", false).await.unwrap();
    assert_eq!(bench.names("history").await, [name]);
    let open = [format!("open/a/{}", retried.seq)];
    assert_eq!(bench.names("open").await, open);
    // The message that had asked for it comes once more, and leaves a marker.
    bench.engine.ledger.put("open/a/0", marker(), soon()).await.unwrap();
    bench.engine.nudge(Timestamp::now(), soon()).await.unwrap();
    assert_eq!(bench.names("open").await, open);
}

#[tokio::test]
async fn runs_that_go_or_went_well_are_not_retried() {
    let bench = Bench::new(&[("quick", QUICK)]);
    bench.create("quick", "a").await;
    assert_eq!(bench.retry("a", false).await.unwrap_err().code, Code::RunActive);
    bench.work("a", 0, false).await;
    assert_eq!(bench.retry("a", false).await.unwrap_err().code, Code::RunNotRetryable);
    assert_eq!(bench.retry("b", false).await.unwrap_err().code, Code::RunNotFound);
}

#[tokio::test]
async fn a_run_that_was_cancelled_goes_on_where_it_stopped() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("jobs", JOBS)], &server.uri());
    takes(&server, "/api/2.2/jobs/run-now", json!({"run_id": 1})).await;
    takes(&server, "/api/2.2/jobs/runs/cancel", json!({})).await;
    runs_are(&server, canceled()).await;
    bench.create("jobs", "a").await;
    bench.cancel("a").await;
    bench.wake("a").await;
    let retried = bench.retry("a", false).await.unwrap();
    assert_eq!(states(&retried)[0], (StepState::Pending, 1), "it had not begun");
    server.reset().await;
    takes(&server, "/api/2.2/jobs/run-now", json!({"run_id": 1})).await;
    let done = json!({"state": "TERMINATED", "termination_details": {"code": "SUCCESS", "type": "SUCCESS"}});
    runs_are(&server, done).await;
    let ended = bench.wake("a").await;
    assert_eq!(ended.state, RunState::Succeeded, "the note was about the run as it was opened before: {ended:?}");
    let history = bench.names("history").await;
    assert_eq!(history.len(), 2, "{history:?}");
}

/// A run that failed since nobody knows whether its write happened.
async fn in_doubt(bench: &Bench) -> Record {
    let mut record = bench.create("write", "a").await.next(Transition::Started, Timestamp::now());
    record.send_before = Some(Timestamp::now());
    record.steps[0].state = StepState::Started;
    let mut unknown = bench.append(record).await.next(Transition::StepEnded, Timestamp::now());
    unknown.steps[0].state = StepState::Unknown;
    unknown.error = Some(crate::failure::Failure::new(Code::OutcomeUnknown, "nobody knows"));
    unknown.steps[0].error.clone_from(&unknown.error);
    let mut ended = bench.append(unknown).await.next(Transition::Ended, Timestamp::now());
    (ended.state, ended.ended_at) = (RunState::Failed, Some(ended.at));
    bench.append(ended).await
}

pub(super) fn said(outcome: Happened) -> Said {
    Said { outcome, output: json!({"rowCount": 1}), by: "test".into() }
}

#[tokio::test]
async fn a_step_in_doubt_is_retried_only_after_somebody_has_looked() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("write", WRITE)], &server.uri());
    in_doubt(&bench).await;
    let refused = bench.retry("a", false).await.unwrap_err();
    assert_eq!((refused.code, refused.step.as_deref()), (Code::StepUnresolved, Some("put")));
    assert!(refused.detail.contains("/api/runs/a/resolve"));
    let wrong = bench.engine.resolve("a", "other", &said(Happened::Happened), soon()).await.unwrap_err();
    assert_eq!(wrong.code, Code::BodyInvalid);

    let resolved = bench.engine.resolve("a", "put", &said(Happened::DidNotHappen), soon()).await.unwrap();
    assert_eq!((resolved.transition, resolved.state), (Transition::Resolved, RunState::Failed));
    let again = bench.engine.resolve("a", "put", &said(Happened::DidNotHappen), soon()).await.unwrap();
    assert_eq!(again.seq, resolved.seq);
    let answer = json!({"statement_id": "s-2", "status": {"state": "SUCCEEDED"}});
    let sends = ResponseTemplate::new(200).set_body_json(answer.clone());
    Mock::given(method("POST")).and(path("/api/2.0/sql/statements")).respond_with(sends).expect(1).mount(&server).await;
    let looks = ResponseTemplate::new(200).set_body_json(answer);
    Mock::given(method("GET")).respond_with(looks).mount(&server).await;
    let retried = bench.retry("a", false).await.unwrap();
    assert_eq!(states(&retried), [(StepState::Pending, 2)]);
    let ended = bench.wake("a").await;
    assert_eq!(ended.state, RunState::Succeeded, "{ended:?}");
    let sent = server.received_requests().await.unwrap();
    let body = String::from_utf8(sent[0].body.clone()).unwrap();
    assert!(body.contains(&crate::runs::identity::hash(&["a", "put", "2"])), "a key of its own: {body}");
}

#[tokio::test]
async fn a_step_that_happened_is_done_and_the_run_goes_on_behind_it() {
    let bench = Bench::new(&[("write", WRITE)]);
    in_doubt(&bench).await;
    let resolved = bench.engine.resolve("a", "put", &said(Happened::Happened), soon()).await.unwrap();
    assert_eq!((resolved.state, resolved.steps[0].state), (RunState::Failed, StepState::Succeeded));
    bench.work("a", resolved.seq, false).await;
    assert_eq!(bench.newest("a").await.seq, resolved.seq, "its end was told");
    bench.retry("a", false).await.unwrap();
    let ended = bench.wake("a").await;
    assert_eq!(ended.state, RunState::Succeeded);
    let kept = bench.engine.output("a", "outputs/a/put-1", soon()).await.unwrap();
    assert_eq!(kept, json!({"rowCount": 1}));
}

#[tokio::test]
async fn what_a_late_worker_left_is_looked_at_by_a_retry() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("write", WRITE)], &server.uri());
    in_doubt(&bench).await;
    let note = json!({"writer": "w", "upstreamId": "s-9"}).to_string();
    let path = format!("notes/a/late-{}", crate::runs::identity::hash(&["a", "put", "1"]));
    bench.engine.ledger.put(&path, note.into(), soon()).await.unwrap();
    let retried = bench.retry("a", false).await.unwrap();
    assert_eq!(states(&retried), [(StepState::Submitted, 1)]);
    assert_eq!(retried.steps[0].upstream_id.as_deref(), Some("s-9"));
}

#[tokio::test]
async fn a_mended_definition_is_taken_when_it_fits_what_is_done() {
    let mut bench = Bench::new(&[("failing", FAILING)]);
    bench.create("failing", "a").await;
    bench.work("a", 0, false).await;
    bench.declare(
        "failing",
        &FAILING.replace("id: first, assert: {that: 1 < 2, message: never}", "id: first, job: {job: 7}"),
    );
    let refused = bench.retry("a", true).await.unwrap_err();
    assert_eq!((refused.code, refused.step.as_deref()), (Code::DefinitionChanged, Some("first")));
    bench
        .declare("failing", &FAILING.replace("steps: [", "steps: [{id: new, assert: {that: 1 < 2, message: never}}, "));
    assert_eq!(bench.retry("a", true).await.unwrap_err().code, Code::DefinitionChanged);
    bench.declare("failing", &format!("parameters: {{day: {{type: date, required: true}}}}\n{FAILING}"));
    assert_eq!(bench.retry("a", true).await.unwrap_err().code, Code::DefinitionChanged);
    let mended = FAILING.replace("1 > 2", "1 < 2").replace("on_failure", "output: {is: mended}\non_failure");
    bench.declare("failing", &mended);
    let retried = bench.retry("a", true).await.unwrap();
    assert_eq!(retried.pinned_at, retried.seq);
    let ended = bench.wake("a").await;
    assert_eq!((ended.state, ended.output), (RunState::Succeeded, Some(json!({"is": "mended"}))));
    let first = bench.engine.pinned_of(&bench.newest("a").await, soon()).await.unwrap();
    assert!(first.definition.yaml.contains("mended"));
    let _: Value = serde_json::to_value(first).unwrap();
}
