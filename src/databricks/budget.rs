//! The bytes that results may hold in memory, shared by all streams of a process.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A share of memory for chunks that were fetched and not yet handed on; cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    room: Arc<Semaphore>,
    /// Permits in all; one permit is one KiB.
    most: u32,
}

impl Budget {
    /// One for the process.
    pub fn new(bytes: usize) -> Self {
        let most = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).max(1);
        Self { room: Arc::new(Semaphore::new(most as usize)), most }
    }

    /// Waits for room for `bytes`, in the order of asking. More than there is in all is taken for all.
    pub(super) async fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let wanted = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, self.most);
        Arc::clone(&self.room).acquire_many_owned(wanted).await.ok()
    }
}
