//! The vault itself: one call of the SDK, its errors, and the two caches.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::http::ClientOptions;
use azure_security_keyvault_secrets::models::{self, SecretClientGetSecretOptions};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use futures_util::FutureExt;
use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};

use super::names::{check_name, check_version, is_version};
use super::{Secret, Secrets};
use crate::entra::{SdkFailure, client_options, patiently};
use crate::failure::{Code, Failure, Upstream};
use crate::http::{Deadline, Http};
use crate::settings;

/// One try: the first on a client is two round trips and a token.
pub(super) const PER_TRY: Duration = Duration::from_secs(10);

/// All tries of one call.
pub(super) const IN_ALL: Duration = Duration::from_secs(30);

/// A version never changes; it is kept this long only so that one deleted for good is forgotten some day.
const VERSION_LIFE: Duration = Duration::from_hours(24);

/// One vault; cheap to clone.
#[derive(Clone)]
pub struct KeyVault {
    pub(super) client: Arc<SecretClient>,
    pub(super) current: Cache<String, Secret>,
    versions: Cache<(String, String), Secret>,
}

impl KeyVault {
    /// `credential` is `entra::credential`. Nothing is called yet.
    pub fn new(
        settings: &settings::KeyVault,
        credential: Arc<dyn TokenCredential>,
        http: &Http,
    ) -> Result<Self, Failure> {
        Self::over(settings, credential, client_options(http))
    }

    /// Over any transport, for tests.
    pub(super) fn over(
        settings: &settings::KeyVault,
        credential: Arc<dyn TokenCredential>,
        client_options: ClientOptions,
    ) -> Result<Self, Failure> {
        let options = SecretClientOptions {
            client_options,
            verify_challenge_resource: Some(settings.verify_challenge),
            ..SecretClientOptions::default()
        };
        let client = SecretClient::new(settings.url.as_str(), credential, Some(options)).map_err(|error| {
            Failure::new(Code::Misconfigured, "CAUSEWAY_KEY_VAULT_URL is not an address that the Azure SDK accepts.")
                .caused_by(error)
        })?;
        Ok(Self {
            client: Arc::new(client),
            current: Cache::builder().max_capacity(1000).time_to_live(settings.cache).build(),
            versions: Cache::builder().max_capacity(1000).time_to_live(VERSION_LIFE).build(),
        })
    }

    async fn read(&self, name: &str, version: Option<&str>, deadline: Deadline) -> Result<Secret, Failure> {
        let got = patiently(deadline.within(IN_ALL), PER_TRY, || async {
            let options = SecretClientGetSecretOptions {
                secret_version: version.map(str::to_owned),
                ..SecretClientGetSecretOptions::default()
            };
            self.client.get_secret(name, Some(options)).await?.into_model()
        })
        .await
        .map_err(|error| refused(name, error))?;
        secret_in(name, got)
    }

    /// Whether the vault answers and lets us read `name`; never from the cache.
    pub async fn probe(&self, name: &str, deadline: Deadline) -> Result<(), Failure> {
        check_name(name)?;
        self.read(name, None, deadline).await.map(drop)
    }
}

/// The value and the version of what the vault answered.
pub(super) fn secret_in(name: &str, got: models::Secret) -> Result<Secret, Failure> {
    let version = got.id.as_deref().and_then(|id| id.rsplit('/').next()).filter(|last| is_version(last));
    match (got.value, version) {
        (Some(value), Some(version)) => Ok(Secret { value: SecretString::from(value), version: version.to_owned() }),
        _ => Err(Failure::new(
            Code::SecretUnavailable,
            format!("Key Vault answered for the secret {name} without its value or version."),
        )),
    }
}

impl fmt::Debug for KeyVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyVault").field("url", &self.client.endpoint().as_str()).finish()
    }
}

#[async_trait]
impl Secrets for KeyVault {
    async fn current(&self, name: &str, deadline: Deadline) -> Result<Secret, Failure> {
        check_name(name)?;
        let secret =
            within(deadline, name, self.current.try_get_with(name.to_owned(), self.read(name, None, deadline))).await?;
        Ok(secret)
    }

    async fn version(&self, name: &str, version: &str, deadline: Deadline) -> Result<Secret, Failure> {
        check_name(name)?;
        check_version(name, version)?;
        let key = (name.to_owned(), version.to_owned());
        within(deadline, name, self.versions.try_get_with(key, self.read(name, Some(version), deadline))).await
    }

    fn forget(&self, name: &str, value: &SecretString) {
        // Both calls are ready at once without a listener for evictions, so this needs no runtime.
        let kept = self.current.get(name).now_or_never().flatten();
        if kept.is_some_and(|kept| kept.value.expose_secret() == value.expose_secret()) {
            let _ = self.current.invalidate(name).now_or_never();
        }
    }

    fn drop_current(&self, name: &str) {
        let _ = self.current.invalidate(name).now_or_never();
    }
}

/// Another caller's reading may have more time than we have.
async fn within<F>(deadline: Deadline, name: &str, reading: F) -> Result<Secret, Failure>
where
    F: Future<Output = Result<Secret, Arc<Failure>>>,
{
    match tokio::time::timeout_at(deadline.instant(), reading).await {
        Ok(Ok(secret)) => Ok(secret),
        Ok(Err(failure)) => Err(Failure::clone(&failure)),
        Err(_) => Err(refused(name, SdkFailure::TooSlow(Duration::ZERO))),
    }
}

/// What the vault's answer means (learn.microsoft.com, "Azure Key Vault REST API error codes").
pub(super) fn refused(name: &str, error: SdkFailure) -> Failure {
    let status = error.status();
    let (code, detail) = match status {
        Some(404) => (
            Code::SecretNotFound,
            format!("The secret {name} is not in Key Vault. Create it there, or correct the setting that names it."),
        ),
        Some(401 | 403) => (
            Code::SecretUnavailable,
            format!(
                "Key Vault does not let Causeway read the secret {name}. Give Causeway's identity the role Key Vault \
                 Secrets User on the vault, and check that the secret is enabled, not expired, and that the vault's \
                 firewall lets the app in."
            ),
        ),
        Some(429) => (
            Code::SecretUnavailable,
            format!("Key Vault is limiting how often it is asked, so the secret {name} could not be read. Try again."),
        ),
        _ => (
            Code::SecretUnavailable,
            format!(
                "Key Vault could not be reached for the secret {name}, or Causeway could not sign in to it. Try again."
            ),
        ),
    };
    told(code, detail, error)
}

/// A failure that says what the vault answered, and when to ask again where that may help.
pub(super) fn told(code: Code, detail: String, error: SdkFailure) -> Failure {
    let status = error.status();
    let upstream = Upstream {
        service: "key-vault".to_owned(),
        status,
        code: error.code(),
        request_id: error.header("x-ms-request-id"),
    };
    let failure = Failure::new(code, detail).from_upstream(upstream);
    let failure = match status {
        Some(400..=409) => failure,
        _ => failure.retry_after(error.retry_after().unwrap_or(Duration::from_secs(5))),
    };
    failure.caused_by(error)
}
