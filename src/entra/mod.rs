//! Who we are: token sources, one for an audience; and who calls us: their tokens, validated. `azure_identity` is named
//! only here and in `key_vault/`.

mod application;
mod authorized;
mod cache;
mod callers;
mod claims;
mod credentials;
mod delegated;
mod federated;
mod on_behalf_of;
mod refusal;
mod refused_exchange;
mod sdk;
#[cfg(test)]
mod tests;
mod user;

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::failure::Failure;
use crate::http::Deadline;

pub use application::client_secret;
pub use authorized::{Along, Authorized, CallError};
pub use cache::{FetchToken, FetchedToken, TokenCache};
pub use callers::{Caller, Callers, Given};
pub use claims::Holder;
pub use credentials::{credential, managed_identity};
pub use delegated::{RefreshProof, RefreshTokens, delegated};
pub use federated::federated;
pub use on_behalf_of::{OnBehalfOf, Proof};
pub(crate) use sdk::{SdkFailure, client_options, patiently};
pub use user::User;

/// Bearer tokens for one audience: refreshed ahead, one request in flight, a still-valid one kept when a refresh fails.
#[async_trait]
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// A token that is good for at least another 40 seconds.
    async fn token(&self, deadline: Deadline) -> Result<SecretString, Failure>;

    /// What a neighbour's `WWW-Authenticate` says that only a user can do something about; of our own tokens nothing.
    fn challenged(&self, _header: &str) -> Option<Failure> {
        None
    }

    /// The neighbour refused this token: the next call gets a new one, unless that has happened already.
    fn reject(&self, token: &SecretString);
}

/// A secret that an identity needs, wherever it is kept (`key_vault::named` reads it from Key Vault).
#[async_trait]
pub trait SecretValue: Send + Sync + fmt::Debug {
    async fn current(&self, deadline: Deadline) -> Result<SecretString, Failure>;

    /// It was refused: the next reading asks its keeper again, if `value` is still what is remembered.
    fn forget(&self, value: &SecretString);
}
