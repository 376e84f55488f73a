//! Stand-ins for everything that Causeway talks to, on loopback, each speaking its neighbour's wire protocol.
//!
//! A stand-in does what the real service does, with the source beside it; it never bends to make our code pass.
//! Nothing here depends on `causeway`, and nothing here is in the production binary.
//!
//! - [`core`] is what every stand-in shares: serving, faults, the history of effects.
//! - [`host`] is the Functions host, which runs the unmodified handler as a child process.
//! - [`service_bus`], [`databricks`], [`power_bi`], [`key_vault`], [`entra`], [`event_grid`] and [`blob`] are the neighbours.
//! - [`certificates`] is the throw-away authority that they are trusted by.
//! - [`python`] makes the Python environments that the SQL engine and the tests need.
//! - [`stack`] starts them together; [`demo`] drives the main job through them.

pub mod blob;
pub mod certificates;
pub mod core;
pub mod databricks;
pub mod demo;
pub mod entra;
pub mod event_grid;
pub mod host;
pub mod key_vault;
pub mod power_bi;
pub mod python;
pub mod service_bus;
pub mod stack;
