//! How a step ended, told to the audit by the worker that has put it on record, so once. What a step only thinks about is
//! not told.

use serde_json::Value;

use super::advance::Worker;
use super::record::StepState;
use crate::failure::Failure;
use crate::operations::StepKind;
use crate::telemetry::{Effect, Outcome};

impl Worker<'_> {
    /// The step's end is on record.
    pub(super) fn audit(&self, index: usize, output: Option<&Value>) {
        let step = &self.record.steps[index];
        let Some(action) = action(&self.declared(index).kind) else { return };
        let outcome = match step.state {
            StepState::Succeeded => Outcome::Done,
            StepState::Unknown => Outcome::Unknown,
            _ if step.upstream_id.is_some() => Outcome::Failed,
            _ => Outcome::Refused,
        };
        Effect {
            action,
            caller: &self.pinned.caller,
            outcome,
            target: None,
            operation: Some(&self.record.operation),
            run: Some(&self.record.run),
            step: Some(&step.id),
            attempt: Some(step.attempt),
            upstream_id: step.upstream_id.as_deref().or_else(|| output.and_then(id)),
            rows: output.and_then(rows),
            code: step.error.as_ref().map(|error: &Failure| error.code.as_str()),
        }
        .write();
    }
}

/// A child run has lines of its own.
fn action(kind: &StepKind) -> Option<&'static str> {
    Some(match kind {
        StepKind::Sql(_) => "step sql",
        StepKind::Job(_) => "step job",
        StepKind::Refresh(_) | StepKind::QueuedRefresh => "step refresh",
        StepKind::PushRows(_) | StepKind::Push => "step push_rows",
        StepKind::WriteRows(_) => "step write_rows",
        StepKind::Http(_) => "step http",
        StepKind::Message(_) => "step message",
        StepKind::Assert(_) | StepKind::WaitFor(_) | StepKind::Operation(_) | StepKind::Follow => return None,
    })
}

/// Of a statement that had ended when it was answered.
fn id(output: &Value) -> Option<&str> {
    ["statementId", "runId", "messageId"].iter().find_map(|name| output.get(name)?.as_str())
}

/// Rows that were changed, else pushed, else read.
fn rows(output: &Value) -> Option<u64> {
    let changed = output.get("row").and_then(|row| row.get("num_affected_rows"));
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    changed
        .into_iter()
        .chain(["rowsPushed", "rows", "rowCount"].iter().filter_map(|name| output.get(name)))
        .find_map(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_rows_of_a_step_are_those_it_changed_pushed_or_read() {
        assert_eq!(rows(&json!({"row": {"num_affected_rows": "7"}, "rowCount": 1, "rows": [{}]})), Some(7));
        assert_eq!(rows(&json!({"rowsPushed": 10_000, "batches": 1})), Some(10_000));
        assert_eq!(rows(&json!({"rows": 12, "inserted": 12})), Some(12));
        assert_eq!(rows(&json!({"row": {"n": 1}, "rowCount": 3, "rows": []})), Some(3));
        assert_eq!(rows(&json!({"runId": "1"})), None);
    }
}
