//! The Databricks stand-in from outside: over HTTP alone, as the real service would be called.

mod auth;
mod caller;
mod history;
mod jobs;
mod sdk;
mod shapes;
mod sql;
mod statements;
mod warehouses;
