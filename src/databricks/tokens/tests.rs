//! Tokens: how they are got, and that the one cache stands before that.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde_json::{Value, json};
use wiremock::matchers::{body_string, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::key_vault::Secret;

/// The values of one secret, one after another; `forget` moves on to the next.
#[derive(Debug)]
struct Vault(Mutex<VecDeque<&'static str>>);

#[async_trait]
impl Secrets for Vault {
    async fn current(&self, name: &str, _deadline: Deadline) -> Result<Secret, Failure> {
        assert_eq!(name, "the-secret");
        let value = self.0.lock().unwrap()[0];
        Ok(Secret { value: SecretString::from(value), version: "0".repeat(32) })
    }

    async fn version(&self, name: &str, _version: &str, deadline: Deadline) -> Result<Secret, Failure> {
        self.current(name, deadline).await
    }

    fn forget(&self, _name: &str, value: &SecretString) {
        let mut values = self.0.lock().unwrap();
        if values.len() > 1 && values[0] == value.expose_secret() {
            values.pop_front();
        }
    }
}

fn vault(values: &[&'static str]) -> Arc<Vault> {
    Arc::new(Vault(Mutex::new(values.iter().copied().collect())))
}

fn source(server: &MockServer, values: &[&'static str]) -> OAuthM2m {
    let host = Url::parse(&server.uri()).expect("a server has an address");
    OAuthM2m::new(Http::new().expect("a transport"), host, "me", vault(values), "the-secret")
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

async fn gives(server: &MockServer, status: u16, body: Value, times: u64) {
    Mock::given(method("POST"))
        .and(path("/oidc/v1/token"))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .up_to_n_times(times)
        .mount(server)
        .await;
}

async fn asked(server: &MockServer) -> usize {
    server.received_requests().await.expect("recorded").len()
}

#[tokio::test]
async fn a_token_is_asked_for_once_by_all_who_want_it() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/oidc/v1/token"))
        .and(header("authorization", format!("Basic {}", STANDARD.encode("me:one")).as_str()))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .and(body_string("grant_type=client_credentials&scope=all-apis"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"access_token": "t-1", "expires_in": 3600})))
        .expect(1)
        .mount(&server)
        .await;
    let source = source(&server, &["one"]);
    let (first, second, third) = tokio::join!(source.token(soon()), source.token(soon()), source.token(soon()));
    for token in [first, second, third] {
        assert_eq!(token.expect("a token").expose_secret(), "t-1");
    }
}

#[tokio::test]
async fn a_rejected_token_is_replaced_and_a_newer_one_is_kept() {
    let server = MockServer::start().await;
    gives(&server, 200, json!({"access_token": "t-1", "expires_in": 3600}), 1).await;
    gives(&server, 200, json!({"access_token": "t-2", "expires_in": "3600"}), 9).await;
    let source = source(&server, &["one"]);
    let first = source.token(soon()).await.expect("a token");
    source.reject(&first);
    assert_eq!(source.token(soon()).await.expect("a token").expose_secret(), "t-2");
    source.reject(&first);
    assert_eq!(source.token(soon()).await.expect("a token").expose_secret(), "t-2");
    assert_eq!(asked(&server).await, 2);
}

#[tokio::test]
async fn a_token_about_to_end_is_not_given_again() {
    let server = MockServer::start().await;
    gives(&server, 200, json!({"access_token": "t-1", "expires_in": 39}), 1).await;
    gives(&server, 200, json!({"access_token": "t-2", "expires_in": 3600}), 1).await;
    let source = source(&server, &["one"]);
    source.token(soon()).await.expect("a token");
    assert_eq!(source.token(soon()).await.expect("a token").expose_secret(), "t-2");
}

#[tokio::test]
async fn a_rotated_secret_is_read_again() {
    let server = MockServer::start().await;
    gives(&server, 401, json!({"error": "invalid_client"}), 1).await;
    gives(&server, 200, json!({"access_token": "t-1", "expires_in": 3600}), 1).await;
    let source = source(&server, &["old", "new"]);
    assert_eq!(source.token(soon()).await.expect("a token").expose_secret(), "t-1");
}

#[tokio::test]
async fn a_wrong_secret_is_told_and_never_shown() {
    let server = MockServer::start().await;
    gives(&server, 401, json!({"error": "invalid_client", "error_description": "Client authentication failed"}), 9)
        .await;
    let source = source(&server, &["hush"]);
    let failure = source.token(soon()).await.expect_err("refused");
    assert_eq!(failure.code, Code::DatabricksAccessDenied);
    assert!(failure.detail.contains("Client authentication failed"), "{}", failure.detail);
    assert!(!format!("{failure:?} {}", failure.chain()).contains("hush"));
}

#[tokio::test]
async fn a_reply_without_a_token_is_no_token() {
    let server = MockServer::start().await;
    gives(&server, 200, json!({"token_type": "Bearer"}), 9).await;
    let failure = source(&server, &["one"]).token(soon()).await.expect_err("no token");
    assert_eq!(failure.code, Code::IdentityUnavailable);
}

#[tokio::test]
async fn a_personal_access_token_comes_from_the_vault_and_a_rejected_one_is_read_again() {
    let source = PersonalAccessToken::new(vault(&["old", "new"]), "the-secret");
    let first = source.token(soon()).await.expect("a token");
    assert_eq!(first.expose_secret(), "old");
    source.reject(&first);
    assert_eq!(source.token(soon()).await.expect("a token").expose_secret(), "new");
}
