//! Which client gets which token, and which room gets which client. Nothing is called here; everything is put together.

use std::sync::Arc;

use crate::clock::Clock;
use crate::databricks::{Databricks, OAuthM2m, PersonalAccessToken};
use crate::entra::{self, TokenSource};
use crate::failure::{Code, Failure};
use crate::http::Http;
use crate::key_vault::{self, KeyVault, Secrets, Watched};
use crate::ledger::Ledger;
use crate::operations::Catalog;
use crate::power_bi::PowerBi;
use crate::requests::Requests;
use crate::runs::{Engine, Runs};
use crate::service_bus::ServiceBus;
use crate::settings::{DatabricksAuthentication, Settings};
use crate::steps::{EveryKind, Neighbours};

/// The audience of Azure Storage, the same in every cloud.
const STORAGE: &str = "https://storage.azure.com";
/// The audience of Service Bus, the same in every cloud.
const SERVICE_BUS: &str = "https://servicebus.azure.net";

/// Clients, then the engine, then the requests.
pub(super) fn wire(settings: &Settings) -> Result<(Requests, Runs), Failure> {
    let http = Http::new()?;
    let identity = |audience: &str| entra::managed_identity(&settings.entra, audience, &http);
    let credential = entra::credential(&settings.entra, &http)?;
    let clock = Clock::system();
    let ledger = Ledger::open(&settings.ledger, Some(identity(STORAGE)))?.with_clock(clock.clone());
    let vault = KeyVault::new(&settings.key_vault, credential, &http)?;
    let secrets: Arc<dyn Secrets> = Arc::new(Watched::new(vault, ledger.clone(), settings.key_vault.marker));
    let application = |audience: &str| {
        let secret = key_vault::named(secrets.clone(), &settings.entra.client_secret_name);
        entra::client_secret(&settings.entra, audience, secret, &http)
    };
    let databricks_tokens: Arc<dyn TokenSource> = match &settings.databricks.authentication {
        DatabricksAuthentication::ManagedIdentity => identity(&settings.databricks.audience),
        DatabricksAuthentication::ClientSecret => application(&settings.databricks.audience),
        DatabricksAuthentication::OAuthM2m { client_id, secret_name } => Arc::new(OAuthM2m::new(
            http.clone(),
            settings.databricks.host.clone(),
            client_id,
            secrets.clone(),
            secret_name,
        )),
        DatabricksAuthentication::PersonalAccessToken { secret_name } => {
            Arc::new(PersonalAccessToken::new(secrets.clone(), secret_name))
        }
    };
    let power_bi_tokens = if settings.power_bi.client_secret {
        application(&settings.power_bi.audience)
    } else {
        identity(&settings.power_bi.audience)
    };
    let neighbours = Neighbours {
        databricks: Databricks::new(http.clone(), settings.databricks.host.clone(), databricks_tokens)
            .with_default_warehouse(settings.databricks.warehouse_id.clone()),
        power_bi: PowerBi::new(http.clone(), settings.power_bi.url.clone(), power_bi_tokens)
            .with_time_scale(settings.power_bi.time_scale),
        warehouse_id: settings.databricks.warehouse_id.clone(),
        ledger: ledger.clone(),
        clock: clock.clone(),
    };
    let catalog = Catalog::load(&settings.operations.folder, &settings.operations.variables).map_err(|error| {
        Failure::new(Code::Misconfigured, "CAUSEWAY_OPERATIONS_FOLDER cannot be read.").caused_by(error)
    })?;
    report(&catalog);
    let runs = Runs::new(Engine {
        ledger: ledger.clone(),
        neighbours: neighbours.clone(),
        messages: Arc::new(ServiceBus::new(settings.service_bus.url.clone(), http.clone(), identity(SERVICE_BUS))),
        catalog: Arc::new(catalog),
        settings: settings.runs.clone(),
        queues: settings.service_bus.clone(),
        clock,
        kinds: Arc::new(EveryKind),
    });
    let requests = Requests::new(
        neighbours,
        ledger,
        secrets,
        runs.clone(),
        settings.requests.clone(),
        settings.sql.clone(),
        settings.runs.clone(),
    );
    Ok((requests, runs))
}

/// Broken operations are named when we start, not only when somebody calls them.
fn report(catalog: &Catalog) {
    for (name, entry) in &catalog.entries {
        for at in entry.operation.as_ref().err().into_iter().flatten() {
            tracing::error!(
                operation = name,
                file = at.file,
                line = at.line,
                column = at.column,
                problem = at.message,
                "an operation cannot run"
            );
        }
    }
}
