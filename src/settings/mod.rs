//! Everything that can be set, one struct a concern, read through a trait so that no test touches the process.
//!
//! Every field's doc names its variable, its default and its unit. A variable that Azure defines is marked so.

mod clouds;
mod concerns;
mod host_json;
mod host_pattern;
mod known;
mod ledger_place;
mod read;
mod reader;
#[cfg(test)]
mod tests;
mod variables;

pub use concerns::{
    Databricks, DatabricksAuthentication, Entra, Host, KeyVault, Ledger, LedgerPlace, Operations, Outside, PatRotation,
    PowerBi, Requests, ResultDisposition, Runs, ServiceBus, Sql, SqlMode, Telemetry,
};
pub use host_json::host_json_warnings;
pub use host_pattern::HostPattern;
pub use known::{KNOWN, Known, OUR_PREFIX, Origin, VARIABLE_PREFIX};
pub use read::{Reading, SettingProblem, Settings};
pub use variables::{ProcessEnvironment, Variables};
