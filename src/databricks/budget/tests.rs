//! Who gets room, who waits, and who goes without.

use futures_util::FutureExt;

use super::*;

const KIB: u64 = 1024;

fn budget() -> Budget {
    Budget::new(100 * 1024)
}

#[test]
fn a_chunk_larger_than_the_whole_budget_takes_all_of_it() {
    let budget = budget();
    let portion = budget.portion();
    let share = portion.take(5_000 * KIB).now_or_never().expect("all of it is free");
    assert_eq!(budget.free(), 0);
    drop(share);
    assert_eq!(budget.free(), 100 * 1024);
}

#[tokio::test]
async fn whoever_queues_first_is_served_first() {
    let budget = budget();
    let (first, second, third) = (budget.portion(), budget.portion(), budget.portion());
    let held = first.take(100 * KIB).await;
    let mut large = Box::pin(second.take(90 * KIB));
    let mut small = Box::pin(third.take(5 * KIB));
    assert!((&mut large).now_or_never().is_none());
    assert!((&mut small).now_or_never().is_none());
    drop(held);
    let large = (&mut large).now_or_never().expect("its turn");
    let small = (&mut small).now_or_never().expect("there is room for both");
    drop((large, small));
    assert_eq!(budget.free(), 100 * 1024);
}

#[tokio::test]
async fn nothing_is_read_ahead_while_somebody_queues() {
    let budget = budget();
    let (first, second) = (budget.portion(), budget.portion());
    let held = first.take(30 * KIB).await;
    let mut waits = Box::pin(second.take(90 * KIB));
    assert!((&mut waits).now_or_never().is_none());
    assert!(first.take_free(KIB).is_none(), "70 KiB lie free, for the one in the queue");
    drop(held);
    assert!((&mut waits).now_or_never().is_some());
}

#[test]
fn the_last_quarter_is_never_lent_for_reading_ahead() {
    let budget = budget();
    let portion = budget.portion();
    let shares: Vec<_> = std::iter::from_fn(|| portion.take_free(10 * KIB)).collect();
    assert_eq!((shares.len(), budget.free()), (7, 30 * 1024));
    let other = budget.portion();
    assert!(other.take(25 * KIB).now_or_never().is_some(), "a newcomer finds room");
    drop(shares);
    let _held = other.take(60 * KIB).now_or_never().expect("free");
    assert!(portion.take_free(20 * KIB).is_none(), "it would take of the last 25 KiB");
}

#[test]
fn streams_that_read_ahead_divide_what_is_lent() {
    let budget = budget();
    let (first, second) = (budget.portion(), budget.portion());
    let shares: Vec<_> = std::iter::from_fn(|| first.take_free(10 * KIB)).collect();
    assert_eq!(shares.len(), 3, "half of three quarters");
    drop(second);
    assert!(first.take_free(10 * KIB).is_some(), "the other has gone");
}

#[test]
fn a_share_is_fitted_to_what_came() {
    let budget = budget();
    let portion = budget.portion();
    let mut share = portion.take_free(50 * KIB).expect("free");
    share.fit(&budget, 20 * KIB);
    assert_eq!(budget.free(), 80 * 1024);
    share.fit(&budget, 60 * KIB);
    assert_eq!(budget.free(), 40 * 1024);
    let other = portion.take(40 * KIB).now_or_never();
    share.fit(&budget, 70 * KIB);
    assert_eq!(budget.free(), 0, "it goes on without what does not lie free");
    drop((share, other));
    assert_eq!((budget.free(), portion.held.load(Ordering::Relaxed)), (100 * 1024, 0));
}
