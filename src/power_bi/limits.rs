//! The limits of push datasets, and what is taken of them: windows that slide, who shares them, and a door that a 429 has
//! shut. Pure; where it is kept is `pace.rs`.

use serde::{Deserialize, Serialize};

/// The service takes no more in one request ("Push semantic model limitations", Power BI docs).
pub const MAX_ROWS_PER_BATCH: usize = 10_000;
/// A little below the 16 MB that the service takes in one request ("Real-time streaming in Power BI"), in bytes of JSON.
pub const MAX_BYTES_PER_BATCH: usize = 15 * 1024 * 1024;

// Of one dataset ("Push semantic model limitations").
const REQUESTS_A_MINUTE: u64 = 120;
const ROWS_AN_HOUR: u64 = 1_000_000;
pub(super) const PENDING: usize = 5;
/// From this many rows in a table on …
pub(super) const LARGE_TABLE: u64 = 250_000;
/// … a dataset takes only this many requests an hour.
const REQUESTS_AN_HOUR_WHEN_LARGE: u64 = 120;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// Clocks lie apart, and the service counts a request when it arrives, or when it is done; that takes as long beside a
/// stand-in.
const MARGIN: i64 = 1_000;
/// From this many entries on, those that only the hour's window sees are put together by the minute.
const MANY: usize = 128;

/// The windows, in milliseconds. Stand-ins that run faster than the service have shorter ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    minute: i64,
    hour: i64,
}

impl Windows {
    /// `scale` times shorter than they are.
    pub(super) fn scaled(scale: u32) -> Self {
        let scale = i64::from(scale.max(1));
        Self { minute: MINUTE / scale, hour: HOUR / scale }
    }

    /// How long what was taken may wait to be used, in milliseconds.
    pub(super) fn good_for(self) -> i64 {
        self.minute / 6
    }
}

/// So many requests, and the rows in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub requests: u64,
    pub rows: u64,
}

/// Which process takes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taker<'a> {
    pub by: &'a str,
    /// The table is known to hold [`LARGE_TABLE`] rows.
    pub large: bool,
}

/// What has been taken of one dataset's limits. All moments are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Taken {
    /// When, how many requests, and how many rows; the oldest first.
    requests: Vec<(i64, u64, u64)>,
    /// Which processes have pushed of late, and when.
    takers: Vec<(String, i64)>,
    /// Nothing is taken before: the service has said so.
    shut_until: i64,
}

impl Taken {
    /// Takes it, or says how many milliseconds to wait.
    /// Under the moment that it says it can be given back.
    pub(super) fn take(&mut self, now: i64, windows: Windows, taker: Taker<'_>, amount: Amount) -> Result<i64, i64> {
        let wait = self.wait(now, windows, taker, amount);
        if wait > 0 {
            return Err(wait);
        }
        // What is taken ahead may be sent until then, and counts from there.
        let at = if amount.requests > 1 { now + windows.good_for() } else { now };
        self.requests.push((at, amount.requests, amount.rows));
        self.fold(now, windows);
        self.takers.retain(|(by, at)| now - at < windows.minute && by != taker.by);
        self.takers.push((taker.by.to_owned(), now));
        Ok(at)
    }

    /// Gives back what was taken under `at` and surely did not come; whether that changes anything.
    pub(super) fn give_back(&mut self, now: i64, windows: Windows, at: i64, amount: Amount) -> bool {
        // Nothing counts it any more, and what stands there now is others'.
        if now - at >= windows.hour {
            return false;
        }
        // What was put together counts as the latest of it.
        let Some((_, requests, rows)) = self.requests.iter_mut().find(|(when, ..)| *when >= at) else { return false };
        let before = (*requests, *rows);
        *requests = requests.saturating_sub(amount.requests);
        *rows = rows.saturating_sub(amount.rows);
        before != (*requests, *rows)
    }

    /// The service takes nothing for so long; whether that is news.
    pub(super) fn shut(&mut self, now: i64, after: i64) -> bool {
        let until = now.saturating_add(after);
        let news = until > self.shut_until;
        self.shut_until = self.shut_until.max(until);
        news
    }

    /// How many pushes may be pending at once in each of the processes that push, which is one at least.
    pub(super) fn share(&self) -> usize {
        (PENDING / self.takers.len().max(1)).max(1)
    }

    fn wait(&self, now: i64, windows: Windows, taker: Taker<'_>, amount: Amount) -> i64 {
        let Windows { minute, hour } = windows;
        let over = |window: i64, most: u64, wanted: u64, of: fn(&(i64, u64, u64)) -> u64| {
            let length = window + MARGIN;
            let within: Vec<_> = self.requests.iter().filter(|(at, ..)| now - at < length).collect();
            let mut taken: u64 = within.iter().map(|entry| of(entry)).sum();
            // What is more than all of it is taken when nothing else is.
            let room = most.saturating_sub(wanted);
            let mut wait = 0;
            for entry in within {
                if taken <= room {
                    break;
                }
                taken -= of(entry);
                wait = entry.0 + length - now;
            }
            wait
        };
        let requests = over(minute, REQUESTS_A_MINUTE, amount.requests, |(_, requests, _)| *requests);
        let rows = over(hour, ROWS_AN_HOUR, amount.rows, |(.., rows)| *rows);
        let large = if taker.large {
            over(hour, REQUESTS_AN_HOUR_WHEN_LARGE, amount.requests, |(_, requests, _)| *requests)
        } else {
            0
        };
        requests.max(rows).max(large).max(self.shut_until - now)
    }

    /// Forgets what no window sees, and puts together what lies close: there is never more than fits a small entry.
    /// What is put together counts as the latest of it.
    fn fold(&mut self, now: i64, windows: Windows) {
        let Windows { minute, hour } = windows;
        self.requests.retain(|(at, requests, rows)| now - at < hour + MARGIN && (*requests > 0 || *rows > 0));
        self.requests.sort_unstable_by_key(|(at, ..)| *at);
        self.put_together(|_| minute / 60);
        if self.requests.len() > MANY {
            self.put_together(|at| if now - at < minute + MARGIN { minute / 60 } else { minute });
        }
    }

    fn put_together(&mut self, grain: impl Fn(i64) -> i64) {
        let mut folded: Vec<(i64, u64, u64)> = Vec::new();
        for (at, requests, rows) in self.requests.drain(..) {
            let grain = grain(at).max(1);
            match folded.last_mut() {
                Some(last) if last.0 / grain == at / grain => *last = (at, last.1 + requests, last.2 + rows),
                _ => folded.push((at, requests, rows)),
            }
        }
        self.requests = folded;
    }
}

#[cfg(test)]
mod tests;
