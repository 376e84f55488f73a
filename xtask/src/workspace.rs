//! Where the workspace is and how cargo is asked. Knows no chore.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The platform that the function app runs on: what is checked there holds wherever the check runs.
pub(crate) const DEPLOYED: &str = "x86_64-unknown-linux-gnu";

/// The workspace this program belongs to.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder with the workspace's Cargo.toml.
    pub(crate) root: PathBuf,
}

impl Workspace {
    /// Asks what `cargo run` says at run time, since a shared target folder may hold another checkout's xtask.
    pub(crate) fn find() -> Result<Self, String> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let root = manifest.as_deref().and_then(Path::parent).map(Path::to_owned);
        match root.filter(|root| root.join("host.json").is_file()) {
            Some(root) => Ok(Self { root }),
            None => Err("start this through cargo: cargo xtask <chore>".to_owned()),
        }
    }

    /// The folder that cargo builds into.
    pub(crate) fn target(&self) -> Result<PathBuf, String> {
        match std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
            Some(folder) => std::path::absolute(folder).map_err(|error| format!("CARGO_TARGET_DIR: {error}")),
            None => Ok(self.root.join("target")),
        }
    }

    /// The cargo that started us, in the workspace's root.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        cargo
    }

    /// Runs a build whose output the caller of the chore sees.
    pub(crate) fn build<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<(), String> {
        let status = self.cargo().arg("build").args(arguments).status().map_err(|error| format!("cargo: {error}"))?;
        if status.success() { Ok(()) } else { Err("the build failed".to_owned()) }
    }

    /// One line a package of `cargo tree`, with its features; build tools and procedural macros are left out, since
    /// they're compiled for another purpose with features of their own.
    pub(crate) fn tree(&self, arguments: &[&str]) -> Result<Vec<Package>, String> {
        let mut cargo = self.cargo();
        cargo.args(["tree", "--locked", "--prefix", "none", "--target", DEPLOYED, "-f", "{p}|{f}"]).args(arguments);
        let output = cargo.output().map_err(|error| format!("cargo tree: {error}"))?;
        if !output.status.success() {
            return Err(format!("cargo tree failed:\n{}", String::from_utf8_lossy(&output.stderr)));
        }
        let packages = Package::read(&String::from_utf8_lossy(&output.stdout));
        if packages.is_empty() { Err("cargo tree names no package".to_owned()) } else { Ok(packages) }
    }
}

/// A package as built: the same version with other features is another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) features: Vec<String>,
}

impl Package {
    /// Reads lines such as `serde v1.0.1 (/a/path)|default,std (*)`; sorted, each once.
    pub(crate) fn read(text: &str) -> Vec<Self> {
        let mut packages: Vec<Self> = text.lines().filter_map(Self::read_line).collect();
        packages.sort();
        packages.dedup();
        packages
    }

    fn read_line(line: &str) -> Option<Self> {
        let (package, features) = line.split_once('|')?;
        let mut words = package.split(' ');
        let (name, version) = (words.next()?.to_owned(), words.next()?.trim_start_matches('v').to_owned());
        let features = features.trim_end_matches("(*)").trim().split(',').filter(|feature| !feature.is_empty());
        let mut features: Vec<String> = features.map(str::to_owned).collect();
        features.sort();
        Some(Self { name, version, features })
    }
}
