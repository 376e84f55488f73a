//! Operations that run as their caller: what does not go with that is told at its place.

use rstest::rstest;

use super::good;
use crate::operations::{Catalog, RunAs};

const READS: &str = "- {id: read, sql: {statement: SELECT 1}}\n- {id: check, assert: {that: 1 < 2, message: m}}\n";

fn told(yaml: &str) -> Vec<String> {
    super::parse(yaml).map_or_else(|problems| problems.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

#[test]
fn an_operation_runs_as_the_app_unless_it_says_otherwise() {
    assert_eq!(good(&format!("summary: s\nsteps:\n{READS}")).run_as, RunAs::App);
    assert_eq!(good(&format!("summary: s\nrun_as: app\nsteps:\n{READS}")).run_as, RunAs::App);
    assert_eq!(good(&format!("summary: s\nrun_as: caller\nsteps:\n{READS}")).run_as, RunAs::Caller);
}

#[rstest]
#[case::schedule("schedule: {cron: '0 6 * * *'}", "schedule")]
#[case::concurrency("concurrency: {}", "concurrency")]
#[case::events("events: [{source: event_grid, type: t}]", "events")]
fn what_begins_runs_without_a_caller_is_refused(#[case] line: &str, #[case] name: &str) {
    let problems = told(&format!("summary: s\nrun_as: caller\n{line}\nsteps:\n{READS}"));
    let expected = format!("sales.yaml:3:1: `{name}` does not go with `run_as: caller`");
    assert!(problems.iter().any(|problem| problem.starts_with(&expected)), "{problems:?}");
}

#[rstest]
#[case::job("job: {job: 7}", "job")]
#[case::refresh("refresh: {workspace: w, dataset: d}", "refresh")]
#[case::message("message: {queue: q, body: {}}", "message")]
#[case::wait("wait_for: {delay: 5m}", "wait_for")]
#[case::push("push_rows: {workspace: w, dataset: d, table: t, rows: []}", "push_rows")]
#[case::operation("operation: {name: other}", "operation")]
#[case::retry("sql: {statement: SELECT 1}\n  retry: {attempts: 2}", "retry")]
#[case::for_each("sql: {statement: SELECT 1}\n  for_each: {in: [1]}", "for_each")]
fn what_outlives_the_call_is_refused_where_it_stands(#[case] step: &str, #[case] name: &str) {
    for list in ["steps", "on_failure"] {
        let first = if list == "steps" { String::new() } else { format!("steps:\n{READS}") };
        let yaml = format!("summary: s\nrun_as: caller\n{first}{list}:\n- id: it\n  {step}\n");
        let line = yaml.lines().position(|line| line.trim_start().starts_with(&format!("{name}:"))).unwrap() + 1;
        let expected = format!("sales.yaml:{line}:3: `{name}` does not go with `run_as: caller`: ");
        let problems = told(&yaml);
        assert!(problems.iter().any(|problem| problem.starts_with(&expected)), "{expected} {problems:?}");
    }
}

#[test]
fn a_step_cannot_call_an_operation_that_runs_as_its_caller() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.yaml"), format!("summary: s\nrun_as: caller\nsteps:\n{READS}")).unwrap();
    let calls = "summary: s\nsteps:\n  - id: call\n    operation: {name: mine}\n";
    std::fs::write(folder.path().join("top.yaml"), calls).unwrap();
    let catalog = Catalog::load(folder.path(), &super::variables()).unwrap();
    let problems: Vec<_> = catalog.diagnostics().iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["top.yaml:4:23: `mine` runs as its caller, and a step has none"]);
}
