//! Which keys are believed, when they are read, and what happens when they cannot be.

use serde_json::json;

use super::*;
use crate::failure::Code;

/// Waits for what goes on in the background.
async fn settled(holds: impl AsyncFn() -> bool) {
    for _ in 0..2_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never happened");
}

#[tokio::test]
async fn keys_are_read_once_for_many() {
    let door = Door::new().await;
    let tokens: Vec<String> = (0..20).map(|n| token(json!({"uti": n}))).collect();
    let all = futures_util::future::join_all(tokens.iter().map(|token| door.admit(token))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(door.asked().await, 1);
}

#[tokio::test]
async fn unknown_keys_are_looked_up_once_and_not_for_each_token() {
    let door = Door::new().await;
    for n in 0..20 {
        let token = sign(&pairs()[1], &with(head(), json!({"kid": format!("made-up-{n}")})), &claims());
        assert_eq!(door.admit(&token).await.unwrap_err().code, Code::TokenKeyUnknown);
    }
    assert_eq!(door.asked().await, 1);
    door.admit(&token(json!({}))).await.unwrap();
}

#[tokio::test]
async fn a_new_key_is_found_when_it_is_first_used() {
    let door = Door::new().await;
    door.admit(&token(json!({}))).await.unwrap();
    door.publish(&[jwk("one", &pairs()[0]), jwk("two", &pairs()[1])]).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(3)).await;
    tokio::time::resume();
    let rolled = sign(&pairs()[1], &with(head(), json!({"kid": "two"})), &claims());
    assert_eq!(door.admit(&rolled).await.unwrap().id(), OBJECT);
    assert_eq!(door.asked().await, 1);
}

#[tokio::test]
async fn keys_that_cannot_be_renewed_serve_on() {
    let door = Door::new().await;
    let first = token(json!({}));
    door.admit(&first).await.unwrap();
    door.server.reset().await;
    door.answer("/configuration", ResponseTemplate::new(500)).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_hours(30)).await;
    tokio::time::resume();
    // Another token, which nobody remembers.
    door.admit(&token(json!({"uti": "2"}))).await.unwrap();
    door.admit(&token(json!({"uti": "3"}))).await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_withdrawn_takes_its_tokens_with_it() {
    let door = Door::new().await;
    let old = token(json!({}));
    door.admit(&old).await.unwrap();
    door.publish(&[jwk("two", &pairs()[1])]).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_hours(2)).await;
    tokio::time::resume();
    // Serves once more, and sees to it that the keys are read again.
    door.admit(&token(json!({"uti": "2"}))).await.unwrap();
    settled(async || door.asked().await == 1).await;
    settled(async || door.admit(&old).await.is_err()).await;
    assert_eq!(door.admit(&old).await.unwrap_err().code, Code::TokenKeyUnknown);
}

#[tokio::test]
async fn without_keys_nobody_is_let_in_and_nobody_is_called_a_forger() {
    let door = Door::new().await;
    door.server.reset().await;
    door.answer("/configuration", ResponseTemplate::new(404)).await;
    let failure = door.admit(&token(json!({}))).await.unwrap_err();
    assert_eq!(failure.code, Code::SigningKeysUnavailable);
    assert_eq!(failure.retry_after_seconds, Some(5));
    assert_eq!(failure.upstream.unwrap().status, Some(404));
}

#[tokio::test]
async fn the_configuration_must_be_of_the_issuer_that_was_asked_for() {
    for configuration in [
        json!({"issuer": "https://login.evil/v2.0", "jwks_uri": "https://login.example/keys"}),
        json!({"issuer": ISSUER_2, "jwks_uri": "http://login.example/keys"}),
        json!({"issuer": ISSUER_2}),
        json!([]),
    ] {
        let door = Door::new().await;
        door.server.reset().await;
        door.answer("/configuration", ResponseTemplate::new(200).set_body_json(&configuration)).await;
        let failure = door.admit(&token(json!({}))).await.unwrap_err();
        assert_eq!(failure.code, Code::SigningKeysUnavailable, "{configuration}");
    }
}

#[tokio::test]
async fn keys_that_sign_for_others_or_for_other_things_are_not_used() {
    let key = jwk("one", &pairs()[0]);
    let consumers = "https://login.example/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";
    for changes in [
        json!({"issuer": consumers}),
        json!({"use": "enc"}),
        json!({"alg": "RS512"}),
        json!({"kty": "oct", "k": "c2VjcmV0"}),
        json!({"n": "AQAB"}),
        json!({"n": "not base64!"}),
        json!({"kid": ""}),
    ] {
        let door = Door::new().await;
        door.publish(&[with(key.clone(), changes.clone()), jwk("two", &pairs()[1])]).await;
        let code = door.admit(&token(json!({}))).await.map(|_| ()).unwrap_err().code;
        assert!([Code::TokenKeyUnknown, Code::TokenSignature].contains(&code), "{changes}: {code}");
    }
    // Without Entra's own member, and for a named tenant.
    for changes in [json!({"issuer": null}), json!({"issuer": ISSUER_2}), json!({"use": null, "alg": "RS256"})] {
        let door = Door::new().await;
        door.publish(&[with(key.clone(), changes)]).await;
        door.admit(&token(json!({}))).await.unwrap();
    }
}
