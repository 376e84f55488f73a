//! What a stack is started with. No behaviour here but where ports come from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use crate::databricks::{self, DatabricksOptions};
use crate::host::{Groups, Resend, Timers};
use crate::power_bi::Clock;
use crate::python;
use crate::service_bus::QueueOptions;

/// Which ports the stand-ins take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Any free ones.
    Any,
    /// In a row from here: host, Databricks, Power BI, Key Vault, Entra, Service Bus, Blob, managed identity, Event Grid,
    /// receivers.
    Base(u16),
}

impl Ports {
    /// The usual base.
    pub const DEFAULT: Self = Self::Base(7071);

    pub(super) fn at(self, offset: u16) -> anyhow::Result<u16> {
        match self {
            Self::Any => Ok(0),
            Self::Base(base) => base.checked_add(offset).context("the base port is too high"),
        }
    }

    /// What was being tried, for an error: most often the port is taken.
    pub(super) fn named(self, service: &str, offset: u16) -> String {
        match self.at(offset) {
            Ok(port @ 1..) => format!("starting {service} on port {port} (--ports 0 takes free ones)"),
            _ => format!("starting {service}"),
        }
    }
}

/// How the handler proves to Databricks who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DatabricksAuthentication {
    #[default]
    ManagedIdentity,
    /// An Entra application with its secret in the vault.
    ClientSecret,
    OAuthM2m,
    PersonalAccessToken,
}

/// See [`StackOptions::new`] for the defaults.
#[derive(Clone, Debug)]
pub struct StackOptions {
    pub ports: Ports,
    /// For the SQL engine's Python, the CA file and, with `keep`, the blobs.
    pub data: PathBuf,
    /// Keeps blobs (the ledger) in `data` rather than in memory.
    pub keep: bool,
    /// Whether the host and the handler are started too.
    pub host: bool,
    /// The handler; the sibling `causeway` of the running program when absent.
    pub handler: Option<PathBuf>,
    /// The folder with `host.json`; functions lie in it or in its `function-definitions`.
    pub app_root: PathBuf,
    /// On top of the handler's environment; an empty value takes a variable out.
    pub extra_environment: BTreeMap<String, String>,
    /// On top of the vault's secrets.
    pub secrets: BTreeMap<String, String>,
    pub databricks: DatabricksOptions,
    pub databricks_authentication: DatabricksAuthentication,
    pub power_bi_clock: Clock,
    pub queues: Vec<QueueOptions>,
    /// Topics of Service Bus, with the names of their subscriptions.
    pub topics: Vec<(String, Vec<String>)>,
    /// How many times faster than the service Event Grid tries a delivery again.
    pub event_grid_retries_faster: u32,
    pub groups: Groups,
    pub timers: Timers,
    pub resend: Resend,
    /// See [`HostOptions::error_window`](crate::host::HostOptions::error_window).
    pub error_window: Duration,
    /// Prints the handler's and the host's lines to standard error.
    pub print: bool,
}

impl StackOptions {
    /// For tests: any free ports, everything in memory, timers only on request.
    pub fn new(app_root: impl Into<PathBuf>) -> Self {
        Self {
            ports: Ports::Any,
            data: python::default_data(),
            keep: false,
            host: true,
            handler: None,
            app_root: app_root.into(),
            extra_environment: BTreeMap::new(),
            secrets: BTreeMap::new(),
            databricks: DatabricksOptions::default(),
            databricks_authentication: DatabricksAuthentication::default(),
            power_bi_clock: Clock::Auto(Duration::from_millis(500)),
            queues: [
                "causeway-requests",
                "causeway-work",
                "causeway-parking",
                "causeway-replies",
                "business-results",
                "quality-warnings",
                "incidents",
            ]
            .map(QueueOptions::new)
            .into(),
            topics: Vec::new(),
            event_grid_retries_faster: 100,
            groups: Groups::default(),
            timers: Timers::OnRequest,
            resend: Resend::default(),
            error_window: Duration::from_mins(30),
            print: false,
        }
    }

    /// The warehouse of statements that name none.
    pub(super) fn warehouse(&self) -> &str {
        self.databricks.warehouses.first().map_or(databricks::WAREHOUSE, |warehouse| warehouse.id.as_str())
    }
}
