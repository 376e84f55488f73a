//! Tokens that are taken, and what is read of them.

use rstest::rstest;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::super::Ways;
use super::*;
use crate::failure::Code;

#[tokio::test]
async fn a_good_token_tells_who_calls_and_what_they_may_do() {
    let door = Door::new().await;
    let token = token(json!({}));
    let caller = door.admit(&token).await.unwrap();
    let user = caller.user.as_ref().unwrap();
    assert_eq!((caller.id(), user.tenant_id.as_str()), (OBJECT, TENANT));
    assert_eq!(user.roles, ["Sales", "Unheard"]);
    assert!(!user.is_application);
    assert_eq!(user.token.expose_secret(), token);
    assert_eq!(user.expires.as_second(), NOW + 3_600);
    assert!(caller.rights.may_enter("runs") && !caller.rights.may_enter("sql") && !caller.rights.everybodys);
    let debug = format!("{caller:?}");
    assert!(!debug.contains(&token), "{debug}");
}

#[rstest]
#[case::version_2(json!({"iss": ISSUER_2, "aud": "5f1c", "appid": null, "azp": "5f1c"}))]
#[case::an_id_in_capitals(json!({"oid": OBJECT.to_uppercase(), "tid": TENANT.to_uppercase()}))]
#[case::a_service(json!({"idtyp": "app", "scp": null}))]
#[case::a_service_that_does_not_say_so(json!({"scp": null}))]
#[case::within_the_skew_after_its_end(json!({"exp": NOW - 59}))]
#[case::within_the_skew_before_its_beginning(json!({"nbf": NOW + 60}))]
#[case::without_roles(json!({"roles": null}))]
#[tokio::test]
async fn other_forms_are_taken_too(#[case] changes: Value) {
    let caller = Door::new().await.admit(&token(changes.clone())).await.unwrap();
    assert_eq!(caller.id(), OBJECT, "{changes}");
    let service = changes.get("scp").is_some();
    assert_eq!(caller.user.unwrap().is_application, service);
}

#[tokio::test]
async fn what_no_role_allows_is_refused_and_names_the_roles_that_would() {
    let door = Door::with(|entra| {
        entra.roles.insert("Reader".into(), Rights { areas: ["sql"].into(), ..Rights::default() });
        entra.roles.insert("One".into(), Rights { operations: ["a".to_owned()].into(), ..Rights::default() });
    })
    .await;
    let sales = door.admit(&token(json!({}))).await.unwrap();
    door.callers.permit(&sales, "runs", Some("any-run")).unwrap();
    let failure = door.callers.permit(&sales, "sql", None).unwrap_err();
    assert_eq!(failure.code, Code::RoleMissing);
    assert_eq!(failure.detail, "None of your app roles allows sql. Ask for one of: Reader.");
    let nobody = door.callers.permit(&sales, "jobs", None).unwrap_err();
    assert!(nobody.detail.contains("No app role allows jobs"), "{}", nobody.detail);

    let one = door.admit(&token(json!({"roles": ["One"]}))).await.unwrap();
    door.callers.permit(&one, "operations", Some("a")).unwrap();
    door.callers.permit(&one, "operations", None).unwrap();
    let other = door.callers.permit(&one, "operations", Some("b")).unwrap_err();
    assert_eq!(other.code, Code::RoleMissing);
    // A part of another area is no operation.
    assert!(door.callers.permit(&one, "runs", Some("a")).is_err());
}

#[tokio::test]
async fn a_token_that_was_checked_is_taken_again_until_its_end() {
    let door = Door::new().await;
    let token = token(json!({}));
    let first = door.admit(&token).await.unwrap();
    let given = Given { token: Some(SecretString::from(token.clone())), ..Given::default() };
    let again = door.callers.known(&given).await.unwrap();
    assert!(Arc::ptr_eq(first.user.as_ref().unwrap(), again.user.as_ref().unwrap()), "it was checked again");
    // One letter further it is another token.
    let other = Given { token: Some(SecretString::from(format!("{token}A"))), ..Given::default() };
    assert!(door.callers.known(&other).await.is_none());
    door.at(NOW + 3_600 + 60);
    assert!(door.callers.known(&given).await.is_none());
    assert_eq!(door.admit(&token).await.unwrap_err().code, Code::TokenExpired);
}

#[tokio::test]
#[ignore = "a measurement: cargo test --profile bench --lib -- --ignored --nocapture what_remembering_saves"]
async fn what_remembering_saves() {
    let door = Door::new().await;
    let token = token(json!({"groups": (0..20).map(|n| format!("{OBJECT}{n}")).collect::<Vec<_>>()}));
    let given = Given { token: Some(SecretString::from(token.clone())), ..Given::default() };
    let Ways::Entra(by_token) = &door.callers.0 else { panic!("keys") };
    let soon = Deadline::after(Duration::from_mins(2));
    let rounds = 5_000;
    door.admit(&token).await.unwrap();
    for _ in 0..3 {
        let started = std::time::Instant::now();
        for _ in 0..rounds {
            by_token.validated(&token, soon).await.unwrap();
        }
        let validated = started.elapsed() / rounds;
        let started = std::time::Instant::now();
        for _ in 0..rounds {
            door.callers.known(&given).await.unwrap();
        }
        println!("{} bytes: validated in {validated:?}, remembered in {:?}", token.len(), started.elapsed() / rounds);
    }
}
