//! The audit: one line for each effect that a caller or a run has on a neighbour, whatever `CAUSEWAY_LOG` says. Who did
//! what, to what, and what came of it; docs/audit.md has the fields and the queries. What may not live here: values,
//! statements, secrets; and what counts as an effect, which its places of work know.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The `target` of the lines.
pub const AUDIT: &str = "causeway::audit";

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Taken, and not over yet.
    Accepted,
    /// Done for an earlier sending of the same call.
    Replayed,
    /// Surely nothing happened.
    Refused,
    /// It was begun and ended badly.
    Failed,
    /// It may or may not have happened.
    Unknown,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Accepted => "accepted",
            Self::Replayed => "replayed",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// One line. The span adds the invocation, the function and the trace.
#[derive(Clone, Debug)]
pub struct Effect<'a> {
    /// Method and route, or `step` and its kind.
    pub action: &'a str,
    pub caller: &'a str,
    pub outcome: Outcome,
    /// What stood in the braces of the route.
    pub target: Option<&'a str>,
    pub operation: Option<&'a str>,
    pub run: Option<&'a str>,
    pub step: Option<&'a str>,
    /// From 1.
    pub attempt: Option<u32>,
    /// What the neighbour calls it: a statement, a run, a refresh.
    pub upstream_id: Option<&'a str>,
    /// Rows that were read, written or pushed.
    pub rows: Option<u64>,
    /// The error's code.
    pub code: Option<&'a str>,
}

impl Effect<'_> {
    pub fn write(&self) {
        tracing::info!(
            target: "causeway::audit",
            action = self.action,
            caller = self.caller,
            outcome = self.outcome.as_str(),
            on = self.target,
            operation = self.operation,
            run = self.run,
            step = self.step,
            attempt = self.attempt,
            upstream_id = self.upstream_id,
            rows = self.rows,
            code = self.code,
            "effect"
        );
    }
}

/// What is known so far of one call's effect; cheap to clone. Its line is written once, at the end, or when nobody is left
/// to write it.
#[derive(Clone, Default)]
pub struct Trail(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// Who calls, and what; until then there is nothing to tell.
    call: Option<(String, String)>,
    target: String,
    run: Option<String>,
    upstream_id: Option<String>,
    rows: Option<u64>,
    replayed: bool,
    written: bool,
}

impl Trail {
    /// Somebody calls. `target` is what stands in the braces of the route.
    pub fn begin(&self, caller: &str, action: String, target: &[String]) {
        let mut seen = self.seen();
        seen.call = Some((caller.to_owned(), action));
        seen.target = target.join("/");
    }

    /// A neighbour has it, under this id.
    pub fn reached(&self, upstream_id: impl Into<String>) {
        self.seen().upstream_id = Some(upstream_id.into());
    }

    /// A run does it; its steps have lines of their own.
    pub fn handed_to(&self, run: impl Into<String>) {
        self.seen().run = Some(run.into());
    }

    pub fn replayed(&self) {
        self.seen().replayed = true;
    }

    pub fn rows(&self, rows: u64) {
        self.seen().rows = Some(rows);
    }

    /// A neighbour has had something of it.
    pub fn has_reached(&self) -> bool {
        self.seen().upstream_id.is_some()
    }

    /// Writes the line, the first time.
    pub fn end(&self, outcome: Outcome, code: Option<&str>) {
        let seen = std::mem::replace(&mut *self.seen(), Seen { written: true, ..Seen::default() });
        let Some((caller, action)) = seen.call.filter(|_| !seen.written) else { return };
        let outcome = match outcome {
            Outcome::Done | Outcome::Accepted if seen.replayed => Outcome::Replayed,
            // Something was begun before it failed.
            Outcome::Refused if seen.upstream_id.is_some() => Outcome::Failed,
            outcome => outcome,
        };
        Effect {
            action: &action,
            caller: &caller,
            outcome,
            target: Some(seen.target.as_str()).filter(|target| !target.is_empty()),
            operation: None,
            run: seen.run.as_deref(),
            step: None,
            attempt: None,
            upstream_id: seen.upstream_id.as_deref(),
            rows: seen.rows,
            code,
        }
        .write();
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trail")
    }
}
