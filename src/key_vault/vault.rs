//! The vault itself: one call of the SDK behind our own time, one reader at a time for each secret, and the two caches.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::http::ClientOptions;
use azure_core::time::OffsetDateTime;
use azure_security_keyvault_secrets::models::{self, SecretClientGetSecretOptions};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use jiff::Timestamp;
use moka::future::Cache;
use secrecy::SecretString;
use tokio::time::Instant;

use super::kept::{Entry, Look, Rules};
use super::names::{check_name, check_version, is_version};
use super::quiet::Quiet;
use super::refused::{Doing, check_times, is_for_good, refused};
use super::strangers::Strangers;
use super::{Secret, Secrets, Stored};
use crate::entra::{SdkFailure, client_options, patiently};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Http};
use crate::settings;

/// One try: the first on a client is two round trips and a token.
pub(super) const PER_TRY: Duration = Duration::from_secs(10);
/// All tries of one reading.
pub(super) const IN_ALL: Duration = Duration::from_secs(30);
/// How long a caller waits for a reading when there is a value to fall back on.
const PATIENCE: Duration = Duration::from_secs(3);
/// A version never changes; it is kept this long only so that one deleted for good is forgotten some day.
const VERSION_LIFE: Duration = Duration::from_hours(24);

/// One vault; cheap to clone.
#[derive(Clone)]
pub struct KeyVault {
    pub(super) client: Arc<SecretClient>,
    rules: Rules,
    current: Arc<Mutex<HashMap<String, Arc<Entry>>>>,
    versions: Cache<(String, String), Secret>,
    pub(super) quiet: Quiet,
    strangers: Strangers,
}

/// What a reading gave.
pub(super) struct Found {
    pub(super) stored: Stored,
    pub(super) not_before: Option<Timestamp>,
}

/// A reading that gave nothing: whether that is the vault's last word.
struct NotRead {
    failure: Failure,
    for_good: bool,
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
            rules: Rules { cache: settings.cache, grace: settings.grace },
            current: Arc::default(),
            versions: Cache::builder().max_capacity(1000).time_to_live(VERSION_LIFE).build(),
            quiet: Quiet::default(),
            strangers: Strangers::default(),
        })
    }

    /// The newest version as the vault has it now, whatever is kept; kept from then on, when its times let it.
    pub(super) async fn look_up(&self, name: &str, deadline: Deadline) -> Result<Stored, Failure> {
        check_name(name)?;
        let asked = Instant::now();
        let found = self.get(name, None, deadline).await.map_err(|not| not.failure)?;
        let now = Timestamp::now();
        if check_times(name, found.not_before, found.stored.expires, now).is_ok() {
            self.keep(name, &found.stored, now, asked).await;
        }
        Ok(found.stored)
    }

    /// Whether the vault answers and lets us read `name`, whatever is kept.
    pub async fn probe(&self, name: &str, deadline: Deadline) -> Result<(), Failure> {
        self.look_up(name, deadline).await.map(drop)
    }

    /// Keeps what the vault has as its newest.
    pub(super) async fn keep(&self, name: &str, stored: &Stored, now: Timestamp, asked: Instant) {
        let life = stored.expires.map(|end| Duration::try_from(end.duration_since(now)).unwrap_or_default());
        self.entry(name).read(&stored.secret, life, self.rules, asked);
        // What it has signed or sealed is opened by its version, also when the vault is away by then.
        let key = (name.to_owned(), stored.secret.version.clone());
        self.versions.insert(key, stored.secret.clone()).await;
    }

    async fn get(&self, name: &str, version: Option<&str>, deadline: Deadline) -> Result<Found, NotRead> {
        let deadline = deadline.within(IN_ALL);
        self.quiet.wait(name, deadline).await.map_err(|failure| NotRead { failure, for_good: false })?;
        let got = patiently(deadline, PER_TRY, || async {
            let options = SecretClientGetSecretOptions {
                secret_version: version.map(str::to_owned),
                ..SecretClientGetSecretOptions::default()
            };
            self.client.get_secret(name, Some(options)).await?.into_model()
        })
        .await
        .map_err(|error| {
            self.quiet.heard(&error);
            let for_good = is_for_good(&error);
            NotRead { failure: refused(name, Doing::Reading, error), for_good }
        })?;
        found_in(name, got).map_err(|failure| NotRead { failure, for_good: false })
    }

    fn entry(&self, name: &str) -> Arc<Entry> {
        // Names come from settings and operations, so there are never many. They ignore case.
        let mut all = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(name.to_ascii_lowercase()).or_default().clone()
    }

    /// Asks the vault and remembers what came of it. Called by the holder of `asking` only.
    async fn ask(&self, entry: &Entry, name: &str, deadline: Deadline) -> Result<Secret, Failure> {
        let (now, asked) = (Timestamp::now(), Instant::now());
        let got = self.get(name, None, deadline).await.and_then(|found| {
            check_times(name, found.not_before, found.stored.expires, now)
                .map_err(|failure| NotRead { failure, for_good: true })?;
            Ok(found.stored)
        });
        match got {
            Ok(stored) => {
                self.keep(name, &stored, now, asked).await;
                Ok(stored.secret)
            }
            Err(NotRead { failure, for_good }) => {
                // A caller in a hurry must not spoil it for the others.
                if for_good || !deadline.has_passed() {
                    entry.failed(&failure, for_good);
                }
                Err(failure)
            }
        }
    }

    /// Waits for whoever asks, and asks if that has given nothing.
    async fn ask_now(&self, entry: &Entry, name: &str, deadline: Deadline) -> Result<Secret, Failure> {
        let _asking = tokio::time::timeout_at(deadline.instant(), entry.asking.lock())
            .await
            .map_err(|_| refused(name, Doing::Reading, SdkFailure::TooSlow(Duration::ZERO)))?;
        match entry.look() {
            Look::Fresh(secret) | Look::Serving(secret) => Ok(secret),
            Look::Failed(failure) => Err(*failure),
            Look::Due | Look::Nothing => self.ask(entry, name, deadline).await,
        }
    }

    /// Asks while nobody waits, if nobody asks yet.
    fn ask_beside(&self, entry: &Arc<Entry>, name: &str) {
        let Ok(asking) = entry.asking.clone().try_lock_owned() else { return };
        let (vault, entry, name) = (self.clone(), entry.clone(), name.to_owned());
        entry.read_beside(true);
        tokio::spawn(async move {
            if let Err(failure) = vault.ask(&entry, &name, Deadline::after(IN_ALL)).await {
                tracing::warn!(secret = name, error = failure.chain(), "a secret could not be read again");
            }
            entry.read_beside(false);
            drop(asking);
        });
    }
}

