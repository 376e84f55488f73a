//! A refresh token in the vault: read from there, and a newer one written back, by one instance at a time and never over one
//! that somebody else has put there meanwhile.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use super::write::{NewVersion, SecretStore};
use crate::entra::RefreshTokens;
use crate::failure::Failure;
use crate::http::Deadline;
use crate::ledger::{Ledger, Slot, draw_writer};

/// How long the writing may take.
const HOLD: Duration = Duration::from_mins(1);

/// One refresh token, by its name in Key Vault.
pub struct KeptRefreshToken {
    store: Arc<dyn SecretStore>,
    ledger: Ledger,
    name: String,
    /// How old the one in the vault grows before a newer one replaces it.
    write_after: Duration,
    unwritten: Mutex<Option<Unwritten>>,
}

/// A newer one than the vault has.
#[derive(Clone)]
struct Unwritten {
    /// What the vault had when it was made.
    after: SecretString,
    token: SecretString,
}

impl fmt::Debug for KeptRefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptRefreshToken").field("name", &self.name).finish_non_exhaustive()
    }
}

impl KeptRefreshToken {
    pub fn new(store: Arc<dyn SecretStore>, ledger: Ledger, name: &str, write_after: Duration) -> Self {
        Self { store, ledger, name: name.to_owned(), write_after, unwritten: Mutex::default() }
    }

    fn unwritten(&self) -> Option<Unwritten> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_unwritten(&self, value: Option<Unwritten>) {
        *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }

    /// What to use where the vault has `stored`: ours, if it came of that, and else what is there.
    fn best(&self, stored: SecretString) -> SecretString {
        match self.unwritten() {
            Some(unwritten) if same(&unwritten.after, &stored) => unwritten.token,
            Some(_) => {
                self.set_unwritten(None);
                stored
            }
            None => stored,
        }
    }

    /// Writes `token`, unless the vault has another than `after`, or one that is young enough. Whether it need not be kept
    /// in memory any more.
    async fn write_back(
        &self,
        after: &SecretString,
        token: &SecretString,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        let slot = format!("refresh-token-{}", self.name);
        let Some(held) = Slot::take(&self.ledger, &slot, &draw_writer(), HOLD, deadline).await? else {
            // Another instance is about to write one that is as good.
            return Ok(false);
        };
        let written = self.write_in_turn(after, token, deadline).await;
        if let Err(error) = held.release(deadline).await {
            tracing::debug!(%error, "a slot could not be released; it ends by itself");
        }
        written
    }

    async fn write_in_turn(
        &self,
        after: &SecretString,
        token: &SecretString,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        let stored = self.store.newest(&self.name, deadline).await?;
        if !same(&stored.secret.value, after) {
            // Another instance's, or that of somebody who has signed in again: it stays.
            return Ok(true);
        }
        let now = self.ledger.clock().now();
        let age = stored.created.and_then(|created| Duration::try_from(now.duration_since(created)).ok());
        if age.is_some_and(|age| age < self.write_after) {
            return Ok(false);
        }
        let new = NewVersion { tags: stored.tags, ..NewVersion::of(token.clone()) };
        self.store.write(&self.name, new, deadline).await?;
        Ok(true)
    }
}

#[async_trait]
impl RefreshTokens for KeptRefreshToken {
    async fn current(&self, deadline: Deadline) -> Result<SecretString, Failure> {
        let stored = self.store.current(&self.name, deadline).await?.value;
        Ok(self.best(stored))
    }

    async fn another(&self, refused: &SecretString, deadline: Deadline) -> Result<Option<SecretString>, Failure> {
        let stored = self.store.newest(&self.name, deadline).await?.secret.value;
        if !same(&stored, refused) {
            // Ours came of what was refused, or is it.
            self.set_unwritten(None);
            return Ok(Some(stored));
        }
        Ok(None)
    }

    async fn replaced(&self, used: &SecretString, new: SecretString, deadline: Deadline) {
        let after = match self.unwritten() {
            Some(unwritten) if same(&unwritten.token, used) => unwritten.after,
            _ => used.clone(),
        };
        let kept = match self.write_back(&after, &new, deadline).await {
            Ok(true) => None,
            Ok(false) => Some(Unwritten { after, token: new }),
            Err(failure) => {
                tracing::warn!(
                    secret = self.name,
                    error = failure.chain(),
                    "a newer refresh token could not be written to Key Vault; the one there still serves"
                );
                Some(Unwritten { after, token: new })
            }
        };
        self.set_unwritten(kept);
    }
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

#[cfg(test)]
mod tests;
