//! Claims: what makes a POST that is sent again find the first one. A log in the ledger, with a step's records.
//!
//! `claims/{caller}/{route}/{hash of the key}/{seq}`: `started` before the effect, then `submitted` with what the
//! neighbour called it, `released` when it surely did not happen, or `unknown`.

use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Call, Requests};
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
use crate::ledger::{Put, draw_writer, entry_path};
use crate::runs::identity::{digest_of, hash};
use crate::steps::Recovery;

/// With no more time than this a sending that can be repeated is taken over from whoever may still be at it. A process
/// that has just been restarted has less time than a claim takes to settle.
const TAKE_OVER: Duration = Duration::from_secs(25);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Event {
    Started,
    Submitted,
    Released,
    Unknown,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    writer: String,
    event: Event,
    at: Timestamp,
    /// Of path and body: the same key for something else is refused.
    digest: String,
    /// The entry that the work's first claim stands at: a key that is used again after its life is new work.
    #[serde(default)]
    since: u64,
    /// What is sent, now and in recovery.
    inputs: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    send_before: Option<Timestamp>,
    /// What the neighbour called it, or the whole result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upstream: Option<Value>,
}

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
    pub inputs: Value,
    /// It happened for an earlier sending of the same call.
    pub replayed: bool,
}

/// The right to have the effect, once.
#[derive(Debug)]
pub(super) struct Ours {
    log: String,
    seq: u64,
    since: u64,
    recovery: Recovery,
    pub inputs: Value,
    /// The same for every sending of this work: 64 hex digits.
    pub key: String,
    /// The effect must be sent before this.
    pub window: Deadline,
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
        let call = claimant.call;
        let key = call.idempotency_key.as_deref().unwrap_or(&call.invocation_id);
        let log = format!("claims/{}/{}/{}", call.caller, claimant.route, hash(&[key]));
        self.stake(claimant, log, wanted).await
    }

    /// Records what came of a claimed effect.
    pub(super) async fn had(&self, ours: Ours, call: &Call, sent: Result<Value, Failure>) -> Result<Effected, Failure> {
        let (event, upstream, result) = match sent {
            Ok(upstream) => (Event::Submitted, Some(upstream.clone()), Ok(upstream)),
            Err(failure) if failure.effect == Effect::Possible && ours.recovery == Recovery::SendAgain => {
                // Sent again under the same key it happens once, so the claim is free for that.
                (Event::Released, None, Err(send_again(failure, call)))
            }
            Err(failure) if failure.effect == Effect::Possible => (Event::Unknown, None, Err(unknown(failure))),
            Err(failure) => (Event::Released, None, Err(failure)),
        };
        let entry = Entry {
            writer: draw_writer(),
            event,
            at: Timestamp::now(),
            digest: String::new(),
            since: ours.since,
            inputs: ours.inputs.clone(),
            send_before: None,
            upstream,
        };
        let path = entry_path(&ours.log, ours.seq + 1);
        if let Err(error) = self.0.ledger.put(&path, encode(&entry)?, call.deadline).await {
            // The effect stands. Whoever comes with this key waits for the window, then is told `outcome-unknown`.
            tracing::error!(claim = ours.log, error = Failure::from(error).chain(), "an effect could not be recorded");
        }
        result.map(|upstream| Effected { upstream, inputs: ours.inputs, replayed: false })
    }

    async fn stake(
        &self,
        claimant: &Claimant<'_>,
        log: String,
        mut wanted: Option<(String, Value)>,
    ) -> Result<Claimed, Failure> {
        let deadline = claimant.call.deadline;
        // A new key is the common case: one write tells.
        let (mut seq, mut since) = (0, 0);
        let mut pause = Duration::from_millis(100);
        let mut take = wanted.is_some();
        loop {
            if take && let Some((digest, inputs)) = &wanted {
                // Begun before the entry is written: it ends no later than the `sendBefore` in it.
                let window = deadline.within(self.0.runs_settings.send_window);
                let entry = self.started(digest, inputs, since);
                let put = self.0.ledger.put(&entry_path(&log, seq), encode(&entry)?, deadline).await?;
                if put == Put::Written {
                    // Either clock may say that the window has closed: a suspended process comes back with its own
                    // still open.
                    let closed = entry.send_before.is_some_and(|before| before <= Timestamp::now());
                    let window = if closed { Deadline::after(Duration::ZERO) } else { window };
                    let (key, inputs) = (hash(&[&log, &since.to_string()]), inputs.clone());
                    let recovery = (claimant.recovery)(&inputs);
                    return Ok(Claimed::Ours(Ours { log, seq, since, recovery, inputs, key, window }));
                }
            }
            let newest = self.0.ledger.newest(&log, deadline).await?;
            let Some((newest_seq, first, newest)) = self.standing(&log, newest, deadline).await? else {
                if wanted.is_none() {
                    return Err(super::body::missing());
                }
                (take, seq, since) = (true, 0, 0);
                continue;
            };
            (seq, since) = (newest_seq + 1, newest.since);
            if first.at.duration_until(Timestamp::now()) > self.claim_life() {
                if wanted.is_none() {
                    return Err(super::body::missing());
                }
                (take, since) = (true, seq);
                continue;
            }
            match &wanted {
                Some((digest, _)) if *digest != first.digest => return Err(reused()),
                Some(_) => {}
                None => wanted = Some((first.digest.clone(), first.inputs.clone())),
            }
            take = match newest.event {
                Event::Submitted => {
                    let upstream = newest.upstream.unwrap_or(Value::Null);
                    return Ok(Claimed::Before(Effected { upstream, inputs: newest.inputs, replayed: true }));
                }
                Event::Unknown => return Err(unknown_before()),
                // What the claim did not keep cannot be sent; nothing has happened yet.
                Event::Released if claimant.body.is_empty() && newest.inputs.is_null() => {
                    return Err(super::body::missing());
                }
                Event::Released => true,
                Event::Started => {
                    let settled = newest.send_before.map(|before| before + self.0.runs_settings.send_margin);
                    let settled = settled.is_none_or(|settled| settled <= Timestamp::now());
                    match (claimant.recovery)(&newest.inputs) {
                        // Safe at any time; waiting only spares a sending that is still under way.
                        Recovery::SendAgain => settled || deadline.remaining() < TAKE_OVER,
                        Recovery::Unknown if settled => return Err(unknown_before()),
                        Recovery::Unknown => false,
                    }
                }
            };
            if !take {
                // Somebody else is sending it right now, or has died doing so.
                if deadline.remaining() < Duration::from_secs(3) {
                    return Err(unknown_before());
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }

    /// The newest entry and entry of the latest `started`, which has the digest.
    async fn standing(
        &self,
        log: &str,
        newest: Option<(u64, Bytes)>,
        deadline: Deadline,
    ) -> Result<Option<(u64, Entry, Entry)>, Failure> {
        let Some((seq, bytes)) = newest else { return Ok(None) };
        let newest: Entry = decode(&bytes)?;
        let first = if newest.event == Event::Started || seq == 0 {
            newest.clone()
        } else {
            let bytes = self.0.ledger.get(&entry_path(log, seq - 1), deadline).await?;
            bytes.map(|bytes| decode(&bytes)).transpose()?.unwrap_or_else(|| newest.clone())
        };
        Ok(Some((seq, first, newest)))
    }

    fn started(&self, digest: &str, inputs: &Value, since: u64) -> Entry {
        let now = Timestamp::now();
        Entry {
            writer: draw_writer(),
            event: Event::Started,
            at: now,
            digest: digest.to_owned(),
            since,
            inputs: inputs.clone(),
            send_before: Some(now + self.0.runs_settings.send_window),
            upstream: None,
        }
    }

    fn claim_life(&self) -> SignedDuration {
        SignedDuration::try_from(self.0.settings.claim_life).unwrap_or(SignedDuration::from_hours(24))
    }
}

fn encode(entry: &Entry) -> Result<Bytes, Failure> {
    serde_json::to_vec(entry)
        .map(Bytes::from)
        .map_err(|error| Failure::new(Code::Internal, "A claim could not be written.").caused_by(error))
}

fn decode(bytes: &[u8]) -> Result<Entry, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|error| Failure::new(Code::Internal, "A claim cannot be read. See the log.").caused_by(error))
}

