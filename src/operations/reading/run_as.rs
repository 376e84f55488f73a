//! `run_as`: what an operation that runs as its caller may not have. The caller's token is here only while the caller waits.

use super::super::yaml::Node;
use super::Reader;
use crate::operations::RunAs;

/// Members of the file that begin runs without a caller, or make them wait for others.
const NOT_BESIDE: &[(&str, &str)] = &[
    ("schedule", "a schedule has no caller"),
    ("events", "an event has no caller"),
    ("concurrency", "a run that waits for its turn outlives its caller's token"),
];
/// Members of a step that outlive the call, or act in another name.
const NOT_IN_STEPS: &[(&str, &str)] = &[
    ("job", "a job runs in the name that it was made with, and longer than a caller waits"),
    ("refresh", "a refresh runs longer than a caller waits"),
    ("push_rows", "rows are pushed at the dataset's pace, which a caller does not wait for"),
    ("message", "a message has no caller"),
    ("wait_for", "a run that waits outlives its caller's token"),
    ("operation", "the runs that it begins have no caller"),
    ("for_each", "the runs that it begins have no caller"),
    ("retry", "a run that waits to try again outlives its caller's token"),
];

impl Reader<'_> {
    /// As whom the operation runs; every member that does not go with it is a problem at its own place.
    pub(super) fn run_as(&mut self, root: &Node) -> RunAs {
        if root.text_of("run_as") != Some("caller") {
            return RunAs::App;
        }
        self.refuse_beside(root, NOT_BESIDE);
        for list in ["steps", "on_failure"] {
            for step in root.get(list).map(Node::items).unwrap_or_default() {
                self.refuse_beside(step, NOT_IN_STEPS);
            }
        }
        RunAs::Caller
    }

    fn refuse_beside(&mut self, node: &Node, refused: &[(&str, &str)]) {
        for (key, _) in node.members() {
            if let Some((name, why)) = refused.iter().find(|(name, _)| *name == key.name) {
                self.problem(key.place, format!("`{name}` does not go with `run_as: caller`: {why}"));
            }
        }
    }
}
