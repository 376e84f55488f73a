//! Pushes kept within a dataset's limits before the service must refuse them: what is taken is in the ledger, where all
//! instances see it. The service's 429 stays the truth, and is told to all of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use uuid::Uuid;

use super::PowerBi;
use super::limits::{Amount, LARGE_TABLE, PENDING, Taken, Taker, Windows};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::{Budget, Decided, Ledger};

/// Taken at once where more is to come: each time costs an entry in the ledger.
const AT_ONCE: u64 = 10;
/// A push of so few rows is likely one of many.
const FEW_ROWS: u64 = 100;
/// How soon a batch asks again for which there was no place.
const NO_PLACE: Duration = Duration::from_millis(100);

/// What this process has taken.
#[derive(Debug)]
pub(super) struct Pace {
    windows: Windows,
    me: String,
    datasets: Mutex<HashMap<String, Dataset>>,
}

#[derive(Clone, Debug)]
struct Dataset {
    taken: Arc<tokio::sync::Mutex<OfDataset>>,
    /// One for each push that may be pending, of all processes.
    places: Arc<Semaphore>,
    /// How many of them a push of this process takes, so that the others' are left.
    each: Arc<AtomicU32>,
}

#[derive(Debug)]
struct OfDataset {
    budget: Budget<Taken>,
    /// Taken and not used,
    left: Amount,
    /// under this moment.
    taken_at: i64,
    good_until: Instant,
}

/// When a batch may be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchTurn {
    /// Now, and it counts as taken, under this moment: what does not come can be given back.
    Now(i64),
    After(Duration),
}

/// A batch that is about to be pushed.
#[derive(Clone, Copy, Debug)]
pub struct NextBatch<'a> {
    pub dataset: &'a str,
    pub rows: u64,
    /// A push by itself, of which more may follow that nobody knows of yet; it has its place already.
    pub alone: bool,
    /// Batches and rows that are left, this one included.
    pub batches_left: u64,
    pub rows_left: u64,
    /// Rows that surely are in the table.
    pub rows_there: u64,
}

impl Pace {
    /// With windows so many times shorter.
    pub(super) fn new(scale: u32) -> Self {
        let me = Uuid::new_v4().simple().to_string();
        Self { windows: Windows::scaled(scale), me, datasets: Mutex::default() }
    }

    fn taker(&self, batch: NextBatch<'_>) -> Taker<'_> {
        Taker { by: &self.me, large: batch.rows_there >= LARGE_TABLE }
    }

    fn of(&self, dataset: &str) -> Dataset {
        let dataset = dataset.to_ascii_lowercase();
        let mut datasets = self.datasets.lock().unwrap_or_else(PoisonError::into_inner);
        let new = |name: &String| {
            let budget = Budget::of(name);
            let taken = OfDataset { budget, left: Amount::default(), taken_at: 0, good_until: Instant::now() };
            Dataset {
                taken: Arc::new(tokio::sync::Mutex::new(taken)),
                places: Arc::new(Semaphore::new(PENDING)),
                each: Arc::new(AtomicU32::new(1)),
            }
        };
        datasets.entry(dataset).or_insert_with_key(new).clone()
    }
}

impl OfDataset {
    fn has_left(&self, rows: u64) -> bool {
        self.left.requests > 0 && self.left.rows >= rows && Instant::now() < self.good_until
    }
}

impl PowerBi {
    /// Whether there is room for the batch, as far as this process knows; nothing is taken.
    pub async fn has_room(&self, ledger: &Ledger, batch: NextBatch<'_>, deadline: Deadline) -> Result<bool, Failure> {
        let dataset = self.pace.of(batch.dataset);
        let mut of = dataset.taken.lock().await;
        let one = Amount { requests: 1, rows: batch.rows };
        let (windows, taker) = (self.pace.windows, self.pace.taker(batch));
        if of.has_left(batch.rows) {
            return Ok(true);
        }
        let decide = |taken: &mut Taken| {
            Decided::Left(taken.take(ledger.clock().now().as_millisecond(), windows, taker, one).is_ok())
        };
        Ok(of.budget.decide(ledger, deadline, decide).await?)
    }

