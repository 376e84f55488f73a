//! The black-box suite: the real handler process under the local stack, driven through the front door.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bad_input;
mod handler;
mod health;
mod idempotency;
mod jobs;
mod killed;
mod operations;
mod power_bi;
mod problem;
mod road;
mod statements;
mod status;
mod waiting;
