//! The host's envelope: `{Data, Metadata}` in, `{Outputs, Logs, ReturnValue}` out. Knows no actix and no handler.
//!
//! The host encodes values in three ways (Azure/azure-functions-host, `ScriptInvocationContextExtensions`): objects
//! as objects, bytes as base64, and all else as a string which holds JSON ("double encoded": a number arrives as
//! `"42"`, text as `"\"abc\""`). The documentation shows plain values. Everything here takes them all, in any case of
//! their key, and misses nothing but the body.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::failure::{Code, Failure};
use crate::runs::Received;

/// What the host sends for one invocation.
#[derive(Debug)]
pub struct Envelope {
    data: Map<String, Value>,
    metadata: Map<String, Value>,
}

impl Envelope {
    /// Reads the body of `POST /{FunctionName}`; members that are not known are left out.
    pub fn parse(body: &[u8]) -> Result<Self, Failure> {
        /// Known keys only, so that the rest of a large envelope is skipped and not built.
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default, alias = "data")]
            #[serde(rename = "Data")]
            data: Option<Map<String, Value>>,
            #[serde(default, alias = "metadata")]
            #[serde(rename = "Metadata")]
            metadata: Option<Map<String, Value>>,
        }
        let wire: Wire = serde_json::from_slice(body).map_err(|error| {
            Failure::new(Code::MessageMalformed, "The host's envelope could not be read.").caused_by(error)
        })?;
        Ok(Self { data: wire.data.unwrap_or_default(), metadata: wire.metadata.unwrap_or_default() })
    }

    /// A Service Bus message. Only the body must be there.
    pub fn message(mut self) -> Result<Received, Failure> {
        // There is one input binding; its name is function.json's affair.
        let value = match self.data.len() {
            1 => self.data.into_iter().next().map(|(_, value)| value),
            _ => take(&mut self.data, "message"),
        };
        let body = body_bytes(value.as_ref())
            .ok_or_else(|| Failure::new(Code::MessageMalformed, "The host's envelope holds no message."))?;
        let metadata = &mut self.metadata;
        Ok(Received {
            body,
            message_id: text(metadata, "MessageId"),
            sequence_number: number(metadata, "SequenceNumber"),
            enqueued_time: time(metadata, "EnqueuedTime").or_else(|| time(metadata, "EnqueuedTimeUtc")),
            delivery_count: number(metadata, "DeliveryCount").and_then(|count| u32::try_from(count).ok()),
            correlation_id: text(metadata, "CorrelationId"),
            session_id: text(metadata, "SessionId"),
            reply_to: text(metadata, "ReplyTo"),
            reply_to_session_id: text(metadata, "ReplyToSessionId"),
            content_type: text(metadata, "ContentType"),
            subject: text(metadata, "Subject").or_else(|| text(metadata, "Label")),
            properties: object(metadata, "ApplicationProperties")
                .or_else(|| object(metadata, "UserProperties"))
                .unwrap_or_default(),
        })
    }

    /// A firing of the timer. Nothing in it must be there.
    pub fn timer(mut self) -> TimerFired {
        let mut timer = self
            .data
            .values_mut()
            .next()
            .and_then(|value| match decoded(value.take()) {
                Value::Object(timer) => Some(timer),
                _ => None,
            })
            .unwrap_or_default();
        let mut status = object(&mut timer, "ScheduleStatus").unwrap_or_default();
        TimerFired {
            is_past_due: take(&mut timer, "IsPastDue").map(decoded) == Some(Value::Bool(true)),
            last: time(&mut status, "Last"),
        }
    }
}

/// The event of an Event Grid trigger, in the host's own bytes: whole, or a list of events when the trigger takes many.
pub fn event_of(body: &[u8]) -> Result<Bytes, Failure> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, alias = "data", rename = "Data")]
        data: BTreeMap<String, &'a RawValue>,
    }
    let unreadable = || Failure::new(Code::MessageMalformed, "The host's envelope holds no event.");
    let wire: Wire<'_> = serde_json::from_slice(body).map_err(|error| unreadable().caused_by(error))?;
    let raw = wire.data.values().next().ok_or_else(unreadable)?.get();
    // A list comes as text that holds it.
    let text: Option<String> = if raw.starts_with('"') { serde_json::from_str(raw).ok() } else { None };
    Ok(text.map_or_else(|| Bytes::copy_from_slice(raw.as_bytes()), Bytes::from))
}

/// What the host says of a firing; for the log alone, since it knows one host's past and not the ledger's.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TimerFired {
    pub is_past_due: bool,
    /// The firing before this one, when the host's monitor knows it.
    pub last: Option<Timestamp>,
}

