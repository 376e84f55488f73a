//! `causeway check`: settings and operations read as the server reads them, everything wrong told at once.

use std::fmt::Write as _;
use std::path::Path;

use crate::operations::{Catalog, Diagnostic};
use crate::settings::{Operations, Reading, Variables, open_functions};

/// What was found, ready to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Lines, the last one a summary; each ends in a line feed.
    pub text: String,
    /// 0 when nothing is wrong, else 1. Warnings do not count.
    pub exit_code: u8,
}

/// Checks `folder`, or the folder of the settings. `reading` comes from `environment`; `warnings` are told and do not
/// fail: those about `host.json`.
///
/// With settings that cannot be read operations are checked all the same, with what the environment says of them.
pub fn run(reading: &Reading, environment: &dyn Variables, folder: Option<&Path>, warnings: &[String]) -> Report {
    let mut errors = settings_problems(reading);
    let operations = operations(reading, environment);
    let folder = folder.unwrap_or(&operations.folder);
    let shown = folder.file_name().map_or_else(|| folder.to_string_lossy(), |name| name.to_string_lossy());

    let mut text = String::new();
    let mut good = 0_usize;
    let mut all = 0_usize;
    match Catalog::load(folder, &operations.variables) {
        Ok(catalog) => {
            all = catalog.entries.len();
            good = catalog.entries.values().filter(|entry| entry.operation.is_ok()).count();
            errors.extend(catalog.diagnostics().into_iter().map(|diagnostic| line_of(&shown, diagnostic)));
        }
        Err(error) => errors.push((shown.to_string(), format!("the folder cannot be read: {error}"))),
    }
    let width = errors.iter().map(|(place, _)| place.chars().count()).max().unwrap_or_default() + 1;
    for (place, message) in &errors {
        let _ = writeln!(text, "{:width$} {message}", format!("{place}:"));
    }
    for warning in warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    let _ = writeln!(
        text,
        "{good} of {all} operations are good; {}, {}",
        counted(errors.len(), "problem"),
        counted(warnings.len(), "warning")
    );
    Report { text, exit_code: u8::from(!errors.is_empty()) }
}

/// Where operations are, also when the settings cannot be read.
pub(super) fn operations(reading: &Reading, environment: &dyn Variables) -> Operations {
    match &reading.settings {
        Ok(settings) => settings.operations.clone(),
        Err(_) => operations_of(reading, environment),
    }
}

fn operations_of(reading: &Reading, environment: &dyn Variables) -> Operations {
    let named = environment
        .names()
        .into_iter()
        .filter_map(|name| Some((name.strip_prefix("CAUSEWAY_VAR_")?.to_ascii_lowercase(), environment.get(&name)?)));
    let folder = environment.get("CAUSEWAY_OPERATIONS_FOLDER").unwrap_or_else(|| "operations".to_owned());
    Operations { folder: reading.host.app_root.join(folder), variables: named.collect() }
}

fn settings_problems(reading: &Reading) -> Vec<(String, String)> {
    let mut problems: Vec<_> = match &reading.settings {
        Ok(settings) => {
            open_functions(settings).into_iter().map(|problem| (problem.variable, problem.problem)).collect()
        }
        Err(problems) => problems.iter().map(|problem| (problem.variable.clone(), problem.problem.clone())).collect(),
    };
    problems.extend(reading.unknown.iter().map(|name| (name.clone(), "is not a setting; a slip?".to_owned())));
    problems
}

fn line_of(folder: &str, diagnostic: &Diagnostic) -> (String, String) {
    let place = format!("{folder}/{}:{}:{}", diagnostic.file, diagnostic.line, diagnostic.column);
    (place, diagnostic.message.clone())
}

fn counted(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

#[cfg(test)]
#[path = "check/tests.rs"]
mod tests;
