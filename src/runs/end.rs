//! The end of a run: tell whoever waits, write the history, close the run. Every part may be done twice without harm.

use bytes::Bytes;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::Engine;
use super::create::open_path;
use super::record::{Pinned, Record, Transition, Trigger};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::draw_writer;
use crate::service_bus::Message;

/// A longer reply is replaced by where to find it.
const MAX_REPLY: usize = 192 * 1024;
/// How long a reply is tried.
const TELLING: SignedDuration = SignedDuration::from_hours(24);

impl Engine {
    /// Closes a run that is at rest, for an invocation that can do nothing about a reply that is refused for good: the
    /// tick tries that again.
    pub(super) async fn closed(&self, ended: Record, deadline: Deadline) -> Result<(), Failure> {
        let run = ended.run.clone();
        match self.close(ended, deadline).await {
            Err(failure) if !super::is_outage(&failure) => {
                tracing::error!(run, error = failure.chain(), "the end of a run could not be told");
                Ok(())
            }
            other => other.map(|_| ()),
        }
    }

    /// Closes a run that is at rest, or lets it sleep until its end is told again; its last record.
    pub(super) async fn close(&self, ended: Record, deadline: Deadline) -> Result<Record, Failure> {
        let record = if ended.is_told() {
            ended
        } else {
            let pinned = self.pinned_of(&ended, deadline).await?;
            if let Trigger::Webhook(callback) = &pinned.trigger
                && !self.told(&ended, callback, deadline).await?
            {
                return Ok(ended);
            }
            if let Err(failure) = self.reply(&ended, &pinned, deadline).await {
                if ended.ended_at.is_none_or(|at| at.duration_until(self.clock.now()) < TELLING) {
                    return Err(failure);
                }
                tracing::error!(run = ended.run, error = failure.chain(), "a reply was given up");
            }
            self.tell_parent(&ended, &pinned, deadline).await?;
            // On the heap: it holds whole records over its awaits.
            Box::pin(self.answered(ended, deadline)).await?
        };
        if record.transition == Transition::Forgotten {
            return Ok(record);
        }
        self.leave_line(&record, deadline).await?;
        let history =
            json!({"writer": draw_writer(), "run": record.run, "operation": record.operation, "state": record.state});
        self.ledger.put(&history_path(&record), Bytes::from(history.to_string()), deadline).await?;
        self.ledger.delete(&open_path(&record.run, record.opened), deadline).await?;
        Ok(record)
    }

    /// The end is told: on record, also if another worker that told it beside us was refused and has put it off. Else the other
    /// has told it too, and will close it or has.
    async fn answered(&self, ended: Record, deadline: Deadline) -> Result<Record, Failure> {
        let mut stands = ended;
        loop {
            let mut answered = stands.next(Transition::Answered, self.clock.now());
            answered.told = true;
            if self.append(&answered, deadline).await? {
                return Ok(answered);
            }
            match self.newest(&stands.run, deadline).await? {
                Some(newest) if newest.transition == Transition::Untold => stands = newest,
                _ => return Ok(stands),
            }
        }
    }

    async fn reply(&self, record: &Record, pinned: &Pinned, deadline: Deadline) -> Result<(), Failure> {
        let Trigger::Queue { reply_to: Some(queue), correlation_id, reply_session_id, .. } = &pinned.trigger else {
            return Ok(());
        };
        let mut body = reply_body(record).to_string();
        if body.len() > MAX_REPLY {
            let url = format!("/api/runs/{}", record.run);
            body = json!({"runId": record.run, "state": record.state, "resultUrl": url}).to_string();
        }
        let message = Message {
            body: Bytes::from(body),
            correlation_id: correlation_id.clone(),
            session_id: reply_session_id.clone(),
            subject: Some("reply".into()),
            properties: vec![
                ("causeway-run-id".into(), record.run.clone()),
                ("causeway-key".into(), reply_key(record)),
            ],
            ..Message::default()
        };
        self.messages.send(queue, message, deadline).await
    }

    /// Tells a sender that its message will never run.
    pub(super) async fn reply_refused(
        &self,
        queue: &str,
        correlation_id: Option<String>,
        session_id: Option<String>,
        reason: &Failure,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let message = Message {
            body: Bytes::from(json!({"state": "parked", "error": error_json(reason)}).to_string()),
            correlation_id,
            session_id,
            subject: Some("reply".into()),
            ..Message::default()
        };
        self.messages.send(queue, message, deadline).await
    }
}

/// A run that was opened again tells its end again, which is no double of the first.
fn reply_key(record: &Record) -> String {
    match record.opened {
        0 => format!("{}-reply", record.run),
        opened => format!("{}-reply-{opened}", record.run),
    }
}

fn reply_body(record: &Record) -> Value {
    match &record.error {
        None => json!({"runId": record.run, "state": record.state, "output": record.output}),
        Some(error) => json!({"runId": record.run, "state": record.state, "error": error_json(error)}),
    }
}

/// A failure as messages and run views show it.
pub(super) fn error_json(error: &Failure) -> Value {
    let mut value = serde_json::to_value(error).unwrap_or_else(|_| json!({"code": Code::Internal}));
    if let Some(object) = value.as_object_mut() {
        object.remove("effect");
        object.insert("message".into(), json!(error.detail));
    }
    value
}

/// `history/{day}/{operation}/{time}-{run}-{state}`, so that lists read names only. The time is when the run ended,
/// whoever writes it and whenever.
fn history_path(record: &Record) -> String {
    let at = record.ended_at.unwrap_or(record.at);
    let (day, time) = (at.strftime("%Y-%m-%d"), at.strftime("%Y%m%dT%H%M%SZ"));
    format!("history/{day}/{}/{time}-{}-{}", record.operation, record.run, record.state.as_str())
}
