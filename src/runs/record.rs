//! The record: one transition of a run, and the whole state after it. Pure; its reading and writing is `log.rs`.

mod step;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::transitions::{self, Standing};
use crate::failure::Failure;
use crate::ledger::draw_writer;
use crate::operations::{Definition, RunAs};
use crate::telemetry::Trace;

pub use step::Happened;
pub(super) use step::{StepRecord, StepState};

/// The version of the record's format. A newer one is not touched by this code.
pub(super) const FORMAT: u32 = 1;

/// What a record says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Transition {
    /// Record 0: the run exists.
    Created,
    /// A worker holds the run until `leaseUntil`.
    Leased,
    /// A step's effect is about to be sent.
    Started,
    /// The neighbour has it, under `upstreamId`.
    Submitted,
    /// A part of a step is done, and the next waits for its turn in the same invocation.
    Progressed,
    /// The run sleeps until `wakeAt`.
    Waiting,
    /// A step ended, well or badly.
    StepEnded,
    /// The tick found the run stale and woke it.
    Nudged,
    /// The run ended.
    Ended,
    /// Its end was not taken by whoever wants to know it, and is told again at `wakeAt`.
    Untold,
    /// Its end was told to whoever waits for it.
    Answered,
    /// Somebody opened it again: what failed is done anew.
    Retried,
    /// Somebody said whether a step that was in doubt had happened.
    Resolved,
    /// It is old: what it did is deleted, and that it was is kept a while longer.
    Forgotten,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum RunState {
    Running,
    Waiting,
    Succeeded,
    Failed,
    /// Somebody asked for its end before it had done everything.
    Cancelled,
}

impl RunState {
    /// Nothing moves any more, but the telling of its end.
    pub(super) fn at_rest(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// As records, names and callers have it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// That a run is to end, and who asked for it when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cancel {
    pub at: Timestamp,
    pub by: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands a reference
fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What started a run, and where its end is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Trigger {
    Http,
    Queue {
        #[serde(default)]
        sequence_number: Option<i64>,
        /// SHA-256 of the message's bytes.
        digest: String,
        #[serde(default)]
        reply_to: Option<String>,
        #[serde(default)]
        correlation_id: Option<String>,
        #[serde(default)]
        reply_session_id: Option<String>,
    },
    /// A call whose caller is told the end at an address of its own.
    Webhook(Callback),
    Event {
        /// Its type, or table and message.
        event: String,
        /// What tells it from others.
        identity: Vec<String>,
    },
    Schedule {
        due: Timestamp,
        /// The run that must end before this one begins (`overlap: queue`).
        #[serde(default)]
        behind: Option<String>,
    },
    /// A step of another run.
    Parent(Box<Parent>),
}

/// The step that a run is a child of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parent {
    pub run: String,
    pub step: String,
    pub attempt: u32,
    /// Which of the step's children, from 0.
    pub item: usize,
    /// How many runs are above this one.
    pub depth: usize,
    /// Of an item of `for_each`; absent from the run of another operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Item>,
}

/// What the run of an item sees beside its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    pub value: Value,
    /// What `run` is to the parent, but for its id.
    pub run: Map<String, Value>,
    /// Where the outputs of the parent's steps are kept.
    pub outputs: BTreeMap<String, String>,
}

impl Trigger {
    /// How many runs are above this one.
    pub(super) fn depth(&self) -> usize {
        if let Self::Parent(parent) = self { parent.depth } else { 0 }
    }

    /// Of the run of an item: its parent, and the item.
    pub(super) fn item(&self) -> Option<(&Parent, &Item)> {
        let Self::Parent(parent) = self else { return None };
        Some((parent, parent.of.as_ref()?))
    }
}

/// Where the end of a run is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Callback {
    /// Sealed: whoever has it may speak in our name.
    pub url: String,
    /// All of it that is ever shown.
    pub host: String,
    /// Our own address, as the caller reached it, without a slash at its end.
    pub base: String,
}

