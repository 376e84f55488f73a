//! Secrets that we keep up ourselves: written as new versions of a name. Nothing is ever overwritten: the versions before
//! stay in the vault and can be read by their ids.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use azure_core::time::OffsetDateTime;
use azure_security_keyvault_secrets::models::{SecretAttributes, SetSecretParameters};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::names::check_name;
use super::refused::{Doing, refused};
use super::vault::{IN_ALL, PER_TRY, found_in};
use super::{KeyVault, Secret, Secrets, Watched};
use crate::entra::patiently;
use crate::failure::Failure;
use crate::http::Deadline;

/// A version that is to be written.
#[derive(Clone, Debug)]
pub struct NewVersion {
    pub value: SecretString,
    /// When it stops being of use; Key Vault tells it before, by an event.
    pub expires: Option<Timestamp>,
    /// What it is, such as `databricks-token`; shown in the portal.
    pub content_type: Option<String>,
    /// Nothing secret: whoever may list secrets sees them. At most 15, of 256 characters each.
    pub tags: BTreeMap<String, String>,
}

impl NewVersion {
    /// A bare value.
    pub fn of(value: SecretString) -> Self {
        Self { value, expires: None, content_type: None, tags: BTreeMap::new() }
    }
}

/// What stands in the vault now, with what is known of it.
#[derive(Clone, Debug)]
pub struct Stored {
    pub secret: Secret,
    pub created: Option<Timestamp>,
    pub expires: Option<Timestamp>,
    pub tags: BTreeMap<String, String>,
}

/// Where secrets are written too.
#[async_trait]
pub trait SecretStore: Secrets {
    /// The current version as the vault has it at this moment, never from the cache; the cache has it afterwards.
    ///
    /// `secret-not-found` when there is none, `secret-unavailable` when we may not read it, `key-vault-unavailable` when
    /// the vault does not answer.
    async fn newest(&self, name: &str, deadline: Deadline) -> Result<Stored, Failure>;

    /// Writes a new version, which is the current one from then on, here at once and in other instances when their
    /// caches end; gives its id, 32 hex digits.
    ///
    /// A lost answer is asked for again, so that one value may stand in two versions. Key Vault knows no condition: who
    /// must not overwrite another's newer version holds a slot of the ledger and looks at [`SecretStore::newest`] first.
    /// `secret-unavailable` when it is refused, `key-vault-unavailable` when the vault cannot be reached: with
    /// [`Effect::Possible`](crate::failure::Effect::Possible) the version may stand there, or come to.
    async fn write(&self, name: &str, new: NewVersion, deadline: Deadline) -> Result<String, Failure>;
}

#[async_trait]
impl SecretStore for KeyVault {
    async fn newest(&self, name: &str, deadline: Deadline) -> Result<Stored, Failure> {
        self.look_up(name, deadline).await
    }

    async fn write(&self, name: &str, new: NewVersion, deadline: Deadline) -> Result<String, Failure> {
        check_name(name)?;
        let deadline = deadline.within(IN_ALL);
        self.quiet.wait(name, deadline).await?;
        let tags: HashMap<String, String> = new.tags.into_iter().collect();
        let body = SetSecretParameters {
            value: Some(new.value.expose_secret().to_owned()),
            content_type: new.content_type,
            secret_attributes: new
                .expires
                .and_then(|at| OffsetDateTime::from_unix_timestamp(at.as_second()).ok())
                .map(|expires| SecretAttributes { expires: Some(expires), ..SecretAttributes::default() }),
            tags: Some(tags).filter(|tags| !tags.is_empty()),
        };
        let set = patiently(deadline, PER_TRY, || async {
            self.client.set_secret(name, body.clone().try_into()?, None).await?.into_model()
        })
        .await
        .map_err(|error| {
            self.quiet.heard(&error);
            let certain = matches!(error.answered(), Some(400..=499));
            let failure = refused(name, Doing::Writing, error);
            if certain { failure } else { failure.effect_possible() }
        })?;
        let stored = found_in(name, set).map_err(Failure::effect_possible)?.stored;
        self.keep(name, &stored, Timestamp::now(), Instant::now()).await;
        tracing::info!(secret = name, version = stored.secret.version, "a new version of a secret was written");
        Ok(stored.secret.version)
    }
}

#[async_trait]
impl<S: SecretStore> SecretStore for Watched<S> {
    async fn newest(&self, name: &str, deadline: Deadline) -> Result<Stored, Failure> {
        self.secrets.newest(name, deadline).await
    }

    async fn write(&self, name: &str, new: NewVersion, deadline: Deadline) -> Result<String, Failure> {
        self.secrets.write(name, new, deadline).await
    }
}
