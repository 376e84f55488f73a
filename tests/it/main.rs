//! The black-box suite: the real handler process under the local stack, driven through the front door.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_input;
mod bulk;
mod conflicts;
mod contract;
mod datasets;
mod declared;
mod failures;
mod flex;
mod guarded;
mod handler;
mod health;
mod idempotency;
mod jobs;
mod judged;
mod killed;
mod links;
mod links_failing;
mod lists;
mod messages;
mod operations;
mod parking;
mod power_bi;
mod power_bi_steps;
mod problem;
mod raw;
mod recovered;
mod refusals;
mod road;
mod runs;
mod secrecy;
mod statements;
mod status;
mod steps;
mod stream_callers;
mod streams;
mod ticks;
mod upkeep;
mod values;
mod waiting;
