//! An application with a secret, over a transport that plays Entra: the SDK itself is not replaced.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request, StatusCode, Transport};
use secrecy::{ExposeSecret, SecretString};

use crate::entra::application::application;
use crate::entra::credentials::options;
use crate::entra::{SecretValue, TokenCache, TokenSource};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Http};
use crate::settings;

/// Issues a token to who knows `secret`, and keeps what it was asked.
#[derive(Debug)]
struct Entra {
    secret: Mutex<&'static str>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl HttpClient for Entra {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let Body::Bytes(body) = request.body() else { panic!("a form is not streamed") };
        let body = String::from_utf8(body.to_vec()).unwrap();
        self.asked.lock().unwrap().push(format!("{} {body}", request.url()));
        let known = body.contains(&format!("client_secret={}", *self.secret.lock().unwrap()));
        let (status, body) = if known {
            (
                StatusCode::Ok,
                r#"{"token_type":"Bearer","expires_in":3600,"ext_expires_in":3600,"access_token":"token"}"#,
            )
        } else {
            (
                StatusCode::Unauthorized,
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.","error_codes":[7000215]}"#,
            )
        };
        Ok(AsyncRawResponse::from_bytes(status, Headers::new(), body))
    }
}

/// `old` until forgotten, then `new`.
#[derive(Debug, Default)]
struct Rotated(AtomicU32);

#[async_trait]
impl SecretValue for Rotated {
    async fn current(&self, _deadline: Deadline) -> Result<SecretString, Failure> {
        Ok(SecretString::from(if self.0.load(Ordering::SeqCst) == 0 { "old" } else { "new" }))
    }
    fn forget(&self, value: &SecretString) {
        if value.expose_secret() == "old" {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn source(known: &'static str) -> (impl TokenSource, Arc<Entra>) {
    let entra = Arc::new(Entra { secret: Mutex::new(known), asked: Mutex::default() });
    let settings = settings::Entra {
        authority: "https://login.example".parse().unwrap(),
        tenant_id: Some("tenant".to_owned()),
        client_id: Some("client".to_owned()),
        client_secret_name: String::new(),
        managed_identity_client_id: None,
        has_managed_identity: false,
    };
    let mut options = options(&settings, &Http::new().unwrap());
    options.transport = Some(Transport::new(entra.clone()));
    let application = application(&settings, "https://neighbour.example", Arc::new(Rotated::default()), options);
    (TokenCache::new(application), entra)
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(30))
}

#[tokio::test]
async fn the_audience_and_the_authority_are_ours() {
    let (source, entra) = source("old");
    assert_eq!(source.token(soon()).await.unwrap().expose_secret(), "token");
    let asked = entra.asked.lock().unwrap();
    assert!(asked[0].starts_with("https://login.example/tenant/oauth2/v2.0/token "), "{asked:?}");
    assert!(asked[0].contains("scope=https%3A%2F%2Fneighbour.example%2F.default"), "{asked:?}");
}

#[tokio::test]
async fn a_rotated_secret_is_read_again_at_once() {
    let (source, entra) = source("new");
    assert_eq!(source.token(soon()).await.unwrap().expose_secret(), "token");
    assert_eq!(entra.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_refused_application_is_told_and_no_secret_with_it() {
    let (source, entra) = source("another");
    let failure = source.token(soon()).await.unwrap_err();
    assert_eq!(failure.code, Code::IdentityUnavailable);
    assert_eq!(failure.upstream.as_ref().unwrap().status, Some(401));
    assert!(failure.detail.contains("CAUSEWAY_ENTRA_CLIENT_SECRET_NAME"), "{failure}");
    assert!(failure.chain().contains("AADSTS7000215"), "{}", failure.chain());
    assert!(!format!("{failure:?}").contains("client_secret="), "{failure:?}");
    assert_eq!(entra.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_rejected_token_is_asked_for_anew_and_not_taken_from_the_sdk() {
    let (source, entra) = source("old");
    let token = source.token(soon()).await.unwrap();
    source.reject(&token);
    source.token(soon()).await.unwrap();
    assert_eq!(entra.asked.lock().unwrap().len(), 2);
}