fn reused() -> Failure {
    Failure::new(
        Code::IdempotencyKeyReused,
        "This Idempotency-Key was used for another call. Give each piece of work a key of its own.",
    )
}

fn unknown_before() -> Failure {
    Failure::new(
        Code::OutcomeUnknown,
        "This call was sent before and its answer was lost: the work may or may not have happened. Look at the target, \
         then call again with a new Idempotency-Key if it is missing.",
    )
    .effect_possible()
}

/// The effect may have happened, and under the same key it can happen only once.
fn send_again(failure: Failure, call: &Call) -> Failure {
    if call.idempotency_key.is_none() {
        return unknown(failure);
    }
    let detail = format!(
        "The work may or may not have begun: {} Send the same call again with the same Idempotency-Key: it begins once.",
        failure.detail
    );
    Failure { code: Code::OutcomeUnknown, detail, ..failure }
}

/// The effect may have happened, so the answer is not one that callers send again on.
fn unknown(failure: Failure) -> Failure {
    if failure.code == Code::OutcomeUnknown {
        return failure;
    }
    let detail = format!(
        "The work may or may not have happened: {} Look at the target before you send it again with a new \
         Idempotency-Key.",
        failure.detail
    );
    Failure { code: Code::OutcomeUnknown, detail, ..failure }
}

#[cfg(test)]
mod tests;
