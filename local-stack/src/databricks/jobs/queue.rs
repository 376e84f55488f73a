//! Runs that may not begin yet: they wait until others have ended, those of one job in their order.

use std::sync::Arc;

use super::run::{Phase, Run};
use super::{Jobs, lock};

impl Jobs {
    /// Somebody may leave the queue.
    pub(super) fn made_room(&self) {
        self.room.send_modify(|changes| *changes += 1);
    }

    /// Waits in the queue for as long as the run is in it; true when it was.
    pub(super) async fn leave_queue(&self, run: &Arc<Run>, limit: usize) -> bool {
        let mut room = self.room.subscribe();
        if !matches!(run.progress().phase, Phase::Queued(_)) {
            return false;
        }
        while !self.admit(run, limit) {
            drop(room.changed().await);
        }
        self.made_room();
        true
    }

    /// Takes a place for a queued run, when there is one and no older run of its job waits.
    fn admit(&self, run: &Arc<Run>, limit: usize) -> bool {
        let runs = lock(&self.runs);
        let queued = |other: &&Arc<Run>| matches!(other.progress().phase, Phase::Queued(_));
        let mut older = runs.all.iter().take_while(|other| other.id != run.id).filter(queued);
        if older.any(|other| other.job.id == run.job.id) {
            return false;
        }
        let (all, of_job) = runs.active(run.job.id);
        let free = all < limit && of_job < run.job.max_concurrent_runs;
        if free {
            let mut progress = run.progress();
            (progress.phase, progress.admitted) = (Phase::Pending, Some(jiff::Timestamp::now()));
        }
        free
    }
}
