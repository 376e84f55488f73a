//! The process: one runtime, one command. How it ends is decided in `cli`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    causeway::cli::close_to_others();
    ExitCode::from(causeway::cli::run(std::env::args_os()).await)
}
