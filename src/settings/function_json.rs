//! Whether the package and `CAUSEWAY_AUTH` say the same: a package that lets anybody in, and a handler that believes the host
//! has looked, would be open to all.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::callers::{Callers, FOR_ANYBODY};
use super::{SettingProblem, Settings};

/// Where the host reads definitions in a package, and where they lie in the repository.
const FOLDERS: [&str; 2] = ["", "function-definitions"];

/// HTTP functions of which the host asks for a key, and of which it asks for nothing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    by_key: Vec<String>,
    open: Vec<String>,
}

/// What is wrong, if the functions in the app's root are open and nobody else asks who calls.
pub fn open_functions(settings: &Settings) -> Option<SettingProblem> {
    let found = found(&settings.host.app_root);
    match settings.callers {
        Callers::Keys if !found.open.is_empty() => Some(SettingProblem {
            variable: "CAUSEWAY_AUTH".to_owned(),
            problem: format!(
                "is keys, and the package asks for no key (authLevel anonymous: {}): anybody could call. Set it to entra, or \
                 make the package with `--auth keys`",
                found.open.join(", ")
            ),
        }),
        _ => None,
    }
}

/// What is odd and harmless: callers need a key as well as a token.
pub fn keys_beside_tokens(settings: &Settings) -> Option<String> {
    let found = found(&settings.host.app_root);
    let both = matches!(settings.callers, Callers::Entra(_)) && !found.by_key.is_empty();
    both.then(|| {
        format!(
            "CAUSEWAY_AUTH is entra, and the host asks for a key too (authLevel function: {}): make the package with \
             `--auth entra`",
            found.by_key.join(", ")
        )
    })
}

fn found(app_root: &Path) -> Found {
    let mut found = Found::default();
    for folder in FOLDERS {
        let Ok(entries) = fs::read_dir(app_root.join(folder)) else { continue };
        for entry in entries.flatten() {
            let Ok(text) = fs::read_to_string(entry.path().join("function.json")) else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            match level(&text).as_deref() {
                Some("anonymous") if !FOR_ANYBODY.contains(&name.as_str()) => found.open.push(name),
                Some("function" | "admin") => found.by_key.push(name),
                _ => {}
            }
        }
    }
    found.open.sort();
    found.by_key.sort();
    found
}

/// Who may call an HTTP function, as its definition says it; `None` of any other function.
fn level(text: &str) -> Option<String> {
    let definition: Value = serde_json::from_str(text).ok()?;
    let bindings = definition["bindings"].as_array()?;
    let trigger = bindings
        .iter()
        .find(|binding| binding["type"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("httpTrigger")))?;
    // The host's own default.
    Some(trigger["authLevel"].as_str().unwrap_or("function").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(functions: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, level) in functions {
            fs::create_dir(root.path().join(name)).unwrap();
            let text = format!(r#"{{"bindings": [{{"type": "httpTrigger", {level} "direction": "in"}}]}}"#);
            fs::write(root.path().join(name).join("function.json"), text).unwrap();
        }
        root
    }

    #[test]
    fn open_functions_are_told_but_for_those_that_are_for_anybody() {
        let root = laid_out(&[
            ("sql", r#""authLevel": "Anonymous","#),
            ("jobs", ""),
            ("runs", r#""authLevel": "function","#),
            ("status", r#""authLevel": "anonymous","#),
        ]);
        let expected = Found { by_key: vec!["jobs".into(), "runs".into()], open: vec!["sql".into()] };
        assert_eq!(found(root.path()), expected);
    }

    #[test]
    fn the_repositorys_own_functions_ask_for_a_key() {
        let found = found(Path::new(env!("CARGO_MANIFEST_DIR")));
        assert!(found.open.is_empty() && found.by_key.contains(&"sql".to_owned()), "{found:?}");
    }
}
