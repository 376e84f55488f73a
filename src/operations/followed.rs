//! The operation behind work that has an owner of its own and whose end is to be told: one step, which only looks. No file
//! declares it; what is followed is in its parameters.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::{Definition, Entry, Operation, Step, StepKind, Template};

/// No file's name: those hold no underscore.
pub const NAME: &str = "followed_work";
const STEP: &str = "follow";

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
    let step = Step::plain(STEP, StepKind::Follow);
    Operation {
        name: NAME.to_owned(),
        summary: "Follow work to its end".to_owned(),
        description: None,
        schedule: None,
        concurrency: None,
        events: Vec::new(),
        parameters: Vec::new(),
        steps: vec![step],
        on_failure: Vec::new(),
        output: Some(Template::step(STEP, NAME)),
        variables: BTreeMap::new(),
    }
}
