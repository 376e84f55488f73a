//! Claims: what makes a POST that is sent again find the first one. A log in the ledger, with a step's records.
//!
//! `claims/{caller}/{route}/{hash of the key}/{seq}`: `started` before the effect, then `submitted` with what the
//! neighbour called it, `released` when it surely did not happen, or `unknown`. After a failure that left nothing behind
//! the next attempt is `started` again; that only one worker can write that entry is what keeps it to one.

mod entry;
mod find;
mod told;

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use self::entry::{Entry, Event, Work, encode};
use self::told::{send_again, unknown};
use super::{Call, DEFAULT_WAIT, Mode, Requests, TO_ANSWER};
use crate::failure::{Effect, Failure};
use crate::http::Deadline;
use crate::ledger::{Put, entry_path};
use crate::runs::identity::{digest_of, hash};
use crate::steps::Recovery;

/// How long a call looks at least for what was perhaps sent.
const LEAST_SEARCH: Duration = Duration::from_secs(8);

/// One POST that may have an effect.
#[derive(Debug)]
pub(super) struct Claimant<'a> {
    pub call: &'a Call,
    /// Name of the route, safe in a path: `sql-statements`.
    pub route: &'static str,
    /// What the path names besides, such as a job's id.
    pub target: &'a str,
    pub body: &'a Bytes,
    /// What may be done about inputs that were perhaps sent. Asked of the inputs, since a call may come without its body.
    pub recovery: fn(&Value) -> Recovery,
}

/// What a claimed effect gave, now or when it was first sent.
#[derive(Debug)]
pub(super) struct Effected {
    pub upstream: Value,
    log: String,
    seq: u64,
    work: Work,
    /// It happened for an earlier sending of the same call.
    pub replayed: bool,
}

/// The right to have the effect, once.
#[derive(Debug)]
pub(super) struct Ours {
    log: String,
    seq: u64,
    work: Work,
    recovery: Recovery,
    pub inputs: Value,
    /// The same for every sending of this work: 64 hex digits.
    pub key: String,
    /// The effect must be sent before this.
    pub window: Deadline,
}

impl Effected {
    /// What was sent.
    pub(super) fn inputs(&self) -> &Value {
        &self.work.inputs
    }

    /// The log of the claim.
    pub(super) fn log(&self) -> &str {
        &self.log
    }

    /// The same for every sending of the call, and no other's.
    pub(super) fn key(&self) -> String {
        self.work.key(&self.log)
    }

    /// Which attempt this was, from 1.
    pub(super) fn attempt(&self) -> u32 {
        self.work.attempt
    }
}

impl Ours {
    /// The log of the claim.
    pub(super) fn log(&self) -> &str {
        &self.log
    }

    /// When it was claimed.
    pub(super) fn started_at(&self) -> Timestamp {
        self.work.started_at
    }

    /// Whether an earlier sending, whose answer was lost, may have had the effect.
    pub(super) fn perhaps_sent(&self) -> bool {
        self.work.perhaps_sent
    }

    /// Nobody has had this claim before.
    pub(super) fn is_first(&self) -> bool {
        self.seq == 0
    }

    pub(super) fn recovery(&self) -> Recovery {
        self.recovery
    }
}

#[derive(Debug)]
pub(super) enum Claimed {
    Ours(Ours),
    /// It has been had before.
    Before(Effected),
}

impl Requests {
    /// Claims the effect, or finds what an earlier sending of the same call gave.
    ///
    /// `inputs` is what will be sent; `None` when the body is empty. After `Ours` comes [`Requests::had`], always.
    pub(super) async fn claim(&self, claimant: &Claimant<'_>, inputs: Option<Value>) -> Result<Claimed, Failure> {
        // The host sends a dropped call again without its body: the claim knows what it was.
        let wanted = inputs.map(|inputs| {
            let digest = digest_of(&[claimant.target.as_bytes(), b"\n", claimant.body.as_ref()].concat());
            (digest, inputs)
        });
        self.claim_digest(claimant, wanted).await
    }

    /// The same for a body that nobody holds: its digest, over target and body, and what will be sent.
    pub(super) async fn claim_digest(
        &self,
        claimant: &Claimant<'_>,
        wanted: Option<(String, Value)>,
    ) -> Result<Claimed, Failure> {
        self.stake(claimant, log_of(claimant.call, claimant.route), wanted).await
    }

