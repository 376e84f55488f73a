//! Waking: work messages, and what one does when it arrives.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::advance::Advance;
use super::received::Received;
use super::record::{RunState, Transition};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::service_bus::Message;

/// How long an invocation of the work queue looks at a step before the run sleeps.
const PATIENCE: Duration = Duration::from_secs(5);

/// How soon a message that came before its record looks again. Twice as late each time: the record's worker may have died,
/// and nobody takes the run before its lease ends.
const EARLY: Duration = Duration::from_secs(5);
/// How often it has.
const LOOKED: &str = "causeway-looked";
/// Of a copy for the end of a lease, in case that its worker dies: the worker's own message may be another's by now.
const FOR_THE_DEAD: &str = "causeway-for-the-dead";

/// `{run, after}`: advance the run, unless it has moved past `after`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkMessage {
    run: String,
    after: u64,
}

impl Engine {
    /// Sends a work message, to arrive at `when` or at once.
    pub(super) async fn wake(
        &self,
        run: &str,
        after: u64,
        when: Option<Timestamp>,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        self.send_work(run, after, when, (LOOKED, 0), deadline).await
    }

    async fn send_work(
        &self,
        run: &str,
        after: u64,
        when: Option<Timestamp>,
        (property, value): (&str, u32),
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let body = serde_json::to_vec(&WorkMessage { run: run.to_owned(), after })
            .map_err(|error| Failure::new(Code::Internal, "A work message could not be written.").caused_by(error))?;
        let message = Message {
            body: Bytes::from(body),
            subject: Some("advance".into()),
            scheduled: when,
            properties: vec![("causeway-key".into(), format!("{run}-{after}")), (property.into(), value.to_string())],
            ..Message::default()
        };
        self.messages.send(&self.queues.work_queue, message, deadline).await
    }

    /// Sends a work message that counts from the newest record, for a run whose worker may be gone.
    pub(super) async fn wake_anew(
        &self,
        run: &str,
        when: Option<Timestamp>,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        match self.newest(run, deadline).await? {
            Some(newest) if !newest.state.at_rest() => {
                self.wake(run, newest.seq, newest.lease_until.max(when), deadline).await
            }
            _ => Ok(()),
        }
    }

    /// How far our clock is known to be behind the queue's. By the queue's own clock the copy of a message would be due at
    /// once, come back to us, and again, until ours has caught up.
    fn behind_the_queue(&self, message: &Received) -> Duration {
        let lead = message.enqueued_time.map(|enqueued| self.clock.now().duration_until(enqueued));
        lead.and_then(|lead| Duration::try_from(lead).ok()).unwrap_or_default()
    }

    /// What a work message does: nothing if the run has moved on, a copy for later if somebody holds it, else advance.
    ///
    /// `again` says that the message was tried before: the worker that had it may have died with the lease.
    pub(super) async fn work(&self, message: &Received, again: bool, deadline: Deadline) -> Result<(), Failure> {
        let Ok(work) = serde_json::from_slice::<WorkMessage>(&message.body) else {
            let reason = Failure::new(Code::MessageMalformed, "A work message is {run, after}; this one is not.");
            return self.park(message, &self.queues.work_queue, &reason, deadline).await;
        };
        let Some(newest) = self.newest(&work.run, deadline).await? else {
            tracing::warn!(run = work.run, "a work message for a run that does not exist is dropped");
            return Ok(());
        };
        let again = again || message.properties.contains_key(FOR_THE_DEAD);
        if newest.state.at_rest() {
            // Whoever ended it may have died before its end was told, or before it was closed: then its message has been delivered
            // before. Any other is spare, and its end is being told, or is told again by a message of its own.
            let spare = newest.seq > work.after && (!again || newest.transition == Transition::Untold);
            return if spare || (newest.is_told() && !again) { Ok(()) } else { self.closed(newest, deadline).await };
        }
        if newest.seq > work.after {
            match self.busy_until(&newest).filter(|_| newest.state == RunState::Running) {
                // Its worker may have lost its own message to us.
                Some(until) if again => return self.watch_over(&work.run, newest.seq, until, message, deadline).await,
                // Nobody has it: whoever had died, and so, perhaps, has its message.
                None if newest.state == RunState::Running => {}
                _ => {
                    tracing::debug!(
                        run = work.run,
                        after = work.after,
                        newest = newest.seq,
                        "an overtaken work message"
                    );
                    return Ok(());
                }
            }
        }
        // A wake-up goes out before its record: this one has come first, and the record is being written.
        let early = newest.seq < work.after;
        match Box::pin(self.advance(newest, false, deadline.within(PATIENCE), deadline)).await? {
            Advance::Busy(until) => {
                let looks = looks_of(message);
                let soon = self.clock.now() + EARLY.saturating_mul(1 << looks.min(10));
                let until = if early { until.min(soon) } else { until };
                let when = until + self.behind_the_queue(message);
                let looks = (LOOKED, looks + u32::from(early));
                self.send_work(&work.run, work.after, Some(when), looks, deadline).await
            }
            // By whoever has the same message: one of us loses its lock, and completes it in vain.
            Advance::Overtaken => match self.newest(&work.run, deadline).await? {
                Some(newest) if newest.state == RunState::Running => match self.busy_until(&newest) {
                    Some(until) => self.watch_over(&work.run, newest.seq, until, message, deadline).await,
                    None => self.wake(&work.run, newest.seq, None, deadline).await,
                },
                _ => Ok(()),
            },
            Advance::AtRest(_) | Advance::Waiting => Ok(()),
        }
    }

    /// Sends a message for the moment when the run's worker has let go of it, or is dead.
    async fn watch_over(
        &self,
        run: &str,
        after: u64,
        until: Timestamp,
        message: &Received,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let when = until + self.behind_the_queue(message);
        self.send_work(run, after, Some(when), (FOR_THE_DEAD, 1), deadline).await
    }
}

fn looks_of(message: &Received) -> u32 {
    let looks = message.properties.get(LOOKED).and_then(serde_json::Value::as_str);
    looks.and_then(|looks| looks.parse().ok()).unwrap_or_default()
}
