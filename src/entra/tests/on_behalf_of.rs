//! The exchange of callers' tokens, over a server that plays Entra's token endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::form_urlencoded;
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::entra::{OnBehalfOf, Proof, SecretValue, TokenSource, User};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Http};

/// `old` until forgotten, then `new`.
#[derive(Debug, Default)]
struct Rotated(AtomicU32);

#[async_trait]
impl SecretValue for Rotated {
    async fn current(&self, _deadline: Deadline) -> Result<SecretString, Failure> {
        Ok(SecretString::from(if self.0.load(Ordering::SeqCst) == 0 { "old" } else { "new" }))
    }

    fn forget(&self, _value: &SecretString) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct Identity;

#[async_trait]
impl TokenSource for Identity {
    async fn token(&self, _deadline: Deadline) -> Result<SecretString, Failure> {
        Ok(SecretString::from("of-the-identity"))
    }

    fn reject(&self, _token: &SecretString) {}
}

fn user(object_id: &str, token: &str) -> User {
    User {
        object_id: object_id.to_owned(),
        tenant_id: "tenant".to_owned(),
        roles: Vec::new(),
        is_application: false,
        token: SecretString::from(token),
        expires: Timestamp::MAX,
    }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(30))
}

/// Gives `for {assertion}, {scope}` to whoever knows `new` or has the identity's token.
async fn entra() -> MockServer {
    let server = MockServer::start().await;
    let given = |request: &Request| {
        let form: Vec<(String, String)> = form_urlencoded::parse(&request.body).into_owned().collect();
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        if field("client_secret") == Some("old") {
            let refused = json!({"error": "invalid_client", "error_codes": [7_000_215]});
            return ResponseTemplate::new(401).set_body_json(refused);
        }
        let token = format!("for {}, {}", field("assertion").unwrap(), field("scope").unwrap());
        ResponseTemplate::new(200).set_body_json(json!({"access_token": token, "expires_in": 3600}))
    };
    Mock::given(method("POST"))
        .and(path("/tenant/oauth2/v2.0/token"))
        .and(body_string_contains("requested_token_use=on_behalf_of"))
        .and(body_string_contains("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"))
        .respond_with(given)
        .mount(&server)
        .await;
    server
}

fn exchange(server: &MockServer, proof: Proof) -> OnBehalfOf {
    OnBehalfOf::new(Http::new().unwrap(), &server.uri().parse().unwrap(), "tenant", "client", proof).unwrap()
}

fn by_secret() -> Proof {
    let secret = Rotated::default();
    secret.0.store(1, Ordering::SeqCst);
    Proof::Secret(Arc::new(secret))
}

async fn asked(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn a_token_is_one_callers_for_one_audience_and_asked_for_once() {
    let server = entra().await;
    let exchange = exchange(&server, by_secret());
    let one = exchange.source(&user("1", "a"), "https://neighbour.example/", "it").await;
    assert_eq!(one.token(soon()).await.unwrap().expose_secret(), "for a, https://neighbour.example/.default");
    // The same caller calls again, with the same token: in this process nothing is asked.
    let again = exchange.source(&user("1", "a"), "https://neighbour.example/", "it").await;
    again.token(soon()).await.unwrap();
    assert_eq!(asked(&server).await, 1);
    for (object_id, assertion, audience) in
        [("1", "b", "https://neighbour.example/"), ("2", "a", "https://neighbour.example/"), ("1", "a", "other")]
    {
        let source = exchange.source(&user(object_id, assertion), audience, "it").await;
        let token = source.token(soon()).await.unwrap();
        assert!(token.expose_secret().starts_with(&format!("for {assertion}, ")), "{}", token.expose_secret());
    }
    assert_eq!(asked(&server).await, 4);
}

#[tokio::test]
async fn a_token_that_was_refused_is_exchanged_anew() {
    let server = entra().await;
    let source = exchange(&server, by_secret()).source(&user("1", "a"), "x", "it").await;
    let token = source.token(soon()).await.unwrap();
    source.reject(&token);
    source.token(soon()).await.unwrap();
    assert_eq!(asked(&server).await, 2);
}

#[tokio::test]
async fn a_rotated_secret_is_read_again_at_once() {
    let server = entra().await;
    let source =
        exchange(&server, Proof::Secret(Arc::new(Rotated::default()))).source(&user("1", "a"), "x", "it").await;
    assert_eq!(source.token(soon()).await.unwrap().expose_secret(), "for a, x/.default");
    assert_eq!(asked(&server).await, 2);
}

#[tokio::test]
async fn an_application_can_prove_itself_by_its_managed_identity() {
    let server = entra().await;
    let source = exchange(&server, Proof::Federated(Arc::new(Identity))).source(&user("1", "a"), "x", "it").await;
    source.token(soon()).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let body = String::from_utf8(requests[0].body.clone()).unwrap();
    assert!(body.contains("client_assertion=of-the-identity") && !body.contains("client_secret"), "{body}");
}

#[tokio::test]
async fn what_is_refused_is_told_without_any_token() {
    let server = MockServer::start().await;
    let refused = json!({"error": "invalid_grant", "error_codes": [65_001], "suberror": "consent_required"});
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(400).set_body_json(refused)).mount(&server).await;
    let source = exchange(&server, by_secret()).source(&user("1", "the-assertion"), "x", "Databricks").await;
    let failure = source.token(soon()).await.unwrap_err();
    assert_eq!(failure.code, Code::ConsentMissing);
    assert!(failure.detail.contains("client") && failure.detail.contains("Databricks"), "{failure}");
    let told = format!("{failure:?} {} {source:?}", failure.chain());
    assert!(!told.contains("the-assertion"), "{told}");
}
