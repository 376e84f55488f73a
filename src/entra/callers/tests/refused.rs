//! Each way in which a token is not taken, with the code that its sender gets.

use aws_lc_rs::hmac;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::failure::Code;

async fn refused(token: &str) -> Failure {
    let failure = Door::new().await.admit(token).await.expect_err("it was taken");
    // Nothing of what was sent is told.
    let said = format!("{} {}", failure.detail, failure.chain());
    for part in token.split('.').filter(|part| part.len() > 8) {
        assert!(!said.contains(part), "{said}");
    }
    for told in ["login.example", TENANT, OBJECT, "evil"] {
        assert!(!said.contains(told), "{said}");
    }
    failure
}

#[rstest]
#[case::another_audience(json!({"aud": "api://other"}), Code::TokenAudience)]
#[case::our_audience_with_more(json!({"aud": "api://causeway/"}), Code::TokenAudience)]
#[case::our_audience_in_capitals(json!({"aud": "API://causeway"}), Code::TokenAudience)]
#[case::no_audience(json!({"aud": null}), Code::TokenAudience)]
#[case::audiences(json!({"aud": [AUDIENCE, "other"]}), Code::TokenMalformed)]
#[case::another_issuer(json!({"iss": "https://login.evil/72f0c1de-5a3b-4e8f-9c61-2d4b7a9e0c10/v2.0"}), Code::TokenIssuer)]
#[case::an_issuer_that_begins_like_ours(json!({"iss": format!("{ISSUER_1}x")}), Code::TokenIssuer)]
#[case::an_issuer_without_its_slash(json!({"iss": ISSUER_1.trim_end_matches('/')}), Code::TokenIssuer)]
#[case::no_issuer(json!({"iss": null}), Code::TokenIssuer)]
#[case::another_tenant(json!({"tid": "00000000-0000-4000-8000-000000000000"}), Code::TokenIssuer)]
#[case::no_tenant(json!({"tid": null}), Code::TokenIssuer)]
#[case::past_its_end(json!({"exp": NOW - 60}), Code::TokenExpired)]
#[case::no_end(json!({"exp": null}), Code::TokenExpired)]
#[case::an_end_in_text(json!({"exp": "never"}), Code::TokenMalformed)]
#[case::an_end_beyond_all_numbers(json!({"exp": 1e300}), Code::TokenMalformed)]
#[case::before_its_beginning(json!({"nbf": NOW + 61}), Code::TokenNotYetValid)]
#[case::an_id_token(json!({"appid": null}), Code::TokenKind)]
#[case::of_nobody(json!({"oid": null}), Code::TokenKind)]
#[case::of_somebody_with_a_path(json!({"oid": "../../runs"}), Code::TokenKind)]
#[case::roles_in_text(json!({"roles": "Sales"}), Code::TokenMalformed)]
#[tokio::test]
async fn well_signed_and_not_for_us(#[case] changes: Value, #[case] code: Code) {
    assert_eq!(refused(&token(changes)).await.code, code);
}

#[tokio::test]
async fn the_audience_that_is_wanted_is_told_to_a_bearer_of_the_tenant() {
    let failure = refused(&token(json!({"aud": "api://other"}))).await;
    assert!(failure.detail.contains("api://causeway/.default"), "{}", failure.detail);
}

#[rstest]
#[case::none(json!({"alg": "none"}), Code::TokenAlgorithm)]
#[case::none_in_capitals(json!({"alg": "NONE"}), Code::TokenAlgorithm)]
#[case::no_algorithm(json!({"alg": null}), Code::TokenAlgorithm)]
#[case::another_rsa(json!({"alg": "RS384"}), Code::TokenAlgorithm)]
#[case::pss(json!({"alg": "PS256"}), Code::TokenAlgorithm)]
#[case::elliptic(json!({"alg": "ES256"}), Code::TokenAlgorithm)]
#[case::in_small_letters(json!({"alg": "rs256"}), Code::TokenAlgorithm)]
#[case::an_extension(json!({"crit": ["b64"], "b64": false}), Code::TokenMalformed)]
#[case::no_extension_at_all(json!({"crit": []}), Code::TokenMalformed)]
#[case::bound_to_a_key(json!({"typ": "dpop+jwt"}), Code::TokenMalformed)]
#[case::no_key(json!({"kid": null}), Code::TokenKeyUnknown)]
#[case::an_unknown_key(json!({"kid": "two"}), Code::TokenKeyUnknown)]
#[case::a_key_that_climbs(json!({"kid": "../../one"}), Code::TokenKeyUnknown)]
#[tokio::test]
async fn heads_that_entra_does_not_write(#[case] changes: Value, #[case] code: Code) {
    let token = sign(&pairs()[0], &with(head(), changes), &claims());
    assert_eq!(refused(&token).await.code, code);
}

