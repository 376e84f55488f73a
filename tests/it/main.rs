//! The black-box suite: the real handler process under the local stack, driven through the front door.

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
