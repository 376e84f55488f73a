//! Several workers on one run: one wins each record, and who has lost stops.

use std::sync::Arc;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::{Bench, QUICK, soon, work};
use crate::http::Deadline;
use crate::ledger::Ledger;
use crate::runs::Received;
use crate::runs::advance::Advance;
use crate::runs::record::{Record, RunState, StepState, Transition};

/// In one part, whose turn has come.
const PAUSE: &str = "summary: s\nsteps: [{id: pause, wait_for: {time: '2020-01-01T00:00:00Z'}}]\n";
const JOB: &str = "summary: s\nsteps: [{id: go, job: {job: 7}}]\n";

#[tokio::test]
async fn two_workers_on_one_run_advance_it_once() {
    let bench = Bench::new(&[("quick", QUICK)]);
    bench.create("quick", "a").await;
    let message = work("a", 0);
    let (one, two) =
        tokio::join!(bench.engine.work(&message, false, soon()), bench.engine.work(&message, false, soon()));
    one.unwrap();
    two.unwrap();
    let expected =
        [Transition::Created, Transition::Leased, Transition::StepEnded, Transition::Ended, Transition::Answered];
    assert_eq!(bench.transitions("a").await, expected);
    assert_eq!(bench.outbox.count("replies"), 1);
}

#[tokio::test]
async fn a_late_worker_finds_that_it_was_overtaken() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let created = bench.create("quick", "a").await;
    bench.work("a", 0, false).await;
    let before = bench.newest("a").await.seq;
    let late = bench.engine.advance(created, false, soon(), soon()).await.unwrap();
    assert!(matches!(late, Advance::Overtaken));
    assert_eq!(bench.newest("a").await.seq, before);
    assert_eq!(bench.outbox.count("replies"), 1);
}

#[tokio::test]
async fn a_message_tried_again_wakes_the_run_when_the_dead_workers_lease_ends() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let mut leased = bench.create("quick", "a").await.next(Transition::Leased, Timestamp::now());
    leased.lease_until = Some(Timestamp::now() + SignedDuration::from_mins(4));
    assert!(bench.engine.append(&leased, soon()).await.unwrap());
    bench.work("a", 0, false).await;
    assert_eq!(bench.outbox.work().len(), 1, "an overtaken message is dropped");
    bench.work("a", 0, true).await;
    assert_eq!(bench.outbox.work().last(), Some(&(1, leased.lease_until)));
    assert_eq!(bench.newest("a").await.seq, 1);
}

#[tokio::test]
async fn a_message_that_comes_before_its_record_looks_again_soon_and_not_when_the_lease_ends() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let mut leased = bench.create("quick", "a").await.next(Transition::Leased, Timestamp::now());
    leased.lease_until = Some(Timestamp::now() + SignedDuration::from_mins(4));
    assert!(bench.engine.append(&leased, soon()).await.unwrap());
    bench.work("a", 2, false).await;
    let (after, when) = *bench.outbox.work().last().unwrap();
    assert_eq!(after, 2);
    assert!(when.unwrap() < Timestamp::now() + SignedDuration::from_secs(10), "{when:?}");
    bench.work("a", 1, false).await;
    assert_eq!(bench.outbox.work().last(), Some(&(1, leased.lease_until)), "this one's record stands");
}

/// The last message that was sent, as the queue delivers it.
fn delivered(bench: &Bench) -> Received {
    let (_, last) = bench.outbox.sent.lock().unwrap().last().cloned().unwrap();
    let properties = last.properties.into_iter().map(|(name, value)| (name, value.into())).collect();
    Received { body: last.body, properties, ..Received::default() }
}

/// `running`, under a lease that ends so many seconds from now.
fn leased(before: &Record, seconds: i64) -> Record {
    let mut leased = before.next(Transition::Leased, Timestamp::now());
    leased.lease_until = Some(Timestamp::now() + SignedDuration::from_secs(seconds));
    leased
}