    /// Records what came of a claimed effect.
    pub(super) async fn had(
        &self,
        mut ours: Ours,
        call: &Call,
        sent: Result<Value, Failure>,
    ) -> Result<Effected, Failure> {
        let (event, upstream, result) = match sent {
            Ok(upstream) => (Event::Submitted, Some(upstream.clone()), Ok(upstream)),
            Err(failure) if failure.effect == Effect::Possible && ours.recovery == Recovery::SendAgain => {
                // Sent again under the same key it happens once, so the claim is free for that.
                ours.work.perhaps_sent = true;
                (Event::Released, None, Err(send_again(failure, call)))
            }
            Err(failure) if failure.effect == Effect::Possible => (Event::Unknown, None, Err(unknown(failure))),
            Err(failure) => (Event::Released, None, Err(failure)),
        };
        let entry = Entry::about(&ours.work, event, upstream);
        let path = entry_path(&ours.log, ours.seq + 1);
        if let Err(error) = self.0.ledger.put(&path, encode(&entry)?, call.deadline).await {
            // The effect stands. Whoever comes with this key waits for the window, then is told `outcome-unknown`.
            tracing::error!(claim = ours.log, error = Failure::from(error).chain(), "an effect could not be recorded");
        }
        if let Ok(upstream) = &result {
            call.trail.reached(upstream_id(upstream));
        }
        result.map(|upstream| Effected { upstream, log: ours.log, seq: ours.seq + 1, work: ours.work, replayed: false })
    }

    /// Claims the next attempt of what was had and left nothing behind, or finds what another worker did about it.
    pub(super) async fn claim_again(&self, claimant: &Claimant<'_>, had: &Effected) -> Result<Claimed, Failure> {
        let work = Work { attempt: had.work.attempt + 1, perhaps_sent: false, ..had.work.clone() };
        if let Some(ours) = self.take(claimant, &had.log, had.seq + 1, work).await? {
            return Ok(Claimed::Ours(ours));
        }
        let wanted = (had.work.digest.clone(), had.work.inputs.clone());
        self.find(claimant, had.log.clone(), Some(wanted)).await
    }

    /// Writes `started`, which only one worker can.
    async fn take(
        &self,
        claimant: &Claimant<'_>,
        log: &str,
        seq: u64,
        mut work: Work,
    ) -> Result<Option<Ours>, Failure> {
        let deadline = claimant.call.deadline;
        // Begun before the entry is written: it ends no later than the `sendBefore` in it.
        let window = deadline.within(self.0.runs_settings.send_window);
        work.started_at = Timestamp::now();
        let before = work.started_at + self.0.runs_settings.send_window;
        let entry = Entry { send_before: Some(before), ..Entry::about(&work, Event::Started, None) };
        if self.0.ledger.put(&entry_path(log, seq), encode(&entry)?, deadline).await? != Put::Written {
            return Ok(None);
        }
        // Either clock may say that the window has closed: a suspended process comes back with its own still open.
        let window = if before <= Timestamp::now() { Deadline::after(Duration::ZERO) } else { window };
        let (key, inputs) = (work.key(log), work.inputs.clone());
        let recovery = (claimant.recovery)(&inputs);
        Ok(Some(Ours { log: log.to_owned(), seq, work, recovery, inputs, key, window }))
    }

    async fn stake(
        &self,
        claimant: &Claimant<'_>,
        log: String,
        wanted: Option<(String, Value)>,
    ) -> Result<Claimed, Failure> {
        // A new key is the common case: one write tells.
        if let Some((digest, inputs)) = &wanted
            && let Some(ours) = self.take(claimant, &log, 0, Work::new(digest, inputs, 0)).await?
        {
            return Ok(Claimed::Ours(ours));
        }
        self.find(claimant, log, wanted).await
    }
}

/// As the audit names what a neighbour has.
fn upstream_id(upstream: &Value) -> String {
    match upstream {
        Value::String(id) => id.clone(),
        Value::Object(place) => place.get("run").and_then(Value::as_str).unwrap_or_default().to_owned(),
        other => other.to_string(),
    }
}

/// The log of a call's claim.
pub(super) fn log_of(call: &Call, route: &str) -> String {
    let key = call.idempotency_key.as_deref().unwrap_or(&call.invocation_id);
    format!("claims/{}/{route}/{}", call.caller, hash(&[key]))
}

/// How long a call looks for what was perhaps sent: as long as it waits for work, and some seconds at least, since an answer
/// that nobody can be sure of costs a human more.
pub(super) fn search_until(call: &Call) -> Deadline {
    let wanted = match call.mode {
        Mode::Start => Duration::ZERO,
        Mode::Wait(wanted) => wanted.unwrap_or(DEFAULT_WAIT),
    };
    call.deadline.less(TO_ANSWER).within(wanted.max(LEAST_SEARCH))
}

#[cfg(test)]
mod tests;
