//! The project's own chores, one file each; this one only picks. Standard library only, so that it builds in seconds.

mod boundaries;
mod dependencies;
mod features;
mod local;
mod package;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use workspace::Workspace;

const USAGE: &str = "\
cargo xtask <chore>
  local [up|demo] [options]           builds the handler and the local stack, then runs the stack (also: cargo local)
  check-boundaries                    who may name whom, the size of files, the names of modules
  check-dependencies                  what must not be in the handler's dependency tree
  check-features                      features that differ between the handler as released and as tested
  package [--profile release|dist]    lays the function app out in target/package";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let chore = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    let done = Workspace::find().and_then(|workspace| match (chore.to_str(), rest.as_slice()) {
        (Some("local"), _) => local::run(&workspace, &rest),
        (Some("check-boundaries"), []) => boundaries::run(&workspace),
        (Some("check-dependencies"), []) => dependencies::run(&workspace),
        (Some("check-features"), []) => features::run(&workspace),
        (Some("package"), _) => package::run(&workspace, &rest),
        _ => Err(USAGE.to_owned()),
    });
    match done {
        Ok(code) => code,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}
