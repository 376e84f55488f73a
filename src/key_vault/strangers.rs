//! Versions that nobody has ever heard of. The address of a status call names a version, and needs no key: whoever makes
//! such addresses up must not be able to spend the vault's limits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many unknown versions in this time are a flood.
const MOST: u32 = 30;
const TIME: Duration = Duration::from_mins(1);

/// How many came lately; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Strangers(Arc<Mutex<Option<(Instant, u32)>>>);

impl Strangers {
    /// The vault does not know a version that it was asked for.
    pub(super) fn met(&self) {
        let now = Instant::now();
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counted = match *counted {
            Some((since, count)) if now < since + TIME => Some((since, count.saturating_add(1))),
            _ => Some((now, 1)),
        };
    }

    /// How long the vault is not to be asked for a version that is not kept.
    pub(super) fn flood(&self) -> Option<Duration> {
        let now = Instant::now();
        let counted = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.filter(|(since, count)| *count >= MOST && now < *since + TIME).map(|(since, _)| since + TIME - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_made_up_versions_ends_after_a_minute() {
        let strangers = Strangers::default();
        for _ in 1..MOST {
            strangers.met();
        }
        assert!(strangers.flood().is_none());
        strangers.met();
        assert!(strangers.flood().is_some());
        tokio::time::advance(TIME).await;
        assert!(strangers.flood().is_none());
    }
}
