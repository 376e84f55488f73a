//! Puts whose answer is not to be believed, and what the calls cost. Time is tokio's and stands still: waits are free.

use std::time::Duration;

use tokio::time::Instant;

use super::store::{Fault, Faulty};
use super::{entry, soon};
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
use crate::ledger::{Put, entry_path};

const PATH: &str = "runs/a/00000000";

#[tokio::test(start_paused = true)]
async fn our_own_entry_found_standing_counts_as_written() {
    for fault in [Fault::WrittenThenExists, Fault::WrittenThenLost] {
        let (store, ledger) = Faulty::with([fault]);
        assert_eq!(ledger.put(PATH, entry("me"), soon()).await.unwrap(), Put::Written, "{fault:?}");
        let counts = store.counts.lock().unwrap();
        assert_eq!((counts.puts, counts.gets), (1, 1), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_does_not_stand_is_put_again() {
    for fault in [Fault::ExistsWithoutWriting, Fault::Down] {
        let (store, ledger) = Faulty::with([fault, fault]);
        assert_eq!(ledger.put(PATH, entry("me"), soon()).await.unwrap(), Put::Written, "{fault:?}");
        assert_eq!(ledger.get(PATH, soon()).await.unwrap(), Some(entry("me")));
        assert_eq!(store.counts.lock().unwrap().puts, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn another_writer_that_came_between_two_tries_has_won() {
    let (_, ledger) = Faulty::with([Fault::Down]);
    let (ours, theirs) = tokio::join!(ledger.put(PATH, entry("me"), soon()), async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        ledger.put(PATH, entry("you"), soon()).await
    });
    assert_eq!(theirs.unwrap(), Put::Written);
    assert_eq!(ours.unwrap(), Put::Lost(entry("you")));
}

#[tokio::test(start_paused = true)]
async fn a_put_whose_reading_fails_too_is_put_again_and_known_then() {
    let (store, ledger) = Faulty::with([Fault::WrittenThenLost]);
    *store.bad_gets.lock().unwrap() = 1;
    assert_eq!(ledger.put(PATH, entry("me"), soon()).await.unwrap(), Put::Written);
    assert_eq!(store.counts.lock().unwrap().puts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_stays_away_is_an_error_within_fifteen_seconds() {
    for fault in [Fault::ExistsWithoutWriting, Fault::Down] {
        let (store, ledger) = Faulty::with([fault; 20]);
        let began = Instant::now();
        let error = ledger.put(PATH, entry("me"), soon()).await.expect_err("nothing is written");
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        assert_eq!(store.counts.lock().unwrap().puts, 4, "once, and three times again");
        let failure = Failure::from(error);
        assert_eq!((failure.code, failure.effect), (Code::LedgerUnavailable, Effect::None));
        assert!(failure.source.is_some() && failure.retry_after_seconds.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn no_try_begins_that_the_deadline_leaves_no_time_for() {
    let (store, ledger) = Faulty::with([Fault::Down; 20]);
    let began = Instant::now();
    let deadline = Deadline::after(Duration::from_millis(300));
    ledger.put(PATH, entry("me"), deadline).await.expect_err("nothing is written");
    assert!(began.elapsed() <= Duration::from_millis(300));
    assert_eq!(store.counts.lock().unwrap().puts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_put_of_a_free_name_costs_one_put_and_nothing_else() {
    let (store, ledger) = Faulty::with([]);
    ledger.put(PATH, entry("me"), soon()).await.unwrap();
    let counts = store.counts.lock().unwrap();
    assert_eq!((counts.puts, counts.gets, counts.lists, counts.deletes), (1, 0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_newest_entry_costs_one_list_and_one_get() {
    let (store, ledger) = Faulty::with([]);
    for seq in 0..20 {
        ledger.put(&entry_path("runs/a", seq), entry("me"), soon()).await.unwrap();
    }
    assert_eq!(ledger.newest("runs/a", soon()).await.unwrap().map(|(seq, _)| seq), Some(19));
    let counts = store.counts.lock().unwrap();
    assert_eq!((counts.lists, counts.gets), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_is_an_error_and_never_an_absence() {
    let (store, ledger) = Faulty::with([]);
    ledger.put(PATH, entry("me"), soon()).await.unwrap();
    *store.bad_gets.lock().unwrap() = 1;
    ledger.get(PATH, soon()).await.expect_err("no answer");
    *store.bad_gets.lock().unwrap() = 1;
    ledger.newest("runs/a", soon()).await.expect_err("no answer");
}
