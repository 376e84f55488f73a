//! Budgets: what is taken is taken once, by whomever, and what stands there counts.

use serde::{Deserialize, Serialize};

use super::conformance::everywhere;
use super::soon;
use super::store::{Fault, Faulty};
use crate::ledger::{Budget, Decided, Ledger};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Taken {
    taken: u32,
    by: Vec<String>,
}

/// Takes one of `most`; whether there was one.
async fn take(budget: &mut Budget<Taken>, ledger: &Ledger, by: &str, most: u32) -> bool {
    let decide = |state: &mut Taken| {
        if state.taken == most {
            return Decided::Left(false);
        }
        state.taken += 1;
        state.by.push(by.to_owned());
        Decided::Taken(true)
    };
    budget.decide(ledger, soon(), decide).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_take_at_once_none_takes_what_another_has() {
    everywhere(async |ledger| {
        let takers = (0..4).map(|by| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                let mut budget = Budget::of("dataset");
                let mut had = 0;
                for _ in 0..20 {
                    had += u32::from(take(&mut budget, &ledger, &by.to_string(), 50).await);
                }
                had
            })
        });
        let mut had = 0;
        for taker in takers.collect::<Vec<_>>() {
            had += taker.await.unwrap();
        }
        assert_eq!(had, 50);
    })
    .await;
}

#[tokio::test]
async fn who_comes_often_writes_and_does_not_read() {
    let (store, ledger) = Faulty::with([]);
    let mut budget = Budget::of("dataset");
    for _ in 0..5 {
        assert!(take(&mut budget, &ledger, "me", 100).await);
    }
    let counts = store.counts.lock().unwrap();
    assert_eq!((counts.puts, counts.gets), (5, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_long_ago_is_read_anew() {
    let ledger = Ledger::in_memory();
    let (mut ours, mut theirs) = (Budget::of("dataset"), Budget::of("dataset"));
    assert!(take(&mut ours, &ledger, "us", 400).await);
    // More than is kept, so that our next number has been swept away.
    for _ in 0..300 {
        assert!(take(&mut theirs, &ledger, "them", 400).await);
    }
    tokio::time::advance(std::time::Duration::from_secs(6)).await;
    let taken = ours.decide(&ledger, soon(), |state: &mut Taken| Decided::Left(state.taken)).await.unwrap();
    assert_eq!(taken, 301);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_may_stand_is_read_before_the_next_is_written() {
    let (_, ledger) = Faulty::with([Fault::Down; 20]);
    let mut budget = Budget::of("dataset");
    let decide = |state: &mut Taken| {
        state.taken += 1;
        Decided::Taken(())
    };
    assert!(budget.decide(&ledger, soon(), decide).await.is_err());
    tokio::time::advance(std::time::Duration::from_mins(1)).await;
    let (_, calm) = Faulty::with([]);
    budget.decide(&calm, soon(), decide).await.unwrap();
    let taken = budget.decide(&calm, soon(), |state: &mut Taken| Decided::Left(state.taken)).await.unwrap();
    assert_eq!(taken, 1, "what was not written does not count");
}
