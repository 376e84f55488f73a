//! `check-boundaries`: who may name whom, which crates are whose, how long files are. This file reads the tree and
//! prints; the rules stand in `arrows.rs`, `bans.rs` and `sizes.rs`, each pure.

mod arrows;
mod bans;
mod sizes;
mod source;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::ExitCode;

use crate::workspace::Workspace;
use source::Source;

/// The folders that hold our Rust.
const ROOTS: [&str; 4] = ["src", "local-stack", "xtask", "tests"];

/// One broken rule, at its place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Breach {
    path: String,
    line: usize,
    what: String,
}

impl Breach {
    fn new(source: &Source, line: usize, what: impl Into<String>) -> Self {
        Self { path: source.path.clone(), line, what: what.into() }
    }
}

pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode, String> {
    let mut sources = Vec::new();
    for root in ROOTS {
        read(&workspace.root, root, &mut sources)?;
    }
    if sources.is_empty() {
        return Err("no Rust file found".to_owned());
    }
    let breaches = check(&sources);
    for Breach { path, line, what } in &breaches {
        println!("{path}:{line}: {what}");
    }
    println!("{}", sizes::figures(&sources));
    println!("{} breaches", breaches.len());
    Ok(if breaches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every rule on every file.
fn check(sources: &[Source]) -> Vec<Breach> {
    let mut breaches = sizes::check(sources);
    for source in sources {
        breaches.extend(arrows::check(source));
        breaches.extend(bans::check(source));
    }
    breaches.sort();
    breaches
}

/// The `.rs` files below `folder` (relative, with `/`), in name order; build output and hidden folders aside.
fn read(root: &Path, folder: &str, sources: &mut Vec<Source>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{folder}: {error}");
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(root.join(folder)).map_err(failed)? {
        entries.push(entry.map_err(failed)?);
    }
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{folder}/{name}");
        if entry.file_type().map_err(failed)?.is_dir() {
            if name != "target" && !name.starts_with('.') {
                read(root, &path, sources)?;
            }
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(entry.path()).map_err(|error| format!("{path}: {error}"))?;
            sources.push(Source::new(path, text));
        }
    }
    Ok(())
}
