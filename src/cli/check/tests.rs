//! What `causeway check` prints and how it ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Report, run};
use crate::settings::{Host, Reading, SettingProblem, Telemetry};

fn reading(unknown: &[&str]) -> Reading {
    Reading {
        host: Host { port: 0, app_root: PathBuf::from("/nowhere") },
        telemetry: Telemetry { filter: "info".to_owned() },
        settings: Err(Vec::new()),
        unknown: unknown.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn environment() -> BTreeMap<String, String> {
    BTreeMap::from([("CAUSEWAY_VAR_JOB".to_owned(), "j".to_owned())])
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

fn named(report: &Report, folder: &Path) -> Report {
    let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
    Report { text: report.text.replace(&name, "operations"), exit_code: report.exit_code }
}

#[test]
fn a_good_folder_ends_with_0() {
    let folder = folder(&[("a.yaml", "summary: s\nsteps: [{id: a, job: {job: j}}]\n")]);
    let report = run(&reading(&[]), &environment(), Some(folder.path()), &["host.json: prefetchCount is 5".to_owned()]);
    let text = "warning: host.json: prefetchCount is 5\n1 of 1 operations are good; 0 problems, 1 warning\n";
    assert_eq!(report, Report { text: text.to_owned(), exit_code: 0 });
}

#[test]
fn problems_stand_in_line_and_end_with_1() {
    let folder = folder(&[
        ("a.yaml", "summary: s\nsteps: [{id: a, job: {job: \"{{ x }}\"}}]\n"),
        ("long-name.yaml", "summary: 5\nsteps: [{id: a, job: {job: j}}]\n"),
    ]);
    let mut reading = reading(&["CAUSEWAY_TYPO"]);
    reading.settings =
        Err(vec![SettingProblem { variable: "CAUSEWAY_KEY_VAULT_URL".to_owned(), problem: "is missing".to_owned() }]);
    let report = named(&run(&reading, &environment(), Some(folder.path()), &[]), folder.path());
    let text = "\
CAUSEWAY_KEY_VAULT_URL:         is missing
CAUSEWAY_TYPO:                  is not a setting; a slip?
operations/a.yaml:2:32:         `x` is not declared; there are parameters, steps, run and variables
operations/long-name.yaml:1:10: `summary` must be a text, not a number; put quotes around it
0 of 2 operations are good; 4 problems, 0 warnings
";
    // The name of the folder is random and as long as any other, so the columns are compared without their padding.
    let squeezed =
        |text: &str| text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
    assert_eq!(squeezed(&report.text), squeezed(text));
    assert_eq!(report.exit_code, 1);
}

#[test]
fn an_unknown_variable_alone_is_an_error_here() {
    let folder = folder(&[]);
    assert_eq!(run(&reading(&["CAUSEWAY_TYPO"]), &environment(), Some(folder.path()), &[]).exit_code, 1);
}

#[test]
fn variables_are_known_even_when_other_settings_are_wrong() {
    let folder = folder(&[("a.yaml", "summary: s\nsteps: [{id: a, job: {job: \"{{ variables.job }}\"}}]\n")]);
    let report = run(&reading(&[]), &environment(), Some(folder.path()), &[]);
    assert_eq!(report.text, "1 of 1 operations are good; 0 problems, 0 warnings\n");
}
