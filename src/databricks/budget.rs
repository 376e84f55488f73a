//! The bytes that results may hold in memory, shared by all streams of a process.
//!
//! Why nobody waits for ever: a stream queues, first come first served, only for the chunk that its reader waits for,
//! and then it holds nothing else (shares are taken in the order of chunks, so there is none behind the first that is
//! missing). Whoever holds a share waits for the network or for its reader, never for more budget; both end by the
//! deadline of the call. Reading ahead never queues: it takes what lies free while nobody waits, never the last quarter,
//! and never more than the stream's part of the rest, so a reader that stalls leaves room for others. A chunk larger
//! than the whole budget takes all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A share of memory for chunks that were fetched and not yet handed on; cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    room: Arc<Semaphore>,
    /// Permits in all; one permit is one KiB.
    most: u32,
    /// Streams that are being read now.
    streams: Arc<AtomicU32>,
}

/// One stream's access to the budget.
#[derive(Debug)]
pub(super) struct Portion {
    budget: Budget,
    /// Permits that the stream's chunks hold.
    held: Arc<AtomicU32>,
}

/// What one chunk holds; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    permit: OwnedSemaphorePermit,
    held: Arc<AtomicU32>,
}

impl Budget {
    /// One for the process.
    pub fn new(bytes: usize) -> Self {
        let most = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 3);
        Self { room: Arc::new(Semaphore::new(most as usize)), most, streams: Arc::default() }
    }

    /// Access for one more stream.
    pub(super) fn portion(&self) -> Portion {
        self.streams.fetch_add(1, Ordering::Relaxed);
        Portion { budget: self.clone(), held: Arc::default() }
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.room.available_permits() * 1024
    }

    /// Permits for so many bytes: at least one, at most all.
    fn permits(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, self.most)
    }
}

impl Portion {
    /// For the chunk that the reader waits for: waits in the order of asking.
    pub(super) async fn take(&self, bytes: u64) -> Option<Share> {
        let wanted = self.budget.permits(bytes);
        let permit = Arc::clone(&self.budget.room).acquire_many_owned(wanted).await.ok()?;
        Some(self.share(permit))
    }

    /// For a chunk that is read ahead: only what lies free. (While somebody queues, nothing does: tokio's semaphore
    /// hands what comes back to the first in the queue at once.)
    pub(super) fn take_free(&self, bytes: u64) -> Option<Share> {
        let budget = &self.budget;
        let wanted = budget.permits(bytes);
        let lent = budget.most - budget.most / 4;
        let part = lent / budget.streams.load(Ordering::Relaxed).max(1);
        let free = budget.room.available_permits();
        if self.held.load(Ordering::Relaxed) + wanted > part || free < (wanted + budget.most / 4) as usize {
            return None;
        }
        let permit = Arc::clone(&budget.room).try_acquire_many_owned(wanted).ok()?;
        Some(self.share(permit))
    }

    fn share(&self, permit: OwnedSemaphorePermit) -> Share {
        self.held.fetch_add(permits_in(&permit), Ordering::Relaxed);
        Share { permit, held: Arc::clone(&self.held) }
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        self.budget.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Share {
    /// Now that the size is known: gives back what is too much, and takes what is missing if it lies free. It does not
    /// wait for it: a share that is held while waiting for more is how all could stand still.
    pub(super) fn fit(&mut self, budget: &Budget, bytes: u64) {
        let (has, wanted) = (permits_in(&self.permit), budget.permits(bytes));
        if let Some(surplus) = has.checked_sub(wanted) {
            self.held.fetch_sub(surplus, Ordering::Relaxed);
            drop(self.permit.split(surplus as usize));
        } else if let Ok(more) = Arc::clone(&budget.room).try_acquire_many_owned(wanted - has) {
            self.held.fetch_add(wanted - has, Ordering::Relaxed);
            self.permit.merge(more);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.fetch_sub(permits_in(&self.permit), Ordering::Relaxed);
    }
}

fn permits_in(permit: &OwnedSemaphorePermit) -> u32 {
    u32::try_from(permit.num_permits()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
