//! Windows that slide, and what is taken of them.

use super::*;

const REAL: Windows = Windows { minute: MINUTE, hour: HOUR };
const ME: Taker<'static> = Taker { by: "me", large: false };

fn batch(rows: u64) -> Amount {
    Amount { requests: 1, rows }
}

#[test]
fn no_window_of_a_minute_ever_holds_more_than_its_requests() {
    let mut taken = Taken::default();
    let (mut now, mut sent) = (1_000_000, Vec::new());
    for _ in 0..600 {
        while let Err(wait) = taken.take(now, REAL, ME, batch(1)) {
            assert!(wait > 0);
            now += wait;
        }
        sent.push(now);
        now += 37;
    }
    for (at, first) in sent.iter().enumerate() {
        let within = sent[at..].iter().take_while(|later| *later - first < MINUTE).count();
        assert!(within <= 120, "{within} requests in a minute");
    }
    // And none waits for nothing: 600 requests take four waits.
    assert!(sent[599] - sent[0] < 4 * (MINUTE + 3 * MARGIN) + 120 * 37, "{}", sent[599] - sent[0]);
}

#[test]
fn a_million_rows_go_at_once_and_the_next_after_an_hour() {
    let mut taken = Taken::default();
    let mut now = 0;
    for _ in 0..100 {
        assert_eq!(taken.take(now, REAL, ME, batch(10_000)), Ok(now));
        now += 500;
    }
    let wait = taken.take(now, REAL, ME, batch(1)).unwrap_err();
    // Entries of one second are put together, so that the first of them leaves with the last.
    assert!((HOUR - now..=HOUR - now + MARGIN + 1_000).contains(&wait), "{wait}");
    assert_eq!(taken.take(now + wait, REAL, ME, batch(1)), Ok(now + wait));
}

#[test]
fn many_small_pushes_are_put_together_by_the_minute() {
    let mut taken = Taken::default();
    let mut now = 0;
    for _ in 0..5_000 {
        taken.take(now, REAL, ME, batch(1)).unwrap();
        now += 700;
    }
    let size = serde_json::to_vec(&taken).unwrap().len();
    assert!(size < 8_000, "{size}");
}

#[test]
fn a_large_table_takes_120_requests_an_hour() {
    let large = Taker { large: true, ..ME };
    let mut taken = Taken::default();
    let mut now = 0;
    for _ in 0..120 {
        assert_eq!(taken.take(now, REAL, large, batch(10)), Ok(now));
        now += 1_000;
    }
    assert!(taken.take(now + MINUTE, REAL, large, batch(10)).is_err());
    assert!(taken.take(now + MINUTE, REAL, ME, batch(10)).is_ok(), "a small table");
}

#[test]
fn processes_share_the_five_pushes_that_may_be_pending() {
    let mut taken = Taken::default();
    let mut shares = Vec::new();
    for by in ["a", "b", "a", "c", "d", "e", "f"] {
        assert_eq!(taken.take(0, REAL, Taker { by, large: false }, batch(1)), Ok(0));
        shares.push(taken.share());
    }
    assert_eq!(shares, [5, 2, 2, 1, 1, 1, 1]);
    assert!(taken.take(2 * MINUTE, REAL, ME, batch(1)).is_ok());
    assert_eq!(taken.share(), 5, "the others have gone");
}

#[test]
fn a_refusal_shuts_the_door_for_everybody_until_its_time() {
    let mut taken = Taken::default();
    assert!(taken.shut(1_000, 30_000) && !taken.shut(1_000, 20_000));
    assert_eq!(taken.take(2_000, REAL, ME, batch(1)), Err(29_000));
    assert_eq!(taken.take(31_000, REAL, ME, batch(1)), Ok(31_000));
}

#[test]
fn a_faster_clock_has_shorter_windows() {
    let windows = Windows::scaled(60);
    assert_eq!((windows.minute, windows.hour), (1_000, 60_000));
    let mut taken = Taken::default();
    assert_eq!(taken.take(0, windows, ME, Amount { requests: 120, rows: 1 }), Ok(windows.good_for()));
    // Taken ahead, it counts from when it may be sent at last.
    let free = 1_000 + MARGIN + windows.good_for();
    assert_eq!(taken.take(900, windows, ME, batch(1)), Err(free - 900));
    assert_eq!(taken.take(free, windows, ME, batch(1)), Ok(free));
}

#[test]
fn what_did_not_come_can_be_taken_again() {
    let ten = Amount { requests: 10, rows: 100_000 };
    let mut taken = Taken::default();
    let turns: Vec<i64> = (0..10).map(|at| taken.take(at * 100, REAL, ME, ten).unwrap()).collect();
    assert!(taken.take(5_000, REAL, ME, batch(1)).is_err());
    // Of the fourth ten, one was refused and nine were never sent; they stand together with their neighbours'.
    assert!(taken.give_back(5_000, REAL, turns[3], Amount { requests: 0, rows: 10_000 }));
    assert!(taken.give_back(5_000, REAL, turns[3], Amount { requests: 9, rows: 90_000 }));
    let again = taken.take(5_000, REAL, ME, Amount { requests: 10, rows: 100_000 }).unwrap();
    assert!(taken.take(5_000, REAL, ME, batch(1)).is_err());
    // What no window counts any more is not given back a second time, from what others have taken since.
    assert!(!taken.give_back(turns[3] + HOUR, REAL, turns[3], ten));
    assert!(taken.take(again + HOUR - MINUTE, REAL, ME, Amount { requests: 1, rows: 900_001 }).is_err());
    assert!(!Taken::default().give_back(0, REAL, 0, ten));
}
