//! Who we are to each neighbour, by the settings: the token sources, and what they are made of. Nothing is asked for yet.

use std::sync::Arc;

use crate::clock::Clock;
use crate::databricks::{Databricks, OAuthM2m, PersonalAccessToken};
use crate::entra::{self, RefreshProof, TokenSource};
use crate::failure::Failure;
use crate::http::Http;
use crate::key_vault::{self, KeptRefreshToken, KeyVault, SecretStore, Secrets, Watched};
use crate::ledger::Ledger;
use crate::power_bi::PowerBi;
use crate::rotation::{self, Rotation};
use crate::service_bus::ServiceBus;
use crate::settings::{DatabricksAuthentication, PowerBiAuthentication, RefreshToken, RefreshTokenProof, Settings};

/// The way to sign in to everything.
#[derive(Debug)]
pub struct Identities<'a> {
    settings: &'a Settings,
    pub http: Http,
    pub clock: Clock,
    pub ledger: Ledger,
    pub vault: KeyVault,
    store: Arc<dyn SecretStore>,
}

impl<'a> Identities<'a> {
    pub fn new(settings: &'a Settings) -> Result<Self, Failure> {
        let http = Http::new()?;
        let clock = Clock::system();
        let storage = entra::managed_identity(&settings.entra, &settings.audiences.storage, &http);
        let ledger = Ledger::open(&settings.ledger, Some(storage))?.with_clock(clock.clone());
        let credential = entra::credential(&settings.entra, settings.audiences.key_vault.as_deref(), &http)?;
        let vault = KeyVault::new(&settings.key_vault, credential, &http)?;
        let store = Arc::new(Watched::new(vault.clone(), ledger.clone(), settings.key_vault.marker));
        Ok(Self { settings, http, clock, ledger, vault, store })
    }

    /// Secrets, watched by the ledger's markers.
    pub fn secrets(&self) -> Arc<dyn Secrets> {
        self.store.clone()
    }

    /// The function app's own identity.
    pub fn own(&self, audience: &str) -> Arc<dyn TokenSource> {
        entra::managed_identity(&self.settings.entra, audience, &self.http)
    }

    fn with_secret(&self, audience: &str) -> Arc<dyn TokenSource> {
        let secret = key_vault::named(self.secrets(), &self.settings.entra.client_secret_name);
        entra::client_secret(&self.settings.entra, audience, secret, &self.http)
    }

    fn federated(&self, audience: &str) -> Arc<dyn TokenSource> {
        entra::federated(&self.settings.entra, &self.settings.federation, audience, &self.http)
    }

    /// Tokens for Databricks of whoever `authentication` names.
    pub fn databricks_tokens(&self, authentication: &DatabricksAuthentication) -> Arc<dyn TokenSource> {
        let databricks = &self.settings.databricks;
        match authentication {
            DatabricksAuthentication::ManagedIdentity => self.own(&databricks.audience),
            DatabricksAuthentication::ClientSecret => self.with_secret(&databricks.audience),
            DatabricksAuthentication::Federated => self.federated(&databricks.audience),
            DatabricksAuthentication::OAuthM2m { client_id, secret_name } => Arc::new(OAuthM2m::new(
                self.http.clone(),
                databricks.host.clone(),
                client_id,
                self.secrets(),
                secret_name,
            )),
            DatabricksAuthentication::PersonalAccessToken { secret_name } => {
                Arc::new(PersonalAccessToken::new(self.secrets(), secret_name))
            }
        }
    }

    /// The renewal of the personal access token, by whoever makes it.
    pub fn rotation(&self) -> Rotation {
        let settings = self.settings;
        let Some(maker) = &settings.pat_rotation.identity else { return Rotation::off() };
        let host = settings.databricks.host.clone();
        Rotation::new(rotation::Parts {
            settings: settings.pat_rotation.clone(),
            ledger: self.ledger.clone(),
            vault: self.vault.clone(),
            maker: Databricks::new(self.http.clone(), host.clone(), self.databricks_tokens(maker)),
            http: self.http.clone(),
            host,
            clock: self.clock.clone(),
            window: settings.runs.send_window,
            margin: settings.runs.send_margin,
        })
    }

    /// Databricks, called with `tokens`, those of the settings.
    pub fn databricks(&self, tokens: Arc<dyn TokenSource>) -> Databricks {
        let settings = &self.settings.databricks;
        let databricks = Databricks::new(self.http.clone(), settings.host.clone(), tokens)
            .with_default_warehouse(settings.warehouse_id.clone());
        let Some(resource) = &settings.azure_resource else { return databricks };
        let management = match settings.authentication {
            DatabricksAuthentication::ClientSecret => self.with_secret(&resource.management_audience),
            DatabricksAuthentication::Federated => self.federated(&resource.management_audience),
            _ => self.own(&resource.management_audience),
        };
        databricks.with_azure_resource(&resource.id, management)
    }

    /// Tokens for Power BI, by the settings.
    pub fn power_bi_tokens(&self) -> Arc<dyn TokenSource> {
        let audience = &self.settings.power_bi.audience;
        match &self.settings.power_bi.authentication {
            PowerBiAuthentication::ManagedIdentity => self.own(audience),
            PowerBiAuthentication::ClientSecret => self.with_secret(audience),
            PowerBiAuthentication::Federated => self.federated(audience),
            PowerBiAuthentication::RefreshToken(token) => self.delegated(audience, token),
        }
    }

    fn delegated(&self, audience: &str, token: &RefreshToken) -> Arc<dyn TokenSource> {
        let entra = &self.settings.entra;
        let proof = match token.proof {
            RefreshTokenProof::ClientSecret => {
                RefreshProof::secret(key_vault::named(self.secrets(), &entra.client_secret_name))
            }
            RefreshTokenProof::Federated => RefreshProof::assertion(entra, &self.settings.federation, &self.http),
            RefreshTokenProof::None => RefreshProof::none(),
        };
        let kept =
            KeptRefreshToken::new(self.store.clone(), self.ledger.clone(), &token.secret_name, token.write_after);
        entra::delegated(entra, audience, proof, Arc::new(kept), &self.http)
    }

    /// Power BI, called with `tokens`.
    pub fn power_bi(&self, tokens: Arc<dyn TokenSource>) -> PowerBi {
        let settings = &self.settings.power_bi;
        PowerBi::new(self.http.clone(), settings.url.clone(), tokens).with_time_scale(settings.time_scale)
    }

    /// Service Bus, called with `tokens`.
    pub fn service_bus(&self, tokens: Arc<dyn TokenSource>) -> ServiceBus {
        ServiceBus::new(self.settings.service_bus.url.clone(), self.http.clone(), tokens)
    }
}