#[tokio::test]
async fn a_worker_that_lost_its_message_to_another_and_died_later_is_followed_at_its_leases_end() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let created = bench.create("quick", "a").await;
    let held = bench.append(leased(&created, 240)).await;
    // Its message comes to us too, and is completed by us.
    bench.work("a", 0, true).await;
    let copy = delivered(&bench);
    // It goes on, and dies; by our clock its lease has not ended yet when the copy comes, and the next time it has.
    let on = bench.append(leased(&held, 1)).await;
    bench.engine.work(&copy, false, soon()).await.unwrap();
    assert_eq!(bench.outbox.work().last(), Some(&(on.seq, on.lease_until)), "it is still watched over");
    let copy = delivered(&bench);
    bench.append(leased(&on, -1)).await;
    bench.engine.work(&copy, false, soon()).await.unwrap();
    assert_eq!(bench.newest("a").await.state, RunState::Succeeded, "{:?}", bench.transitions("a").await);
}

#[tokio::test]
async fn a_message_takes_a_run_that_nobody_has_however_far_it_has_come() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let created = bench.create("quick", "a").await;
    bench.append(leased(&created, -1)).await;
    bench.work("a", 0, false).await;
    assert_eq!(bench.newest("a").await.state, RunState::Succeeded, "{:?}", bench.transitions("a").await);
}

#[tokio::test]
async fn a_run_whose_worker_died_between_its_answer_and_its_closing_is_closed_by_the_redelivery() {
    let bench = Bench::new(&[("quick", QUICK)]);
    bench.create("quick", "a").await;
    bench.work("a", 0, false).await;
    let ended = bench.newest("a").await;
    assert!(ended.is_told());
    // As it was before the last two calls of the worker.
    let ledger = &bench.engine.ledger;
    for listed in ledger.list("history", soon()).await.unwrap() {
        ledger.delete(&listed.path, soon()).await.unwrap();
    }
    ledger.put("open/a/0", json!({"writer": "w"}).to_string().into(), soon()).await.unwrap();
    bench.work("a", 0, false).await;
    assert_eq!(ledger.list("open", soon()).await.unwrap().len(), 1, "a spare message is no reason to look");
    bench.work("a", 0, true).await;
    assert!(ledger.list("open", soon()).await.unwrap().is_empty());
    assert_eq!(ledger.list("history", soon()).await.unwrap().len(), 1);
    assert_eq!(bench.outbox.count("replies"), 1);
}

#[tokio::test]
async fn a_request_that_comes_again_after_its_run_was_closed_leaves_no_mark() {
    let bench = Bench::new(&[("quick", QUICK)]);
    bench.create("quick", "a").await;
    bench.work("a", 0, false).await;
    let messages = bench.outbox.work().len();
    let standing = bench.create("quick", "a").await;
    assert_eq!(standing.state, RunState::Succeeded);
    assert!(bench.engine.ledger.list("open", soon()).await.unwrap().is_empty());
    assert_eq!((bench.outbox.work().len(), bench.outbox.count("replies")), (messages, 1));
}

#[tokio::test]
async fn a_part_is_begun_also_in_an_invocation_that_is_shorter_than_the_window_to_send() {
    let bench = Bench::new(&[("pause", PAUSE)]);
    bench.create("pause", "a").await;
    let short = Deadline::after(bench.engine.settings.send_window / 2);
    bench.engine.work(&work("a", 0), false, short).await.unwrap();
    assert_eq!(bench.newest("a").await.state, RunState::Succeeded, "{:?}", bench.transitions("a").await);
}

/// Another worker writes while this one is waiting for its answer.
struct Meddling {
    ledger: Ledger,
    next: std::sync::Mutex<Option<Record>>,
}

impl Respond for Meddling {
    fn respond(&self, _request: &Request) -> ResponseTemplate {
        if let Some(record) = self.next.lock().unwrap().take() {
            let path = crate::ledger::entry_path("runs/a", record.seq);
            let bytes = serde_json::to_vec(&record).unwrap().into();
            self.ledger.put(&path, bytes, soon()).now_or_never().expect("memory answers at once").unwrap();
        }
        ResponseTemplate::new(200).set_body_json(json!({"run_id": 1}))
    }
}

#[tokio::test]
async fn who_loses_the_record_after_its_effect_stops() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("job", JOB)], &server.uri());
    let created = bench.create("job", "a").await;
    // The worker writes 1 (leased) and 2 (started); somebody else writes 3.
    let mut other = created.next(Transition::Nudged, Timestamp::now());
    other.seq = 3;
    let meddling = Meddling { ledger: bench.engine.ledger.clone(), next: std::sync::Mutex::new(Some(other)) };
    Mock::given(method("POST"))
        .and(path("/api/2.2/jobs/run-now"))
        .respond_with(meddling)
        .expect(1)
        .mount(&server)
        .await;
    bench.engine.work(&work("a", created.seq), false, soon()).await.unwrap();
    assert_eq!(bench.newest("a").await.seq, 3);
    // Who has overtaken us may have lost its message to us.
    let lease = bench.newest("a").await.lease_until;
    assert_eq!(bench.outbox.work().last().map(|(after, when)| (*after, when.is_some())), Some((3, lease.is_some())));
}

