//! `package`: lays the function app out as Azure Functions wants it: host.json, a folder for each function with its
//! function.json, the operations and the binary. For the machine it runs on: build where the app is to run.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<ExitCode, String> {
    let Options { profile, topic, auth } = options(arguments)?;
    workspace.build(&["--locked", "-p", "causeway", "--bin", "causeway", "--profile", profile])?;
    let target = workspace.target()?;
    let name = format!("causeway{}", std::env::consts::EXE_SUFFIX);
    let package = target.join("package");
    let files = lay_out(&workspace.root, &target.join(profile).join(name), &package, topic, auth)?;
    println!("{}", package.display());
    print!("{}", table(&files));
    Ok(ExitCode::SUCCESS)
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options<'a> {
    profile: &'a str,
    /// Whether the functions of a topic's subscription go along.
    topic: bool,
    auth: Auth,
}

/// Who may call over HTTP: the same word as the app's `CAUSEWAY_AUTH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Auth {
    /// The host asks for a key of the function, or of the host.
    Keys,
    /// The host asks for nothing, and the handler for an Entra token.
    Entra,
}

fn options(arguments: &[OsString]) -> Result<Options<'_>, String> {
    let mut words = arguments.iter().map(|argument| argument.to_str().unwrap_or_default());
    let mut options = Options { profile: "release", topic: false, auth: Auth::Keys };
    while let Some(word) = words.next() {
        match word {
            "--topic" => options.topic = true,
            "--profile" => {
                options.profile = words.next().filter(|name| ["release", "dist"].contains(name)).ok_or(USAGE)?;
            }
            "--auth" => {
                options.auth = match words.next() {
                    Some("keys") => Auth::Keys,
                    Some("entra") => Auth::Entra,
                    _ => return Err(USAGE.to_owned()),
                }
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(options)
}

const USAGE: &str = "package [--profile release|dist] [--topic] [--auth keys|entra]";

/// How a definition says that its function is off unless it is asked for.
const DISABLED: &str = "  \"disabled\": true,\n";

/// How it says that the host asks for a key, and how that it asks for nothing.
const BY_KEY: &str = "\"authLevel\": \"function\"";
const BY_NOBODY: &str = "\"authLevel\": \"anonymous\"";

/// A file of the package: its place there and its size in bytes.
type Laid = (String, u64);

/// Starts from an empty folder, so that nothing of an earlier build stays.
fn lay_out(root: &Path, binary: &Path, package: &Path, topic: bool, auth: Auth) -> Result<Vec<Laid>, String> {
    match fs::remove_dir_all(package) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("{}: {error}", package.display()));
        }
        _ => {}
    }
    let mut copies = vec![(root.join("host.json"), PathBuf::from("host.json"))];
    for function in folder(&root.join("function-definitions"))? {
        let definition = function.join("function.json");
        if let Some(name) = function.file_name().filter(|_| definition.is_file()) {
            if !topic && is_disabled(&definition)? {
                continue;
            }
            copies.push((definition.clone(), Path::new(name).join("function.json")));
        }
    }
    if copies.len() == 1 {
        return Err("function-definitions/ holds no function".to_owned());
    }
    for operation in files_below(&root.join("operations"))? {
        if let Ok(place) = operation.strip_prefix(root) {
            copies.push((operation.clone(), place.to_owned()));
        }
    }
    // Copied with its permissions: the host starts it only with the executable bit.
    copies.push((binary.to_owned(), binary.file_name().map(PathBuf::from).unwrap_or_default()));
    let mut files = Vec::new();
    for (from, place) in copies {
        let to = package.join(&place);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        }
        let failed = |error: std::io::Error| format!("{}: {error}", from.display());
        let size = if from.ends_with("function.json") {
            let mut text = fs::read_to_string(&from).map_err(failed)?.replacen(DISABLED, "", 1);
            if auth == Auth::Entra {
                text = text.replace(BY_KEY, BY_NOBODY);
            }
            fs::write(&to, &text).map_err(failed)?;
            text.len() as u64
        } else {
            fs::copy(&from, &to).map_err(failed)?
        };
        files.push((place.display().to_string(), size));
    }
    Ok(files)
}

fn is_disabled(definition: &Path) -> Result<bool, String> {
    let text = fs::read_to_string(definition).map_err(|error| format!("{}: {error}", definition.display()))?;
    Ok(text.contains(DISABLED))
}

fn folder(path: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let entries: Result<Vec<_>, _> = fs::read_dir(path).map_err(failed)?.collect();
    let mut paths: Vec<PathBuf> = entries.map_err(failed)?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

fn files_below(path: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in folder(path)? {
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// Places on the left, bytes lined up on the right, the sum below.
fn table(files: &[Laid]) -> String {
    let total = ("total".to_owned(), files.iter().map(|(_, size)| size).sum());
    let rows: Vec<&Laid> = files.iter().chain([&total]).collect();
    let wide = rows.iter().map(|(place, _)| place.len()).max().unwrap_or_default();
    let lines: Vec<String> =
        rows.iter().map(|(place, size)| format!("  {place:<wide$}  {:>12}\n", grouped(*size))).collect();
    lines.concat()
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests;
