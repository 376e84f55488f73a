//! The clock of job runs: it moves by itself, or one step each time a test asks. A second of the real service is a step.

use tokio::sync::watch;

use crate::databricks::options::Clock;

#[derive(Clone, Copy, Debug)]
struct Now {
    clock: Clock,
    /// Steps that were asked for since the start.
    steps: u64,
}

/// A place in time: the steps that whoever holds it has lived through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hand(u64);

#[derive(Debug)]
pub(super) struct Ticks(watch::Sender<Now>);

impl Ticks {
    pub(super) fn new(clock: Clock) -> Self {
        Self(watch::Sender::new(Now { clock, steps: 0 }))
    }

    /// Whoever waits now goes on by this clock.
    pub(super) fn set(&self, clock: Clock) {
        self.0.send_modify(|now| now.clock = clock);
    }

    pub(super) fn step(&self) {
        self.0.send_modify(|now| now.steps += 1);
    }

    pub(super) fn now(&self) -> Hand {
        Hand(self.0.borrow().steps)
    }

    /// Waits until so many steps have passed since `from`, and says where that is. Steps that were asked for meanwhile
    /// count, so that what a step does never depends on how fast the work is.
    pub(super) async fn pass(&self, from: Hand, steps: u64) -> Hand {
        let mut time = self.0.subscribe();
        let (mut seen, mut left) = (from.0, steps);
        loop {
            let now = *time.borrow_and_update();
            let came = now.steps.saturating_sub(seen).min(left);
            (seen, left) = (seen + came, left - came);
            if left == 0 {
                return Hand(seen);
            }
            match now.clock {
                Clock::Stepped => drop(time.changed().await),
                Clock::Auto(each) => {
                    let rest = each.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX));
                    if tokio::time::timeout(rest, time.changed()).await.is_err() {
                        return Hand(now.steps.max(seen));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn steps_that_came_before_the_wait_count_once() {
        let ticks = Ticks::new(Clock::Stepped);
        let start = ticks.now();
        ticks.step();
        ticks.step();
        let middle = ticks.pass(start, 1).await;
        assert_eq!(ticks.pass(middle, 1).await, ticks.now());
        let more = tokio::time::timeout(Duration::ZERO, ticks.pass(ticks.now(), 1));
        assert!(more.await.is_err(), "there is no third step");
    }

    #[tokio::test]
    async fn who_waits_for_a_step_goes_on_when_the_clock_moves_by_itself() {
        let ticks = Ticks::new(Clock::Stepped);
        let start = ticks.now();
        let (_, ()) = tokio::join!(ticks.pass(start, 3), async { ticks.set(Clock::Auto(Duration::ZERO)) });
    }
}
