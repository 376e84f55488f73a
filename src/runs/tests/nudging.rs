//! Runs that fell asleep for good are found, at moments that tests choose.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::{Bench, QUICK, soon};
use crate::runs::nudge::STALLED;
use crate::runs::record::{Record, RunState, Transition};

impl Bench {
    async fn nudge(&self, now: Timestamp) -> usize {
        self.engine.nudge(now, soon()).await.unwrap()
    }
}

fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

#[tokio::test]
async fn a_run_is_woken_three_minutes_after_it_fell_silent_and_not_before() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let created = bench.create("quick", "a").await;
    assert_eq!(bench.nudge(created.at + minutes(2)).await, 0);
    assert_eq!(bench.nudge(created.at + minutes(4)).await, 1);
    assert_eq!(bench.newest("a").await.transition, Transition::Nudged);
    assert_eq!(bench.outbox.work().last(), Some(&(1, None)));
    bench.work("a", 1, false).await;
    assert_eq!(bench.newest("a").await.state, RunState::Succeeded);
}

#[tokio::test]
async fn the_allowance_counts_from_the_wake_up_and_from_the_lease() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let mut record = bench.create("quick", "a").await.next(Transition::Leased, Timestamp::now());
    record.lease_until = Some(record.at + minutes(30));
    assert!(bench.engine.append(&record, soon()).await.unwrap());
    assert_eq!(bench.nudge(record.at + minutes(32)).await, 0);
    let mut record = record.next(Transition::Waiting, Timestamp::now());
    record.wake_at = Some(record.at + minutes(60));
    assert!(bench.engine.append(&record, soon()).await.unwrap());
    assert_eq!(bench.nudge(record.at + minutes(62)).await, 0);
    assert_eq!(bench.nudge(record.at + minutes(64)).await, 1);
}

