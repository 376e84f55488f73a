//! The wall clock, handed down from the composition root: what the engine stands on asks it, so that a simulation may skew
//! it and let it jump. Durations within a process are tokio's business: see `http::Deadline`.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time of day; cheap to clone.
#[derive(Clone)]
pub struct Clock(Option<Arc<dyn Fn() -> Timestamp + Send + Sync>>);

impl Clock {
    /// The machine's.
    pub fn system() -> Self {
        Self(None)
    }

    /// One that tells what `read` does.
    pub fn reading(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(read)))
    }

    /// The time of day; it may have jumped since it was last asked, in either direction.
    pub fn now(&self) -> Timestamp {
        self.0.as_ref().map_or_else(Timestamp::now, |read| read())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clock(given)" } else { "Clock(system)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_clock_tells_what_it_is_told() {
        let clock = Clock::reading(|| Timestamp::UNIX_EPOCH);
        assert_eq!(clock.clone().now(), Timestamp::UNIX_EPOCH);
        assert!(Clock::system().now() > Timestamp::UNIX_EPOCH);
    }
}