/// The body of a success. Never empty: an empty 2xx hangs the host until it kills us.
pub(super) fn success(logs: &[String]) -> Vec<u8> {
    json!({ "Outputs": {}, "Logs": logs, "ReturnValue": null }).to_string().into_bytes()
}

/// A value by its name, in any case. `null` counts as missing.
fn take(map: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let value = match map.get_mut(name) {
        Some(value) => value,
        None => map.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1,
    };
    Some(value.take()).filter(|value| !value.is_null())
}

/// Takes one layer of JSON-in-a-string off, when there is one.
fn decoded(value: Value) -> Value {
    match &value {
        Value::String(text) => serde_json::from_str(text).unwrap_or(value),
        _ => value,
    }
}

/// A string, double-encoded or plain. A plain one that happens to look like JSON, such as an id `42`, stays itself.
fn text(map: &mut Map<String, Value>, name: &str) -> Option<String> {
    let plain = match take(map, name)? {
        Value::String(plain) => plain,
        other => return Some(other.to_string()),
    };
    match serde_json::from_str(&plain) {
        Ok(Value::String(inner)) => Some(inner),
        Ok(Value::Null) => None,
        _ => Some(plain),
    }
}

fn number(map: &mut Map<String, Value>, name: &str) -> Option<i64> {
    match decoded(take(map, name)?) {
        Value::Number(number) => number.as_i64(),
        // `"\"42\""`: a sender of other metadata is no reason to lose the number.
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A time with an offset, or without one and then in UTC.
fn time(map: &mut Map<String, Value>, name: &str) -> Option<Timestamp> {
    let text = text(map, name)?;
    text.parse().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

fn object(map: &mut Map<String, Value>, name: &str) -> Option<Map<String, Value>> {
    match decoded(take(map, name)?) {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// The exact bytes of a message. `dataType: binary` sends base64; without it the host sends text, double-encoded, or
/// an object, whose text is then the best there is. A JSON text in double encoding starts with a quote, which base64
/// never does.
fn body_bytes(value: Option<&Value>) -> Option<Bytes> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(match serde_json::from_str(text) {
            Ok(Value::String(inner)) => Bytes::from(inner),
            _ => STANDARD.decode(text).map_or_else(|_| Bytes::copy_from_slice(text.as_bytes()), Bytes::from),
        }),
        other => Some(Bytes::from(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(envelope: &Value) -> Received {
        Envelope::parse(envelope.to_string().as_bytes()).unwrap().message().unwrap()
    }

    #[test]
    fn a_binary_message_is_decoded_with_all_that_the_broker_said() {
        let received = message(&json!({
            "Data": { "message": "eyJvcmRlcklkIjoiQTEiLCJxdHkiOjJ9" },
            "Metadata": {
                "DeliveryCount": "3", "SequenceNumber": "42", "MessageId": "\"m-1\"", "CorrelationId": "\"c-1\"",
                "ContentType": "\"application/json\"", "Subject": "\"order\"", "Label": "\"order\"",
                "ReplyTo": "\"causeway-replies\"", "ReplyToSessionId": "\"s-2\"", "SessionId": "\"s-1\"",
                "EnqueuedTimeUtc": "2026-01-02T03:04:05", "EnqueuedTime": "2026-01-02T03:04:05+00:00",
                "ApplicationProperties": { "tenant": "t1", "n": 3 }, "UserProperties": { "tenant": "t1", "n": 3 },
                "MessageReceiver": {}, "sys": { "MethodName": "request-queue" }
            }
        }));
        assert_eq!(received.body, r#"{"orderId":"A1","qty":2}"#);
        assert_eq!(received.message_id.as_deref(), Some("m-1"));
        assert_eq!(received.sequence_number, Some(42));
        assert_eq!(received.delivery_count, Some(3));
        assert_eq!(received.enqueued_time, Some("2026-01-02T03:04:05Z".parse().unwrap()));
        assert_eq!(received.correlation_id.as_deref(), Some("c-1"));
        assert_eq!(received.session_id.as_deref(), Some("s-1"));
        assert_eq!(received.reply_to.as_deref(), Some("causeway-replies"));
        assert_eq!(received.reply_to_session_id.as_deref(), Some("s-2"));
        assert_eq!(received.content_type.as_deref(), Some("application/json"));
        assert_eq!(received.subject.as_deref(), Some("order"));
        assert_eq!(Value::Object(received.properties), json!({ "tenant": "t1", "n": 3 }));
    }

    #[test]
    fn missing_null_and_other_cases_of_metadata_are_tolerated() {
        let bare = message(&json!({ "Data": { "message": "e30=" } }));
        assert_eq!((bare.body.as_ref(), bare.message_id, bare.sequence_number), (b"{}".as_ref(), None, None));
        let odd = message(&json!({
            "Data": { "message": "e30=" },
            "Metadata": { "messageid": "\"m\"", "sequencenumber": 7, "DeliveryCount": null, "SessionId": "null",
                "EnqueuedTimeUtc": "2026-01-02T03:04:05", "ApplicationProperties": "{\"a\":1}" }
        }));
        assert_eq!((odd.message_id.as_deref(), odd.sequence_number, odd.delivery_count), (Some("m"), Some(7), None));
        assert_eq!(odd.session_id, None);
        assert_eq!(odd.enqueued_time, Some("2026-01-02T03:04:05Z".parse().unwrap()));
        assert_eq!(odd.properties.get("a"), Some(&json!(1)));
    }

    #[test]
    fn a_plain_id_that_looks_like_a_number_stays_text() {
        let received = message(&json!({ "Data": { "message": "e30=" }, "Metadata": { "MessageId": "42" } }));
        assert_eq!(received.message_id.as_deref(), Some("42"));
    }

    #[test]
    fn text_and_objects_are_taken_where_base64_was_asked_for() {
        assert_eq!(message(&json!({ "Data": { "message": "\"{\\\"a\\\":1}\"" } })).body, r#"{"a":1}"#);
        assert_eq!(message(&json!({ "Data": { "message": { "a": 1 } } })).body, r#"{"a":1}"#);
        assert_eq!(message(&json!({ "Data": { "message": "{\"a\":1}" } })).body, r#"{"a":1}"#);
    }

    #[test]
    fn a_body_that_is_no_text_survives() {
        let raw: &[u8] = &[0, 159, 146, 150, 255];
        assert_eq!(message(&json!({ "Data": { "message": STANDARD.encode(raw) } })).body, raw);
        assert_eq!(message(&json!({ "Data": { "message": "" } })).body, b"".as_ref());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_survive_the_envelope(raw: Vec<u8>) {
            proptest::prop_assert_eq!(message(&json!({ "Data": { "message": STANDARD.encode(&raw) } })).body, raw);
        }

        #[test]
        fn no_envelope_is_a_panic(data: Vec<u8>, text: String) {
            let _ = Envelope::parse(&data).and_then(Envelope::message);
            let envelope = json!({ "Data": { "message": text }, "Metadata": { "SequenceNumber": text,
                "DeliveryCount": text, "EnqueuedTime": text, "ApplicationProperties": text } });
            let _ = Envelope::parse(envelope.to_string().as_bytes()).unwrap().message();
            let timer = json!({ "Data": { "timer": text } });
            let _ = Envelope::parse(timer.to_string().as_bytes()).unwrap().timer();
        }
    }

    #[test]
    fn an_envelope_without_a_message_is_refused() {
        for envelope in
            [json!({}), json!({ "Data": {} }), json!({ "Data": { "message": null } }), json!({"Data": null})]
        {
            let failure = Envelope::parse(envelope.to_string().as_bytes()).unwrap().message().unwrap_err();
            assert_eq!(failure.code, Code::MessageMalformed, "{envelope}");
        }
        assert_eq!(Envelope::parse(b"{\"Data\":").unwrap_err().code, Code::MessageMalformed);
    }

    #[test]
    fn a_timer_is_read_as_object_and_as_text() {
        let fired = json!({ "Schedule": { "AdjustForDST": true }, "IsPastDue": true,
            "ScheduleStatus": { "Last": "2026-01-02T03:04:00+00:00", "Next": "2026-01-02T03:05:00+00:00" } });
        for value in [fired.clone(), Value::String(fired.to_string())] {
            let timer = Envelope::parse(json!({ "Data": { "timer": value } }).to_string().as_bytes()).unwrap().timer();
            assert!(timer.is_past_due);
            assert_eq!(timer.last, Some("2026-01-02T03:04:00Z".parse().unwrap()));
        }
        let bare = json!({ "Data": { "timer": { "ScheduleStatus": null, "IsPastDue": false } } });
        assert_eq!(Envelope::parse(bare.to_string().as_bytes()).unwrap().timer(), TimerFired::default());
    }

    #[test]
    fn a_success_is_never_empty() {
        let body: Value = serde_json::from_slice(&success(&[])).unwrap();
        assert_eq!(body, json!({ "Outputs": {}, "Logs": [], "ReturnValue": null }));
    }
}
