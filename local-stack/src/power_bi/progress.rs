//! How far something has come that nobody waits for: by time, or stepped by a test, as refreshes are.

use std::time::Duration;

use tokio::time::Instant;

use super::Clock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    NotStarted,
    Running,
    Ended,
}

#[derive(Clone, Debug)]
pub(super) struct Progress {
    clock: Clock,
    begun: Instant,
    steps: usize,
}

impl Progress {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, begun: Instant::now(), steps: 0 }
    }

    pub(super) fn stage(&self) -> Stage {
        let (passed, first, last) = match self.clock {
            Clock::Auto(time) => (self.begun.elapsed(), time / 4, time),
            Clock::Stepped => (seconds(self.steps), seconds(1), seconds(2)),
        };
        match passed {
            passed if passed >= last => Stage::Ended,
            passed if passed >= first => Stage::Running,
            _ => Stage::NotStarted,
        }
    }

    pub(super) fn step(&mut self) {
        self.steps += 1;
    }

    /// What is left, in whole seconds, at least one.
    pub(super) fn left(&self) -> u64 {
        match self.clock {
            Clock::Auto(time) => time.saturating_sub(self.begun.elapsed()).as_secs() + 1,
            Clock::Stepped => 1,
        }
    }
}

fn seconds(count: usize) -> Duration {
    Duration::from_secs(count as u64)
}
