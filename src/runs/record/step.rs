//! What a run's record says of one of its steps, and how a step begins anew. What is done to it is not here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::is_zero;
use crate::failure::Failure;

/// Where a step stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::runs) enum StepState {
    #[default]
    Pending,
    /// Perhaps sent.
    Started,
    /// What is to be sent next is on record, and nothing of it is under way.
    Ready,
    /// Surely sent.
    Submitted,
    Succeeded,
    Failed,
    Skipped,
    /// Perhaps done: only a human can tell.
    Unknown,
}

/// One step of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::runs) struct StepRecord {
    pub id: String,
    /// Counts over the run's whole life; rises only after a known failure. From 1.
    pub attempt: u32,
    pub state: StepState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How often the run has slept over this attempt; the pauses grow with it.
    #[serde(default)]
    pub polls: u32,
    /// How often this attempt was looked for in its neighbour's history.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub looks: u32,
    /// Since when this attempt has perhaps been with its neighbour; absent while it surely is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perhaps_since: Option<Timestamp>,
    /// Whether sending it may change anything.
    #[serde(default)]
    pub effect: bool,
    /// Since when its neighbour has been away or too busy to take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_off_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered_inputs: Option<Value>,
    /// How far it has come, of a step that is sent in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_id: Option<String>,
    /// Its page at its neighbour, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_url: Option<String>,
    /// The attempt that began its children, whose ids are made of it; 0 while it has none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub children_since: u32,
    /// When its neighbour was asked to stop it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_asked_at: Option<Timestamp>,
    /// What somebody said of it when only a human could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Happened>,
    /// The blob that holds its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_ref: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

impl StepRecord {
    /// A step of which nothing was begun in this attempt.
    pub(in crate::runs) fn fresh(&self, attempt: u32) -> Self {
        Self { id: self.id.clone(), attempt, ..Self::default() }
    }

    /// A new attempt of a step that failed: a new piece of work, with its own key, pauses, and time. What is done in parts, or
    /// by children, stays done.
    pub(in crate::runs) fn anew(&self, now: Timestamp) -> Self {
        let mut anew = self.fresh(self.attempt + 1);
        if self.children_since > 0 {
            (anew.rendered_inputs, anew.children_since) = (self.rendered_inputs.clone(), self.children_since);
        } else if self.rendered_inputs.is_some() && self.progress.is_some() {
            (anew.state, anew.effect, anew.started_at) = (StepState::Ready, self.effect, Some(now));
            (anew.rendered_inputs, anew.progress) = (self.rendered_inputs.clone(), self.progress.clone());
        }
        anew
    }
}

/// What a human says of a step that was in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    Happened,
    DidNotHappen,
}
