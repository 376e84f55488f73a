//! What people may do to a run, and how they find it.

use serde_json::Value;

use super::lists::{RunList, RunsFrom, RunsWanted};
use super::notes::Said;
use super::record::{Happened, Transition};
use super::{Begun, Runs, forgotten, not_found, view};
use crate::failure::Failure;
use crate::http::Deadline;

/// What somebody found out about a step.
#[derive(Clone, Debug)]
pub struct Resolution {
    pub step: String,
    pub outcome: Happened,
    /// What the step is taken to have given, if it happened.
    pub output: Value,
}

impl Runs {
    /// Asks for the end of a run that goes, and wakes it. One that is at rest stays as it is.
    pub async fn cancel(&self, run: &str, by: &str, deadline: Deadline) -> Result<(), Failure> {
        let engine = &self.0;
        let newest = engine.newest(run, deadline).await?.ok_or_else(|| not_found(run))?;
        if newest.transition == Transition::Forgotten {
            return Err(forgotten(run));
        }
        if newest.state.at_rest() {
            return Ok(());
        }
        engine.note_cancel(&newest, by, deadline).await?;
        // The note stands: without this the run sees it when it wakes by itself.
        if let Err(failure) = engine.wake_anew(run, None, deadline).await {
            tracing::warn!(run, error = failure.chain(), "a run that is to be cancelled could not be woken");
        }
        Ok(())
    }

    /// The number of the record that a retry would follow, if the run may be retried. With `current` it goes on with the
    /// present definition.
    pub async fn retryable(&self, run: &str, current: bool, deadline: Deadline) -> Result<u64, Failure> {
        self.0.retryable(run, current, deadline).await
    }

    /// Opens the run again, once after this record, however often it is asked for. With `hold` the caller advances it.
    pub async fn retry(
        &self,
        run: &str,
        after: u64,
        current: bool,
        hold: bool,
        deadline: Deadline,
    ) -> Result<Begun, Failure> {
        let (record, held) = self.0.reopen(run, after, current, hold, deadline).await?;
        Ok(Begun { run: run.to_owned(), held: held.then(|| Box::new(record)) })
    }

    /// Says what became of a step that is in doubt; the run as it stands then.
    pub async fn resolve(&self, run: &str, what: Resolution, by: &str, deadline: Deadline) -> Result<Value, Failure> {
        let Resolution { step, outcome, output } = what;
        let said = Said { outcome, output, by: by.to_owned() };
        let newest = self.0.resolve(run, &step, &said, deadline).await?;
        let pinned = self.0.pinned_of(&newest, deadline).await?;
        Ok(view::view(&pinned, &newest))
    }

    /// The operation of a run that is `caller`'s; another's is not found.
    pub async fn operation_of(&self, run: &str, caller: &str, deadline: Deadline) -> Result<String, Failure> {
        let first = self.0.first(run, deadline).await?;
        let own = first.filter(|first| first.pinned.as_ref().is_some_and(|pinned| pinned.caller == caller));
        own.map(|first| first.operation).ok_or_else(|| not_found(run))
    }

    /// A page of the runs that are wanted, newest first, and where the next begins.
    pub async fn list(
        &self,
        wanted: &RunsWanted,
        from: Option<&RunsFrom>,
        deadline: Deadline,
    ) -> Result<RunList, Failure> {
        self.0.list_runs(wanted, from, deadline).await
    }
}
