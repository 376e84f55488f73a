//! An Entra application that proves itself with a client secret.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::ClientOptions;
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use secrecy::{ExposeSecret, SecretString};

use super::credentials::{get, options, scope, scope_invalid};
use super::refusal::{advice, refused};
use super::sdk::SdkFailure;
use super::{FetchToken, FetchedToken, SecretValue, TokenCache, TokenSource};
use crate::failure::Failure;
use crate::http::{Deadline, Http};
use crate::settings;

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
                "Entra refused the application {} for {}. {}",
                self.client_id,
                self.scope,
                advice(error.aadsts()).unwrap_or(
                    "Check CAUSEWAY_ENTRA_TENANT_ID, CAUSEWAY_ENTRA_CLIENT_ID, and that the client secret in Key Vault is \
                     valid and has not expired."
                )
            ),
            _ => format!("Entra could not be asked for a token for {}. Try again shortly.", self.scope),
        };
        refused(detail, error)
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
