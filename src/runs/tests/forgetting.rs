//! What is old is forgotten, a little at a time, and what is open never.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Bench, QUICK, soon};
use crate::failure::Code;
use crate::runs::Runs;
use crate::runs::record::{RunState, Transition};
use crate::runs::retention::Forgot;

fn in_days(days: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(24 * days)
}

impl Bench {
    async fn forget(&self, now: Timestamp) -> Forgot {
        self.engine.forget_old(now, soon()).await.unwrap()
    }

    async fn put(&self, path: &str) {
        self.engine.ledger.put(path, Bytes::from_static(b"{\"writer\": \"w\"}"), soon()).await.unwrap();
    }

    async fn all(&self) -> Vec<String> {
        let mut names = Vec::new();
        for room in ["runs", "outputs", "notes", "stalled", "history", "open", "forgotten", "spool", "claims"] {
            names.extend(self.engine.ledger.list(room, soon()).await.unwrap().into_iter().map(|listed| listed.path));
        }
        names
    }
}

#[tokio::test]
async fn an_old_run_leaves_a_mark_for_a_month_and_then_nothing() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let run = "0123456789abcdef0123456789abcdef";
    bench.create("quick", run).await;
    bench.work(run, 0, false).await;
    bench.cancel(run).await;
    assert_eq!(bench.forget(in_days(29)).await, Forgot::default());
    let forgot = bench.forget(in_days(32)).await;
    assert_eq!(forgot, Forgot { runs: 1, ..Forgot::default() });
    let left = bench.all().await;
    assert_eq!(left.len(), 3, "{left:?}");
    let mark = bench.newest(run).await;
    assert_eq!((mark.transition, mark.state), (Transition::Forgotten, RunState::Succeeded));
    assert!(mark.digest.is_some() && mark.output.is_none());
    assert_eq!(bench.forget(in_days(33)).await, Forgot::default());
    // What comes later finds it gone, and opens it no more.
    let retried = bench.engine.retryable(run, false, soon()).await.unwrap_err();
    assert_eq!(retried.code, Code::RunForgotten);
    bench.work(run, mark.seq, false).await;
    assert_eq!(bench.newest(run).await.seq, mark.seq);
    assert_eq!(bench.forget(in_days(64)).await.marks, 1);
    assert!(bench.all().await.is_empty());
    let runs = Runs::new(bench.engine);
    assert_eq!(runs.view(run, soon()).await.unwrap_err().code, Code::RunNotFound);
}

#[tokio::test]
async fn forgetting_goes_on_wherever_it_was_cut_off() {
    let bench = Bench::new(&[("quick", QUICK)]);
    bench.create("quick", "a").await;
    bench.work("a", 0, false).await;
    // A tick died when it had marked the run and deleted its first record.
    let mut mark = bench.newest("a").await.next(Transition::Forgotten, Timestamp::now());
    mark.told = true;
    bench.append(mark).await;
    bench.engine.ledger.delete("runs/a/00000000", soon()).await.unwrap();
    assert_eq!(bench.forget(in_days(32)).await.runs, 1);
    let runs = bench.engine.ledger.list("runs", soon()).await.unwrap();
    assert_eq!(runs.len(), 2, "{runs:?}");
    let first = bench.engine.first("a", soon()).await.unwrap().unwrap();
    assert_eq!(first.transition, Transition::Forgotten, "nobody begins a run under its id");
}

#[tokio::test]
async fn open_runs_stay_however_old_and_with_all_that_is_theirs() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let record = bench.create("quick", "a").await;
    bench.put("notes/a/late-x").await;
    // It had ended, and was opened again.
    let path = "history/2026-01-05/quick/20260105T080000Z-a-failed";
    bench.put(path).await;
    assert_eq!(bench.forget(in_days(400)).await.runs, 0);
    assert_eq!(bench.newest("a").await.seq, record.seq);
    let left = bench.all().await;
    assert!(left.contains(&"notes/a/late-x".to_owned()) && !left.contains(&path.to_owned()), "{left:?}");
}

#[tokio::test]
async fn an_end_that_was_not_told_is_not_forgotten() {
    let bench = Bench::new(&[("quick", QUICK)]);
    bench.create("quick", "a").await;
    bench.outbox.refusals.store(1, std::sync::atomic::Ordering::SeqCst);
    bench.work("a", 0, false).await;
    bench.put("history/2026-01-05/quick/20260105T080000Z-a-succeeded").await;
    assert_eq!(bench.forget(in_days(32)).await.runs, 0);
    assert_eq!(bench.newest("a").await.transition, Transition::Ended);
}

#[tokio::test]
async fn spooled_rows_go_unless_an_open_run_wants_them() {
    let bench = Bench::new(&[("quick", QUICK)]);
    let (wanted, orphan) = ("a".repeat(32), "b".repeat(32));
    let mut record = bench.create("quick", "run").await.next(Transition::Waiting, Timestamp::now());
    record.wake_at = Some(Timestamp::now());
    record.steps[0].rendered_inputs = Some(json!({"push": {"source": {"spool": {"spool": wanted}}}}));
    bench.append(record).await;
    for spool in [&wanted, &orphan] {
        bench.put(&format!("spool/{spool}/00000000")).await;
    }
    assert_eq!(bench.forget(in_days(29)).await.spooled, 0);
    assert_eq!(bench.forget(in_days(31)).await.spooled, 1);
    let left = bench.engine.ledger.list("spool", soon()).await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(left[0].path.contains(&wanted));
}

#[tokio::test]
async fn claims_go_when_their_life_is_over_and_not_before() {
    let bench = Bench::new(&[]);
    for entry in ["00000000", "00000001"] {
        bench.put(&format!("claims/keys/operations/k/{entry}")).await;
    }
    assert_eq!(bench.forget(Timestamp::now() + SignedDuration::from_hours(24)).await.claims, 0);
    assert_eq!(bench.forget(Timestamp::now() + SignedDuration::from_hours(26)).await.claims, 1);
    assert!(bench.all().await.is_empty());
}
