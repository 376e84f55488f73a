//! The request queue: validate, create the run, enqueue its first advance, answer. It never waits for the run.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Engine;
use super::create::{NewRun, runnable};
use super::events::recognise;
use super::identity::{digest_of, run_id};
use super::park::{ORIGINAL, original_of};
use super::received::Received;
use super::record::{Record, Transition, Trigger};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::service_bus::Message;

/// How often a message that waits for its operation looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The identity of a request over the copies that we make of it.
const REQUEST_ID: &str = "causeway-request-id";
/// When the first copy was enqueued.
const FIRST_ENQUEUED: &str = "causeway-first-enqueued";
const REPLY_TO: &str = "causeway-reply-to";
const REPLY_SESSION: &str = "causeway-reply-session";

/// `{"operation", "parameters", "replyTo"?}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    operation: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    #[serde(default)]
    reply_to: Option<String>,
}

impl Engine {
    /// Accepts one request; `Err` only for what another delivery may mend.
    pub(super) async fn accept(&self, message: &Received, queue: &str, deadline: Deadline) -> Result<(), Failure> {
        let queue = &entity_of(message).unwrap_or_else(|| queue.to_owned());
        let named = text(message, REPLY_TO).or_else(|| message.reply_to.clone());
        let request: Request = match serde_json::from_slice(&message.body) {
            Ok(request) => request,
            Err(error) => {
                if let Some(events) = recognise(message) {
                    return self.accept_events(message, events, queue, deadline).await;
                }
                let named = named.filter(|named| self.queues.reply_queues.contains(named));
                return self.refuse(message, queue, named.as_deref(), &malformed(&error), deadline).await;
            }
        };
        let reply_to = named.or(request.reply_to);
        if let Some(reply_to) = &reply_to
            && !self.queues.reply_queues.contains(reply_to)
        {
            return self.park(message, queue, &reply_refused(reply_to), deadline).await;
        }
        let Some(entry) = self.catalog.get(&request.operation) else {
            if self.young(message) {
                return self.postpone(message, queue, deadline).await;
            }
            return self.refuse(message, queue, reply_to.as_deref(), &unknown(&request.operation), deadline).await;
        };
        let operation = match runnable(entry) {
            Ok(operation) => operation,
            Err(invalid) => {
                tracing::warn!(operation = request.operation, error = invalid.chain(), "a message waits");
                return self.postpone(message, queue, deadline).await;
            }
        };
        if let Err(reason) = self.may_begin(operation, "queue") {
            return self.refuse(message, queue, reply_to.as_deref(), &reason, deadline).await;
        }
        let parameters = match operation.accept(&request.parameters) {
            Ok(parameters) => parameters,
            Err(problems) => {
                let reason = super::parameters_invalid(&problems, "parameters.");
                return self.refuse(message, queue, reply_to.as_deref(), &reason, deadline).await;
            }
        };
        // Of a body with a sensitive value a plain digest could be found by trying.
        let digest = if operation.sensitive().is_empty() {
            digest_of(&message.body)
        } else {
            self.sealer.digest(&message.body, deadline).await?
        };
        let Some(run) = self.identity(message, queue, &digest, deadline).await? else {
            let reason = Failure::new(
                Code::MessageIdReused,
                "Another message with this id and another body was accepted before. Give each request its own id.",
            );
            return self.refuse(message, queue, reply_to.as_deref(), &reason, deadline).await;
        };
        let trigger = Trigger::Queue {
            sequence_number: message.sequence_number,
            digest,
            reply_to,
            correlation_id: correlation(message),
            reply_session_id: session(message),
        };
        let new = NewRun { run, parameters, caller: "queue".into(), trigger };
        self.create(entry, &new, false, deadline).await.map(|_| ())
    }

    /// The run that this message stands for; `None` when its id was used for another body lately.
    async fn identity(
        &self,
        message: &Received,
        queue: &str,
        digest: &str,
        deadline: Deadline,
    ) -> Result<Option<String>, Failure> {
        let sequence = message.sequence_number.unwrap_or_default().to_string();
        let id = request_id(message);
        let run = run_id(&["queue", queue, &id]);
        let Some(standing) = self.first(&run, deadline).await? else { return Ok(Some(run)) };
        // Its run is forgotten, and its records are no more.
        if standing.transition == Transition::Forgotten {
            return Ok(Some(run_id(&["queue", queue, &id, &sequence])));
        }
        let Some((standing_sequence, standing_digest, created)) = queue_facts(&standing) else { return Ok(Some(run)) };
        if standing_sequence == message.sequence_number {
            return Ok(Some(run));
        }
        let old = created.duration_until(self.clock.now()).unsigned_abs() > self.settings.message_id_reuse;
        if old {
            return Ok(Some(run_id(&["queue", queue, &id, &sequence])));
        }
        Ok((standing_digest == digest).then_some(run))
    }

