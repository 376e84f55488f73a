//! What each kind of step acts upon, and what becomes of it when its answer is lost: the recovery table of `docs/runs.md`,
//! for one declared step.

use crate::databricks::is_surely_a_read;
use crate::operations::{Catalog, Look, PushedRows, Step, StepKind, WaitForStep};

/// What is said of one step.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub kind: &'static str,
    /// Whom it acts upon.
    pub neighbour: &'static str,
    /// What happens when nobody knows whether it was done.
    pub recovery: String,
    /// Whether it may end as `outcome-unknown`.
    pub may_be_unknown: bool,
}

const DATABRICKS: &str = "Databricks";
const POWER_BI: &str = "Power BI";
const SERVICE_BUS: &str = "Service Bus";
const BOTH: &str = "Databricks, Power BI";
const OUTSIDE: &str = "outside";
const NOBODY: &str = "";

pub(super) fn told(step: &Step, catalog: &Catalog) -> Told {
    let (kind, neighbour, recovery, may_be_unknown) = match &step.kind {
        StepKind::Sql(sql) if is_surely_a_read(&sql.statement) => {
            ("sql", DATABRICKS, "run again: it only reads", false)
        }
        StepKind::Sql(sql) if sql.idempotent => {
            ("sql", DATABRICKS, "looked up in the query history; not found: run again", false)
        }
        StepKind::Sql(_) => (
            "sql",
            DATABRICKS,
            "looked up in the query history; not found: outcome-unknown, since it may still come",
            true,
        ),
        StepKind::Job(_) if step.timeout.is_some() => (
            "job",
            DATABRICKS,
            "sent again with the same token: one run; does not stop after its timeout: outcome-unknown",
            true,
        ),
        StepKind::Job(_) => ("job", DATABRICKS, "sent again with the same token: one run", false),
        StepKind::Refresh(_) => {
            ("refresh", POWER_BI, "looked up in the dataset's history; several candidates: outcome-unknown", true)
        }
        StepKind::PushRows(push) => {
            let neighbour = if matches!(push.rows, PushedRows::Query(_)) { BOTH } else { POWER_BI };
            if push.clear {
                let recovery = "begun again from the delete, three times; after that outcome-unknown, with its rows";
                ("push_rows", neighbour, recovery, true)
            } else {
                let recovery = "settled by sequence numbers; a table without them: outcome-unknown, with its rows";
                ("push_rows", neighbour, recovery, true)
            }
        }
        StepKind::Message(_) => (
            "message",
            SERVICE_BUS,
            "sent again with the same causeway-key; gone from sight for an hour: outcome-unknown",
            true,
        ),
        StepKind::WaitFor(WaitForStep::Condition(condition)) => {
            let neighbour = if matches!(condition.look, Look::Http(_)) { OUTSIDE } else { DATABRICKS };
            ("wait_for", neighbour, "looks again: it only reads", false)
        }
        StepKind::WaitFor(_) => ("wait_for", NOBODY, "nothing is sent", false),
        StepKind::Assert(_) => ("assert", NOBODY, "nothing is sent", false),
        StepKind::Operation(call) => {
            let unknown = unknown_within(&call.name, catalog, 0);
            let recovery = if unknown {
                "its run is found again; what it does may be outcome-unknown"
            } else {
                "its run is found again"
            };
            ("operation", NOBODY, recovery, unknown)
        }
        StepKind::Http(http) if http.idempotent || matches!(http.method, "GET" | "HEAD") => {
            ("http", OUTSIDE, "called again with the same Idempotency-Key", false)
        }
        StepKind::Http(_) => ("http", OUTSIDE, "outcome-unknown: nobody can be asked", true),
        _ => ("other", NOBODY, "outcome-unknown", true),
    };
    Told { kind, neighbour, recovery: recovery.to_owned(), may_be_unknown }
}

/// Whether a step of this operation, or of one that it calls, may end as unknown.
fn unknown_within(name: &str, catalog: &Catalog, depth: usize) -> bool {
    // No deeper than runs nest: what calls itself has been refused when it was read.
    let Some(Ok(operation)) = catalog.get(name).map(|entry| &entry.operation) else { return true };
    depth < crate::operations::DEEPEST
        && operation.steps.iter().any(|step| match &step.kind {
            StepKind::Operation(call) => unknown_within(&call.name, catalog, depth + 1),
            _ => told(step, catalog).may_be_unknown,
        })
}

/// Whom an operation acts upon, with those that it calls.
pub(super) fn touched(name: &str, catalog: &Catalog) -> Vec<&'static str> {
    let mut all = Vec::new();
    touch(name, catalog, 0, &mut all);
    all.sort_unstable();
    all.dedup();
    all
}

fn touch(name: &str, catalog: &Catalog, depth: usize, all: &mut Vec<&'static str>) {
    let Some(Ok(operation)) = catalog.get(name).map(|entry| &entry.operation) else { return };
    for step in operation.steps.iter().chain(&operation.on_failure) {
        all.extend(told(step, catalog).neighbour.split(", ").filter(|neighbour| !neighbour.is_empty()));
        if let StepKind::Operation(call) = &step.kind
            && depth < crate::operations::DEEPEST
        {
            touch(&call.name, catalog, depth + 1, all);
        }
    }
}
