//! All stand-ins together, started by one call and stopped together. What each does is its own room's; what the
//! handler is started with is `environment.rs`, what people and programs are told is `facts.rs`.

mod environment;
mod facts;
mod options;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::blob::{Blob, BlobAccess, BlobOptions};
use crate::certificates::Certificates;
use crate::core::History;
use crate::databricks::{self, Databricks};
use crate::entra::{Application, Entra, EntraOptions, Tokens, random_bytes, random_hex};
use crate::event_grid::{EventGrid, EventGridOptions};
use crate::host::{Host, HostOptions};
use crate::key_vault::{KeyVault, KeyVaultOptions};
use crate::power_bi::{PowerBi, PowerBiOptions};
use crate::service_bus::{ServiceBus, ServiceBusOptions};
use crate::webhooks::Webhooks;

pub use facts::{Credentials, Endpoints, Facts};
pub use options::{DatabricksAuthentication, Ports, StackOptions};

/// The tenant of the stack.
pub const TENANT: &str = "72f0c1de-5a3b-4e8f-9c61-2d4b7a9e0c10";
/// An Entra application that may use a client secret; its secret is [`Stack::entra_client_secret`].
pub const ENTRA_CLIENT_ID: &str = "3b8e5f71-c2a4-4d96-8e07-1f6a9b4c2d11";
/// The container of the ledger.
pub const LEDGER_CONTAINER: &str = "causeway-ledger";
/// The function that Event Grid delivers to.
const EVENT_GRID_FUNCTION: &str = "event-grid";

/// Everything, running. It all stops when this is dropped; [`Stack::stop`] also waits for the handler to be gone.
#[derive(Debug)]
pub struct Stack {
    pub history: History,
    pub certificates: Certificates,
    pub entra: Entra,
    pub key_vault: KeyVault,
    pub blob: Blob,
    pub power_bi: PowerBi,
    pub service_bus: ServiceBus,
    pub databricks: Databricks,
    pub webhooks: Webhooks,
    pub event_grid: EventGrid,
    /// Absent with `host: false`, and while only the neighbours run.
    pub host: Option<Host>,
    /// The secret of [`ENTRA_CLIENT_ID`], drawn at start.
    pub entra_client_secret: String,
    /// The bundle for `SSL_CERT_FILE`.
    pub ca_file: PathBuf,
    options: StackOptions,
}

impl Stack {
    /// Starts the neighbours, then the host with the handler. Returns before the handler is ready: see
    /// [`Stack::ready`].
    pub async fn start(options: StackOptions) -> anyhow::Result<Self> {
        let mut stack = Self::neighbours(options).await?;
        if stack.options.host {
            stack.start_host().await?;
        }
        Ok(stack)
    }

    async fn neighbours(options: StackOptions) -> anyhow::Result<Self> {
        let history = History::default();
        let certificates = Certificates::generate()?;
        let ca_file = certificates.write_bundle(&options.data.join("certificates").join(random_hex()))?;
        let tls = &certificates.loopback;
        let ports = options.ports;

        let tokens = Tokens::new(TENANT);
        let entra_client_secret = random_hex();
        let mut entra = EntraOptions::new(tokens.clone());
        (entra.port, entra.identity_port) = (ports.at(4)?, ports.at(7)?);
        entra.applications = vec![Application {
            client_id: ENTRA_CLIENT_ID.into(),
            client_secret: entra_client_secret.clone(),
            object_id: "8d4c2b1a-7f6e-4d5c-9b8a-0e1f2a3b4c12".into(),
        }];
        let entra = Entra::start(entra, tls, history.clone()).await.with_context(|| ports.named("Entra", 4))?;

        let mut vault = KeyVaultOptions::new(tokens.clone());
        vault.port = ports.at(3)?;
        vault.authorization = format!("{}{TENANT}", entra.authority_host());
        vault.secrets = secrets(&entra_client_secret);
        vault.secrets.extend(options.secrets.clone());
        let key_vault =
            KeyVault::start(vault, tls, history.clone()).await.with_context(|| ports.named("Key Vault", 3))?;

        let mut blob = BlobOptions::new(BlobAccess::Bearer(tokens.clone()));
        blob.port = ports.at(6)?;
        blob.folder = options.keep.then(|| options.data.join("blob"));
        let blob = Blob::start(blob, history.clone()).await.with_context(|| ports.named("Blob", 6))?;
        blob.create_container(LEDGER_CONTAINER)?;

        let mut power_bi = PowerBiOptions::new(tokens);
        power_bi.port = ports.at(2)?;
        power_bi.clock = options.power_bi_clock;
        let power_bi = PowerBi::start(power_bi, history.clone()).await.with_context(|| ports.named("Power BI", 2))?;

        let webhooks = Webhooks::start(ports.at(9)?, tls, history.clone())
            .await
            .with_context(|| ports.named("the receivers", 9))?;

        let service_bus =
            ServiceBusOptions { port: ports.at(5)?, queues: options.queues.clone(), topics: options.topics.clone() };
        let service_bus =
            ServiceBus::start(service_bus, history.clone()).await.with_context(|| ports.named("Service Bus", 5))?;

        let mut databricks = options.databricks.clone();
        databricks.port = ports.at(1)?;
        let databricks =
            Databricks::start(databricks, history.clone()).await.with_context(|| ports.named("Databricks", 1))?;

        let event_grid = EventGridOptions {
            port: ports.at(8)?,
            key: STANDARD.encode(random_bytes::<32>()),
            retries_faster: options.event_grid_retries_faster,
        };
        let event_grid =
            EventGrid::start(event_grid, history.clone()).await.with_context(|| ports.named("Event Grid", 8))?;

        Ok(Self {
            history,
            certificates,
            entra,
            key_vault,
            blob,
            power_bi,
            service_bus,
            databricks,
            webhooks,
            event_grid,
            host: None,
            entra_client_secret,
            ca_file,
            options,
        })
    }

