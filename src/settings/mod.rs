//! Everything that can be set, one struct a concern, read through a trait so that no test touches the process.
//!
//! Every field's doc names its variable, its default and its unit. A variable that Azure defines is marked so.

mod concerns;
mod read;
mod variables;

pub use concerns::{
    Databricks, DatabricksAuthentication, Entra, Host, KeyVault, Ledger, LedgerPlace, Operations, PowerBi, Requests,
    Runs, ServiceBus, Telemetry,
};
pub use read::{Reading, SettingProblem, Settings};
pub use variables::{ProcessEnvironment, Variables};
