//! Lists of runs: newest first, filtered, in pages that are bounded.

use bytes::Bytes;

use super::{Bench, QUICK, at, soon};
use crate::runs::{RunsFrom, RunsWanted};

fn wanted(top: usize) -> RunsWanted {
    RunsWanted { top, ..RunsWanted::default() }
}

impl Bench {
    /// Runs that ended at these times: operation, time, id, state.
    async fn ended(&self, runs: &[(&str, &str, &str, &str)]) {
        for (operation, time, run, state) in runs {
            let moment = at(time);
            let (day, time) = (moment.strftime("%Y-%m-%d"), moment.strftime("%Y%m%dT%H%M%SZ"));
            let path = format!("history/{day}/{operation}/{time}-{run}-{state}");
            self.engine.ledger.put(&path, Bytes::from_static(b"{\"writer\": \"w\"}"), soon()).await.unwrap();
        }
    }

    /// The ids of each page.
    async fn pages(&self, wanted: &RunsWanted) -> Vec<Vec<String>> {
        let (mut pages, mut from): (Vec<Vec<String>>, Option<RunsFrom>) = (Vec::new(), None);
        loop {
            let page = self.engine.list_runs(wanted, from.as_ref(), soon()).await.unwrap();
            let ids = page.value.iter().map(|run| run["runId"].as_str().unwrap().to_owned());
            pages.push(ids.collect());
            from = page.next;
            if from.is_none() {
                return pages;
            }
        }
    }
}

#[tokio::test]
async fn ended_runs_come_newest_first_in_pages_over_days_and_operations() {
    let bench = Bench::new(&[]);
    bench
        .ended(&[
            ("sales", "2026-10-05T08:00:00Z", "a", "succeeded"),
            ("stock", "2026-10-05T09:00:00Z", "b", "failed"),
            ("sales", "2026-10-06T07:00:00Z", "c", "succeeded"),
            ("sales", "2026-10-07T07:00:00Z", "d", "cancelled"),
            ("stock", "2026-10-07T06:00:00Z", "e", "succeeded"),
        ])
        .await;
    assert_eq!(bench.pages(&wanted(100)).await, [["d", "e", "c", "b", "a"]]);
    assert_eq!(bench.pages(&wanted(2)).await, [vec!["d", "e"], vec!["c", "b"], vec!["a"]]);
    let sales = RunsWanted { operation: Some("sales".into()), ..wanted(2) };
    assert_eq!(bench.pages(&sales).await, [vec!["d", "c"], vec!["a"]]);
    let failed = RunsWanted { state: Some("failed".into()), ..wanted(1) };
    assert_eq!(bench.pages(&failed).await.concat(), ["b"]);
    let days = RunsWanted { from: Some(at("2026-10-05T09:00:00Z")), to: Some(at("2026-10-07T07:00:00Z")), ..wanted(9) };
    assert_eq!(bench.pages(&days).await, [["e", "c", "b"]]);
}

#[tokio::test]
async fn open_runs_come_first_and_tell_how_they_stand() {
    let bench = Bench::new(&[("quick", QUICK), ("other", QUICK)]);
    bench.ended(&[("quick", "2026-10-05T08:00:00Z", "ended", "succeeded")]).await;
    for run in ["one", "two", "three"] {
        bench.create("quick", run).await;
    }
    bench.create("other", "four").await;
    let all = bench.pages(&wanted(2)).await;
    assert_eq!(all.concat().len(), 5);
    assert_eq!(all.concat().last().unwrap(), "ended");
    let running = RunsWanted { operation: Some("quick".into()), state: Some("running".into()), ..wanted(9) };
    let page = bench.engine.list_runs(&running, None, soon()).await.unwrap();
    assert_eq!(page.value.len(), 3);
    assert_eq!((&page.value[0]["state"], page.next), (&"running".into(), None));
    let waiting = RunsWanted { state: Some("waiting".into()), ..wanted(9) };
    assert!(bench.pages(&waiting).await.concat().is_empty());
}

#[tokio::test]
async fn of_one_caller_only_their_own_are_listed_in_pages_that_are_bounded() {
    let bench = Bench::new(&[("quick", QUICK)]);
    bench.create("quick", "mine").await;
    // Of nobody: their first record is gone.
    let others: Vec<String> = (0..450).map(|n| format!("other{n:03}")).collect();
    let others: Vec<(&str, &str, &str, &str)> =
        others.iter().map(|run| ("quick", "2026-10-05T08:00:00Z", run.as_str(), "succeeded")).collect();
    bench.ended(&others).await;
    bench.ended(&[("quick", "2026-10-04T08:00:00Z", "mine", "succeeded")]).await;
    let test = RunsWanted { caller: Some("test".into()), ..wanted(9) };
    let pages = bench.pages(&test).await;
    // Open, then ended a day before all the others.
    assert_eq!(pages.concat(), ["mine", "mine"]);
    assert!(pages.len() > 2, "one page read everything: {pages:?}");
    let nobody = RunsWanted { caller: Some("somebody".into()), ..wanted(9) };
    assert!(bench.pages(&nobody).await.concat().is_empty());
}