    /// Whether the batch may be pushed now; else after how long.
    pub async fn may_push(
        &self,
        ledger: &Ledger,
        batch: NextBatch<'_>,
        deadline: Deadline,
    ) -> Result<BatchTurn, Failure> {
        let dataset = self.pace.of(batch.dataset);
        let mut of = dataset.taken.lock().await;
        // What is taken is to be sent at once.
        let each = usize::try_from(dataset.each.load(Ordering::Relaxed)).unwrap_or(1);
        if !batch.alone && dataset.places.available_permits() < each {
            return Ok(BatchTurn::After(NO_PLACE));
        }
        if of.has_left(batch.rows) {
            of.left.requests -= 1;
            of.left.rows -= batch.rows;
            return Ok(BatchTurn::Now(of.taken_at));
        }
        let one = Amount { requests: 1, rows: batch.rows };
        let more = batch.more();
        let windows = self.pace.windows;
        let taker = self.pace.taker(batch);
        let OfDataset { budget, left, taken_at, good_until } = &mut *of;
        let (idle, idle_at) = (*left, *taken_at);
        let decided = budget.decide(ledger, deadline, |taken: &mut Taken| {
            let now = ledger.clock().now().as_millisecond();
            if idle != Amount::default() {
                taken.give_back(now, windows, idle_at, idle);
            }
            if more != one
                && let Ok(at) = taken.take(now, windows, taker, more)
            {
                return Decided::Taken(Ok((more, at, taken.share())));
            }
            match taken.take(now, windows, taker, one) {
                Ok(at) => Decided::Taken(Ok((one, at, taken.share()))),
                Err(wait) => Decided::Left(Err(wait)),
            }
        });
        match decided.await? {
            Ok((amount, at, share)) => {
                dataset.each.store(u32::try_from(PENDING / share).unwrap_or(1), Ordering::Relaxed);
                *left = Amount { requests: amount.requests - 1, rows: amount.rows - batch.rows };
                *taken_at = at;
                *good_until = Instant::now() + duration(windows.good_for());
                Ok(BatchTurn::Now(at))
            }
            Err(wait) => Ok(BatchTurn::After(duration(wait))),
        }
    }

    /// A place among the pushes that may be pending, until it is dropped.
    pub async fn place_to_push(&self, dataset: &str, deadline: Deadline) -> Result<OwnedSemaphorePermit, Failure> {
        let Dataset { places, each, .. } = self.pace.of(dataset);
        let place = places.acquire_many_owned(each.load(Ordering::Relaxed));
        // Half of the time is left to push in.
        let in_time = deadline.within(deadline.remaining() / 2);
        let place = tokio::time::timeout_at(in_time.instant(), place).await;
        place.ok().and_then(Result::ok).ok_or_else(|| {
            let detail = "Power BI takes five pushes to a dataset at once, and as many are under way; try again later.";
            Failure::new(Code::UpstreamThrottled, detail)
        })
    }

    /// The service has refused a push of so many rows, whose turn was `taken_at`, for so long: nobody tries before. The
    /// request counts all the same.
    pub async fn push_refused(
        &self,
        ledger: &Ledger,
        dataset: &str,
        after: Duration,
        (taken_at, rows): (i64, u64),
        deadline: Deadline,
    ) {
        let shut = |taken: &mut Taken, now| taken.shut(now, milliseconds(after));
        self.give_back(ledger, dataset, (taken_at, rows), shut, deadline).await;
    }

    /// A push of so many rows, whose turn was `taken_at`, has surely not come: others may have them instead.
    pub async fn push_lost(&self, ledger: &Ledger, dataset: &str, lost: (i64, u64), deadline: Deadline) {
        self.give_back(ledger, dataset, lost, |_, _| false, deadline).await;
    }

    async fn give_back(
        &self,
        ledger: &Ledger,
        dataset: &str,
        (taken_at, rows): (i64, u64),
        also: impl Fn(&mut Taken, i64) -> bool,
        deadline: Deadline,
    ) {
        let of = self.pace.of(dataset);
        let mut of = of.taken.lock().await;
        let windows = self.pace.windows;
        let OfDataset { budget, left, taken_at: idle_at, .. } = &mut *of;
        // What follows has to wait, and is taken anew when its turn comes.
        let (idle, idle_at) = (std::mem::take(left), *idle_at);
        let told = budget.decide(ledger, deadline, |taken: &mut Taken| {
            let now = ledger.clock().now().as_millisecond();
            let lost = taken.give_back(now, windows, taken_at, Amount { requests: 0, rows });
            let unused = taken.give_back(now, windows, idle_at, idle);
            if also(taken, now) | lost | unused { Decided::Taken(()) } else { Decided::Left(()) }
        });
        if let Err(error) = told.await {
            // Others find out by themselves.
            tracing::warn!(dataset, error = Failure::from(error).chain(), "what did not come could not be given back");
        }
    }
}

impl NextBatch<'_> {
    /// What to take in one go: the batches that surely follow, or the pushes that likely do.
    fn more(&self) -> Amount {
        if self.alone && self.rows <= FEW_ROWS {
            return Amount { requests: AT_ONCE, rows: self.rows + (AT_ONCE - 1) * FEW_ROWS };
        }
        let requests = self.batches_left.clamp(1, AT_ONCE);
        let each = self.rows_left.div_ceil(self.batches_left.max(1)).max(self.rows);
        Amount { requests, rows: (each * requests).min(self.rows_left.max(self.rows)) }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn duration(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}
