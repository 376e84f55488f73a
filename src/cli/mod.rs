//! The commands around the server: serve, check, run, parked, rotate-pat, and those that print a generated page. No rule of the product lives
//! here.

pub mod check;
mod dumps;
pub mod explain;
mod live;
pub mod openapi;
mod parked;
mod rotate_pat;
pub mod run;
pub mod schema;
mod serve;
mod settings_page;
mod table;

use std::io::Write as _;

use clap::{Parser, Subcommand};

use crate::operations::Catalog;
use crate::settings::{self, ProcessEnvironment, Reading};
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
    /// Check settings, host.json and operations, and tell everything that is wrong.
    Check {
        /// The operations to check; default the folder of the settings.
        folder: Option<std::path::PathBuf>,
        /// Ask each neighbour, too, who we are to it and what it lets us do.
        #[arg(long)]
        live: bool,
    },
    /// Tell what an operation takes, does and touches, and what may end as outcome-unknown.
    Explain {
        name: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run an operation against the configured neighbours, from this process.
    Run(run::Arguments),
    /// What waits in the parking queue: show it, send it again, or drop it.
    Parked {
        #[command(subcommand)]
        command: parked::Parked,
    },
    /// Renew the personal access token in Key Vault, or go on with renewing it.
    RotatePat(rotate_pat::Arguments),
    /// Print the JSON Schema of operation files, for completion in an editor.
    Schema,
    /// Print the OpenAPI document of the routes and of the configured operations.
    Openapi,
    /// Print docs/error-codes.md, which is generated.
    ErrorCodes,
    /// Print docs/settings.md, which is generated.
    #[command(hide = true)]
    SettingsPage,
}

/// What this process holds is its own: called by `main`, once, and not by tests.
pub fn close_to_others() {
    if let Some(why) = dumps::off() {
        eprintln!("causeway: core dumps could not be switched off: {why}");
    }
}

/// Runs the command that the process was started with; gives its exit code.
pub async fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are printed to stdout and are no error.
            let _ = error.print();
            return if error.use_stderr() { USAGE } else { 0 };
        }
    };
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(&ProcessEnvironment).await,
        Command::Check { folder, live } => {
            let reading = Reading::from(&ProcessEnvironment);
            let warnings = settings::host_json_warnings(&reading.host.app_root);
            let report = check::run(&reading, &ProcessEnvironment, folder.as_deref(), &warnings);
            let _ = print(&report.text);
            // Wrong settings have been told; without them there is nobody to ask.
            match &reading.settings {
                Ok(settings) if live => {
                    let live = live::run(settings).await;
                    let _ = print(&format!("\n{}", live.text));
                    report.exit_code.max(live.exit_code)
                }
                _ => report.exit_code,
            }
        }
        Command::Explain { name, json } => explain_one(&name, json),
        Command::Run(arguments) => run::run(Reading::from(&ProcessEnvironment), arguments).await,
        Command::Parked { command } => match Reading::from(&ProcessEnvironment).settings {
            Ok(settings) => parked::run(command, &settings).await,
            Err(problems) => {
                for problem in problems {
                    eprintln!("causeway: {} {}", problem.variable, problem.problem);
                }
                FAILED
            }
        },
        Command::RotatePat(arguments) => rotate_pat::run(Reading::from(&ProcessEnvironment), arguments).await,
        Command::Schema => print(&schema::run()),
        Command::Openapi => openapi_of_the_folder(),
        Command::ErrorCodes => print(&triggers::error_codes_page()),
        Command::SettingsPage => print(&settings_page::run()),
    }
}

/// The configured operations; what is wrong is told here.
fn catalog() -> Option<Catalog> {
    let operations = check::operations(&Reading::from(&ProcessEnvironment), &ProcessEnvironment);
    match Catalog::load(&operations.folder, &operations.variables) {
        Ok(catalog) => Some(catalog),
        Err(error) => {
            eprintln!("causeway: the folder of operations cannot be read: {error}");
            None
        }
    }
}

fn openapi_of_the_folder() -> u8 {
    catalog().map_or(FAILED, |catalog| print(&openapi::run(&catalog)))
}

fn explain_one(name: &str, json: bool) -> u8 {
    let Some(catalog) = catalog() else { return FAILED };
    let report = explain::run(&catalog, name, json, jiff::Timestamp::now());
    let _ = print(&report.text);
    report.exit_code
}

fn print(text: &str) -> u8 {
    if std::io::stdout().write_all(text.as_bytes()).is_ok() { 0 } else { FAILED }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn exit_code(arguments: &[&str]) -> u8 {
        run(arguments.iter().map(std::ffi::OsString::from)).await
    }

    #[tokio::test]
    async fn a_command_line_that_makes_no_sense_exits_with_64() {
        assert_eq!(exit_code(&["causeway", "sevre"]).await, USAGE);
        assert_eq!(exit_code(&["causeway", "serve", "--fast"]).await, USAGE);
    }

    #[tokio::test]
    async fn help_is_no_error() {
        assert_eq!(exit_code(&["causeway", "--help"]).await, 0);
    }
}
