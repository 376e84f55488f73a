//! Telling the end of a run where its caller asked for it: the same body that the status answers, signed, again until it is
//! accepted. Between two tries the run sleeps.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::SignedDuration;
use serde_json::{Value, json};
use url::Url;

use super::Engine;
use super::record::{Callback, Record, Transition};
use super::step::doubled;
use crate::failure::Failure;
use crate::http::{Deadline, Guarded, NotAllowed, Outbound, Reply, RequestKind};
use crate::ledger::draw_writer;
use crate::operations::undeclared;

/// How the end of a run is told outside.
#[derive(Clone, Debug)]
pub struct Telling {
    pub outside: Arc<dyn Receivers>,
    /// A failure as a caller reads it, with a request id.
    pub problem: fn(&Failure, &str) -> Vec<u8>,
}

/// The way to whoever wants to know an end.
#[async_trait]
pub trait Receivers: fmt::Debug + Send + Sync {
    /// The URL in `text`, if anything may be told there.
    fn read(&self, text: &str) -> Result<Url, NotAllowed>;
    /// One try; how it was refused, if it was.
    async fn deliver(&self, request: Outbound, deadline: Deadline) -> Result<Option<Reply>, Failure>;
}

/// To the hosts that callbacks may go to.
#[async_trait]
impl Receivers for Guarded {
    fn read(&self, text: &str) -> Result<Url, NotAllowed> {
        Self::read(self, text)
    }

    async fn deliver(&self, request: Outbound, deadline: Deadline) -> Result<Option<Reply>, Failure> {
        Self::deliver(self, RequestKind::CallbackSend, request, "The receiver", deadline).await
    }
}

/// A longer body is replaced by where to find it, as in replies.
const MAX_BODY: usize = 192 * 1024;
/// How long an end is told.
pub(super) const TELLING: SignedDuration = SignedDuration::from_hours(24);
/// Pauses between two tries: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(30);
/// No receiver puts us off for longer.
const LONGEST_ASKED: Duration = Duration::from_hours(1);
/// What of a refusal is worth a line of the log, in characters.
const MOST_SAID: usize = 300;

/// What came of one try.
enum Tried {
    /// It was accepted, or nobody wants it.
    Over,
    /// Again after so long.
    Later(Duration),
}

impl Engine {
    /// Whether the telling is over; else the run sleeps until it is tried again.
    pub(super) async fn told(&self, ended: &Record, callback: &Callback, deadline: Deadline) -> Result<bool, Failure> {
        let now = self.clock.now();
        let pause = match self.tell(ended, callback, deadline).await? {
            Tried::Over => return Ok(true),
            Tried::Later(pause) => pause,
        };
        if ended.ended_at.is_some_and(|at| at.duration_until(now) > TELLING) {
            tracing::error!(run = ended.run, host = callback.host, "telling the end of a run was given up");
            return Ok(true);
        }
        let mut asleep = ended.next(Transition::Untold, now);
        asleep.tellings += 1;
        let wake_at = now + pause;
        asleep.wake_at = Some(wake_at);
        self.wake(&asleep.run, asleep.seq, Some(wake_at), deadline).await?;
        // Lost: another worker tells it too.
        self.append(&asleep, deadline).await?;
        Ok(false)
    }

    /// One try.
    async fn tell(&self, ended: &Record, callback: &Callback, deadline: Deadline) -> Result<Tried, Failure> {
        let (run, host) = (&ended.run, &callback.host);
        if self.ledger.get(&unsubscribed_path(run), deadline).await?.is_some() {
            tracing::info!(run, host, "nobody wants to know the end of the run any more");
            return Ok(Tried::Over);
        }
        let pause = doubled(FIRST_PAUSE, ended.tellings, LONGEST_PAUSE);
        let url = self.sealer.open(&callback_place(run), &callback.url, deadline).await?;
        let url = match self.telling.outside.read(url.as_str().unwrap_or_default()) {
            Ok(url) => url,
            Err(why) => {
                // A setting has changed since it was taken, and may change again.
                tracing::warn!(run, host, %why, "the end of a run may not be told there");
                return Ok(Tried::Later(pause));
            }
        };
        let body = self.body(ended, callback);
        let at = self.clock.now().as_second();
        let signature = self.sealer.sign(&[format!("{at}.").as_bytes(), &body].concat(), deadline).await?;
        let request = Outbound { sensitive: true, ..Outbound::post(url) }
            .header("causeway-run-id", run)
            .header("x-causeway-state", ended.state.as_str())
            .header("x-causeway-signature", format!("t={at},k={},v1={}", signature.version, signature.mac))
            .json(Bytes::from(body));
        Ok(match self.telling.outside.deliver(request, deadline).await {
            Ok(None) => {
                tracing::info!(run, host, tries = ended.tellings + 1, "the end of a run was told");
                Tried::Over
            }
            Ok(Some(refused)) if matches!(refused.status, 404 | 410) => {
                tracing::warn!(run, host, status = refused.status, "whoever wanted to know the end of a run is gone");
                Tried::Over
            }
            Ok(Some(refused)) => {
                let said: String = String::from_utf8_lossy(&refused.body).chars().take(MOST_SAID).collect();
                tracing::warn!(run, host, status = refused.status, said, "the end of a run was not accepted");
                Tried::Later(refused.retry_after().unwrap_or_default().min(LONGEST_ASKED).max(pause))
            }
            Err(failure) => {
                tracing::warn!(run, host, error = failure.chain(), "the end of a run could not be told");
                Tried::Later(pause)
            }
        })
    }

    /// What the status would answer now: the result, or the problem.
    fn body(&self, ended: &Record, callback: &Callback) -> Vec<u8> {
        let body = match &ended.error {
            None => ended.output.clone().unwrap_or(Value::Null).to_string().into_bytes(),
            Some(error) => {
                let mut failure = error.clone().settled();
                // The run and the step behind work that has an id of its own say nothing to anybody.
                if ended.operation == undeclared::FOLLOWED {
                    (failure.run_id, failure.step) = (None, None);
                }
                (self.telling.problem)(&failure, &ended.run)
            }
        };
        if body.len() <= MAX_BODY {
            return body;
        }
        let url = format!("{}/api/runs/{}", callback.base, ended.run);
        json!({"runId": ended.run, "state": ended.state, "resultUrl": url}).to_string().into_bytes()
    }

    /// Nobody wants to know the end of this run any more. Once is as good as twice.
    pub(super) async fn unsubscribe(&self, run: &str, deadline: Deadline) -> Result<(), Failure> {
        let note = json!({"writer": draw_writer(), "at": self.clock.now()});
        self.ledger.put(&unsubscribed_path(run), Bytes::from(note.to_string()), deadline).await?;
        Ok(())
    }
}

fn unsubscribed_path(run: &str) -> String {
    format!("notes/{run}/unsubscribed")
}

/// Where the URL of a callback is sealed for.
pub(super) fn callback_place(run: &str) -> String {
    format!("runs/{run}/callback")
}
