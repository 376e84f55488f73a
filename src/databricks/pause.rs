//! The pauses between two looks: growing, and a little uneven, so that many waiters don't ask all at once.

use std::time::Duration;

/// Pauses that grow by half from the first to the longest.
pub(super) struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// The next pause, up to a tenth shorter than its plan; never longer than the longest.
    pub(super) fn next_pause(&mut self) -> Duration {
        let plan = self.next;
        self.next = (plan * 3 / 2).min(self.longest);
        let chance = u32::from(uuid::Uuid::new_v4().as_bytes()[0]);
        plan.saturating_sub(plan * chance / (10 * 256))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_stay_within_a_tenth_of_their_plan() {
        let mut pauses = Pauses::new(Duration::from_millis(100), Duration::from_secs(5));
        let mut plan = Duration::from_millis(100);
        for _ in 0..20 {
            let pause = pauses.next_pause();
            assert!(pause <= plan && pause >= plan * 9 / 10, "{pause:?} of {plan:?}");
            plan = (plan * 3 / 2).min(Duration::from_secs(5));
        }
        assert_eq!(plan, Duration::from_secs(5));
    }
}
