//! The Databricks stand-in from outside: over HTTP alone, as the real service would be called.

#![allow(clippy::expect_used, reason = "a test's own steps may fail it")]

mod auth;
mod bulk;
mod caller;
mod catalog;
mod conflicts;
mod failures;
mod generated;
mod history;
mod jobs;
mod jobs_graph;
mod jobs_lists;
mod jobs_output;
mod jobs_repair;
mod jobs_start;
mod links;
mod personal_tokens;
mod policies;
mod sdk;
mod sessions;
mod shapes;
mod sql;
mod statements;
mod warehouses;
