//! Who we are: token sources, one for an audience. `azure_identity` is named only here and in `key_vault/`.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::failure::Failure;
use crate::http::Deadline;

/// Bearer tokens for one audience: refreshed ahead, one request in flight, a still-valid one kept when a refresh fails.
#[async_trait]
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// A token that is good for at least another 40 seconds.
    async fn token(&self, deadline: Deadline) -> Result<SecretString, Failure>;

    /// The neighbour refused this token: the next call gets a new one, unless that has happened already.
    fn reject(&self, token: &SecretString);
}
