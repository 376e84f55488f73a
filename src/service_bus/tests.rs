//! What goes over the wire, and what the service's answers mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::entra::TokenSource;
use crate::failure::{Code, Effect};
use crate::http::Http;

/// `t0`; after each rejection the next.
#[derive(Debug, Default)]
struct Tokens(AtomicU32);

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self, _deadline: Deadline) -> Result<SecretString, Failure> {
        Ok(SecretString::from(format!("t{}", self.0.load(Ordering::SeqCst))))
    }
    fn reject(&self, token: &SecretString) {
        assert_eq!(token.expose_secret(), "t0");
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn send(server: &MockServer, entity: &str, message: Message) -> Result<(), Failure> {
    let url = Url::parse(&server.uri()).unwrap();
    let bus = ServiceBus::new(url, Http::new().unwrap(), Arc::new(Tokens::default()));
    bus.send(entity, message, Deadline::after(Duration::from_secs(20))).await
}

async fn answering(status: u16) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(status)).mount(&server).await;
    server
}

fn broker_properties(request: &Request) -> Value {
    serde_json::from_str(request.headers["brokerproperties"].to_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_message_goes_out_with_its_properties() {
    let server = answering(201).await;
    let message = Message {
        body: Bytes::from_static(b"{}"),
        correlation_id: Some("c-1".to_owned()),
        session_id: Some("s-1".to_owned()),
        subject: Some("naïve".to_owned()),
        scheduled: Some("2026-01-03T03:04:04.5Z".parse().unwrap()),
        properties: vec![("causeway-key".to_owned(), "say \"ü\"".to_owned())],
        ..Message::default()
    };
    send(&server, "area/orders", message).await.unwrap();
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(request.url.path(), "/area/orders/messages");
    assert_eq!(request.headers["authorization"], "Bearer t0");
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["causeway-key"], r#""say \"\u00fc\"""#);
    assert_eq!(request.body, b"{}");
    let properties = broker_properties(request);
    assert_eq!(properties["CorrelationId"], "c-1");
    assert_eq!(properties["SessionId"], "s-1");
    assert_eq!(properties["Label"], "naïve");
    assert_eq!(properties["ScheduledEnqueueTimeUtc"], "Sat, 03 Jan 2026 03:04:05 GMT");
}

#[tokio::test]
async fn every_message_has_an_id_of_its_own() {
    let server = answering(201).await;
    for _ in 0..2 {
        send(&server, "orders", Message::default()).await.unwrap();
    }
    let requests = server.received_requests().await.unwrap();
    assert_ne!(broker_properties(&requests[0])["MessageId"], broker_properties(&requests[1])["MessageId"]);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let server = MockServer::start().await;
    Mock::given(header("authorization", "Bearer t0")).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    Mock::given(path("/orders/messages"))
        .and(header("authorization", "Bearer t1"))
        .respond_with(ResponseTemplate::new(201))
        .mount(&server)
        .await;
    send(&server, "orders", Message::default()).await.unwrap();
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    for (status, code, word) in [
        (403, Code::Misconfigured, "Data Sender"),
        (404, Code::Misconfigured, "no queue"),
        (410, Code::Misconfigured, "no queue"),
        (400, Code::Internal, "form"),
    ] {
        let server = answering(status).await;
        let failure = send(&server, "orders", Message::default()).await.unwrap_err();
        assert_eq!((failure.code, failure.effect), (code, Effect::None));
        assert!(failure.detail.contains(word), "{failure}");
        assert_eq!(failure.upstream.unwrap().status, Some(status));
    }
}

#[tokio::test]
async fn what_is_too_large_is_not_sent() {
    let server = answering(201).await;
    let message = Message { body: vec![b'x'; MAX_MESSAGE_BYTES + 1].into(), ..Message::default() };
    assert_eq!(send(&server, "orders", message).await.unwrap_err().code, Code::OutputTooLarge);
    assert!(server.received_requests().await.unwrap().is_empty());
}
