//! Secrets by name, read with the Azure SDK behind our own timeout, cached, dropped when refused; and written, as new
//! versions.

mod kept;
mod markers;
mod names;
mod quiet;
mod refresh_tokens;
mod refused;
mod strangers;
#[cfg(test)]
mod tests;
mod vault;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::entra::SecretValue;
use crate::failure::Failure;
use crate::http::Deadline;

pub use markers::{Watched, marker_path};
pub use refresh_tokens::KeptRefreshToken;
pub use vault::KeyVault;
pub use write::{NewVersion, SecretStore, Stored};

/// A secret and the version that it is.
#[derive(Clone, Debug)]
pub struct Secret {
    pub value: SecretString,
    /// 32 hex digits.
    pub version: String,
}

/// Where secrets are read. A trait, so that rooms above can be tested without a vault.
#[async_trait]
pub trait Secrets: Send + Sync + std::fmt::Debug {
    /// The current version, from the cache when it is fresh, or when the vault does not answer and the grace has not passed.
    async fn current(&self, name: &str, deadline: Deadline) -> Result<Secret, Failure>;

    /// One version, cached without limit of time: a version never changes.
    async fn version(&self, name: &str, version: &str, deadline: Deadline) -> Result<Secret, Failure>;

    /// `value` was refused: if it still is the one that is kept, it is read again before its next use.
    fn forget(&self, name: &str, value: &SecretString);

    /// There is a newer version: it is read before the next use.
    fn drop_current(&self, _name: &str) {}
}

/// One secret of `secrets`, as an identity needs it (`entra::client_secret`).
pub fn named(secrets: Arc<dyn Secrets>, name: &str) -> Arc<dyn SecretValue> {
    Arc::new(Named { secrets, name: name.to_owned() })
}

#[derive(Debug)]
struct Named {
    secrets: Arc<dyn Secrets>,
    name: String,
}

#[async_trait]
impl SecretValue for Named {
    async fn current(&self, deadline: Deadline) -> Result<SecretString, Failure> {
        Ok(self.secrets.current(&self.name, deadline).await?.value)
    }

    fn forget(&self, value: &SecretString) {
        self.secrets.forget(&self.name, value);
    }
}
