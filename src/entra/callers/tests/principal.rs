//! `X-MS-CLIENT-PRINCIPAL`: nobody's word, unless App Service authentication is said to be on.

use base64::engine::general_purpose::STANDARD;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::failure::Code;

fn principal(changes: Value) -> Value {
    let claim = |typ: &str, val: &str| json!({"typ": typ, "val": val});
    let whole = json!({
        "auth_typ": "aad", "name_typ": "name", "role_typ": "roles",
        "claims": [
            claim("http://schemas.microsoft.com/identity/claims/objectidentifier", OBJECT),
            claim("http://schemas.microsoft.com/identity/claims/tenantid", TENANT),
            claim("roles", "Sales"), claim("roles", "Other"), claim("exp", &(NOW + 60).to_string()),
        ],
    });
    with(whole, changes)
}

async fn admit(door: &Door, token: Option<String>, principal: String) -> Result<Caller, Failure> {
    let given = Given { token: token.map(SecretString::from), unreadable: false, principal: Some(principal) };
    door.callers.admit(&given, Deadline::after(Duration::from_secs(20))).await
}

fn header(principal: &Value) -> String {
    STANDARD.encode(principal.to_string())
}

#[tokio::test]
async fn the_header_is_ignored_unless_it_is_said_to_be_the_platforms() {
    let door = Door::new().await;
    let failure = admit(&door, None, header(&principal(json!({})))).await.unwrap_err();
    assert_eq!(failure.code, Code::TokenMissing);
    // And takes nothing from a token that is there.
    let forged = header(&principal(json!({"claims": []})));
    assert_eq!(admit(&door, Some(token(json!({}))), forged).await.unwrap().id(), OBJECT);
    let keys = Callers::by_keys();
    let given = Given { principal: Some(header(&principal(json!({})))), ..Given::default() };
    assert_eq!(keys.known(&given).await.unwrap().id(), "keys");
}

#[tokio::test]
async fn behind_app_service_authentication_it_tells_who_calls() {
    let door = Door::with(|entra| entra.easy_auth = true).await;
    let caller = admit(&door, None, header(&principal(json!({})))).await.unwrap();
    assert_eq!(caller.id(), OBJECT);
    assert_eq!(caller.user.as_ref().unwrap().roles, ["Sales", "Other"]);
    assert!(caller.rights.may_enter("runs"));
    assert_eq!(door.asked().await, 0);
}

#[tokio::test]
async fn a_token_that_is_sent_too_is_checked_all_the_same() {
    let door = Door::with(|entra| entra.easy_auth = true).await;
    let expired = token(json!({"exp": NOW - 3_600}));
    let failure = admit(&door, Some(expired), header(&principal(json!({})))).await.unwrap_err();
    assert_eq!(failure.code, Code::TokenExpired);
}

#[rstest]
#[case::no_base64("???".to_owned(), Code::TokenMalformed)]
#[case::no_json(STANDARD.encode("hello"), Code::TokenMalformed)]
#[case::another_provider(header(&principal(json!({"auth_typ": "google"}))), Code::TokenIssuer)]
#[case::nobody(header(&principal(json!({"claims": [{"typ": "tid", "val": TENANT}]}))), Code::TokenKind)]
#[case::another_tenant(header(&principal(json!({"claims": [{"typ": "oid", "val": OBJECT}]}))), Code::TokenIssuer)]
#[tokio::test]
async fn what_the_platform_does_not_write_is_refused(#[case] principal: String, #[case] code: Code) {
    let door = Door::with(|entra| entra.easy_auth = true).await;
    assert_eq!(admit(&door, None, principal).await.unwrap_err().code, code);
}