    /// Starts the host, or another one after [`Stack::stop_host`], over the same neighbours.
    pub async fn start_host(&mut self) -> anyhow::Result<()> {
        let host = self.another_host(self.options.ports.at(0)?).await?;
        if host.functions().iter().any(|name| name == EVENT_GRID_FUNCTION) {
            self.event_grid.subscribe(&host.event_grid_webhook(EVENT_GRID_FUNCTION)).await?;
        }
        self.host = Some(host);
        Ok(())
    }

    /// One more host over the same neighbours, as a second instance is; it stops when it is dropped. Event Grid delivers
    /// to the stack's own.
    pub async fn another_host(&self, port: u16) -> anyhow::Result<Host> {
        let handler = match &self.options.handler {
            Some(handler) => handler.clone(),
            None => sibling("causeway")?,
        };
        let root = &self.options.app_root;
        let beside = root.join("function-definitions");
        // In a package the functions lie beside host.json.
        let functions = if beside.is_dir() { beside } else { root.clone() };
        let mut host = HostOptions::new(root, functions, handler);
        host.environment = self.handler_environment();
        // A developer's own CAUSEWAY_* or AZURE_* must not reach into the stack.
        host.inherit_environment = false;
        host.port = port;
        host.service_bus = Some(self.service_bus.broker());
        host.groups = self.options.groups;
        host.timers = self.options.timers;
        host.resend = self.options.resend;
        host.error_window = self.options.error_window;
        host.print = self.options.print;
        Host::start(host, self.history.clone()).await.context("starting the host")
    }

    /// Kills the handler and the host; the neighbours stay as they are.
    pub async fn stop_host(&mut self) {
        if let Some(host) = self.host.take() {
            host.stop().await;
        }
    }

    /// Waits until the handler is ready; at once without a host.
    pub async fn ready(&self) -> anyhow::Result<()> {
        match &self.host {
            Some(host) => host.ready().await,
            None => Ok(()),
        }
    }

    /// Stops everything and waits until the handler is gone.
    pub async fn stop(mut self) {
        self.stop_host().await;
    }

    /// Every secret that the stack knows: what no log line and no answer may contain.
    pub fn every_secret(&self) -> Vec<String> {
        let keys = self.host.as_ref().map(Host::keys).unwrap_or_default();
        let function_keys = keys.functions.into_values().flat_map(BTreeMap::into_values);
        let mut secrets = self.key_vault.every_value();
        secrets.extend(self.entra.tokens.every_token());
        secrets.extend(self.databricks.every_token());
        secrets.extend([keys.master, self.entra.identity_header.clone(), self.entra_client_secret.clone()]);
        secrets.extend(self.webhooks.every_signature());
        secrets.extend(function_keys.chain(keys.host.into_values()).chain(keys.system.into_values()));
        secrets.push(self.event_grid.key().to_owned());
        secrets.retain(|secret| !secret.is_empty());
        secrets
    }

    /// Waits until `condition` holds of the history, looking whenever something is recorded; an error after `patience`.
    pub async fn until(&self, patience: Duration, condition: impl Fn(&History) -> bool) -> anyhow::Result<()> {
        let mut watch = self.history.watch();
        let waiting = async {
            while !condition(&self.history) {
                if watch.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(patience, waiting).await.context("it did not happen in time")
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Some(folder) = self.ca_file.parent() {
            // What stays behind is a certificate that nothing trusts any more.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// What infrastructure and people put into the vault.
fn secrets(entra_client_secret: &str) -> BTreeMap<String, String> {
    [
        ("causeway-sealing-key", STANDARD.encode(random_bytes::<32>())),
        ("causeway-status-key", STANDARD.encode(random_bytes::<32>())),
        ("databricks-token", databricks::TOKEN.to_owned()),
        ("databricks-client-secret", databricks::CLIENT_SECRET.to_owned()),
        ("entra-client-secret", entra_client_secret.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// A program that was built beside the one that runs; tests run one folder deeper.
fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program")?;
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let folders = own.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join(&file)).find(|path| path.is_file());
    found.with_context(|| format!("{file} is not beside {}: build it, or say --handler PATH", own.display()))
}
