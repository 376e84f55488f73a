//! The REST call that sends one message (learn.microsoft.com/rest/api/servicebus/send-message-to-queue).

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::fmt::strtime;
use serde::Serialize;
use url::Url;
use uuid::Uuid;

use super::{MAX_MESSAGE_BYTES, Message, Messages};
use crate::entra::{Authorized, CallError, TokenSource};
use crate::failure::{Code, Effect, Failure, Upstream};
use crate::http::{Deadline, Http, HttpError, Outbound, Reply, RequestKind};
use crate::telemetry::Trace;

/// The property that carries a message's trace.
pub const DIAGNOSTIC_ID: &str = "Diagnostic-Id";

/// A namespace; cheap to clone.
#[derive(Clone, Debug)]
pub struct ServiceBus {
    url: Url,
    way: Authorized,
}

impl ServiceBus {
    /// `tokens` are for Service Bus' audience.
    pub fn new(url: Url, http: Http, tokens: Arc<dyn TokenSource>) -> Self {
        Self { url, way: Authorized::new(http, tokens) }
    }

    /// `{namespace}/{entity}/messages`.
    pub(super) fn messages_of(&self, entity: &str) -> Result<Url, Failure> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::new(Code::Misconfigured, "The Service Bus address cannot carry a path."))?
            .pop_if_empty()
            // A slash is part of an entity's name; each part is encoded by itself.
            .extend(entity.split('/'))
            .push("messages");
        Ok(url)
    }

    /// One call; any status is an answer.
    pub(super) async fn call(
        &self,
        kind: RequestKind,
        entity: &str,
        request: Outbound,
        deadline: Deadline,
    ) -> Result<Reply, Failure> {
        let sent = self.way.send(kind, request, deadline, |reply| reply.status == 401).await;
        sent.map_err(|error| match error {
            CallError::NoToken(failure) => failure,
            CallError::NoAnswer(error) => lost(entity, error),
        })
    }

    fn request(&self, entity: &str, message: &Message) -> Result<Outbound, Failure> {
        let url = self.messages_of(entity)?;
        let properties = BrokerProperties {
            message_id: Uuid::new_v4().to_string(),
            correlation_id: message.correlation_id.as_deref(),
            session_id: message.session_id.as_deref(),
            label: message.subject.as_deref(),
            scheduled_enqueue_time_utc: message.scheduled.map(http_date),
        };
        let properties = serde_json::to_string(&properties)
            .map_err(|error| Failure::new(Code::Internal, "A message could not be written.").caused_by(error))?;
        let mut request = Outbound::post(url)
            .header("content-type", message.content_type.as_deref().unwrap_or("application/json"))
            .header("brokerproperties", ascii(&properties));
        for (name, value) in &message.properties {
            // A JSON string is exactly what the service reads: quoted, escaped.
            let value = serde_json::Value::from(value.as_str()).to_string();
            request = request.header(name, ascii(&value));
        }
        for (name, value) in &message.values {
            request = request.header(name, ascii(&value.to_string()));
        }
        // What the client libraries call the context of a message; names lose their capitals on this way
        // (learn.microsoft.com/azure/service-bus-messaging/service-bus-end-to-end-tracing).
        if let Some(trace) = Trace::current()
            && !message.properties.iter().any(|(name, _)| name.eq_ignore_ascii_case(DIAGNOSTIC_ID))
        {
            request = request.header(DIAGNOSTIC_ID, serde_json::Value::from(trace.traceparent()).to_string());
        }
        request.body = Some(message.body.clone());
        Ok(request)
    }
}

#[async_trait]
impl Messages for ServiceBus {
    async fn ready(&self, deadline: Deadline) -> Result<(), Failure> {
        self.way.ready(deadline).await
    }

    async fn send(&self, entity: &str, message: Message, deadline: Deadline) -> Result<(), Failure> {
        if message.body.len() > MAX_MESSAGE_BYTES {
            return Err(Failure::new(
                Code::OutputTooLarge,
                format!(
                    "The message for {entity} has {} bytes; Service Bus takes {MAX_MESSAGE_BYTES} at most.",
                    message.body.len()
                ),
            ));
        }
        let request = self.request(entity, &message)?;
        let reply = self.call(RequestKind::MessageSend, entity, request, deadline).await?;
        if reply.is_success() { Ok(()) } else { Err(refused(entity, &reply)) }
    }
}

/// The names are the service's own.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BrokerProperties<'a> {
    message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_enqueue_time_utc: Option<String>,
}

/// RFC 1123, which has whole seconds: rounded up, since a message must not appear before its moment.
fn http_date(moment: Timestamp) -> String {
    let whole = moment.as_second() + i64::from(moment.subsec_nanosecond() > 0);
    let moment = Timestamp::from_second(whole).unwrap_or(moment);
    strtime::format("%a, %d %b %Y %H:%M:%S GMT", moment).unwrap_or_default()
}

/// A header carries ASCII only; JSON can say the rest with `\u` escapes.
pub(super) fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() && letter != '\u{7f}' {
            text.push(letter);
        } else {
            let mut units = [0_u16; 2];
            for unit in letter.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

fn lost(entity: &str, error: HttpError) -> Failure {
    let code = if error.timed_out { Code::UpstreamTimeout } else { Code::UpstreamUnavailable };
    let failure = Failure::new(
        code,
        format!("Service Bus did not confirm the message for {entity}. It may or may not have been taken."),
    )
    .from_upstream(upstream(None))
    .retry_after(Duration::from_secs(5));
    let failure = if error.effect == Effect::Possible { failure.effect_possible() } else { failure };
    failure.caused_by(error)
}

pub(super) fn refused(entity: &str, reply: &Reply) -> Failure {
    let after = reply.retry_after().unwrap_or(Duration::from_secs(5));
    let failure = match reply.status {
        401 | 403 => Failure::new(
            Code::Misconfigured,
            format!(
                "Service Bus does not let Causeway use {entity}. Give its identity the roles Azure Service Bus Data \
                 Sender and Data Receiver on the namespace."
            ),
        ),
        404 | 410 => Failure::new(
            Code::Misconfigured,
            format!("Service Bus has no queue or topic {entity}. Create it, or correct the setting that names it."),
        ),
        429 => Failure::new(Code::UpstreamThrottled, "Service Bus is limiting how much it takes. Try again.")
            .retry_after(after),
        500.. => {
            Failure::new(Code::UpstreamUnavailable, format!("Service Bus could not take the message for {entity}."))
                .effect_possible()
                .retry_after(after)
        }
        _ => Failure::new(Code::Internal, format!("Service Bus refused the form of the message for {entity}.")),
    };
    // The body says why, in words or XML; it holds nothing of ours but ids.
    let said = String::from_utf8_lossy(&reply.body).chars().take(500).collect::<String>();
    failure.from_upstream(upstream(Some(reply.status))).caused_by(said)
}

fn upstream(status: Option<u16>) -> Upstream {
    Upstream { service: "service-bus".to_owned(), status, code: None, request_id: None }
}
