//! An Entra application that another's token proves (workload identity federation): the app's managed identity, or whatever
//! the platform mounts as a file. No secret is kept anywhere.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::{ClientMethodOptions, ClientOptions};
use azure_identity::{ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions};
use secrecy::{ExposeSecret, SecretString};

use super::claims::Presented;
use super::credentials::{get, managed_identity, options, scope};
use super::refusal::{advice, refused};
use super::sdk::SdkFailure;
use super::{FetchToken, FetchedToken, TokenCache, TokenSource};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Http};
use crate::settings;

/// The application of the settings, proved by their assertion. Needs tenant and client id, which settings have checked.
pub fn federated(
    entra: &settings::Entra,
    federation: &settings::Federation,
    audience: &str,
    http: &Http,
) -> Arc<dyn TokenSource> {
    Arc::new(TokenCache::new(Federated {
        scope: scope(audience),
        tenant_id: entra.tenant_id.clone().unwrap_or_default(),
        client_id: entra.client_id.clone().unwrap_or_default(),
        options: options(entra, http),
        assertion: Assertion::new(entra, federation, http),
    }))
}

/// What proves an application.
#[derive(Clone, Debug)]
pub(super) enum Assertion {
    ManagedIdentity(Arc<dyn TokenSource>),
    File(PathBuf),
}

impl Assertion {
    pub(super) fn new(entra: &settings::Entra, federation: &settings::Federation, http: &Http) -> Self {
        match &federation.assertion {
            settings::Assertion::ManagedIdentity => {
                Self::ManagedIdentity(managed_identity(entra, &federation.audience, http))
            }
            settings::Assertion::TokenFile { path } => Self::File(path.clone()),
        }
    }

    pub(super) async fn current(&self, deadline: Deadline) -> Result<SecretString, Failure> {
        match self {
            Self::ManagedIdentity(tokens) => tokens.token(deadline).await,
            // Read each time: the platform writes a new one before the old is over.
            Self::File(path) => {
                let unread = || {
                    format!(
                        "The token that proves the application cannot be read: AZURE_FEDERATED_TOKEN_FILE is {}. Check \
                         that the platform mounts it.",
                        path.display()
                    )
                };
                let text = std::fs::read_to_string(path)
                    .map_err(|error| Failure::new(Code::IdentityUnavailable, unread()).caused_by(error))?;
                if text.trim().is_empty() {
                    return Err(Failure::new(Code::IdentityUnavailable, unread()).caused_by("the file is empty"));
                }
                Ok(SecretString::from(text.trim()))
            }
        }
    }

    /// It was refused: the next one is a new one, where that is in our hands.
    pub(super) fn reject(&self, assertion: &SecretString) {
        if let Self::ManagedIdentity(tokens) = self {
            tokens.reject(assertion);
        }
    }
}

/// How such a token is got.
struct Federated {
    scope: String,
    tenant_id: String,
    client_id: String,
    options: ClientOptions,
    assertion: Assertion,
}

/// One assertion, as the SDK wants it. The credential around it serves once: what is kept is kept by [`TokenCache`].
struct Given(SecretString);

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given")
    }
}

#[async_trait]
impl ClientAssertion for Given {
    async fn secret(&self, _options: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        Ok(self.0.expose_secret().to_owned())
    }
}

impl Federated {
    fn failure(&self, assertion: &SecretString, error: SdkFailure) -> Failure {
        let detail = match error.status() {
            Some(400..=403) => not_matched(&self.client_id, &self.scope, assertion, error.aadsts()),
            _ => format!("Entra could not be asked for a token for {}. Try again shortly.", self.scope),
        };
        refused(detail, error)
    }
}

/// Whose words help most: what was presented, beside what to do.
pub(super) fn not_matched(client: &str, wanted: &str, assertion: &SecretString, aadsts: Option<u32>) -> String {
    let advice = advice(aadsts).unwrap_or("Check the federated credentials of the application.");
    format!("Entra refused the application {client} for {wanted}. {advice} {}", Presented::in_token(assertion))
}

impl fmt::Debug for Federated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Federated").field("client_id", &self.client_id).field("scope", &self.scope).finish()
    }
}

#[async_trait]
impl FetchToken for Federated {
    async fn fetch(&self, deadline: Deadline) -> Result<FetchedToken, Failure> {
        let assertion = self.assertion.current(deadline).await?;
        let options = ClientAssertionCredentialOptions { client_options: self.options.clone() };
        let given = Given(assertion.clone());
        let credential =
            ClientAssertionCredential::new(self.tenant_id.clone(), self.client_id.clone(), given, Some(options))
                .map_err(|error| self.failure(&assertion, SdkFailure::Sdk(error)))?;
        get(&*credential, &self.scope, deadline).await.map_err(|error| {
            if matches!(error.status(), Some(400 | 401)) {
                self.assertion.reject(&assertion);
            }
            self.failure(&assertion, error)
        })
    }
}
