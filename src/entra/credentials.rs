//! Our own identity in Entra: the app's managed identity, or a developer's. Applications are `application.rs` and
//! `federated.rs`, people `delegated.rs`.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::ClientOptions;
use azure_identity::{
    DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use jiff::Timestamp;
use secrecy::SecretString;

use super::refusal::refused;
use super::sdk::{SdkFailure, client_options, patiently};
use super::{FetchToken, FetchedToken, TokenCache, TokenSource};
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

/// The same identity as [`managed_identity`], for the SDK's own clients: they choose the audience themselves, by what the
/// neighbour's challenge names, unless one is set.
pub fn credential(
    entra: &settings::Entra,
    audience: Option<&str>,
    http: &Http,
) -> Result<Arc<dyn TokenCredential>, Failure> {
    let own = own(entra.has_managed_identity, entra.managed_identity_client_id.as_deref(), options(entra, http))
        .map_err(|error| failure(entra.has_managed_identity, "Azure", SdkFailure::Sdk(error)))?;
    Ok(match audience {
        Some(audience) => Arc::new(ForAudience { own, scope: scope(audience) }),
        None => own,
    })
}

/// A credential for one audience, whatever is asked for.
#[derive(Debug)]
struct ForAudience {
    own: Arc<dyn TokenCredential>,
    scope: String,
}

#[async_trait]
impl TokenCredential for ForAudience {
    async fn get_token(
        &self,
        _scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.own.get_token(&[&self.scope], options).await
    }
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

/// A slash at the end of an audience counts: `https://management.azure.com/` is asked for with two (learn.microsoft.com,
/// "Scopes and permissions in the Microsoft identity platform", trailing slash and .default).
pub(super) fn scope(audience: &str) -> String {
    format!("{audience}/.default")
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

pub(super) async fn get(
    credential: &dyn TokenCredential,
    scope: &str,
    deadline: Deadline,
) -> Result<FetchedToken, SdkFailure> {
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
pub(super) fn scope_invalid(scope: &str, error: &SdkFailure) -> Option<Failure> {
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
    refused(format!("No token was issued to Causeway's own identity for {wanted}. {advice}"), error)
}
