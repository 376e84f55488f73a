//! The operation behind rows that a caller pushes: one step, which is sent in parts. No file declares it, and its
//! parameters say everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Definition, Diagnostic, Entry, Operation, RunAs, Step, StepKind, Template};

/// No file's name: those hold no underscore.
const NAME: &str = "push_rows";
/// The id of its step, which stands in every failure.
const STEP: &str = "push";

pub fn entry() -> Entry {
    let definition = Definition { name: NAME.to_owned(), yaml: String::new(), files: BTreeMap::new() };
    let operation = definition.parse(&BTreeMap::new()).map(Arc::new);
    Entry { definition, operation }
}

/// `None` when the definition is another.
pub(super) fn read(definition: &Definition) -> Option<Result<Operation, Vec<Diagnostic>>> {
    (definition.name == NAME).then(|| {
        Ok(Operation {
            name: NAME.to_owned(),
            summary: "Push rows".to_owned(),
            description: None,
            run_as: RunAs::App,
            schedule: None,
            events: Vec::new(),
            parameters: Vec::new(),
            steps: vec![Step::plain(STEP, StepKind::Push)],
            on_failure: Vec::new(),
            concurrency: None,
            output: Some(Template::step(STEP, NAME)),
            variables: BTreeMap::new(),
        })
    })
}
