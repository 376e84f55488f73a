//! Runs of one key go one after the other.

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;

use super::{Bench, soon};
use crate::failure::Code;
use crate::runs::Engine;
use crate::runs::record::{Record, RunState, Transition};

fn declared(rules: &str) -> String {
    format!("summary: s\nconcurrency: {{{rules}}}\nsteps: [{{id: go, job: {{job: 7}}}}]\n")
}

/// A bench whose job never begins, as its neighbour is away.
fn bench(rules: &str) -> Bench {
    Bench::new(&[("alone", &declared(rules))])
}

impl Bench {
    /// Ends a run as its worker would have.
    async fn end_here(&self, run: &str, close: bool) {
        let newest = self.newest(run).await;
        let mut leased = newest.next(Transition::Leased, Timestamp::now());
        leased.lease_until = Some(leased.at - SignedDuration::from_secs(1));
        let mut ended = self.append(leased).await.next(Transition::Ended, Timestamp::now());
        (ended.state, ended.ended_at) = (RunState::Failed, Some(ended.at));
        let ended: Record = self.append(ended).await;
        if close {
            self.engine.close(ended, soon()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn runs_wait_for_their_turn_in_the_order_in_which_they_came() {
    let bench = bench("key: all");
    for run in ["a", "b", "c"] {
        bench.create("alone", run).await;
        bench.wake(run).await;
    }
    assert!(bench.newest("a").await.has_turn);
    for run in ["b", "c"] {
        let waiting = bench.newest(run).await;
        assert_eq!((waiting.state, waiting.has_turn), (RunState::Waiting, false), "{run}");
        assert!(waiting.steps[0].started_at.is_none() && waiting.lease_until.is_none(), "it holds nothing");
    }
    let sent = bench.outbox.work().len();
    bench.end_here("a", true).await;
    let woken = bench.outbox.work();
    assert_eq!((woken.len(), woken.last()), (sent + 1, Some(&(bench.newest("b").await.seq, None))));
    assert!(!bench.wake("c").await.has_turn, "b is first");
    assert!(bench.wake("b").await.has_turn);
}

#[rstest]
#[case::another_key("key: '{{ run.id }}'")]
#[case::no_rule("on_conflict: queue, key: '{{ run.id }}'")]
#[tokio::test]
async fn runs_of_other_keys_are_no_matter(#[case] rules: &str) {
    let bench = bench(rules);
    for run in ["a", "b"] {
        bench.create("alone", run).await;
        assert!(bench.wake(run).await.has_turn);
    }
}

#[tokio::test]
async fn a_run_that_ended_without_leaving_is_no_obstacle() {
    let bench = bench("on_conflict: queue");
    for run in ["a", "b"] {
        bench.create("alone", run).await;
        bench.wake(run).await;
    }
    // The worker died between the record and the line.
    bench.end_here("a", false).await;
    assert!(bench.wake("b").await.has_turn);
}

#[tokio::test]
async fn a_run_may_be_skipped_instead() {
    let bench = bench("on_conflict: skip");
    for run in ["a", "b"] {
        bench.create("alone", run).await;
        bench.wake(run).await;
    }
    let skipped = bench.newest("b").await;
    assert_eq!((skipped.state, skipped.error.unwrap().code), (RunState::Failed, Code::RunSkipped));
    bench.end_here("a", true).await;
    bench.create("alone", "c").await;
    assert!(bench.wake("c").await.has_turn);
}

#[tokio::test]
async fn who_waits_in_line_can_be_cancelled_and_is_waited_for_by_nobody() {
    let bench = bench("key: all");
    for run in ["a", "b", "c"] {
        bench.create("alone", run).await;
        bench.wake(run).await;
    }
    bench.cancel("b").await;
    assert_eq!(bench.wake("b").await.state, RunState::Cancelled);
    bench.end_here("a", true).await;
    assert!(bench.wake("c").await.has_turn);
}

#[tokio::test]
async fn many_at_once_get_one_turn() {
    let bench = bench("key: all");
    let runs: Vec<String> = (0..12).map(|run| format!("run{run}")).collect();
    for run in &runs {
        bench.create("alone", run).await;
    }
    futures_util::future::join_all(runs.iter().map(|run| bench.wake(run))).await;
    let mut turns = 0;
    for run in &runs {
        turns += usize::from(bench.newest(run).await.has_turn);
    }
    assert_eq!(turns, 1);
}

#[tokio::test]
async fn a_run_that_would_wait_for_the_one_that_waits_for_it_ends_and_says_so() {
    let calls =
        |other: &str, rules: &str| format!("summary: s\n{rules}steps: [{{id: call, operation: {{name: {other}}}}}]\n");
    // As if each were of another deployment: together they would be refused.
    let rules = "concurrency: {key: all}\n";
    let bench = Bench::new(&[("outer", &calls("between", rules)), ("between", &calls("outer", ""))]);
    bench.create("outer", "a").await;
    let mut path = vec!["a".to_owned()];
    for _ in 0..2 {
        let above = bench.wake(path.last().unwrap()).await;
        path.push(Engine::child_id(&above, 0, 0));
    }
    let inner = bench.wake(&path[2]).await;
    assert_eq!((inner.state, inner.error.unwrap().code), (RunState::Failed, Code::ConcurrencyCircle));
    for run in path[..2].iter().rev() {
        assert_eq!(bench.wake(run).await.error.unwrap().code, Code::ConcurrencyCircle, "{run}");
    }
    bench.create("outer", "b").await;
    assert!(bench.wake("b").await.has_turn, "nobody is left in the line");
}
