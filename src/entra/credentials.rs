//! The identities we can have in Entra, each as a token source.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::ClientOptions;
use azure_identity::{
    ClientSecretCredential, ClientSecretCredentialOptions, DeveloperToolsCredential, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId,
};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::sdk::{SdkFailure, client_options, patiently};
use super::{FetchToken, FetchedToken, SecretValue, TokenCache, TokenSource};
use crate::failure::{Code, Failure, Upstream};
use crate::http::{Deadline, Http};
use crate::settings;

/// One try for a token. Developer tools start a process, which takes seconds.
const PER_TRY: Duration = Duration::from_secs(10);

/// All tries, so that a caller with minutes to spare does not spend them here.
const IN_ALL: Duration = Duration::from_secs(25);

/// The function app's managed identity; where the platform gives none, the developer's own (`az login`, `azd auth login`).
pub fn managed_identity(entra: &settings::Entra, audience: &str, http: &Http) -> Arc<dyn TokenSource> {
    Arc::new(TokenCache::new(OwnIdentity::new(entra, audience, http)))
}

/// An Entra application with a client secret. Needs tenant and client id, which settings have checked.
pub fn client_secret(
    entra: &settings::Entra,
    audience: &str,
    secret: Arc<dyn SecretValue>,
    http: &Http,
) -> Arc<dyn TokenSource> {
    Arc::new(TokenCache::new(application(entra, audience, secret, options(entra, http))))
}

pub(super) fn application(
    entra: &settings::Entra,
    audience: &str,
    secret: Arc<dyn SecretValue>,
    options: ClientOptions,
) -> Application {
    Application {
        scope: scope(audience),
        tenant_id: entra.tenant_id.clone().unwrap_or_default(),
        client_id: entra.client_id.clone().unwrap_or_default(),
        options,
        secret,
        made: Mutex::default(),
    }
}

/// The same identity as [`managed_identity`], for the SDK's own clients, which choose the audience themselves.
pub fn credential(entra: &settings::Entra, http: &Http) -> Result<Arc<dyn TokenCredential>, Failure> {
    own(entra.has_managed_identity, entra.managed_identity_client_id.as_deref(), options(entra, http))
        .map_err(|error| failure(entra.has_managed_identity, "Azure", SdkFailure::Sdk(error)))
}

fn own(managed: bool, client_id: Option<&str>, options: ClientOptions) -> azure_core::Result<Arc<dyn TokenCredential>> {
    if managed {
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: client_id.map(|id| UserAssignedId::ClientId(id.to_owned())),
            client_options: options,
        };
        Ok(ManagedIdentityCredential::new(Some(options))?)
    } else {
        Ok(DeveloperToolsCredential::new(None)?)
    }
}

pub(super) fn options(entra: &settings::Entra, http: &Http) -> ClientOptions {
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = entra.authority.to_string();
    ClientOptions { cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))), ..client_options(http) }
}

fn scope(audience: &str) -> String {
    format!("{}/.default", audience.trim_end_matches('/'))
}

/// Managed identity or developer tools.
struct OwnIdentity {
    managed: bool,
    client_id: Option<String>,
    scope: String,
    options: ClientOptions,
    /// Kept between refreshes, dropped to force one: the SDK keeps tokens in it and cannot be told to forget.
    made: Mutex<Option<Arc<dyn TokenCredential>>>,
}

impl OwnIdentity {
    fn new(entra: &settings::Entra, audience: &str, http: &Http) -> Self {
        Self {
            managed: entra.has_managed_identity,
            client_id: entra.managed_identity_client_id.clone(),
            scope: scope(audience),
            options: options(entra, http),
            made: Mutex::default(),
        }
    }

    fn made(&self) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credential) = &*made {
            return Ok(credential.clone());
        }
        let credential = own(self.managed, self.client_id.as_deref(), self.options.clone())?;
        *made = Some(credential.clone());
        Ok(credential)
    }
}

impl fmt::Debug for OwnIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnIdentity").field("managed", &self.managed).field("scope", &self.scope).finish()
    }
}

#[async_trait]
impl FetchToken for OwnIdentity {
    async fn fetch(&self, deadline: Deadline) -> Result<FetchedToken, Failure> {
        // The SDK renews what it keeps only in the last five minutes, which is when we ask.
        let credential = self.made().map_err(|error| failure(self.managed, &self.scope, SdkFailure::Sdk(error)))?;
        get(&*credential, &self.scope, deadline).await.map_err(|error| {
            self.renew();
            failure(self.managed, &self.scope, error)
        })
    }