    /// Whether a message that waits for a rollout, or for a file to be mended, may wait on.
    pub(super) fn young(&self, message: &Received) -> bool {
        age(message, self.clock.now()) < self.settings.unknown_operation_wait
    }

    /// Sends the message again, for later, and succeeds. To the request queue, wherever it came from: what goes to a topic
    /// goes to its other subscriptions too.
    pub(super) async fn postpone(&self, message: &Received, queue: &str, deadline: Deadline) -> Result<(), Failure> {
        let first = text(message, FIRST_ENQUEUED)
            .or_else(|| message.enqueued_time.map(|time| time.to_string()))
            .unwrap_or_else(|| self.clock.now().to_string());
        // A copy has a message id and a number of its own; what the first one had goes with it.
        let mut properties = vec![
            (REQUEST_ID.to_owned(), request_id(message)),
            (FIRST_ENQUEUED.to_owned(), first),
            (ORIGINAL.to_owned(), original_of(message, queue)),
        ];
        let named = text(message, REPLY_TO).or_else(|| message.reply_to.clone());
        properties.extend(named.map(|named| (REPLY_TO.to_owned(), named)));
        properties.extend(session(message).map(|session| (REPLY_SESSION.to_owned(), session)));
        let copy = Message {
            body: message.body.clone(),
            content_type: message.content_type.clone(),
            correlation_id: correlation(message),
            session_id: message.session_id.clone(),
            subject: message.subject.clone(),
            scheduled: Some(self.clock.now() + LOOK_AGAIN.min(self.settings.unknown_operation_wait)),
            properties,
            ..Message::default()
        };
        self.messages.send(&self.queues.request_queue, copy, deadline).await
    }

    /// Parks the message, and tells whoever waits for a reply.
    async fn refuse(
        &self,
        message: &Received,
        queue: &str,
        reply_to: Option<&str>,
        reason: &Failure,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        if let Some(reply_to) = reply_to {
            let told = self.reply_refused(reply_to, correlation(message), session(message), reason, deadline).await;
            match told {
                Err(failure) if super::is_outage(&failure) => return Err(failure),
                // To park the message matters more than to tell of it.
                Err(failure) => tracing::error!(queue = reply_to, error = failure.chain(), "a reply was refused"),
                Ok(()) => {}
            }
        }
        self.park(message, queue, reason, deadline).await
    }
}

/// What makes two messages the same request.
pub(super) fn request_id(message: &Received) -> String {
    text(message, REQUEST_ID).or_else(|| message.message_id.clone()).unwrap_or_else(|| {
        let sequence = message.sequence_number.unwrap_or_default();
        let enqueued = message.enqueued_time.map(|time| time.to_string()).unwrap_or_default();
        format!("{sequence}@{enqueued}")
    })
}

/// Where the first copy of it came in, when this is a copy of ours.
fn entity_of(message: &Received) -> Option<String> {
    let original: Value = serde_json::from_str(&text(message, ORIGINAL)?).ok()?;
    original.get("queue")?.as_str().map(str::to_owned)
}

/// What a reply correlates with: as brokers do, the sender's correlation id, else the id of its message.
fn correlation(message: &Received) -> Option<String> {
    message.correlation_id.clone().or_else(|| message.message_id.clone())
}

fn session(message: &Received) -> Option<String> {
    text(message, REPLY_SESSION).or_else(|| message.reply_to_session_id.clone())
}

fn text(message: &Received, property: &str) -> Option<String> {
    message.properties.get(property).and_then(Value::as_str).map(str::to_owned)
}

/// How long ago the first copy was enqueued.
fn age(message: &Received, now: Timestamp) -> Duration {
    let first = text(message, FIRST_ENQUEUED).and_then(|time| time.parse::<Timestamp>().ok());
    let enqueued = first.or(message.enqueued_time);
    enqueued.map_or(Duration::ZERO, |time| Duration::try_from(time.duration_until(now)).unwrap_or_default())
}

fn queue_facts(record: &Record) -> Option<(Option<i64>, &str, Timestamp)> {
    let pinned = record.pinned.as_deref()?;
    match &pinned.trigger {
        Trigger::Queue { sequence_number, digest, .. } => Some((*sequence_number, digest, pinned.created_at)),
        _ => None,
    }
}

fn malformed(error: &serde_json::Error) -> Failure {
    Failure::new(
        Code::MessageMalformed,
        format!("A request is {{\"operation\", \"parameters\", \"replyTo\"?}} in JSON; this message is not: {error}."),
    )
}

fn reply_refused(queue: &str) -> Failure {
    let queue: String = queue.chars().take(100).collect();
    Failure::new(
        Code::ReplyNotAllowed,
        format!("Replies may not go to \"{queue}\". Add it to CAUSEWAY_REPLY_QUEUES, or reply to a queue named there."),
    )
}

fn unknown(operation: &str) -> Failure {
    let operation: String = operation.chars().take(100).collect();
    Failure::new(Code::OperationNotFound, format!("No operation is called \"{operation}\"."))
}
