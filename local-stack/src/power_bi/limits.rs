//! The limits of the service, and the windows that pushes are counted in ("Push semantic model limitations" and
//! "Real-time streaming in Power BI", Power BI docs).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// As the service has them unless a test says otherwise.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Limits {
    pub rows_per_post: usize,
    pub bytes_per_post: usize,
    pub rows_per_hour: usize,
    pub posts_per_minute: usize,
    pub pending_posts: usize,
    /// From this many rows in a table on …
    pub large_table: usize,
    /// … a dataset takes only this many posts an hour.
    pub large_table_posts_per_hour: usize,
    /// Rows of a table without retention policy.
    pub rows_per_table: usize,
    /// Rows that `basicFIFO` keeps of a table; it cuts back to them from 210,000 ("Automatic retention policy for
    /// real-time data").
    pub rows_per_fifo_table: usize,
    /// Refreshes in 24 hours on shared capacity, scheduled ones among them.
    pub shared_refreshes_per_day: usize,
    /// DAX queries, over all datasets (swagger, `Datasets_ExecuteQueriesInGroup`; as the three that follow).
    pub queries_per_minute: usize,
    pub rows_per_query: usize,
    pub values_per_query: usize,
    pub bytes_per_query: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows_per_post: 10_000,
            bytes_per_post: 16 * 1024 * 1024,
            rows_per_hour: 1_000_000,
            posts_per_minute: 120,
            pending_posts: 5,
            large_table: 250_000,
            large_table_posts_per_hour: 120,
            rows_per_table: 5_000_000,
            rows_per_fifo_table: 200_000,
            shared_refreshes_per_day: 8,
            queries_per_minute: 120,
            rows_per_query: 100_000,
            values_per_query: 1_000_000,
            bytes_per_query: 15 * 1024 * 1024,
        }
    }
}

/// Which limit a push is over; with the time, on the clock of the limits, until it is not.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Over {
    Pending,
    Requests(Duration),
    Rows(Duration),
}

/// The pushes to one dataset. The windows slide: nowhere is said whether the service's do, and these are the
/// stricter ones. What was refused does not count.
#[derive(Clone, Debug, Default)]
pub(super) struct Pushes {
    accepted: VecDeque<(Instant, usize)>,
    pub(super) pending: usize,
}

impl Pushes {
    /// Counts a push in, or says why it is too much.
    pub(super) fn admit(&mut self, now: Instant, rows: usize, large_table: bool, limits: &Limits) -> Result<(), Over> {
        if self.pending >= limits.pending_posts {
            return Err(Over::Pending);
        }
        while self.accepted.front().is_some_and(|(at, _)| now.duration_since(*at) >= HOUR) {
            self.accepted.pop_front();
        }
        let in_minute = self.accepted.iter().filter(|(at, _)| now.duration_since(*at) < MINUTE).count();
        if in_minute >= limits.posts_per_minute {
            let all = self.accepted.len();
            return Err(Over::Requests(self.leaves(now, all - limits.posts_per_minute, MINUTE)));
        }
        if large_table && self.accepted.len() >= limits.large_table_posts_per_hour {
            let first = self.accepted.len() - limits.large_table_posts_per_hour;
            return Err(Over::Requests(self.leaves(now, first, HOUR)));
        }
        let mut in_hour: usize = self.accepted.iter().map(|(_, rows)| rows).sum();
        if in_hour + rows > limits.rows_per_hour {
            // Until enough of the oldest have left the window, not only the first.
            for (at, pushed) in &self.accepted {
                in_hour -= pushed;
                if in_hour + rows <= limits.rows_per_hour {
                    return Err(Over::Rows(HOUR.saturating_sub(now.duration_since(*at))));
                }
            }
            return Err(Over::Rows(HOUR));
        }
        self.accepted.push_back((now, rows));
        self.pending += 1;
        Ok(())
    }

    fn leaves(&self, now: Instant, which: usize, window: Duration) -> Duration {
        self.accepted.get(which).map_or(window, |(at, _)| window.saturating_sub(now.duration_since(*at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_waits_until_enough_of_the_oldest_have_left() {
        let limits = Limits { rows_per_hour: 10, posts_per_minute: 3, ..Limits::default() };
        let (mut pushes, start) = (Pushes::default(), Instant::now());
        let at = |minutes| start + Duration::from_mins(minutes);
        for minutes in [0, 10, 20] {
            assert_eq!(pushes.admit(at(minutes), 3, false, &limits), Ok(()));
        }
        // 9 rows are in: for 4 the first must leave, for 7 the second.
        assert_eq!(pushes.admit(at(30), 4, false, &limits), Err(Over::Rows(Duration::from_mins(30))));
        assert_eq!(pushes.admit(at(30), 7, false, &limits), Err(Over::Rows(Duration::from_mins(40))));
        assert_eq!(pushes.admit(at(60), 4, false, &limits), Ok(()));
        assert_eq!(pushes.admit(at(60), 0, false, &limits), Ok(()));
        assert_eq!(pushes.admit(at(60), 0, false, &limits), Err(Over::Pending));
        pushes.pending = 0;
        assert_eq!(pushes.admit(at(60), 0, false, &limits), Ok(()));
        assert_eq!(pushes.admit(at(60), 0, false, &limits), Err(Over::Requests(MINUTE)));
    }
}