/// What record 0 pins for the run's whole life.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pinned {
    pub definition: Definition,
    pub content_hash: String,
    /// `variables.*` as they were.
    pub variables: BTreeMap<String, String>,
    /// The sensitive ones sealed.
    pub parameters: Map<String, Value>,
    /// The names of the sensitive ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensitive: Vec<String>,
    pub caller: String,
    /// In whose name its steps run.
    #[serde(default, skip_serializing_if = "RunAs::is_app")]
    pub run_as: RunAs,
    pub trigger: Trigger,
    pub created_at: Timestamp,
    /// The trace that all its work belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

/// One entry of `runs/{run}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub v: u32,
    pub run: String,
    pub seq: u64,
    pub writer: String,
    pub transition: Transition,
    pub state: RunState,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_before: Option<Timestamp>,
    /// The operation, by name; its text is in record 0.
    pub operation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Box<Pinned>>,
    /// The step that `started` or `waiting` is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub steps: Vec<StepRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Nudges since the last progress.
    #[serde(default)]
    pub nudges: u32,
    /// How often its end was told in vain.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tellings: u32,
    /// What its steps are sent is open here, and sealed before it is appended.
    #[serde(skip)]
    pub sealing: bool,
    /// How often somebody has opened it again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// Of a run that is forgotten: SHA-256 of the message that it came from, else of its definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The record that opened the run: 0, or the last `retried`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub opened: u64,
    /// The record that pins its definition: 0, or a `retried` that took the present one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pinned_at: u64,
    /// Of a child that was opened again: the attempt of its parent's step that it is done for now; 0 when it is the pinned one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub for_attempt: u32,
    /// It is to end, and stops what it has under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cancel>,
    /// Its end was told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub told: bool,
    /// The line that it stands in, of runs that must not go at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// Its turn has come there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub has_turn: bool,
    /// How the log stood before this record: what its transition is held against.
    #[serde(skip)]
    pub stands: Option<Box<Standing>>,
}

impl Record {
    /// The next record: next number, a writer of its own, and what its transition does to state and moments.
    pub(super) fn next(&self, transition: Transition, at: Timestamp) -> Self {
        let mut next = Self {
            seq: self.seq + 1,
            writer: draw_writer(),
            transition,
            at,
            pinned: None,
            // To take the lease is no progress: a worker may die of this very run.
            nudges: match transition {
                Transition::Nudged => self.nudges + 1,
                Transition::Leased => self.nudges,
                _ => 0,
            },
            stands: Some(Box::new(self.standing())),
            ..self.clone()
        };
        transitions::apply(&mut next);
        next
    }

    /// Of a child, whether this record began it or opened it again for this attempt of its parent's step, or follows one that
    /// opened it.
    pub(super) fn is_for(&self, attempt: u32) -> bool {
        let pinned = self.pinned.as_ref().map(|pinned| &pinned.trigger);
        self.for_attempt == attempt
            || matches!(pinned, Some(Trigger::Parent(parent)) if self.for_attempt == 0 && parent.attempt == attempt)
    }

    /// How the run stands on the log with this record as its newest. What has changed in memory since does not count, if
    /// [`Record::on_the_log`] was said of it.
    fn standing(&self) -> Standing {
        match &self.stands {
            Some(stands) if stands.seq == self.seq => Standing::clone(stands),
            _ => Standing::of(self),
        }
    }

    /// It has been appended: from here on it may change in memory.
    #[must_use]
    pub(super) fn on_the_log(mut self) -> Self {
        self.stands = Some(Box::new(Standing::of(&self)));
        self
    }

    /// Its end was told to whoever waits for it.
    pub(super) fn is_told(&self) -> bool {
        self.told || matches!(self.transition, Transition::Answered | Transition::Forgotten)
    }

    /// The step that may have been sent without its id on record.
    pub(super) fn unsettled(&self) -> Option<&StepRecord> {
        self.steps.iter().find(|step| step.state == StepState::Started)
    }
}
