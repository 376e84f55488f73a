//! What was measured, and its percentiles. No clock is read here.

use std::time::Duration;

#[derive(Default)]
pub struct Figures {
    microseconds: Vec<f64>,
    failures: u64,
    /// The first one tells what went wrong; the others are as many.
    failure: Option<String>,
}

impl Figures {
    pub fn took(&mut self, time: Duration) {
        self.microseconds.push(time.as_secs_f64() * 1e6);
    }

    pub fn failed(&mut self, why: &str) {
        self.failures += 1;
        self.failure.get_or_insert_with(|| why.replace(['"', '\\'], "'"));
    }

    pub fn add(&mut self, other: Self) {
        self.microseconds.extend(other.microseconds);
        self.failures += other.failures;
        self.failure = self.failure.take().or(other.failure);
    }

    pub fn line(mut self, elapsed: Duration) -> String {
        self.microseconds.sort_by(f64::total_cmp);
        let at = |share: f64| percentile(&self.microseconds, share);
        let count = self.microseconds.len();
        let seconds = elapsed.as_secs_f64();
        format!(
            r#"{{"calls": {count}, "failures": {}, "failure": "{}", "seconds": {seconds:.6}, "perSecond": {:.1}, "p50": {:.1}, "p90": {:.1}, "p99": {:.1}, "p999": {:.1}, "max": {:.1}}}"#,
            self.failures,
            self.failure.as_deref().unwrap_or(""),
            count as f64 / seconds,
            at(0.5),
            at(0.9),
            at(0.99),
            at(0.999),
            at(1.0),
        )
    }
}

/// The nearest rank; zero of nothing.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}
