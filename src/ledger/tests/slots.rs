//! Slots: taken by one, renewed, released, lapsed.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::conformance::everywhere;
use super::soon;
use super::store::Faulty;
use crate::ledger::{Held, LONGEST_HOLD, Ledger, Note, Slot};

/// More than are kept.
const LONGEST_LOG: usize = 70;
const MINUTE: Duration = Duration::from_mins(1);

async fn take(ledger: &Ledger, by: &str) -> Option<Held> {
    Slot::take(ledger, "dataset/7", by, MINUTE, soon()).await.expect("an answer")
}

async fn take_later(ledger: &Ledger, by: &str, later: Duration) -> Option<Held> {
    let then = Timestamp::now() + later;
    Slot::take_at(ledger, "dataset/7", by, MINUTE, then, soon()).await.expect("an answer")
}

#[tokio::test]
async fn a_slot_has_one_holder_until_it_is_released() {
    everywhere(async |ledger| {
        let held = take(&ledger, "a").await.expect("it is free");
        assert!(take(&ledger, "b").await.is_none());
        assert!(held.still_held(soon()).await.unwrap());
        held.release(soon()).await.unwrap();
        assert!(take(&ledger, "b").await.is_some());
        let other = Slot::take(&ledger, "dataset/8", "a", MINUTE, soon()).await.unwrap();
        assert!(other.is_some(), "slots know nothing of each other");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_reach_for_a_free_slot_at_once_one_gets_it() {
    everywhere(async |ledger| {
        let tries = (0..16).map(|by| {
            let ledger = ledger.clone();
            tokio::spawn(async move { take(&ledger, &format!("worker-{by}")).await })
        });
        let held: Vec<Held> =
            futures_util::future::join_all(tries).await.into_iter().filter_map(|done| done.unwrap()).collect();
        assert_eq!(held.len(), 1);
        assert!(held[0].still_held(soon()).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_hold_that_lapsed_is_taken_over_and_its_holder_knows() {
    everywhere(async |ledger| {
        let lapsed = take(&ledger, "a").await.expect("it is free");
        assert!(take_later(&ledger, "b", MINUTE + Duration::from_secs(2)).await.is_none(), "clocks may lie apart");
        assert!(take_later(&ledger, "b", MINUTE + Duration::from_secs(6)).await.is_some());
        assert!(!lapsed.still_held(soon()).await.unwrap());
        assert!(lapsed.renew(MINUTE, soon()).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_late_release_takes_nothing_from_the_next_holder() {
    everywhere(async |ledger| {
        let lapsed = take(&ledger, "a").await.expect("it is free");
        let next = take_later(&ledger, "b", 2 * MINUTE).await.expect("it lapsed");
        lapsed.release(soon()).await.expect("no failure");
        assert!(next.still_held(soon()).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn renewing_makes_a_hold_longer_and_keeps_others_out() {
    everywhere(async |ledger| {
        let held = take(&ledger, "a").await.expect("it is free");
        let before = held.until();
        let held = held.renew(4 * MINUTE, soon()).await.unwrap().expect("it is ours");
        assert!(held.until() > before);
        assert!(take_later(&ledger, "b", 2 * MINUTE).await.is_none());
        assert!(held.still_held(soon()).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_a_holder_notes_is_read_by_who_comes_later() {
    everywhere(async |ledger| {
        let notes = async |enough: &str| {
            let is_enough = |note: &Note| note.by == enough;
            let (notes, whole) = Slot::notes(&ledger, "dataset/7", is_enough, soon()).await.unwrap();
            (notes.into_iter().map(|note| (note.by, note.text)).collect::<Vec<_>>(), whole)
        };
        assert_eq!(notes("a").await, (Vec::new(), true));
        for (by, text) in [("a", json!(1)), ("b", json!({"two": 2}))] {
            let held = take(&ledger, by).await.expect("it is free");
            held.note(text, MINUTE, soon()).await.unwrap().expect("it is held").release(soon()).await.unwrap();
        }
        let both = [("b".to_owned(), json!({"two": 2})), ("a".to_owned(), json!(1))];
        assert_eq!(notes("nobody").await, (both.to_vec(), true));
        assert_eq!(notes("b").await, (both[..1].to_vec(), true));
        // Who lost the slot writes nothing.
        let lapsed = take(&ledger, "c").await.expect("it is free");
        take_later(&ledger, "d", MINUTE + Duration::from_secs(6)).await.expect("it lapsed");
        assert!(lapsed.note(json!(3), MINUTE, soon()).await.unwrap().is_none());
        assert_eq!(notes("c").await.0.len(), 2);
        // Old entries are swept.
        for _ in 0..LONGEST_LOG {
            take_later(&ledger, "d", 2 * MINUTE).await.expect("it is ours");
        }
        assert_eq!(notes("a").await, (Vec::new(), false));
    })
    .await;
}

#[tokio::test]
async fn no_hold_is_longer_than_the_longest() {
    everywhere(async |ledger| {
        let held = Slot::take(&ledger, "s", "a", 100 * MINUTE, soon()).await.unwrap().expect("it is free");
        assert!(held.until() <= Timestamp::now() + LONGEST_HOLD);
    })
    .await;
}

#[tokio::test]
async fn who_takes_its_own_slot_anew_has_it_once() {
    everywhere(async |ledger| {
        let first = take(&ledger, "a").await.expect("it is free");
        let second = take(&ledger, "a").await.expect("it is ours");
        assert!(!first.still_held(soon()).await.unwrap());
        assert!(second.still_held(soon()).await.unwrap());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_ends_by_the_monotonic_clock_too() {
    let (store, ledger) = Faulty::with([]);
    let held = take(&ledger, "a").await.expect("it is free");
    // The wall clock stands where it stood: it was set back, say.
    tokio::time::advance(MINUTE).await;
    let lists = store.counts.lock().unwrap().lists;
    assert!(!held.still_held(soon()).await.unwrap());
    assert_eq!(store.counts.lock().unwrap().lists, lists, "nothing needs to be asked");
    assert!(held.renew(MINUTE, soon()).await.unwrap().is_none());
}

#[tokio::test]
async fn old_entries_of_a_slot_are_swept() {
    everywhere(async |ledger| {
        let mut held = take(&ledger, "a").await.expect("it is free");
        for _ in 0..100 {
            held = held.renew(MINUTE, soon()).await.unwrap().expect("it is ours");
        }
        assert_eq!(ledger.list("slots", soon()).await.unwrap().len(), 64);
        assert!(held.still_held(soon()).await.unwrap());
        assert!(take(&ledger, "b").await.is_none());
    })
    .await;
}
