//! Causeway: the road between Power Platform and the lakehouse, as an Azure Functions custom handler.
//!
//! Arrows point down; a room never names one above it. From the top:
//!
//! - [`app`] puts everything together; [`cli`] holds the commands around the server.
//! - [`triggers`] is the only room that knows actix-web and the Functions envelope.
//! - [`requests`] does the direct work of one HTTP call: claim, send, wait, hand over.
//! - [`runs`] is the durable engine: records, advancing, waking, ticking.
//! - [`rotation`] renews the personal access token in Key Vault.
//! - [`steps`] holds one file for each kind of step and its recovery.
//! - [`operations`] is what makers declare; [`rows`] turns results into what callers read. Both are pure.
//! - [`databricks`], [`power_bi`], [`key_vault`] and [`service_bus`] speak to the neighbours.
//! - [`sealing`] keeps what others must not read.
//! - [`ledger`] remembers, append only; [`entra`] says who we are.
//! - [`http`] is the only way out; [`clock`], [`settings`], [`telemetry`] and [`failure`] serve every room.

pub mod app;
pub mod cli;
pub mod clock;
pub mod databricks;
pub mod entra;
pub mod failure;
pub mod http;
pub mod key_vault;
pub mod ledger;
pub mod operations;
pub mod power_bi;
pub mod requests;
pub mod rotation;
pub mod rows;
pub mod runs;
pub mod sealing;
pub mod service_bus;
pub mod settings;
pub mod steps;
pub mod telemetry;
pub mod triggers;
