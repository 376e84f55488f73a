//! Which client gets which token, and which room gets which client. Nothing is called here; everything is put together.

use std::sync::Arc;

use crate::clock::Clock;
use crate::databricks::{Databricks, OAuthM2m, PersonalAccessToken};
use crate::entra::{self, TokenSource};
use crate::failure::{Code, Failure};
use crate::http::{Guarded, Http};
use crate::key_vault::{self, KeyVault, Secrets, Watched};
use crate::ledger::Ledger;
use crate::operations::Catalog;
use crate::power_bi::PowerBi;
use crate::requests::Requests;
use crate::rotation::{self, Rotation};
use crate::runs::{Engine, Runs, Telling};
use crate::sealing::Sealer;
use crate::service_bus::{Messages, ServiceBus};
use crate::settings::{DatabricksAuthentication, Settings};
use crate::steps::{EveryKind, Neighbours};
use crate::triggers::{self, Work};

/// The audience of Azure Storage, the same in every cloud.
const STORAGE: &str = "https://storage.azure.com";
/// The audience of Service Bus, the same in every cloud.
const SERVICE_BUS: &str = "https://servicebus.azure.net";

/// Clients, then the engine, then the requests.
pub(super) fn wire(settings: &Settings) -> Result<Work, Failure> {
    let http = Http::new()?;
    let identity = |audience: &str| entra::managed_identity(&settings.entra, audience, &http);
    let credential = entra::credential(&settings.entra, &http)?;
    let clock = Clock::system();
    let ledger = Ledger::open(&settings.ledger, Some(identity(STORAGE)))?.with_clock(clock.clone());
    let vault = KeyVault::new(&settings.key_vault, credential, &http)?;
    let secrets: Arc<dyn Secrets> = Arc::new(Watched::new(vault.clone(), ledger.clone(), settings.key_vault.marker));
    let application = |audience: &str| {
        let secret = key_vault::named(secrets.clone(), &settings.entra.client_secret_name);
        entra::client_secret(&settings.entra, audience, secret, &http)
    };
    let databricks_as = |authentication: &DatabricksAuthentication| -> Arc<dyn TokenSource> {
        match authentication {
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
        }
    };
    let databricks_tokens = databricks_as(&settings.databricks.authentication);
    let rotation = settings.pat_rotation.identity.as_ref().map_or_else(Rotation::off, |identity| {
        let host = settings.databricks.host.clone();
        Rotation::new(rotation::Parts {
            settings: settings.pat_rotation.clone(),
            ledger: ledger.clone(),
            vault: vault.clone(),
            maker: Databricks::new(http.clone(), host.clone(), databricks_as(identity)),
            http: http.clone(),
            host,
            clock: clock.clone(),
            window: settings.runs.send_window,
            margin: settings.runs.send_margin,
        })
    });
    let power_bi_tokens = if settings.power_bi.client_secret {
        application(&settings.power_bi.audience)
    } else {
        identity(&settings.power_bi.audience)
    };
    let messages: Arc<dyn Messages> =
        Arc::new(ServiceBus::new(settings.service_bus.url.clone(), http.clone(), identity(SERVICE_BUS)));
    let callbacks = Guarded::new(&settings.outside.callback_hosts, settings.outside.private_addresses);
    let neighbours = Neighbours {
        messages: messages.clone(),
        send_queues: settings.service_bus.send_queues.clone(),
        sql: settings.sql.clone(),
        databricks: Databricks::new(http.clone(), settings.databricks.host.clone(), databricks_tokens)
            .with_default_warehouse(settings.databricks.warehouse_id.clone()),
        power_bi: PowerBi::new(http.clone(), settings.power_bi.url.clone(), power_bi_tokens)
            .with_time_scale(settings.power_bi.time_scale),
        warehouse_id: settings.databricks.warehouse_id.clone(),
        ledger: ledger.clone(),
        clock: clock.clone(),
        outside: callbacks.to(&settings.outside.http_hosts),
        secrets: secrets.clone(),
    };
    let catalog = Catalog::load(&settings.operations.folder, &settings.operations.variables).map_err(|error| {
        Failure::new(Code::Misconfigured, "CAUSEWAY_OPERATIONS_FOLDER cannot be read.").caused_by(error)
    })?;
    report(&catalog);
    let runs = Runs::new(Engine {
        ledger: ledger.clone(),
        neighbours: neighbours.clone(),
        messages,
        catalog: Arc::new(catalog),
        settings: settings.runs.clone(),
        queues: settings.service_bus.clone(),
        clock,
        kinds: Arc::new(EveryKind),
        sealer: Sealer::new(secrets.clone(), &settings.outside.sealing_key_secret_name),
        telling: Telling { outside: callbacks, problem: triggers::problem_body },
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
    Ok(Work { requests, runs, rotation })
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
