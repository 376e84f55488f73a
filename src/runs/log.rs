//! Reading and appending records. One writer wins each number; who loses has been overtaken and stops.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Engine;
use super::record::{FORMAT, Pinned, Record};
use super::transitions;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::{Put, draw_writer, entry_path};

/// A run's whole state may be no larger.
const MAX_RECORD: usize = 1024 * 1024;
/// Of which this is left for the run's output and error, when a step would fill it.
const ROOM_FOR_THE_END: usize = 300 * 1024;
/// The kept output of a step, or of the run, may be no larger.
const MAX_OUTPUT: usize = 256 * 1024;

pub(super) fn log_of(run: &str) -> String {
    format!("runs/{run}")
}

fn output_path(run: &str, step: &str, attempt: u32) -> String {
    format!("outputs/{run}/{step}-{attempt}")
}

impl Engine {
    /// The newest record, which holds the whole state.
    pub(super) async fn newest(&self, run: &str, deadline: Deadline) -> Result<Option<Record>, Failure> {
        let newest = self.ledger.newest(&log_of(run), deadline).await?;
        newest.map(|(_, bytes)| decode(run, &bytes)).transpose()
    }

    /// Record 0, when the run exists.
    pub(super) async fn first(&self, run: &str, deadline: Deadline) -> Result<Option<Record>, Failure> {
        let bytes = self.ledger.get(&entry_path(&log_of(run), 0), deadline).await?;
        bytes.map(|bytes| decode(run, &bytes)).transpose()
    }

    /// What a run's first record pins, or the last that took the present definition.
    pub(super) async fn pinned_of(&self, record: &Record, deadline: Deadline) -> Result<Pinned, Failure> {
        if let Some(pinned) = &record.pinned {
            return Ok(Pinned::clone(pinned));
        }
        let run = &record.run;
        let bytes = self.ledger.get(&entry_path(&log_of(run), record.pinned_at), deadline).await?;
        let pins = bytes.map(|bytes| decode(run, &bytes)).transpose()?.and_then(|record| record.pinned);
        pins.map(|pinned| *pinned).ok_or_else(|| unreadable(run, "the record of its definition is missing"))
    }

    /// Whether `record` is now on the log, perhaps since an earlier try; `false` when another's stands there.
    pub(super) async fn append(&self, record: &Record, deadline: Deadline) -> Result<bool, Failure> {
        if let Some(fault) = transitions::fault(record) {
            tracing::error!(run = record.run, seq = record.seq, fault, "an illegal transition is not written");
            return Err(unreadable(&record.run, &fault));
        }
        let kept = self.as_kept(record, deadline).await?;
        let bytes = serde_json::to_vec(kept.as_ref()).map_err(|error| unreadable(&record.run, &error.to_string()))?;
        if bytes.len() > MAX_RECORD {
            return Err(Failure::new(
                Code::OutputTooLarge,
                "The run's state has grown beyond 1 MiB. Keep less in its steps' parameters and outputs.",
            ));
        }
        let path = entry_path(&log_of(&record.run), record.seq);
        let put = self.ledger.put(&path, Bytes::from(bytes), deadline).await?;
        let written = put == Put::Written;
        tracing::debug!(run = record.run, seq = record.seq, transition = ?record.transition, written, "record");
        Ok(written)
    }

    /// Keeps a step's output; the reference to it, and the output that stands there.
    pub(super) async fn keep_output(
        &self,
        run: &str,
        step: &str,
        attempt: u32,
        output: Value,
        deadline: Deadline,
    ) -> Result<(String, Value), Failure> {
        not_too_large(&format!("Step \"{step}\""), &output)?;
        let bytes = serde_json::to_vec(&json!({"writer": draw_writer(), "output": output}))
            .map_err(|error| unreadable(run, &error.to_string()))?;
        let path = output_path(run, step, attempt);
        // An earlier worker's output of this very attempt is as good as ours, and the one that will be read again.
        let output = match self.ledger.put(&path, Bytes::from(bytes), deadline).await? {
            Put::Written => output,
            Put::Lost(standing) => kept(&standing).ok_or_else(|| unreadable(run, "an output is unreadable"))?,
        };
        Ok((path, output))
    }

    /// What an earlier worker kept of an attempt that it had seen end well.
    pub(super) async fn kept_output(
        &self,
        run: &str,
        step: &str,
        attempt: u32,
        deadline: Deadline,
    ) -> Result<Option<Value>, Failure> {
        let bytes = self.ledger.get(&output_path(run, step, attempt), deadline).await?;
        bytes.map(|bytes| kept(&bytes).ok_or_else(|| unreadable(run, "an output is unreadable"))).transpose()
    }

    /// A kept output.
    pub(super) async fn output(&self, run: &str, reference: &str, deadline: Deadline) -> Result<Value, Failure> {
        let bytes = self.ledger.get(reference, deadline).await?;
        bytes.and_then(|bytes| kept(&bytes)).ok_or_else(|| unreadable(run, "the output of a step is missing"))
    }
}

/// Whether `record` fits into the ledger, with room for how it ends.
pub(super) fn fits(record: &Record) -> bool {
    // Sealed, four bytes stand for three.
    let grown = |bytes: usize| if record.sealing { bytes / 3 * 4 } else { bytes };
    serde_json::to_vec(record).is_ok_and(|bytes| grown(bytes.len()) <= MAX_RECORD - ROOM_FOR_THE_END)
}

/// Refuses an output that a run does not keep; `what` begins the sentence.
pub(super) fn not_too_large(what: &str, output: &Value) -> Result<(), Failure> {
    if output.to_string().len() <= MAX_OUTPUT {
        return Ok(());
    }
    Err(Failure::new(
        Code::OutputTooLarge,
        format!("{what} gave more than the 256 KB that a run keeps. Aggregate in SQL."),
    ))
}

fn kept(entry: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(entry).ok()?.get_mut("output").map(Value::take)
}

pub(super) fn decode(run: &str, bytes: &[u8]) -> Result<Record, Failure> {
    let version = serde_json::from_slice::<Value>(bytes).ok().and_then(|value| value.get("v")?.as_u64());
    match version {
        Some(version) if version <= u64::from(FORMAT) => {
            serde_json::from_slice(bytes).map_err(|error| unreadable(run, &error.to_string()))
        }
        Some(version) => Err(unreadable(run, &format!("format {version} is newer than this version's {FORMAT}"))),
        None => Err(unreadable(run, "a record has no format version")),
    }
}

fn unreadable(run: &str, why: &str) -> Failure {
    Failure::new(Code::Internal, "A run's record cannot be read or written. See the log.")
        .in_run(run)
        .caused_by(format!("run {run}: {why}"))
}
