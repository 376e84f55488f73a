//! The vault over a transport that answers from a script: the SDK itself is not replaced.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::headers::Headers;
use azure_core::http::{
    AsyncRawResponse, Body, ClientOptions, HttpClient, Request, RetryOptions, StatusCode, Transport,
};
use azure_core::time::OffsetDateTime;
use secrecy::ExposeSecret;

use super::{KeyVault, NewVersion, SecretStore, Secrets};
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
use crate::settings;

const VERSION: &str = "0123456789abcdef0123456789abcdef";

/// Challenges what comes without a token, then answers from the script, and `200` with a counted value after it.
#[derive(Debug, Default)]
struct Vault {
    script: Mutex<VecDeque<(u16, Option<&'static str>)>>,
    paths: Mutex<Vec<String>>,
    written: Mutex<Vec<serde_json::Value>>,
}

#[async_trait]
impl HttpClient for Vault {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut headers = Headers::new();
        if !request.headers().iter().any(|(name, _)| name.as_str().eq_ignore_ascii_case("authorization")) {
            let challenge = r#"Bearer authorization="https://login.example/t", resource="https://vault.azure.net""#;
            headers.insert("www-authenticate", challenge);
            return Ok(AsyncRawResponse::from_bytes(StatusCode::Unauthorized, headers, ""));
        }
        let read = {
            let mut paths = self.paths.lock().unwrap();
            paths.push(request.url().path().to_owned());
            paths.len()
        };
        if let Some((status, retry_after)) = self.script.lock().unwrap().pop_front() {
            if let Some(seconds) = retry_after {
                headers.insert("retry-after", seconds);
            }
            let body = r#"{"error":{"code":"Said","message":"by the vault"}}"#;
            return Ok(AsyncRawResponse::from_bytes(StatusCode::from(status), headers, body));
        }
        let id = format!("https://my-vault.vault.azure.net/secrets/name/{VERSION}");
        let value = match request.body() {
            Body::Bytes(body) if !body.is_empty() => {
                let body: serde_json::Value = serde_json::from_slice(body).unwrap();
                self.written.lock().unwrap().push(body.clone());
                body["value"].as_str().unwrap().to_owned()
            }
            _ => format!("value-{read}"),
        };
        let attributes = serde_json::json!({ "enabled": true, "created": 1_700_000_000, "exp": 4_102_444_800_i64 });
        let body = serde_json::json!({ "value": value, "id": id, "attributes": attributes }).to_string();
        Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, headers, body))
    }
}

#[derive(Debug)]
struct Identity;

#[async_trait]
impl TokenCredential for Identity {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new("token", OffsetDateTime::now_utc() + Duration::from_hours(1)))
    }
}

