//! Which room gets which client. Nothing is called here; everything is put together. Who we are to each neighbour is
//! `identities.rs`.

use std::sync::Arc;

use super::identities::Identities;
use crate::entra::{self, Callers, OnBehalfOf, Proof, SecretValue};
use crate::failure::{Code, Failure};
use crate::http::{Guarded, Http};
use crate::key_vault;
use crate::operations::Catalog;
use crate::requests::{Exchanges, Requests};
use crate::runs::{Engine, Runs, Telling};
use crate::sealing::Sealer;
use crate::service_bus::Messages;
use crate::settings::{ExchangeProof, Settings};
use crate::steps::{EveryKind, Neighbours};
use crate::triggers::{self, Work};

/// Clients, then the engine, then the requests.
pub(super) fn wire(settings: &Settings) -> Result<Work, Failure> {
    let identities = Identities::new(settings)?;
    let (clock, ledger, secrets) = (identities.clock.clone(), identities.ledger.clone(), identities.secrets());
    let callers = Callers::new(&settings.callers, &identities.http, clock.clone());
    let rotation = identities.rotation();
    let databricks_tokens = identities.databricks_tokens(&settings.databricks.authentication);
    let service_bus = identities.service_bus(identities.own(&settings.audiences.service_bus));
    let messages: Arc<dyn Messages> = Arc::new(service_bus);
    let callbacks = Guarded::new(&settings.outside.callback_hosts, settings.outside.private_addresses);
    let neighbours = Neighbours {
        messages: messages.clone(),
        send_queues: settings.service_bus.send_queues.clone(),
        sql: settings.sql.clone(),
        databricks: identities.databricks(databricks_tokens),
        power_bi: identities.power_bi(identities.power_bi_tokens()),
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
        telling: Telling { outside: Arc::new(callbacks), problem: triggers::problem_body },
    });
    let exchange_secrets = secrets.clone();
    let requests = Requests::new(
        neighbours,
        ledger,
        secrets,
        runs.clone(),
        settings.requests.clone(),
        settings.sql.clone(),
        settings.runs.clone(),
    );
    let secret = key_vault::named(exchange_secrets, &settings.entra.client_secret_name);
    let requests = requests.exchanging(exchanges(settings, secret, &identities.http)?);
    Ok(Work { requests, runs, callers, rotation })
}

/// How callers' tokens are exchanged; `None` without an application that could.
fn exchanges(settings: &Settings, secret: Arc<dyn SecretValue>, http: &Http) -> Result<Option<Exchanges>, Failure> {
    let (Some(tenant_id), Some(client_id)) = (&settings.entra.tenant_id, &settings.entra.client_id) else {
        return Ok(None);
    };
    let proof = match &settings.on_behalf_of.proof {
        ExchangeProof::ClientSecret => Proof::Secret(secret),
        ExchangeProof::ManagedIdentity { audience } => {
            Proof::Federated(entra::managed_identity(&settings.entra, audience, http))
        }
    };
    Ok(Some(Exchanges {
        on_behalf_of: OnBehalfOf::new(http.clone(), &settings.entra.authority, tenant_id, client_id, proof)?,
        databricks_audience: settings.databricks.audience.clone(),
        power_bi_audience: settings.power_bi.audience.clone(),
    }))
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
