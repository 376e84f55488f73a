//! Everything that can be set, one struct a concern, read through a trait so that no test touches the process.
//!
//! Every field's doc names its variable, its default and its unit. A variable that Azure defines is marked so.

mod callers;
mod clouds;
mod concerns;
mod function_json;
mod host_json;
mod host_pattern;
mod identity;
mod known;
mod ledger_place;
mod on_behalf_of;
mod read;
mod reader;
#[cfg(test)]
mod tests;
mod variables;

pub use callers::{AREAS, Callers, EntraCallers, FOR_ANYBODY, Rights, Roles};
pub use clouds::{CLOUDS, Cloud};
pub use concerns::{
    AzureResource, Databricks, Host, KeyVault, Ledger, LedgerPlace, Operations, Outside, PatRotation, PowerBi,
    Requests, ResultDisposition, Runs, ServiceBus, Sql, SqlMode, Telemetry,
};
pub use function_json::{keys_beside_tokens, open_functions};
pub use host_json::host_json_warnings;
pub use host_pattern::HostPattern;
pub use identity::{
    Assertion, Audiences, DatabricksAuthentication, Entra, Federation, PowerBiAuthentication, RefreshToken,
    RefreshTokenProof,
};
pub use known::{KNOWN, Known, OUR_PREFIX, Origin, VARIABLE_PREFIX};
pub use on_behalf_of::{ExchangeProof, OnBehalfOf};
pub use read::{Reading, SettingProblem, Settings};
pub use variables::{ProcessEnvironment, Variables};