fn token(request: &Request) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    body["idempotency_token"].as_str().unwrap().to_owned()
}

/// A job step that a dead worker had started, with its window long closed.
async fn started(bench: &Bench) -> Record {
    let mut record = bench.create("job", "a").await.next(Transition::Started, Timestamp::now());
    record.send_before = Some(Timestamp::now() - SignedDuration::from_mins(5));
    record.steps[0].state = StepState::Started;
    record.steps[0].effect = true;
    record.steps[0].started_at = Some(Timestamp::now());
    record.steps[0].rendered_inputs = Some(json!({"job": "7", "parameters": {}, "only": []}));
    assert!(bench.engine.append(&record, soon()).await.unwrap());
    record
}

#[tokio::test]
async fn recovery_keeps_its_key_while_the_neighbour_is_away() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("job", JOB)], &server.uri());
    let record = started(&bench).await;
    let away = Mock::given(method("POST")).respond_with(ResponseTemplate::new(429).insert_header("retry-after", "30"));
    away.mount(&server).await;
    bench.work("a", record.seq, false).await;
    let waiting = bench.newest("a").await;
    assert_eq!((waiting.state, waiting.steps[0].state), (RunState::Waiting, StepState::Started));
    bench.work("a", waiting.seq, false).await;
    assert_eq!(bench.newest("a").await.steps[0].attempt, 1);
    let tokens: std::collections::BTreeSet<String> =
        server.received_requests().await.unwrap().iter().map(token).collect();
    assert_eq!(tokens.len(), 1);
}

#[tokio::test]
async fn what_is_refused_in_recovery_may_have_happened_before() {
    let server = MockServer::start().await;
    let bench = Bench::beside(&[("job", JOB)], &server.uri());
    let record = started(&bench).await;
    let body = json!({"error_code": "PERMISSION_DENIED", "message": "no"});
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(403).set_body_json(body)).mount(&server).await;
    bench.work("a", record.seq, false).await;
    assert_eq!(bench.newest("a").await.steps[0].state, StepState::Unknown);
}

#[tokio::test]
async fn a_step_whose_window_may_still_be_open_is_left_alone() {
    let bench = Bench::new(&[("job", JOB)]);
    let mut record = started(&bench).await.next(Transition::Started, Timestamp::now());
    record.send_before = Some(Timestamp::now() + SignedDuration::from_secs(30));
    assert!(bench.engine.append(&record, soon()).await.unwrap());
    bench.work("a", record.seq, false).await;
    assert_eq!(bench.newest("a").await.seq, record.seq);
    let until = record.send_before.map(|before| before + bench.engine.settings.send_margin);
    assert_eq!(bench.outbox.work().last(), Some(&(record.seq, until)));
}

#[tokio::test]
async fn nothing_is_sent_once_the_window_has_closed() {
    let server = MockServer::start().await;
    let mut bench = Bench::beside(&[("job", JOB)], &server.uri());
    bench.engine.settings.send_window = std::time::Duration::ZERO;
    bench.create("job", "a").await;
    bench.work("a", 0, false).await;
    let waiting = bench.newest("a").await;
    assert_eq!((waiting.state, waiting.steps[0].state), (RunState::Waiting, StepState::Pending));
    assert_eq!(waiting.steps[0].attempt, 1);
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_wake_up_that_cannot_be_sent_writes_nothing() {
    let bench = Arc::new(Bench::new(&[("job", JOB)]));
    let record = started(&bench).await;
    bench.outbox.refusals.store(100, std::sync::atomic::Ordering::SeqCst);
    let failed =
        bench.engine.work(&work("a", record.seq), false, Deadline::after(std::time::Duration::from_secs(6))).await;
    assert!(failed.is_err());
    assert_ne!(bench.newest("a").await.state, RunState::Waiting, "the message goes before the record");
}