fn vault(script: &[(u16, Option<&'static str>)]) -> (KeyVault, Arc<Vault>) {
    let transport = Arc::new(Vault { script: Mutex::new(script.iter().copied().collect()), ..Vault::default() });
    let options = ClientOptions {
        transport: Some(Transport::new(transport.clone())),
        retry: RetryOptions::none(),
        ..ClientOptions::default()
    };
    let settings = settings::KeyVault {
        url: "https://my-vault.vault.azure.net".parse().unwrap(),
        verify_challenge: true,
        cache: Duration::from_mins(10),
        marker: Duration::from_secs(30),
        grace: Duration::from_hours(1),
    };
    (KeyVault::over(&settings, Arc::new(Identity), options).unwrap(), transport)
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(30))
}

async fn refused(script: &[(u16, Option<&'static str>)]) -> Failure {
    vault(script).0.current("my-secret", soon()).await.unwrap_err()
}

#[tokio::test]
async fn a_secret_is_read_once_and_kept() {
    let (secrets, transport) = vault(&[]);
    let (first, second) = tokio::join!(secrets.current("my-secret", soon()), secrets.current("my-secret", soon()));
    assert_eq!(first.unwrap().value.expose_secret(), "value-1");
    let second = second.unwrap();
    assert_eq!(second.value.expose_secret(), "value-1");
    assert_eq!(second.version, VERSION);
    assert_eq!(*transport.paths.lock().unwrap(), ["/secrets/my-secret/"]);
}

#[tokio::test]
async fn a_forgotten_secret_is_read_again_unless_it_changed_meanwhile() {
    let (secrets, _) = vault(&[]);
    let old = secrets.current("my-secret", soon()).await.unwrap().value;
    secrets.forget("my-secret", &old);
    assert_eq!(secrets.current("my-secret", soon()).await.unwrap().value.expose_secret(), "value-2");
    secrets.forget("my-secret", &old);
    assert_eq!(secrets.current("my-secret", soon()).await.unwrap().value.expose_secret(), "value-2");
}

#[tokio::test]
async fn a_version_is_asked_for_by_its_path_and_outlives_forgetting() {
    let (secrets, transport) = vault(&[]);
    let value = secrets.version("my-secret", VERSION, soon()).await.unwrap().value;
    secrets.forget("my-secret", &value);
    secrets.version("my-secret", VERSION, soon()).await.unwrap();
    assert_eq!(*transport.paths.lock().unwrap(), [format!("/secrets/my-secret/{VERSION}")]);
}

#[tokio::test]
async fn a_name_that_reaches_elsewhere_is_never_sent() {
    let (secrets, transport) = vault(&[]);
    assert_eq!(secrets.current("../keys/evil?x=1", soon()).await.unwrap_err().code, Code::SecretNotFound);
    assert_eq!(secrets.version("my-secret", "..", soon()).await.unwrap_err().code, Code::SecretNotFound);
    assert!(transport.paths.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_missing_secret_is_named() {
    let failure = refused(&[(404, None)]).await;
    assert_eq!(failure.code, Code::SecretNotFound);
    assert!(failure.detail.contains("my-secret"));
    assert_eq!(failure.upstream.unwrap().status, Some(404));
}

#[tokio::test]
async fn a_refusal_names_the_role_that_is_missing() {
    let failure = refused(&[(403, None)]).await;
    assert_eq!(failure.code, Code::SecretUnavailable);
    assert!(failure.detail.contains("Key Vault Secrets User"));
    assert_eq!(failure.upstream.unwrap().code.as_deref(), Some("Said"));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_vault_is_asked_again_when_it_says_so_and_a_failure_is_not_kept() {
    let (secrets, _) = vault(&[(429, Some("2")), (503, None)]);
    assert!(secrets.current("my-secret", soon()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_pause_beyond_the_deadline_is_handed_to_the_caller() {
    let failure = refused(&[(429, Some("600"))]).await;
    assert_eq!((failure.code, failure.retry_after_seconds), (Code::KeyVaultUnavailable, Some(600)));
}

#[tokio::test]
async fn a_written_version_is_what_is_read_from_then_on() {
    let (secrets, transport) = vault(&[]);
    secrets.current("my-secret", soon()).await.unwrap();
    let expires = "2027-01-15T08:00:00Z".parse().unwrap();
    let tags = [("token-id".to_owned(), "t-1".to_owned())].into();
    let new = NewVersion { expires: Some(expires), tags, ..NewVersion::of("new".into()) };
    assert_eq!(secrets.write("my-secret", new, soon()).await.unwrap(), VERSION);
    assert_eq!(secrets.current("my-secret", soon()).await.unwrap().value.expose_secret(), "new");
    assert_eq!(*transport.paths.lock().unwrap(), ["/secrets/my-secret/", "/secrets/my-secret"]);
    let body = serde_json::json!({"value": "new", "attributes": {"exp": 1_800_000_000}, "tags": {"token-id": "t-1"}});
    assert_eq!(*transport.written.lock().unwrap(), [body]);
}

#[tokio::test]
async fn the_newest_is_asked_for_however_fresh_the_cache_is_and_refreshes_it() {
    let (secrets, _) = vault(&[]);
    secrets.current("my-secret", soon()).await.unwrap();
    let newest = secrets.newest("my-secret", soon()).await.unwrap();
    assert_eq!(newest.secret.value.expose_secret(), "value-2");
    assert_eq!(newest.created.unwrap().as_second(), 1_700_000_000);
    assert_eq!(secrets.current("my-secret", soon()).await.unwrap().value.expose_secret(), "value-2");
}

#[tokio::test(start_paused = true)]
async fn a_refused_writing_names_the_role_and_leaves_what_was_there() {
    let unavailable = Code::KeyVaultUnavailable;
    for (status, word, code) in [
        (403, "Key Vault Secrets Officer", Code::SecretUnavailable),
        (409, "deleted", Code::SecretUnavailable),
        (503, "Try again", unavailable),
    ] {
        let script = [(status, None); 3];
        let (secrets, _) = vault(&script);
        let failure = secrets.write("my-secret", NewVersion::of("new".into()), soon()).await.unwrap_err();
        assert_eq!(failure.code, code);
        assert_eq!(failure.effect == Effect::None, code != unavailable, "it may stand there");
        assert!(failure.detail.contains(word) && failure.detail.contains("my-secret"), "{failure}");
        assert!(!failure.chain().contains("new\""), "{}", failure.chain());
        assert_ne!(
            secrets.current("my-secret", soon()).await.map(|read| read.value.expose_secret().to_owned()).ok(),
            Some("new".to_owned())
        );
    }
}

#[tokio::test]
async fn a_name_that_reaches_elsewhere_is_never_written() {
    let (secrets, transport) = vault(&[]);
    let failure = secrets.write("../keys/evil", NewVersion::of("new".into()), soon()).await.unwrap_err();
    assert_eq!(failure.code, Code::SecretNotFound);
    assert!(transport.paths.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn while_the_vault_fails_what_was_read_serves_and_the_vault_is_not_asked_by_every_use() {
    let script = [(503, None); 200];
    let (secrets, transport) = vault(&[]);
    secrets.current("my-secret", soon()).await.unwrap();
    transport.script.lock().unwrap().extend(script);
    tokio::time::advance(Duration::from_mins(10)).await;
    for _ in 0..1_000 {
        assert_eq!(secrets.current("my-secret", soon()).await.unwrap().value.expose_secret(), "value-1");
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    let asked = transport.paths.lock().unwrap().len();
    assert!(asked < 20, "{asked} readings in 10 s");
    tokio::time::advance(Duration::from_hours(1)).await;
    let failure = secrets.current("my-secret", soon()).await.unwrap_err();
    assert_eq!(failure.code, Code::KeyVaultUnavailable);
}

#[tokio::test]
async fn a_secret_that_was_refused_is_kept_no_longer_and_a_version_opens_without_the_vault() {
    let (secrets, transport) = vault(&[]);
    let read = secrets.current("my-secret", soon()).await.unwrap();
    transport.script.lock().unwrap().extend([(403, None), (403, None)]);
    secrets.drop_current("my-secret");
    assert_eq!(secrets.current("my-secret", soon()).await.unwrap_err().code, Code::SecretUnavailable);
    // What the current one has signed is still opened.
    secrets.version("my-secret", &read.version, soon()).await.unwrap();
}
