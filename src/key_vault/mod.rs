//! Secrets by name, read with the Azure SDK behind our own timeout, cached, dropped when refused.

use async_trait::async_trait;
use secrecy::SecretString;

use crate::failure::Failure;
use crate::http::Deadline;

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
    /// The current version, from the cache when it is fresh.
    async fn current(&self, name: &str, deadline: Deadline) -> Result<Secret, Failure>;

    /// One version, cached without limit of time: a version never changes.
    async fn version(&self, name: &str, version: &str, deadline: Deadline) -> Result<Secret, Failure>;

    /// Drops the current version from the cache, if it still is `value`.
    fn forget(&self, name: &str, value: &SecretString);
}
