//! Opening a ledger where the settings say it is, and the tokens for it. Nothing here reads or writes an entry.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use object_store::azure::{AzureCredential, MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{ClientOptions, CredentialProvider, RetryConfig};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::Ledger;
use crate::entra::TokenSource;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::settings::{self, LedgerPlace};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const RETRIES: usize = 2;
const RETRY_TIME: Duration = Duration::from_secs(10);

impl Ledger {
    /// Opens the ledger. `tokens` are for Blob Storage's audience; a Blob ledger outside loopback needs them.
    ///
    /// A folder is made when it is missing; a container never is: `ready` says so when it is not there.
    pub fn open(settings: &settings::Ledger, tokens: Option<Arc<dyn TokenSource>>) -> Result<Self, Failure> {
        match &settings.place {
            LedgerPlace::Memory => Ok(Self::in_memory()),
            LedgerPlace::Folder { path } => {
                std::fs::create_dir_all(path).map_err(|error| misconfigured("its folder cannot be made", error))?;
                let folder = LocalFileSystem::new_with_prefix(path)
                    .map_err(|error| misconfigured("its folder cannot be opened", error))?
                    .with_fsync(true);
                Ok(Self::over(Arc::new(folder), None))
            }
            LedgerPlace::Blob { url } => {
                let tokens = tokens.map(|source| Arc::new(Tokens { source, last: Mutex::new(None) }));
                let container = container(url, tokens.clone())?;
                Ok(Self::over(Arc::new(container), tokens))
            }
        }
    }

    /// A ledger that forgets everything with the process: for the engine's tests.
    pub fn in_memory() -> Self {
        Self::over(Arc::new(InMemory::new()), None)
    }
}

fn container(url: &Url, tokens: Option<Arc<Tokens>>) -> Result<MicrosoftAzure, Failure> {
    let place = BlobPlace::of(url).ok_or_else(|| {
        Failure::new(
            Code::Misconfigured,
            "CAUSEWAY_LEDGER_URL is not a container: it should look like \
             https://account.blob.core.windows.net/container.",
        )
    })?;
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_TIME, ..RetryConfig::default() };
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(place.account)
        .with_endpoint(place.endpoint)
        .with_container_name(place.container)
        .with_retry(retry)
        // `with_client_options` replaces what `with_allow_http` would have set, so both go in here.
        .with_client_options(ClientOptions::new().with_timeout(REQUEST_TIMEOUT).with_allow_http(place.loopback));
    builder = match tokens {
        Some(tokens) => builder.with_credentials(tokens),
        None if place.loopback => builder.with_skip_signature(true),
        None => {
            return Err(Failure::new(
                Code::Misconfigured,
                "CAUSEWAY_LEDGER_URL names a container, and Causeway has no identity to read it with.",
            ));
        }
    };
    builder.build().map_err(|error| misconfigured("its container cannot be opened", error))
}

fn misconfigured(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::new(Code::Misconfigured, format!("CAUSEWAY_LEDGER_URL cannot be used: {what}.")).caused_by(error)
}

/// Where a container is, in the parts that `object_store` wants.
#[derive(Debug, PartialEq, Eq)]
struct BlobPlace {
    account: String,
    endpoint: String,
    container: String,
    loopback: bool,
}

impl BlobPlace {
    /// `https://account.host/container`, or on loopback `http://127.0.0.1:port/account/container` as Azurite has it.
    fn of(url: &Url) -> Option<Self> {
        let loopback = match url.host()? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return None;
        }
        let parts: Vec<&str> = url.path_segments()?.filter(|part| !part.is_empty()).collect();
        let origin = url.origin().ascii_serialization();
        match (url.scheme(), loopback, parts.as_slice()) {
            ("http" | "https", true, [account, container]) => Some(Self {
                account: (*account).to_owned(),
                endpoint: format!("{origin}/{account}"),
                container: (*container).to_owned(),
                loopback,
            }),
            ("https", false, [container]) => Some(Self {
                account: url.domain()?.split_once('.')?.0.to_owned(),
                endpoint: origin,
                container: (*container).to_owned(),
                loopback,
            }),
            _ => None,
        }
    }
}

/// Asks the source each time: it is the source that knows when a token ends.
#[derive(Debug)]
pub(super) struct Tokens {
    source: Arc<dyn TokenSource>,
    last: Mutex<Option<SecretString>>,
}

impl Tokens {
    /// The store refused the token last given out. Whether there was one, so that it is worth asking again.
    pub(super) fn reject_last(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        last.inspect(|token| self.source.reject(token)).is_some()
    }
}

#[async_trait]
impl CredentialProvider for Tokens {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        let token = self
            .source
            .token(Deadline::after(RETRY_TIME))
            .await
            .map_err(|failure| object_store::Error::Generic { store: "MicrosoftAzure", source: Box::new(failure) })?;
        let credential = AzureCredential::BearerToken(token.expose_secret().to_owned());
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        Ok(Arc::new(credential))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Option<BlobPlace> {
        BlobPlace::of(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_container_in_any_cloud_is_understood() {
        let found = place("https://acme.blob.core.usgovcloudapi.net/causeway-ledger").unwrap();
        assert_eq!(found.account, "acme");
        assert_eq!(found.endpoint, "https://acme.blob.core.usgovcloudapi.net");
        assert_eq!(found.container, "causeway-ledger");
        assert!(!found.loopback);
    }

    #[test]
    fn an_emulator_has_its_account_in_the_path() {
        let found = place("http://127.0.0.1:10000/devstoreaccount1/ledger/").unwrap();
        assert_eq!(found.endpoint, "http://127.0.0.1:10000/devstoreaccount1");
        assert_eq!((found.account.as_str(), found.container.as_str()), ("devstoreaccount1", "ledger"));
    }

    #[test]
    fn plain_http_is_refused_outside_loopback() {
        assert_eq!(place("http://acme.blob.core.windows.net/ledger"), None);
        assert_eq!(place("https://acme.blob.core.windows.net/"), None);
        assert_eq!(place("https://acme.blob.core.windows.net/a/b"), None);
        assert_eq!(place("https://acme.blob.core.windows.net/ledger?sig=secret"), None);
    }

    #[test]
    fn a_container_without_an_identity_is_named_as_a_wrong_setting() {
        let url = Url::parse("https://acme.blob.core.windows.net/ledger").unwrap();
        let failure = Ledger::open(&settings::Ledger { place: LedgerPlace::Blob { url } }, None).unwrap_err();
        assert_eq!(failure.code, Code::Misconfigured);
        assert!(failure.detail.contains("CAUSEWAY_LEDGER_URL"));
    }
}
