//! The operation behind a refresh that waits for its dataset: one step. No file declares it; what to refresh is in its
//! parameters.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::{Definition, Entry, Operation, Step, StepKind, Template};

/// No file's name: those hold no underscore.
const NAME: &str = "queued_refresh";
const STEP: &str = "refresh";

pub fn entry() -> &'static Entry {
    static ENTRY: OnceLock<Entry> = OnceLock::new();
    ENTRY.get_or_init(|| {
        let definition = Definition { name: NAME.to_owned(), yaml: String::new(), files: BTreeMap::new() };
        Entry { definition, operation: Ok(Arc::new(operation())) }
    })
}

/// `None` when the definition is another.
pub(super) fn read(definition: &Definition) -> Option<Operation> {
    (definition.name == NAME).then(operation)
}

fn operation() -> Operation {
    let step = Step { id: STEP.to_owned(), kind: StepKind::QueuedRefresh, when: None, retry: None, timeout: None };
    Operation {
        name: NAME.to_owned(),
        summary: "Refresh a dataset once it is free".to_owned(),
        description: None,
        schedule: None,
        events: Vec::new(),
        parameters: Vec::new(),
        steps: vec![step],
        on_failure: Vec::new(),
        concurrency: None,
        output: Some(Template::step(STEP, NAME)),
        variables: BTreeMap::new(),
    }
}