    fn renew(&self) {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// An application with a secret.
pub(super) struct Application {
    scope: String,
    tenant_id: String,
    client_id: String,
    options: ClientOptions,
    secret: Arc<dyn SecretValue>,
    /// The credential and the secret that it was made with.
    made: Mutex<Option<(Arc<dyn TokenCredential>, SecretString)>>,
}

impl Application {
    async fn made(&self, deadline: Deadline) -> Result<(Arc<dyn TokenCredential>, SecretString), Failure> {
        let secret = self.secret.current(deadline).await?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((credential, with)) = &*made
            && with.expose_secret() == secret.expose_secret()
        {
            return Ok((credential.clone(), secret));
        }
        let options = ClientSecretCredentialOptions { client_options: self.options.clone() };
        let credential: Arc<dyn TokenCredential> = ClientSecretCredential::new(
            &self.tenant_id,
            self.client_id.clone(),
            Secret::new(secret.expose_secret().to_owned()),
            Some(options),
        )
        .map_err(|error| self.failure(SdkFailure::Sdk(error)))?;
        *made = Some((credential.clone(), secret.clone()));
        Ok((credential, secret))
    }

    fn failure(&self, error: SdkFailure) -> Failure {
        if let Some(failure) = scope_invalid(&self.scope, &error) {
            return failure.caused_by(error);
        }
        let status = error.status();
        let detail = match status {
            Some(400..=403) => format!(
                "Entra refused the application {} for {}. Check CAUSEWAY_ENTRA_TENANT_ID, CAUSEWAY_ENTRA_CLIENT_ID, and \
                 that the client secret in Key Vault is valid and has not expired.",
                self.client_id, self.scope
            ),
            _ => format!("Entra could not be asked for a token for {}. Try again shortly.", self.scope),
        };
        with_cause(detail, error)
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application").field("client_id", &self.client_id).field("scope", &self.scope).finish()
    }
}

#[async_trait]
impl FetchToken for Application {
    async fn fetch(&self, deadline: Deadline) -> Result<FetchedToken, Failure> {
        let (credential, used) = self.made(deadline).await?;
        let error = match get(&*credential, &self.scope, deadline).await {
            Ok(token) => return Ok(token),
            Err(error) => error,
        };
        self.renew();
        // Refused: perhaps the secret was rotated while we believed the old one.
        if matches!(error.status(), Some(400 | 401)) {
            self.secret.forget(&used);
            let (credential, newer) = self.made(deadline).await?;
            if newer.expose_secret() != used.expose_secret() {
                return get(&*credential, &self.scope, deadline).await.map_err(|error| self.failure(error));
            }
        }
        Err(self.failure(error))
    }

    fn renew(&self) {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

async fn get(credential: &dyn TokenCredential, scope: &str, deadline: Deadline) -> Result<FetchedToken, SdkFailure> {
    let scopes = [scope];
    let token = patiently(deadline.within(IN_ALL), PER_TRY, || credential.get_token(&scopes, None)).await?;
    let life = token.expires_on.unix_timestamp().saturating_sub(Timestamp::now().as_second());
    Ok(FetchedToken {
        token: SecretString::from(token.token.secret().to_owned()),
        life: Duration::from_secs(u64::try_from(life).unwrap_or(0)),
    })
}

/// Entra does not know the resource, or the scope is not written as it wants: 70011, 1002012 and `invalid_scope`; 500011
/// and `invalid_resource`, also when a managed identity asks (Entra's "Authentication and authorization error codes").
fn scope_invalid(scope: &str, error: &SdkFailure) -> Option<Failure> {
    let words = ["AADSTS70011", "AADSTS1002012", "AADSTS500011", "invalid_scope", "invalid_resource"];
    words.iter().any(|word| error.says(word)).then(|| {
        let detail = format!(
            "Entra does not know what a token for {scope} is for. Check the audience: CAUSEWAY_DATABRICKS_AUDIENCE \
             (2ff814a6-3304-4ab8-85cb-cd0e6f879c1d in every cloud) or CAUSEWAY_POWER_BI_AUDIENCE, and CAUSEWAY_CLOUD."
        );
        let upstream = Upstream {
            service: "entra".to_owned(),
            status: error.status(),
            code: error.code(),
            request_id: error.header("x-ms-request-id"),
        };
        Failure::new(Code::EntraScopeInvalid, detail).from_upstream(upstream).retry_after(Duration::from_mins(1))
    })
}

fn failure(managed: bool, wanted: &str, error: SdkFailure) -> Failure {
    if let Some(failure) = scope_invalid(wanted, &error) {
        return failure.caused_by(error);
    }
    let advice = if managed {
        "Check that the function app has a managed identity, and that CAUSEWAY_MANAGED_IDENTITY_CLIENT_ID, when set, is \
         one of its identities."
    } else {
        "This app has no managed identity (IDENTITY_ENDPOINT is not set), so developer tools were asked: sign in with \
         `az login` or `azd auth login`."
    };
    with_cause(format!("No token was issued to Causeway's own identity for {wanted}. {advice}"), error)
}

fn with_cause(detail: String, error: SdkFailure) -> Failure {
    let upstream = Upstream {
        service: "entra".to_owned(),
        status: error.status(),
        code: error.code(),
        request_id: error.header("x-ms-request-id"),
    };
    let after = error.retry_after().unwrap_or(Duration::from_secs(5));
    Failure::new(Code::IdentityUnavailable, detail).from_upstream(upstream).retry_after(after).caused_by(error)
}
