//! Reading and checking. A wrong value never stops the process: it is named, and answered with `misconfigured`.

use super::concerns::{
    Databricks, Entra, KeyVault, Ledger, Operations, PowerBi, Requests, Runs, ServiceBus, Telemetry,
};
use super::{Host, Variables};

/// Every setting, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub host: Host,
    pub databricks: Databricks,
    pub power_bi: PowerBi,
    pub key_vault: KeyVault,
    pub entra: Entra,
    pub service_bus: ServiceBus,
    pub ledger: Ledger,
    pub requests: Requests,
    pub runs: Runs,
    pub operations: Operations,
    pub telemetry: Telemetry,
}

/// A variable that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblem {
    pub variable: String,
    /// What is wrong and what would be right; never the value of a secret.
    pub problem: String,
}

/// What reading gave.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Always known, with its defaults: without a port nothing could be answered.
    pub host: Host,
    /// Always known, so that problems can be logged.
    pub telemetry: Telemetry,
    pub settings: Result<Settings, Vec<SettingProblem>>,
    /// Variables that begin with `CAUSEWAY_` and that nobody knows.
    pub unknown: Vec<String>,
}

impl Reading {
    pub fn from(_variables: &dyn Variables) -> Self {
        unimplemented!()
    }
}
