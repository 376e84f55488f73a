//! Operations of one step that no file declares, for work that the engine gives itself: what they act upon is in their
//! runs' parameters. Those whose steps depend on their text stand in `write_rows` and `push_rows`.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::{Definition, Entry, Operation, RunAs, Step, StepKind, Template};

/// Follows work that has an owner of its own, and whose end is to be told.
pub const FOLLOWED: &str = "followed_work";
/// A refresh that waits for its dataset.
const QUEUED: &str = "queued_refresh";

static ENTRIES: LazyLock<[Entry; 2]> = LazyLock::new(|| {
    [
        entry(FOLLOWED, "Follow work to its end", "follow", StepKind::Follow),
        entry(QUEUED, "Refresh a dataset once it is free", "refresh", StepKind::QueuedRefresh),
    ]
});

pub fn followed() -> &'static Entry {
    &ENTRIES[0]
}

pub fn queued_refresh() -> &'static Entry {
    &ENTRIES[1]
}

/// `None` when the definition is another.
pub(super) fn read(definition: &Definition) -> Option<Operation> {
    let entry = ENTRIES.iter().find(|entry| entry.definition.name == definition.name)?;
    entry.operation.as_deref().ok().cloned()
}

/// No file has such a name: those hold no underscore.
fn entry(name: &str, summary: &str, step: &str, kind: StepKind) -> Entry {
    let operation = Operation {
        name: name.to_owned(),
        summary: summary.to_owned(),
        description: None,
        run_as: RunAs::App,
        schedule: None,
        concurrency: None,
        events: Vec::new(),
        parameters: Vec::new(),
        steps: vec![Step::plain(step, kind)],
        on_failure: Vec::new(),
        output: Some(Template::step(step, name)),
        variables: BTreeMap::new(),
    };
    let definition = Definition { name: name.to_owned(), yaml: String::new(), files: BTreeMap::new() };
    Entry { definition, operation: Ok(Arc::new(operation)) }
}
