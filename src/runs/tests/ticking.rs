//! The tick at moments that tests choose.

use bytes::Bytes;
use jiff::Timestamp;
use rstest::rstest;

use super::{Bench, at, soon};
use crate::runs::record::{RunState, Trigger};

const STEP: &str = "steps: [{id: check, assert: {that: 1 < 2, message: never}}]\n";

fn scheduled(rules: &str) -> String {
    format!("summary: s\nschedule: {{cron: '0 * * * *', time_zone: UTC{rules}}}\n{STEP}")
}

impl Bench {
    async fn tick(&self, now: &str) {
        self.engine.tick(at(now), soon()).await.unwrap();
    }

    /// Due times of the runs that exist, with their ids.
    async fn due(&self) -> Vec<(Timestamp, String)> {
        let mut due = Vec::new();
        for listed in self.engine.ledger.list("runs", soon()).await.unwrap() {
            let Some(run) = listed.path.strip_suffix("/00000000").and_then(|path| path.strip_prefix("runs/")) else {
                continue;
            };
            let pinned = self.pinned(run).await;
            let Trigger::Schedule { due: time, .. } = pinned.trigger else { continue };
            due.push((time, run.to_owned()));
        }
        due.sort();
        due
    }

    async fn times(&self) -> Vec<Timestamp> {
        self.due().await.into_iter().map(|(time, _)| time).collect()
    }

    async fn end(&self, run: &str) {
        let newest = self.newest(run).await;
        self.work(run, newest.seq, false).await;
        assert_eq!(self.newest(run).await.state, RunState::Succeeded);
    }
}

#[tokio::test]
async fn a_tick_20_ms_early_starts_what_is_due_and_the_next_one_does_not_start_it_again() {
    let bench = Bench::new(&[("hourly", &scheduled(""))]);
    bench.tick("2026-10-05T11:58:59.980Z").await;
    assert!(bench.times().await.is_empty(), "the very first tick has missed nothing");
    bench.tick("2026-10-05T11:59:59.980Z").await;
    assert_eq!(bench.times().await, [at("2026-10-05T12:00:00Z")]);
    bench.tick("2026-10-05T12:00:00.020Z").await;
    bench.tick("2026-10-05T12:00:59.980Z").await;
    assert_eq!(bench.times().await, [at("2026-10-05T12:00:00Z")]);
}

#[rstest]
#[case("last", &["2026-10-05T14:00:00Z"])]
#[case("all", &["2026-10-05T12:00:00Z", "2026-10-05T13:00:00Z", "2026-10-05T14:00:00Z"])]
#[case("none", &[])]
#[tokio::test]
async fn three_missed_ticks_start_what_the_schedule_says(#[case] missed: &str, #[case] expected: &[&str]) {
    let bench = Bench::new(&[("hourly", &scheduled(&format!(", missed: {missed}, overlap: queue")))]);
    bench.tick("2026-10-05T11:30:00Z").await;
    bench.tick("2026-10-05T14:30:00Z").await;
    let expected: Vec<Timestamp> = expected.iter().map(|time| at(time)).collect();
    assert_eq!(bench.times().await, expected);
    // What comes on time is started by every rule.
    bench.tick("2026-10-05T15:00:00Z").await;
    assert_eq!(bench.times().await.last(), Some(&at("2026-10-05T15:00:00Z")));
}

#[tokio::test]
async fn overlap_skip_starts_nothing_while_the_run_before_goes() {
    let bench = Bench::new(&[("hourly", &scheduled(", overlap: skip"))]);
    bench.tick("2026-10-05T11:59:00Z").await;
    bench.tick("2026-10-05T12:00:00Z").await;
    bench.tick("2026-10-05T13:00:00Z").await;
    assert_eq!(bench.times().await, [at("2026-10-05T12:00:00Z")]);
    bench.end(&bench.due().await[0].1).await;
    bench.tick("2026-10-05T14:00:00Z").await;
    assert_eq!(bench.times().await, [at("2026-10-05T12:00:00Z"), at("2026-10-05T14:00:00Z")]);
}

#[tokio::test]
async fn overlap_queue_begins_a_run_when_the_one_in_front_has_ended() {
    let bench = Bench::new(&[("hourly", &scheduled(", overlap: queue"))]);
    bench.tick("2026-10-05T11:59:00Z").await;
    bench.tick("2026-10-05T12:00:00Z").await;
    bench.tick("2026-10-05T13:00:00Z").await;
    let due = bench.due().await;
    let (first, second) = (&due[0].1, &due[1].1);
    bench.work(second, 0, false).await;
    let waiting = bench.newest(second).await;
    assert_eq!(waiting.state, RunState::Waiting);
    let woken = bench.outbox.work().into_iter().any(|message| message == (waiting.seq, waiting.wake_at));
    assert!(woken, "a message will look again");
    bench.end(first).await;
    bench.end(second).await;
}

