//! What stands in a claim's log.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::{Code, Failure};
use crate::ledger::draw_writer;
use crate::runs::identity::hash;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Event {
    Started,
    Submitted,
    Released,
    Unknown,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub writer: String,
    pub event: Event,
    pub at: Timestamp,
    #[serde(flatten)]
    pub work: Work,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_before: Option<Timestamp>,
    /// What the neighbour called it, or the whole result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Value>,
}

/// The work that an entry is about: the same in every entry of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Work {
    /// Of path and body: the same key for something else is refused.
    pub digest: String,
    /// The entry that the work's first claim stands at: a key that is used again after its life is new work.
    #[serde(default)]
    pub since: u64,
    /// Drawn with the first claim, so that work under a key that was used and forgotten is not taken for the old one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub drawn: String,
    /// From 1; rises only after a known failure that left nothing behind.
    #[serde(default = "first")]
    pub attempt: u32,
    /// When this attempt was claimed for the last time.
    pub started_at: Timestamp,
    /// What is sent, now and in recovery.
    pub inputs: Value,
    /// An earlier sending of this attempt may have had its effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub perhaps_sent: bool,
}

impl Entry {
    pub(super) fn about(work: &Work, event: Event, upstream: Option<Value>) -> Self {
        Self { writer: draw_writer(), event, at: Timestamp::now(), work: work.clone(), send_before: None, upstream }
    }
}

impl Work {
    /// New work, whose first claim stands at `since`.
    pub(super) fn new(digest: &str, inputs: &Value, since: u64) -> Self {
        Self {
            digest: digest.to_owned(),
            since,
            drawn: draw_writer(),
            attempt: first(),
            started_at: Timestamp::now(),
            inputs: inputs.clone(),
            perhaps_sent: false,
        }
    }

    /// The same for every sending of one attempt, and no other's.
    pub(super) fn key(&self, log: &str) -> String {
        let since = format!("{}{}", self.since, self.drawn);
        match self.attempt {
            1 => hash(&[log, &since]),
            attempt => hash(&[log, &since, &attempt.to_string()]),
        }
    }
}

fn first() -> u32 {
    1
}

pub(super) fn encode(entry: &Entry) -> Result<Bytes, Failure> {
    serde_json::to_vec(entry)
        .map(Bytes::from)
        .map_err(|error| Failure::new(Code::Internal, "A claim could not be written.").caused_by(error))
}

pub(super) fn decode(bytes: &[u8]) -> Result<Entry, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|error| Failure::new(Code::Internal, "A claim cannot be read. See the log.").caused_by(error))
}