#[tokio::test]
async fn without_a_signature_nothing_is_believed() {
    let none = format!("{}.{}.", encoded(&with(head(), json!({"alg": "none"}))), encoded(&claims()));
    assert_eq!(refused(&none).await.code, Code::TokenAlgorithm);
    let signed = token(json!({}));
    let (start, _) = signed.rsplit_once('.').unwrap();
    assert_eq!(refused(&format!("{start}.")).await.code, Code::TokenSignature);
    assert_eq!(refused(start).await.code, Code::TokenMalformed);
}

#[tokio::test]
async fn the_public_key_is_no_secret_to_sign_with() {
    // HS256 under the modulus that everybody can read: what libraries took that let the token choose.
    let public: RsaPublicKeyComponents<Vec<u8>> = pairs()[0].public_key().into();
    for alg in ["HS256", "RS256"] {
        let signed = format!("{}.{}", encoded(&with(head(), json!({"alg": alg}))), encoded(&claims()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &public.n);
        let token = format!("{signed}.{}", BASE64.encode(hmac::sign(&key, signed.as_bytes())));
        let wanted = if alg == "HS256" { Code::TokenAlgorithm } else { Code::TokenSignature };
        assert_eq!(refused(&token).await.code, wanted);
    }
}

#[tokio::test]
async fn a_forger_brings_a_key_in_vain() {
    // Where the token says to look for its key is where the forger put one.
    let door = Door::new().await;
    door.answer("/evil", ResponseTemplate::new(200).set_body_json(json!({"keys": [jwk("one", &pairs()[1])]}))).await;
    let at = format!("{}/evil", door.server.uri());
    let own = jwk("one", &pairs()[1]);
    for brought in [json!({}), json!({"jku": at}), json!({"x5u": at}), json!({"jwk": own}), json!({"x5c": ["MIIC"]})] {
        let token = sign(&pairs()[1], &with(head(), brought), &claims());
        assert_eq!(door.admit(&token).await.unwrap_err().code, Code::TokenSignature);
    }
    let requests = door.server.received_requests().await.unwrap();
    assert!(requests.iter().all(|request| request.url.path() != "/evil"), "the forger was asked");
}

#[tokio::test]
async fn no_bit_of_a_token_can_be_changed() {
    let (door, token) = (Door::new().await, token(json!({})));
    door.admit(&token).await.unwrap();
    let bytes = token.as_bytes();
    // Every seventh place, so that all three parts are met often.
    for at in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let failure = door.admit(&String::from_utf8(changed).unwrap()).await.expect_err("it was taken");
        assert!(failure.code.as_str().starts_with("token-"), "{at}: {failure}");
    }
}

#[rstest]
#[case("")]
#[case(".")]
#[case("..")]
#[case("a.b.c")]
#[case("a.b.c.d.e")]
#[case("not a token")]
#[case("eyJhbGciOiJSUzI1NiJ9==.e30.c2ln")]
#[tokio::test]
async fn what_is_no_token_is_malformed(#[case] token: &str) {
    assert_eq!(refused(token).await.code, Code::TokenMalformed);
}

#[tokio::test]
async fn a_token_of_any_length_is_not_looked_at() {
    let long = token(json!({"padding": "x".repeat(16 * 1024)}));
    let failure = refused(&long).await;
    assert_eq!(failure.code, Code::TokenMalformed);
    assert!(failure.detail.contains("16 KiB"), "{}", failure.detail);
}

#[tokio::test]
async fn no_token_and_two_are_told_apart() {
    let door = Door::new().await;
    let soon = Deadline::after(Duration::from_secs(20));
    let missing = door.callers.admit(&Given::default(), soon).await.unwrap_err();
    assert_eq!(missing.code, Code::TokenMissing);
    let two = Given { token: Some(SecretString::from(token(json!({})))), unreadable: true, principal: None };
    assert_eq!(door.callers.admit(&two, soon).await.unwrap_err().code, Code::TokenMalformed);
}

proptest::proptest! {
    #[test]
    fn no_text_is_a_panic(text: String, head: String, claims: String) {
        let _ = super::super::token::read(&text);
        let token = format!("{}.{}.{}", BASE64.encode(&head), BASE64.encode(&claims), BASE64.encode(&text));
        let _ = super::super::token::read(&token);
        let _ = super::super::claims::read(&BASE64.encode(&claims));
    }
}