/// The value, the version and the attributes of what the vault answered.
pub(super) fn found_in(name: &str, got: models::Secret) -> Result<Found, Failure> {
    let moment = |at: Option<OffsetDateTime>| Timestamp::from_second(at?.unix_timestamp()).ok();
    let attributes = got.attributes.unwrap_or_default();
    let version = got.id.as_deref().and_then(|id| id.rsplit('/').next()).filter(|last| is_version(last));
    let (Some(value), Some(version)) = (got.value, version) else {
        let detail = format!("Key Vault answered for the secret {name} without its value or version.");
        return Err(Failure::new(Code::KeyVaultUnavailable, detail));
    };
    let stored = Stored {
        secret: Secret { value: SecretString::from(value), version: version.to_owned() },
        created: moment(attributes.created),
        expires: moment(attributes.expires),
        tags: got.tags.unwrap_or_default().into_iter().collect(),
    };
    Ok(Found { stored, not_before: moment(attributes.not_before) })
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
        let entry = self.entry(name);
        match entry.look() {
            Look::Fresh(secret) => Ok(secret),
            Look::Serving(secret) => {
                self.ask_beside(&entry, name);
                Ok(secret)
            }
            Look::Failed(failure) => Err(*failure),
            Look::Nothing => self.ask_now(&entry, name, deadline).await,
            Look::Due => {
                let hurried = deadline.within(PATIENCE);
                let failure = match self.ask_now(&entry, name, hurried).await {
                    Ok(secret) => return Ok(secret),
                    Err(failure) => failure,
                };
                let Some(kept) = entry.kept() else { return Err(failure) };
                // From now on others need not wait to find that out.
                if hurried.has_passed() && !deadline.has_passed() {
                    entry.failed(&failure, false);
                }
                tracing::warn!(secret = name, error = failure.chain(), "Key Vault gave no secret; the one kept serves");
                Ok(kept)
            }
        }
    }

    async fn version(&self, name: &str, version: &str, deadline: Deadline) -> Result<Secret, Failure> {
        check_name(name)?;
        check_version(name, version)?;
        let key = (name.to_owned(), version.to_owned());
        if let Some(after) = self.strangers.flood() {
            // The current one is what is asked for in earnest, and reading it keeps it here.
            let _ = self.current(name, deadline).await;
            return self.versions.get(&key).await.ok_or_else(|| {
                let detail =
                    "Too many unknown versions of secrets were asked for; Key Vault is left alone for a minute.";
                Failure::new(Code::KeyVaultUnavailable, detail).retry_after(after)
            });
        }
        let reading = async {
            let found = self.get(name, Some(version), deadline).await;
            found.map(|found| found.stored.secret).map_err(|not| {
                if not.failure.code == Code::SecretNotFound {
                    self.strangers.met();
                }
                not.failure
            })
        };
        // Another caller's reading may have more time than we have.
        match tokio::time::timeout_at(deadline.instant(), self.versions.try_get_with(key, reading)).await {
            Ok(Ok(secret)) => Ok(secret),
            Ok(Err(failure)) => Err(Failure::clone(&failure)),
            Err(_) => Err(refused(name, Doing::Reading, SdkFailure::TooSlow(Duration::ZERO))),
        }
    }

    fn forget(&self, name: &str, value: &SecretString) {
        self.entry(name).doubt(value);
    }

    fn drop_current(&self, name: &str) {
        self.entry(name).make_due();
    }
}
