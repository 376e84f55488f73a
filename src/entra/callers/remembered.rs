//! Tokens that have been validated, by their SHA-256, so that a caller who sends the same one a thousand times a second does
//! not have its signature checked as often. Bounded; nothing is kept past its end.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use moka::future::Cache;

use super::Caller;

/// Bytes of tokens that are kept at most.
const MOST_BYTES: u64 = 8 << 20;
/// No longer than this, so that a key which Entra has withdrawn is noticed.
const LONGEST: Duration = Duration::from_mins(10);
/// What an entry weighs besides its token.
const ENTRY: usize = 512;

#[derive(Debug)]
pub(super) struct Remembered(Cache<[u8; 32], Entry>);

#[derive(Clone, Debug)]
struct Entry {
    caller: Caller,
    /// Of the keys that it was validated with.
    generation: u64,
    good_until: Timestamp,
    bytes: usize,
}

impl Default for Remembered {
    fn default() -> Self {
        let weigh = |_: &[u8; 32], entry: &Entry| u32::try_from(entry.bytes).unwrap_or(u32::MAX);
        Self(Cache::builder().weigher(weigh).max_capacity(MOST_BYTES).time_to_live(LONGEST).build())
    }
}

impl Remembered {
    pub(super) async fn get(&self, token: &str, generation: u64, now: Timestamp) -> Option<Caller> {
        let entry = self.0.get(&hash(token)?).await?;
        (entry.generation == generation && now < entry.good_until).then_some(entry.caller)
    }

    pub(super) async fn put(&self, token: &str, caller: Caller, generation: u64, good_until: Timestamp) {
        let Some(hash) = hash(token) else { return };
        let bytes = token.len() + ENTRY;
        self.0.insert(hash, Entry { caller, generation, good_until, bytes }).await;
    }
}

fn hash(token: &str) -> Option<[u8; 32]> {
    digest(&SHA256, token.as_bytes()).as_ref().try_into().ok()
}
