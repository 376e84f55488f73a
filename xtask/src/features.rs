//! `check-features`: tests must run what ships. Cargo gives a package the features that anything built with it asks
//! for, so a dev-dependency can turn one on that the release lacks: `serde_json`'s `float_roundtrip` once hid, in
//! every test, that a release reads one double in twelve wrong. The accepted differences, with reasons, stand in
//! `xtask/feature-differences.txt`.

use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;

use crate::workspace::{Package, Workspace};

const ACCEPTED: &str = "xtask/feature-differences.txt";

pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode, String> {
    let accepted =
        std::fs::read_to_string(workspace.root.join(ACCEPTED)).map_err(|error| format!("{ACCEPTED}: {error}"))?;
    let accepted = Accepted::read(&accepted)?;
    let release = workspace.tree(&["-p", "causeway", "-e", "normal,no-proc-macro"])?;
    // The workspace, since `cargo test --workspace` is how the tests are built.
    let test = workspace.tree(&["--workspace", "-e", "normal,dev,no-proc-macro"])?;
    let differences = differences(&release, &test);
    let breaches = breaches(&differences, &accepted);
    for breach in &breaches {
        println!("{breach}");
    }
    println!(
        "{} packages compared, {} differ and are accepted, {} breaches",
        release.len(),
        accepted.len(),
        breaches.len()
    );
    Ok(if breaches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How one package of the release differs when it is built for tests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Difference {
    name: String,
    /// `+feature`: only in tests. `-feature`: only in the release.
    signs: BTreeSet<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        self.signs.iter().try_for_each(|sign| write!(f, " {sign}"))
    }
}

/// A package that the test build knows with the very same features does not differ, whatever else it is built with.
fn differences(release: &[Package], test: &[Package]) -> BTreeSet<Difference> {
    let mut differences = BTreeSet::new();
    for package in release {
        let same = |other: &&Package| (&other.name, &other.version) == (&package.name, &package.version);
        let built: Vec<&Package> = test.iter().filter(same).collect();
        if built.iter().any(|other| other.features == package.features) {
            continue;
        }
        let ours: BTreeSet<&String> = package.features.iter().collect();
        let theirs: BTreeSet<&String> = built.iter().flat_map(|other| &other.features).collect();
        let mut signs: BTreeSet<String> = theirs.difference(&ours).map(|feature| format!("+{feature}")).collect();
        signs.extend(ours.difference(&theirs).map(|feature| format!("-{feature}")));
        differences.insert(Difference { name: package.name.clone(), signs });
    }
    differences
}

/// The accepted differences: `name +feature -feature: reason`, one a line; `#` opens a comment.
type Accepted = BTreeSet<Difference>;

trait Read: Sized {
    fn read(text: &str) -> Result<Self, String>;
}

impl Read for Accepted {
    fn read(text: &str) -> Result<Self, String> {
        let mut accepted = Self::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (what, reason) = line.split_once(": ").unwrap_or((line, ""));
            let mut words = what.split_whitespace();
            let name = words.next().unwrap_or_default().to_owned();
            let signs: BTreeSet<String> = words.map(str::to_owned).collect();
            let signed = !signs.is_empty() && signs.iter().all(|sign| sign.starts_with(['+', '-']));
            if !signed || reason.trim().is_empty() {
                return Err(format!("{ACCEPTED}:{}: write `name +feature -feature: reason`", number + 1));
            }
            accepted.insert(Difference { name, signs });
        }
        Ok(accepted)
    }
}

fn breaches(differences: &BTreeSet<Difference>, accepted: &Accepted) -> Vec<String> {
    let new = differences.difference(accepted).map(|difference| {
        format!(
            "{difference}: tests (+) and release (-) differ; make Cargo.toml ask for the same, or accept it with a \
             reason in {ACCEPTED}"
        )
    });
    let stale = accepted.difference(differences).map(|difference| {
        format!("{ACCEPTED}: `{difference}` is no difference of today's tree; take it out or correct it")
    });
    new.chain(stale).collect()
}

#[cfg(test)]
mod tests;
