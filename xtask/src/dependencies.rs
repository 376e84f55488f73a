//! `check-dependencies`: what must not be in the handler's normal dependency tree, on the platform it is deployed to.
//! Proves absences; features are `features.rs`.

use std::collections::BTreeSet;
use std::process::ExitCode;

use crate::workspace::{Package, Workspace};

/// Names and why they're kept out.
const BANNED: [(&str, &str); 10] = [
    ("local-stack", "stand-ins never ship"),
    ("wiremock", "mocks never ship"),
    // By name: openssl-probe, which only knows where certificates lie, is in rustls's own tree.
    ("openssl", "one TLS stack, rustls, with nothing to link from the image"),
    ("openssl-sys", "one TLS stack, rustls, with nothing to link from the image"),
    ("openssl-src", "one TLS stack, rustls, with nothing to link from the image"),
    ("native-tls", "one TLS stack, rustls, with nothing to link from the image"),
    ("ring", "one cryptography provider, aws-lc-rs"),
    ("axum", "one web framework, actix-web; axum belongs to the stand-ins"),
    ("rcgen", "certificates are made by the stand-ins only"),
    ("xtask", "chores never ship"),
];

/// Packages that must be there in one version only, and why.
const SINGLE: [(&str, &str); 2] = [
    ("reqwest", "one transport: every outbound request passes the same pool, proxy and certificates"),
    ("rustls", "one TLS stack"),
];

pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode, String> {
    let packages = workspace.tree(&["-p", "causeway", "-e", "normal"])?;
    let breaches = breaches(&packages);
    for breach in &breaches {
        println!("{breach}");
    }
    let names: BTreeSet<_> = packages.iter().map(|package| (&package.name, &package.version)).collect();
    println!("{} packages in the handler's tree, {} breaches", names.len(), breaches.len());
    Ok(if breaches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn breaches(packages: &[Package]) -> Vec<String> {
    let names: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut breaches = Vec::new();
    for name in names {
        if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            breaches.push(format!("{name}: {why}; `cargo tree -p causeway -e normal -i {name}` says who asks for it"));
        }
    }
    for (name, why) in SINGLE {
        let versions: BTreeSet<&str> =
            packages.iter().filter(|package| package.name == name).map(|package| package.version.as_str()).collect();
        if versions.len() != 1 {
            breaches.push(format!("{name}: {} versions, not one ({why})", versions.len()));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: &str =
        "causeway v0.1.0 (/repo)|\nreqwest v0.13.5|json,stream\nrustls v0.23.46|std\nrustls v0.23.46|std (*)";

    fn of(more: &str) -> Vec<String> {
        breaches(&Package::read(&format!("{CLEAN}\n{more}")))
    }

    #[test]
    fn a_tree_without_them_passes() {
        assert!(of("openssl-probe v0.2.1|\nring-buffer v1.0.0|").is_empty());
    }

    #[test]
    fn each_banned_package_is_found() {
        for name in
            ["local-stack", "wiremock", "openssl-sys", "openssl", "native-tls", "ring", "axum", "rcgen", "xtask"]
        {
            let found = of(&format!("{name} v1.0.0|"));
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert!(found[0].starts_with(name), "{found:?}");
        }
    }

    #[test]
    fn a_second_reqwest_is_found() {
        assert!(of("reqwest v0.12.1|json")[0].starts_with("reqwest: 2 versions"));
    }

    #[test]
    fn the_same_version_with_other_features_is_not_a_second_one() {
        assert!(of("rustls v0.23.46|std,tls12").is_empty());
    }
}
