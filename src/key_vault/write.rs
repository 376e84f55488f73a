//! Secrets that we keep up ourselves: written as new versions of a name. Nothing is ever overwritten: the versions before
//! stay in the vault and can be read by their ids.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use azure_core::time::OffsetDateTime;
use azure_security_keyvault_secrets::models::{SecretAttributes, SetSecretParameters};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::names::check_name;
use super::vault::{IN_ALL, PER_TRY, refused, secret_in, told};
use super::{KeyVault, Secret, Secrets, Watched};
use crate::entra::{SdkFailure, patiently};
use crate::failure::{Code, Failure};
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
    /// `secret-not-found` when there is none, `secret-unavailable` when it cannot be read.
    async fn newest(&self, name: &str, deadline: Deadline) -> Result<Stored, Failure>;

    /// Writes a new version, which is the current one from then on, here at once and in other instances when their
    /// caches end; gives its id, 32 hex digits.
    ///
    /// A lost answer is asked for again, so that one value may stand in two versions. Key Vault knows no condition: who
    /// must not overwrite another's newer version holds a slot of the ledger and looks at [`SecretStore::newest`] first.
    /// `secret-unavailable` when it is refused or the vault cannot be reached.
    async fn write(&self, name: &str, new: NewVersion, deadline: Deadline) -> Result<String, Failure>;
}

#[async_trait]
impl SecretStore for KeyVault {
    async fn newest(&self, name: &str, deadline: Deadline) -> Result<Stored, Failure> {
        check_name(name)?;
        let got = patiently(deadline.within(IN_ALL), PER_TRY, || async {
            self.client.get_secret(name, None).await?.into_model()
        })
        .await
        .map_err(|error| refused(name, error))?;
        let attributes = got.attributes.clone().unwrap_or_default();
        let tags = got.tags.clone().unwrap_or_default().into_iter().collect();
        let secret = secret_in(name, got)?;
        self.current.insert(name.to_owned(), secret.clone()).await;
        Ok(Stored { secret, created: moment(attributes.created), expires: moment(attributes.expires), tags })
    }

    async fn write(&self, name: &str, new: NewVersion, deadline: Deadline) -> Result<String, Failure> {
        check_name(name)?;
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
        let set = patiently(deadline.within(IN_ALL), PER_TRY, || async {
            self.client.set_secret(name, body.clone().try_into()?, None).await?.into_model()
        })
        .await
        .map_err(|error| unwritten(name, error))?;
        let secret = secret_in(name, set)?;
        let version = secret.version.clone();
        self.current.insert(name.to_owned(), secret).await;
        tracing::info!(secret = name, version, "a new version of a secret was written");
        Ok(version)
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

fn moment(at: Option<OffsetDateTime>) -> Option<Timestamp> {
    Timestamp::from_second(at?.unix_timestamp()).ok()
}

/// As `refused`, of a writing.
fn unwritten(name: &str, error: SdkFailure) -> Failure {
    let detail = match error.status() {
        Some(401 | 403) => format!(
            "Key Vault does not let Causeway write the secret {name}. Give Causeway's identity the role Key Vault Secrets \
             Officer on this secret or on the vault, and check that the vault's firewall lets the app in."
        ),
        Some(409) => format!(
            "Key Vault does not take a new version of the secret {name}: it was deleted and can still be recovered. \
             Recover it, or purge it."
        ),
        Some(429) => {
            format!("Key Vault is limiting how often it is asked, so the secret {name} was not written. Try again.")
        }
        Some(status @ 400..=499) => format!("Key Vault refused a new version of the secret {name} ({status})."),
        _ => format!(
            "Key Vault could not be reached to write the secret {name}, or Causeway could not sign in to it. Try again."
        ),
    };
    told(Code::SecretUnavailable, detail, error)
}