#[tokio::test]
async fn what_could_not_be_started_is_started_by_the_next_tick() {
    let bench = Bench::new(&[("hourly", &scheduled(""))]);
    bench.tick("2026-10-05T11:59:00Z").await;
    bench.outbox.refusals.store(1, std::sync::atomic::Ordering::SeqCst);
    assert!(bench.engine.tick(at("2026-10-05T12:00:00Z"), soon()).await.is_err());
    assert!(bench.outbox.work().is_empty());
    bench.tick("2026-10-05T12:01:00Z").await;
    assert_eq!(bench.times().await, [at("2026-10-05T12:00:00Z")]);
    assert_eq!(bench.outbox.work().len(), 1);
}

#[tokio::test]
async fn what_the_very_first_tick_could_not_start_is_started_by_the_next() {
    let bench = Bench::new(&[("hourly", &scheduled(""))]);
    bench.outbox.refusals.store(1, std::sync::atomic::Ordering::SeqCst);
    assert!(bench.engine.tick(at("2026-10-05T12:00:00Z"), soon()).await.is_err());
    bench.tick("2026-10-05T12:03:00Z").await;
    assert_eq!(bench.times().await, [at("2026-10-05T12:00:00Z")]);
    assert_eq!(bench.outbox.work().len(), 1);
}

#[tokio::test]
async fn two_ticks_at_once_start_one_run() {
    let bench = Bench::new(&[("hourly", &scheduled(""))]);
    bench.tick("2026-10-05T11:59:00Z").await;
    tokio::join!(bench.tick("2026-10-05T12:00:00Z"), bench.tick("2026-10-05T12:00:00.100Z"));
    assert_eq!(bench.times().await.len(), 1);
}

#[tokio::test]
async fn a_schedule_whose_parameters_are_wrong_disables_its_operation_only() {
    let wrong = format!(
        "summary: s\nschedule: {{cron: '0 * * * *', time_zone: UTC, parameters: {{day: '{{{{ run.dueTime }}}}x'}}}}\n\
         parameters: {{day: {{type: date}}}}\n{STEP}"
    );
    let bench = Bench::new(&[("a-wrong", &wrong), ("b-broken", "summary: ["), ("c-good", &scheduled(""))]);
    bench.tick("2026-10-05T11:59:00Z").await;
    bench.tick("2026-10-05T12:00:00Z").await;
    let due = bench.due().await;
    assert_eq!(due.len(), 1);
    assert_eq!(bench.newest(&due[0].1).await.operation, "c-good");
}

#[rstest]
#[case("skip")]
#[case("queue")]
#[tokio::test]
async fn a_run_that_cannot_be_read_keeps_no_schedule_from_starting(#[case] overlap: &str) {
    let bench = Bench::new(&[("a", &scheduled(&format!(", overlap: {overlap}"))), ("b", &scheduled(""))]);
    bench.tick("2026-10-05T11:59:00Z").await;
    bench.tick("2026-10-05T12:00:00Z").await;
    let mut last = bench.due().await;
    last.retain(|(_, run)| run == &crate::runs::identity::run_id(&["schedule", "a", "2026-10-05T12:00:00Z"]));
    let later = Bytes::from_static(b"{\"v\": 99, \"writer\": \"a later version\"}");
    bench.engine.ledger.put(&format!("runs/{}/00000001", last[0].1), later, soon()).await.unwrap();
    bench.tick("2026-10-05T13:00:00Z").await;
    let (first, second) = (at("2026-10-05T12:00:00Z"), at("2026-10-05T13:00:00Z"));
    // The run of b that still goes is overlapped by none.
    assert_eq!(bench.times().await, [first, first, second]);
}

#[tokio::test]
async fn a_schedule_that_cannot_start_keeps_no_other_from_starting() {
    let bench = Bench::new(&[("a", &scheduled("")), ("b", &scheduled(""))]);
    bench.tick("2026-10-05T11:59:00Z").await;
    bench.outbox.refusals.store(1, std::sync::atomic::Ordering::SeqCst);
    assert!(bench.engine.tick(at("2026-10-05T12:00:00Z"), soon()).await.is_err());
    assert_eq!(bench.outbox.work().len(), 1, "b was begun");
    bench.tick("2026-10-05T12:01:00Z").await;
    assert_eq!(bench.times().await.len(), 2);
}
