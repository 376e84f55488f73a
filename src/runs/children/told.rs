//! How a child's end comes back to its parent: an entry that the parent lists, and a message when the parent has
//! something to do.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::Engine;
use super::super::record::{Pinned, Record, RunState, Trigger};
use super::Children;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::draw_writer;

/// The children of a step that have ended: whether well.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended(pub(super) BTreeMap<usize, bool>);

impl Ended {
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Of the first so many.
    pub(super) fn among(&self, started: usize) -> usize {
        self.0.range(..started).count()
    }

    pub(super) fn failed(&self) -> usize {
        self.0.values().filter(|well| !**well).count()
    }
}

/// How one child ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct End {
    writer: String,
    pub(super) run: String,
    pub(super) state: RunState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) output: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Failure>,
}

impl End {
    pub(super) fn of(ended: &Record) -> Self {
        Self {
            writer: draw_writer(),
            run: ended.run.clone(),
            state: ended.state,
            output: ended.output.clone(),
            error: ended.error.clone(),
        }
    }

    /// Of one that could not go on.
    pub(super) fn failed(run: String, error: Failure) -> Self {
        Self { writer: draw_writer(), run, state: RunState::Failed, output: None, error: Some(error) }
    }
}

/// What the name of an entry says of a child that succeeded.
const SUCCEEDED: &str = "succeeded";

/// Where the ends of a step's children are for one attempt.
pub(super) fn folder(run: &str, step: &str, attempt: u32) -> String {
    format!("children/{run}/{step}-{attempt}")
}

fn entry(folder: &str, item: usize, well: bool) -> String {
    format!("{folder}/{item:03}-{}", if well { SUCCEEDED } else { "failed" })
}

impl Engine {
    /// The children of a step that have ended, by their names alone.
    pub(super) async fn ended_children(
        &self,
        parent: &Record,
        index: usize,
        deadline: Deadline,
    ) -> Result<Ended, Failure> {
        let step = &parent.steps[index];
        self.listed(&folder(&parent.run, &step.id, step.attempt), deadline).await
    }

    async fn listed(&self, folder: &str, deadline: Deadline) -> Result<Ended, Failure> {
        let listed = self.ledger.list(folder, deadline).await?;
        let named = listed.iter().filter_map(|listed| {
            let (item, state) = listed.path.rsplit('/').next()?.split_once('-')?;
            Some((item.parse().ok()?, state == SUCCEEDED))
        });
        Ok(Ended(named.collect()))
    }

    /// How a child ended, if it did so.
    pub(super) async fn child_end(
        &self,
        folder: &str,
        item: usize,
        well: bool,
        deadline: Deadline,
    ) -> Result<Option<End>, Failure> {
        let path = entry(folder, item, well);
        let Some(bytes) = self.ledger.get(&path, deadline).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let cause = format!("{path}: {error}");
            Failure::new(Code::Internal, "The end of a child cannot be read. See the log.").caused_by(cause)
        })
    }

    pub(super) async fn put_end(
        &self,
        parent: &Record,
        index: usize,
        item: usize,
        end: &End,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let step = &parent.steps[index];
        self.put_in(&folder(&parent.run, &step.id, step.attempt), item, end, deadline).await
    }

    async fn put_in(&self, folder: &str, item: usize, end: &End, deadline: Deadline) -> Result<(), Failure> {
        let bytes = serde_json::to_vec(end)
            .map_err(|error| Failure::new(Code::Internal, "The end of a child cannot be written.").caused_by(error))?;
        let path = entry(folder, item, end.state == RunState::Succeeded);
        self.ledger.put(&path, Bytes::from(bytes), deadline).await?;
        Ok(())
    }

    /// Tells the parent of a run that has ended, and wakes it when this one is the last that it waits for, or makes room for
    /// another. May be done twice without harm.
    pub(in crate::runs) async fn tell_parent(
        &self,
        ended: &Record,
        pinned: &Pinned,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let Trigger::Parent(parent) = &pinned.trigger else { return Ok(()) };
        let attempt = ended.for_attempt.max(parent.attempt);
        let folder = folder(&parent.run, &parent.step, attempt);
        self.put_in(&folder, parent.item, &End::of(ended), deadline).await?;
        let Some(newest) = self.newest(&parent.run, deadline).await? else { return Ok(()) };
        if newest.state.at_rest() {
            return Ok(());
        }
        if newest.state == RunState::Waiting {
            let ended = self.listed(&folder, deadline).await?;
            let step = newest.steps.iter().find(|step| step.id == parent.step && step.attempt == attempt);
            let waits = step.and_then(Children::of);
            if waits.is_some_and(|children| children.stops(&ended) && ended.among(children.started) < children.started)
            {
                return Ok(());
            }
        }
        // Whoever moves the parent now may have looked before this entry stood. Then it writes one record, its sleep, and
        // that is the one to be woken from.
        let after = if newest.state == RunState::Waiting { newest.seq } else { newest.seq + 1 };
        self.wake(&parent.run, after, None, deadline).await
    }
}
