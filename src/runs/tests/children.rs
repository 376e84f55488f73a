//! Children on a ledger in memory: how their ends come back, what a dead worker leaves, and how they are cancelled.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Bench, QUICK, soon};
use crate::clock::Clock;
use crate::failure::Code;
use crate::http::Deadline;
use crate::runs::Engine;
use crate::runs::record::{Record, RunState, StepState, Transition};

const CALL: &str = "summary: s\nsteps: [{id: call, operation: {name: quick}}]\n";
const EACH: &str =
    "summary: s\nsteps: [{id: each, for_each: {in: [1, 2, 3], parallel: 2}, assert: {that: item > 0, message: no}}]\n";
const SLEEPS: &str = "summary: s\nsteps: [{id: sleep, wait_for: {delay: 1h}}]\n";
const CALLS_SLEEPER: &str = "summary: s\nsteps: [{id: call, operation: {name: sleeps}}]\n";

impl Bench {
    /// Takes a run as far as it goes without waiting for anything.
    async fn advance(&self, run: &str) -> Record {
        let newest = self.newest(run).await;
        let now = Deadline::after(Duration::ZERO);
        self.engine.advance(newest, false, now, soon()).await.unwrap();
        self.newest(run).await
    }

    pub(super) async fn exists(&self, run: &str) -> bool {
        self.engine.newest(run, soon()).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn a_childs_end_wakes_its_sleeping_parent_which_ends_as_the_child_did() {
    let bench = Bench::new(&[("call", CALL), ("quick", QUICK)]);
    bench.create("call", "a").await;
    let parent = bench.advance("a").await;
    assert_eq!((parent.state, parent.steps[0].state), (RunState::Waiting, StepState::Submitted));
    let child = Engine::child_id(&parent, 0, 0);
    assert_eq!(parent.steps[0].upstream_id.as_deref(), Some(format!("run:{child}").as_str()));
    assert_eq!(bench.advance(&child).await.state, RunState::Succeeded);
    assert_eq!(bench.outbox.work().last(), Some(&(parent.seq, None)), "woken from the record that sleeps");
    assert_eq!(bench.advance("a").await.state, RunState::Succeeded);
}

#[tokio::test]
async fn an_end_that_comes_while_its_parent_is_moved_counts_from_the_record_that_follows() {
    let bench = Bench::new(&[("call", CALL), ("quick", QUICK)]);
    bench.create("call", "a").await;
    let parent = bench.advance("a").await;
    // Somebody has taken the parent, and has perhaps looked at its children already.
    let mut leased = parent.next(Transition::Leased, bench.engine.clock.now());
    leased.lease_until = Some(bench.engine.lease_until(soon()));
    let leased = bench.append(leased).await;
    bench.advance(&Engine::child_id(&parent, 0, 0)).await;
    assert_eq!(bench.outbox.work().last(), Some(&(leased.seq + 1, None)));
}

#[tokio::test]
async fn items_begin_as_others_end_and_only_who_makes_room_or_is_last_wakes_the_parent() {
    let bench = Bench::new(&[("each", EACH)]);
    bench.create("each", "a").await;
    let parent = bench.advance("a").await;
    let child = |item| Engine::child_id(&parent, 0, item);
    assert!(bench.exists(&child(1)).await && !bench.exists(&child(2)).await, "two at once");
    bench.advance(&child(1)).await;
    assert_eq!(bench.outbox.work().last(), Some(&(parent.seq, None)), "there is room for another");
    let parent = bench.advance("a").await;
    assert!(bench.exists(&child(2)).await);
    let before = bench.outbox.work().len();
    bench.advance(&child(0)).await;
    assert_eq!(bench.outbox.work().len(), before, "another is still under way, and none is to begin");
    bench.advance(&child(2)).await;
    assert_eq!(bench.outbox.work().last(), Some(&(parent.seq, None)));
    assert_eq!(bench.advance("a").await.state, RunState::Succeeded);
}

#[tokio::test]
async fn what_a_dead_worker_had_started_is_found_and_woken_and_not_started_again() {
    let bench = Bench::new(&[("each", EACH)]);
    bench.create("each", "a").await;
    let newest = bench.newest("a").await;
    // The first child stands, and its message is refused.
    bench.outbox.refusals.store(1, Ordering::SeqCst);
    let now = || Deadline::after(Duration::ZERO);
    bench.engine.advance(newest, false, now(), soon()).await.unwrap_err();
    let leased = bench.newest("a").await;
    let child = Engine::child_id(&leased, 0, 0);
    assert_eq!((leased.transition, bench.newest(&child).await.seq), (Transition::Leased, 0));
    bench.engine.advance(leased, true, now(), soon()).await.unwrap();
    let parent = bench.newest("a").await;
    assert_eq!((parent.state, bench.newest(&child).await.seq), (RunState::Waiting, 0));
    let progress = parent.steps[0].progress.clone().unwrap();
    assert_eq!((&progress["started"], &progress["ended"]), (&2.into(), &0.into()));
    assert_eq!(bench.outbox.work().iter().filter(|(after, _)| *after == 0).count(), 3, "the parent and two children");
}

#[tokio::test]
async fn a_cancelled_parent_cancels_its_children_and_waits_for_their_ends() {
    let bench = Bench::new(&[("call", CALLS_SLEEPER), ("sleeps", SLEEPS)]);
    bench.create("call", "a").await;
    let parent = bench.advance("a").await;
    let child = Engine::child_id(&parent, 0, 0);
    assert_eq!(bench.advance(&child).await.state, RunState::Waiting);
    bench.engine.note_cancel(&parent, "somebody", soon()).await.unwrap();
    let parent = bench.advance("a").await;
    assert_eq!(parent.state, RunState::Waiting, "its child has not ended");
    assert_eq!(bench.advance(&child).await.state, RunState::Cancelled);
    let parent = bench.advance("a").await;
    assert_eq!((parent.state, parent.error.unwrap().code), (RunState::Cancelled, Code::RunCanceled));
}

#[tokio::test]
async fn a_child_that_a_dead_worker_had_started_ends_before_its_cancelled_parent_does() {
    let mut bench = Bench::new(&[("call", CALLS_SLEEPER), ("sleeps", SLEEPS)]);
    bench.create("call", "a").await;
    let newest = bench.newest("a").await;
    // The child stands, and neither its message nor the parent's next record was written.
    bench.outbox.refusals.store(1, Ordering::SeqCst);
    let now = Deadline::after(Duration::ZERO);
    bench.engine.advance(newest, false, now, soon()).await.unwrap_err();
    let leased = bench.newest("a").await;
    let child = Engine::child_id(&leased, 0, 0);
    assert_eq!((leased.steps[0].state, bench.newest(&child).await.seq), (StepState::Pending, 0));
    bench.engine.note_cancel(&leased, "somebody", soon()).await.unwrap();
    // Its lease has ended.
    bench.engine.clock = Clock::reading(|| Timestamp::now() + SignedDuration::from_mins(5));
    let parent = bench.advance("a").await;
    assert_eq!((parent.state, parent.steps[0].state), (RunState::Waiting, StepState::Submitted));
    assert_eq!(bench.advance(&child).await.state, RunState::Cancelled);
    assert_eq!(bench.advance("a").await.state, RunState::Cancelled);
}