#[tokio::test]
async fn the_allowance_doubles_and_ten_nudges_without_progress_are_a_stall() {
    let bench = Bench::new(&[("quick", QUICK)]);
    bench.create("quick", "a").await;
    for nudges in 0..STALLED {
        assert!(bench.engine.stalled(soon()).await.unwrap().is_empty());
        // Taking the lease and dying of the run is no progress.
        let mut leased = bench.newest("a").await.next(Transition::Leased, Timestamp::now());
        leased.lease_until = Some(leased.at - minutes(1));
        assert!(bench.engine.append(&leased, soon()).await.unwrap());
        let allowance = minutes(3 << nudges).min(minutes(60));
        assert_eq!(bench.nudge(leased.at + allowance - minutes(1)).await, 0, "nudge {nudges}");
        assert_eq!(bench.nudge(leased.at + allowance + minutes(1)).await, 1, "nudge {nudges}");
    }
    assert_eq!(bench.engine.stalled(soon()).await.unwrap(), ["a"]);
    bench.work("a", bench.newest("a").await.seq, false).await;
    assert!(bench.engine.stalled(soon()).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_run_that_cannot_be_read_keeps_no_other_asleep() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let record = Bytes::from_static(b"{\"v\": 99, \"writer\": \"a later version\"}");
    bench.engine.ledger.put("runs/newer/00000000", record, soon()).await.unwrap();
    let marker = Bytes::from_static(b"{\"writer\": \"a later version\"}");
    bench.engine.ledger.put("open/newer/0", marker, soon()).await.unwrap();
    let created = bench.create("quick", "older").await;
    assert_eq!(bench.nudge(created.at + minutes(4)).await, 1);
    assert_eq!(bench.newest("older").await.transition, Transition::Nudged);
    assert_eq!(bench.engine.stalled(soon()).await.unwrap(), ["newer"]);
}

#[tokio::test]
async fn an_end_that_was_not_told_is_told_and_given_up_after_a_day() {
    let bench = Bench::new(&[("quick", QUICK)]);
    bench.create("quick", "a").await;
    bench.outbox.refusals.store(2, std::sync::atomic::Ordering::SeqCst);
    // The queue refuses the reply for good: that is no reason to deliver the work message again.
    bench.work("a", 0, false).await;
    assert_eq!(bench.newest("a").await.transition, Transition::Ended);
    let later = Timestamp::now() + minutes(4);
    assert_eq!(bench.nudge(later).await, 0);
    assert_eq!(bench.outbox.count("replies"), 0);
    assert_eq!(bench.nudge(later).await, 1);
    assert_eq!(bench.outbox.count("replies"), 1);
    assert_eq!(bench.newest("a").await.transition, Transition::Answered);
    assert!(bench.engine.ledger.list("open", soon()).await.unwrap().is_empty());
    let history = bench.engine.ledger.list("history", soon()).await.unwrap();
    assert_eq!(history.len(), 1);
    let ended_at = bench.newest("a").await.ended_at.unwrap();
    assert!(history[0].path.contains(&ended_at.strftime("%Y%m%dT%H%M%SZ").to_string()));
}

/// A run whose worker has written its end and tells it now.
async fn just_ended(bench: &Bench) -> Record {
    let mut leased = bench.create("quick", "a").await.next(Transition::Leased, Timestamp::now());
    leased.lease_until = Some(leased.at + minutes(4));
    let leased = bench.append(leased).await;
    let mut ended = leased.next(Transition::Ended, Timestamp::now());
    (ended.state, ended.ended_at) = (RunState::Failed, Some(ended.at));
    bench.append(ended).await
}

#[tokio::test]
async fn an_end_that_is_being_told_is_told_by_nobody_else() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let ended = just_ended(&bench).await;
    // The tick comes by, and a spare message; neither knows of its worker.
    assert_eq!(bench.nudge(Timestamp::now()).await, 0);
    bench.work("a", 0, false).await;
    assert_eq!(bench.outbox.count("replies"), 0);
    bench.engine.close(ended, soon()).await.unwrap();
    assert_eq!(bench.outbox.count("replies"), 1);
    assert_eq!(bench.nudge(Timestamp::now()).await, 0);
    assert_eq!(bench.engine.ledger.list("history", soon()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_end_whose_worker_died_is_told_when_its_message_comes_again_or_by_the_tick() {
    for by_message in [true, false] {
        let bench = Bench::new(&[("quick", QUICK)]);
        let ended = just_ended(&bench).await;
        if by_message {
            bench.work("a", 0, true).await;
        } else {
            assert_eq!(bench.nudge(ended.at + minutes(4)).await, 1);
        }
        assert_eq!(bench.outbox.count("replies"), 1, "by a message: {by_message}");
        assert_eq!(bench.newest("a").await.transition, Transition::Answered);
    }
}

#[tokio::test]
async fn a_run_is_woken_also_in_an_invocation_that_is_shorter_than_the_reserve() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let created = bench.create("quick", "a").await;
    let short = crate::http::Deadline::after(std::time::Duration::from_secs(10));
    assert_eq!(bench.engine.nudge(created.at + minutes(4), short).await.unwrap(), 1);
}

#[tokio::test]
async fn an_end_that_one_of_two_workers_has_told_stays_told() {
    let bench = Bench::new(&[("quick", QUICK)]);
    bench.create("quick", "a").await;
    bench.outbox.refusals.store(1, std::sync::atomic::Ordering::SeqCst);
    bench.work("a", 0, false).await;
    let ended = bench.newest("a").await;
    assert_eq!(ended.transition, Transition::Ended);
    // The other was refused and has put it off, while this one was heard.
    let mut untold = ended.next(Transition::Untold, ended.at);
    untold.wake_at = Some(ended.at + minutes(1));
    bench.append(untold).await;
    bench.engine.close(ended, soon()).await.unwrap();
    let newest = bench.newest("a").await;
    assert!(newest.transition == Transition::Answered && newest.is_told(), "{newest:?}");
}
