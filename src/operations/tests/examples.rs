//! The example operations are good, and an editor with the schema agrees.

use std::path::Path;

use serde_json::Value;

use super::variables;
use crate::operations::{Catalog, format_schema};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/operations"))
}

#[test]
fn every_example_is_good() {
    let catalog = Catalog::load(folder(), &variables()).expect("the folder is readable");
    assert_eq!(catalog.diagnostics(), Vec::<&crate::operations::Diagnostic>::new());
    assert!(catalog.get("refresh-sales").is_some() && catalog.get("push-daily-sales").is_some());
}

#[test]
fn every_example_fits_the_schema_of_the_format() {
    let validator = jsonschema::draft202012::new(format_schema()).expect("a schema");
    for file in std::fs::read_dir(folder()).expect("the folder is readable") {
        let path = file.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let yaml = std::fs::read_to_string(&path).expect("readable");
            let value: Value = serde_saphyr::from_str(&yaml).expect("YAML");
            let problems: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(problems.is_empty(), "{}: {problems:?}", path.display());
        }
    }
}

#[test]
fn the_schema_refuses_what_the_loader_refuses() {
    let validator = jsonschema::draft202012::new(format_schema()).expect("a schema");
    for yaml in [
        "summary: s\nsteps: []\n",
        "summary: s\nsteps: [{id: a}]\n",
        "summary: s\nsteps: [{id: a, job: {job: j}, assert: {that: 'true', message: m}}]\n",
        "summary: s\nsteps: [{id: A, job: {job: j}}]\n",
        "summary: s\nsteps: [{id: a, job: {job: j}, x: 1}]\n",
        "summary: s\ndescription:\nsteps: [{id: a, job: {job: j}}]\n",
        "summary: s\nsteps: [{id: a, sql: {statement: S, file: a.sql}}]\n",
        "summary: s\nparameters: {p: {type: text}}\nsteps: [{id: a, job: {job: j}}]\n",
    ] {
        let value: Value = serde_saphyr::from_str(yaml).expect("YAML");
        assert!(!validator.is_valid(&value), "the schema accepts {yaml}");
        assert!(super::parse(yaml).is_err(), "the loader accepts {yaml}");
    }
}

#[test]
fn the_example_of_the_guide_is_good() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).expect("readable");
    let yaml = guide.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let mut definition = super::definition(yaml);
    definition.files.insert("rebuild.sql".to_owned(), "SELECT 1".to_owned());
    assert!(definition.parse(&variables()).is_ok(), "{:?}", definition.parse(&variables()));
    for word in ["http", "run_as"] {
        assert!(guide.contains(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn a_scheduled_run_gives_parameters_that_are_accepted() {
    let catalog = Catalog::load(folder(), &variables()).expect("the folder is readable");
    let operation = catalog.get("refresh-sales").and_then(|entry| entry.operation.clone().ok()).expect("good");
    let schedule = operation.schedule.as_ref().expect("a schedule");
    let mut scope = crate::operations::Scope::default();
    scope.run.insert("dueTime".to_owned(), Value::from("2026-11-21T06:00:00Z"));
    let given = schedule.parameters.as_ref().expect("parameters").render(&scope).expect("rendered");
    let accepted = operation.accept(given.as_object().expect("an object")).expect("accepted");
    assert_eq!(Value::Object(accepted), serde_json::json!({"day": "2026-11-21"}));
}
