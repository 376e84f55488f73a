//! The black-box suite: the real handler process under the local stack, driven through the front door.

mod jobs;
mod operations;
mod power_bi;
mod problem;
mod road;
mod statements;
mod waiting;
