//! The Databricks stand-in from outside: over HTTP alone, as the real service would be called.

#![allow(clippy::expect_used, reason = "a test's own steps may fail it")]

mod auth;
mod caller;
mod catalog;
mod history;
mod jobs;
mod links;
mod sdk;
mod shapes;
mod sql;
mod statements;
mod warehouses;
