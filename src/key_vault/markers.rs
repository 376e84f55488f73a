//! Markers in the ledger that say which versions of a secret came into being: written when Event Grid tells us, looked at
//! by every instance while it uses the secret. Instances share no memory; the ledger is what they share.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::time::Instant;

use super::{Secret, Secrets};
use crate::failure::Failure;
use crate::http::Deadline;
use crate::ledger::{Ledger, segment};

/// A look must not hold a call up: without its answer the cache is believed as before.
const LOOK: Duration = Duration::from_secs(2);

/// Where the marker of a version stands. Names in Key Vault ignore case.
pub fn marker_path(name: &str, version: &str) -> String {
    format!("{}/{}", folder(name), segment(version))
}

fn folder(name: &str) -> String {
    format!("secrets/{}", segment(&name.to_ascii_lowercase()))
}

/// Secrets whose cached version is dropped when a marker has come since it was read.
pub struct Watched<S> {
    pub(super) secrets: S,
    ledger: Ledger,
    /// At most so often; 30 s.
    pause: Duration,
    seen: Mutex<HashMap<String, Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// When the next look is due; `None`: there was none yet.
    next: Option<Instant>,
    /// `None` until a look has had an answer.
    markers: Option<BTreeSet<String>>,
}

impl<S: Secrets> Watched<S> {
    pub fn new(secrets: S, ledger: Ledger, pause: Duration) -> Self {
        Self { secrets, ledger, pause, seen: Mutex::default() }
    }

    /// Looks, when it is time. Comes before the reading: so whatever is read is newer than the last look.
    async fn look(&self, name: &str, deadline: Deadline) {
        {
            let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = all.entry(name.to_owned()).or_default();
            let now = Instant::now();
            if seen.next.is_some_and(|next| now < next) {
                return;
            }
            // Others go on meanwhile: one look serves them all.
            seen.next = Some(now + self.pause);
        }
        let found = match self.ledger.list(&folder(name), deadline.within(LOOK)).await {
            Ok(found) => found.into_iter().map(|listed| listed.path).collect::<BTreeSet<_>>(),
            Err(error) => {
                tracing::debug!(secret = name, %error, "the markers of a secret could not be looked at");
                return;
            }
        };
        let is_new = {
            let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let before = all.entry(name.to_owned()).or_default().markers.replace(found.clone());
            // At the first look, too, whatever is kept may have been read meanwhile, or while looks had no answer.
            before.map_or(!found.is_empty(), |before| !found.is_subset(&before))
        };
        if is_new {
            tracing::info!(secret = name, "a secret has a new version and is read again");
            self.secrets.drop_current(name);
        }
    }
}

impl<S> fmt::Debug for Watched<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("pause", &self.pause).finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: Secrets> Secrets for Watched<S> {
    async fn current(&self, name: &str, deadline: Deadline) -> Result<Secret, Failure> {
        self.look(name, deadline).await;
        self.secrets.current(name, deadline).await
    }

    async fn version(&self, name: &str, version: &str, deadline: Deadline) -> Result<Secret, Failure> {
        self.secrets.version(name, version, deadline).await
    }

    fn forget(&self, name: &str, value: &SecretString) {
        self.secrets.forget(name, value);
    }

    fn drop_current(&self, name: &str) {
        self.secrets.drop_current(name);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Counts how often it had to forget.
    #[derive(Clone, Debug, Default)]
    struct Counted(Arc<AtomicU32>);

    #[async_trait]
    impl Secrets for Counted {
        async fn current(&self, _name: &str, _deadline: Deadline) -> Result<Secret, Failure> {
            Ok(Secret { value: "value".into(), version: "v".into() })
        }
        async fn version(&self, name: &str, _version: &str, deadline: Deadline) -> Result<Secret, Failure> {
            self.current(name, deadline).await
        }
        fn forget(&self, _name: &str, _value: &SecretString) {}
        fn drop_current(&self, _name: &str) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(30))
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_marker_drops_the_value_once_and_is_looked_for_no_more_often_than_told() {
        let (counted, ledger) = (Counted::default(), Ledger::in_memory());
        let watched = Watched::new(counted.clone(), ledger.clone(), Duration::from_secs(30));
        let mark = async |version: &str| {
            let entry = serde_json::json!({"writer": version}).to_string();
            ledger.put(&marker_path("My-Secret", version), entry.into(), soon()).await.unwrap();
        };
        let used = async || {
            watched.current("my-secret", soon()).await.unwrap();
            counted.0.load(Ordering::Relaxed)
        };
        mark("v1").await;
        // Nothing is kept yet, so that this costs nothing.
        assert_eq!(used().await, 1);
        mark("v2").await;
        tokio::time::advance(Duration::from_secs(29)).await;
        assert_eq!(used().await, 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(used().await, 2);
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(used().await, 2);
    }
}
