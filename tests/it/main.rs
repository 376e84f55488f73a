//! The black-box suite: the real handler process under the local stack, driven through the front door.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod declared;
mod flex;
mod messages;
mod parking;
mod power_bi_steps;
mod road;
mod runs;
mod steps;
mod ticks;
mod statements;
