//! The commands around the server: serve, check, schema, run, explain. No rule of the product lives here.

mod serve;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::settings::ProcessEnvironment;
use crate::triggers;

/// Exit code for a command line that makes no sense (`EX_USAGE` of BSD's sysexits).
const USAGE: u8 = 64;

/// Exit code for a start, or a command, that failed.
const FAILED: u8 = 1;

/// The road between Power Platform and the lakehouse.
#[derive(Debug, Parser)]
#[command(name = "causeway", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the Functions host (what no command does, too).
    Serve,
    /// Print docs/error-codes.md, which is generated.
    ErrorCodes,
}

/// Runs the command that the process was started with.
pub async fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are printed to stdout and are no error.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => ExitCode::from(serve::serve(&ProcessEnvironment).await),
        Command::ErrorCodes => print(&triggers::error_codes_page()),
    }
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}
