//! `cargo local`: builds the handler and the local stack, then becomes the stack. What a stack is lives in
//! `local-stack`; every option but the ones added here is its own.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<ExitCode, String> {
    // To stderr, as cargo's own progress: with `--json`, stdout is one line for a program.
    eprintln!("Building the handler and the local stack; the first time takes minutes.");
    workspace.build(&["--bin", "causeway", "--bin", "causeway-local", "-p", "causeway", "-p", "local-stack"])?;
    // Cargo puts the programs of one profile into one folder, wherever the target folder is: beside this one.
    let own = std::env::current_exe().map_err(|error| format!("finding this program: {error}"))?;
    let program = |name: &str| own.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let mut stack = Command::new(program("causeway-local"));
    stack.args(complete(arguments, &program("causeway"), &workspace.root));
    become_program(stack)
}

/// The stack's arguments: `up` unless another command is named, this build's handler and this workspace's app root
/// unless others are.
fn complete(arguments: &[OsString], handler: &Path, root: &Path) -> Vec<OsString> {
    let help = arguments.first().is_some_and(|first| first == "-h" || first == "--help");
    if help {
        return arguments.to_vec();
    }
    let mut complete = arguments.to_vec();
    if arguments.first().is_none_or(|first| first.as_encoded_bytes().starts_with(b"-")) {
        complete.insert(0, "up".into());
    }
    for (option, value) in [("--handler", handler), ("--app-root", root)] {
        if !arguments.iter().any(|argument| names(argument, option)) {
            complete.push(option.into());
            complete.push(value.into());
        }
    }
    complete
}

/// `--option value` or `--option=value`.
fn names(argument: &OsStr, option: &str) -> bool {
    let rest = argument.as_encoded_bytes().strip_prefix(option.as_bytes());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"="))
}

/// Signals, the terminal and the exit status are then the stack's own.
#[cfg(unix)]
fn become_program(mut program: Command) -> Result<ExitCode, String> {
    use std::os::unix::process::CommandExt as _;
    let error = program.exec();
    Err(format!("{}: {error}", program.get_program().display()))
}

#[cfg(not(unix))]
fn become_program(mut program: Command) -> Result<ExitCode, String> {
    let status = program.status().map_err(|error| format!("{}: {error}", program.get_program().display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(arguments: &[&str]) -> Vec<String> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let complete = complete(&arguments, Path::new("/built/causeway"), Path::new("/repo"));
        complete.into_iter().map(|argument| argument.into_string().unwrap()).collect()
    }

    #[test]
    fn without_a_command_the_stack_comes_up() {
        let added = ["--handler", "/built/causeway", "--app-root", "/repo"];
        assert_eq!(completed(&[]), [&["up"][..], &added].concat());
        assert_eq!(completed(&["--json"]), [&["up", "--json"][..], &added].concat());
        assert_eq!(completed(&["demo"]), [&["demo"][..], &added].concat());
    }

    #[test]
    fn a_handler_or_root_that_is_named_is_kept() {
        assert_eq!(
            completed(&["up", "--handler=/mine", "--app-root", "/there"]),
            ["up", "--handler=/mine", "--app-root", "/there"]
        );
    }

    #[test]
    fn help_is_passed_through() {
        assert_eq!(completed(&["--help"]), ["--help"]);
    }
}
