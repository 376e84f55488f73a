//! What a rotation did, told to the audit by whoever has put it on record. Never the token's value.

use super::record::{Record, State};
use crate::telemetry::{Effect, Outcome};

/// The entry is written.
pub(super) fn audit(record: &Record, secret: &str) {
    let (action, outcome) = match record.state {
        State::Stored => ("rotate-pat store", Outcome::Done),
        State::Done => ("rotate-pat revoke", Outcome::Done),
        State::Failed => ("rotate-pat make", Outcome::Refused),
        State::Intended | State::Proved => return,
    };
    Effect {
        action,
        caller: "rotation",
        outcome,
        target: Some(secret),
        operation: None,
        run: Some(&record.rotation),
        step: None,
        attempt: None,
        upstream_id: record.token.as_ref().map(|token| token.id.as_str()),
        rows: None,
        code: record.code.map(crate::failure::Code::as_str),
    }
    .write();
}
