//! The clock of the limits: it can be moved on, and run faster than the real one, so that a test or a benchmark
//! reaches the end of an hour's window within a minute.

use std::time::{Duration, Instant};

/// Slower than this, or faster than a day in a second, is of no use to anybody.
const SCALES: std::ops::RangeInclusive<f64> = 0.001..=86_400.0;

#[derive(Debug)]
pub(super) struct LimitClock {
    scale: f64,
    /// A moment of the real clock, and the same one of this clock.
    real: Instant,
    here: Instant,
}

impl LimitClock {
    pub(super) fn new(scale: f64) -> Self {
        let now = Instant::now();
        Self { scale: sane(scale), real: now, here: now }
    }

    pub(super) fn now(&self) -> Instant {
        self.here + self.here_of(self.real.elapsed())
    }

    /// From now on; what has passed stays passed.
    pub(super) fn set_scale(&mut self, scale: f64) {
        *self = Self { scale: sane(scale), here: self.now(), real: Instant::now() };
    }

    pub(super) fn advance(&mut self, time: Duration) {
        self.here += time;
    }

    /// How long a time of the real clock is on this one.
    pub(super) fn here_of(&self, real: Duration) -> Duration {
        real.mul_f64(self.scale)
    }

    /// A wait on this clock as `Retry-After`: whole seconds of the real clock, never less than it takes.
    pub(super) fn retry_after(&self, wait: Duration) -> u64 {
        let real = wait.div_f64(self.scale);
        (real.as_secs() + u64::from(real.subsec_nanos() > 0)).max(1)
    }
}

fn sane(scale: f64) -> f64 {
    if scale.is_nan() { 1.0 } else { scale.clamp(*SCALES.start(), *SCALES.end()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_short() {
        assert_eq!(LimitClock::new(1.0).retry_after(Duration::from_millis(1_001)), 2);
        assert_eq!(LimitClock::new(60.0).retry_after(Duration::from_mins(2)), 2);
        assert_eq!(LimitClock::new(60.0).retry_after(Duration::from_secs(121)), 3);
        assert_eq!(LimitClock::new(60.0).retry_after(Duration::from_millis(10)), 1);
    }

    #[test]
    fn a_faster_clock_goes_on_from_where_it_was() {
        let mut clock = LimitClock::new(1.0);
        clock.advance(Duration::from_hours(1));
        let before = clock.now();
        clock.set_scale(3_600.0);
        assert!(clock.now() >= before);
        assert_eq!(clock.here_of(Duration::from_millis(500)), Duration::from_mins(30));
    }
}
