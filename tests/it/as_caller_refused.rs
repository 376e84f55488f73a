//! Work as the caller that is refused: no user, no consent, a policy that wants more, a token for somebody else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use local_stack::entra::users::{SALES_FRANCE, SALES_GERMANY};
use local_stack::stack::ENTRA_CLIENT_ID;
use serde_json::{Value, json};

use crate::callers_road::{Callers, DATABRICKS, audience};
use crate::declared::Declared;

const MINE: (&str, &str) =
    ("mine", "summary: s\nrun_as: caller\nsteps: [{id: ask, sql: {statement: SELECT 1 AS one}}]\n");
const ASK: &str = "SELECT 1 AS one";

async fn canned(settings: &[(&str, &str)]) -> Callers {
    Callers::with(&[MINE], settings, |options| options.databricks.engine = false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_says_nothing_of_who_calls() {
    let road = Declared::canned(&[MINE], &[]).await;
    let body = json!({"statement": ASK, "runAs": "caller"});
    let code = "caller-identity-missing";
    road.post("/api/sql/statements", &body).await.problem(403, code).saying(&["function key"]);
    road.post_keyed("/api/sql/statements", "k", &body).await.problem(403, code);
    road.post("/api/operations/mine", &json!({})).await.problem(403, code);
    road.get("/api/sql/statements/s-1?runAs=caller").await.problem(403, code);
    road.get("/api/sql/statements/s-1?runAs=me").await.problem(400, "query-invalid");
    let other = json!({"statement": ASK, "runAs": "me"});
    road.post("/api/sql/statements", &other).await.problem(400, "body-invalid");
    assert!(road.effects("databricks", "statement").is_empty());
    // Nor does a message.
    road.request("m-1", &json!({"operation": "mine"}));
    let parked = road.messages("causeway-parking", 1).await;
    assert!(format!("{:?}", parked[0]).contains(code), "{:?}", parked[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_has_no_user_behind_it() {
    let callers = canned(&[]).await;
    let tokens = &callers.road.stack.entra.tokens;
    let claims = tokens.application_claims(&audience(), ENTRA_CLIENT_ID, SALES_FRANCE.object_id, &["Seller"]);
    let token = tokens.sign(&claims);
    callers.ask(&token, ASK, "").await.problem(403, "caller-identity-missing").saying(&["service"]);
    callers.post(&token, "/api/sql/statements", &json!({"statement": ASK})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_consent_is_told_once_it_is_given_the_call_works() {
    let callers = canned(&[]).await;
    let policies = &callers.road.stack.entra.policies;
    policies.revoke_consent(DATABRICKS);
    let token = callers.token(&SALES_GERMANY);
    let reply = callers.ask(&token, ASK, "").await.problem(403, "consent-missing");
    assert_eq!(reply.body["upstream"]["code"], "AADSTS65001");
    assert!(reply.message().contains(ENTRA_CLIENT_ID) && reply.message().contains("Databricks"), "{}", reply.body);
    callers.post(&token, "/api/operations/mine", &json!({})).await.problem(403, "consent-missing");
    policies.grant_consent(DATABRICKS);
    // A failure stands for some seconds, for this token.
    callers.ask(&callers.token(&SALES_GERMANY), ASK, "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_wants_more_of_the_user_is_passed_back() {
    let callers = canned(&[]).await;
    let policies = &callers.road.stack.entra.policies;
    policies.challenge(&SALES_GERMANY, DATABRICKS, true);
    let reply = callers.ask(&callers.token(&SALES_GERMANY), ASK, "").await.problem(401, "claims-challenge");
    let header = reply.header("www-authenticate").expect("a challenge");
    assert!(header.contains("error=\"insufficient_claims\""), "{header}");
    let claims = header.split_once("claims=\"").unwrap().1.trim_end_matches('"');
    let claims: Value = serde_json::from_slice(&STANDARD.decode(claims).unwrap()).unwrap();
    assert!(claims["access_token"]["polids"]["values"][0].is_string(), "{claims}");
    let told: Value = serde_json::from_str(reply.body["claims"].as_str().unwrap()).unwrap();
    assert_eq!(told, claims, "for whoever sees no headers");
    // Others are not asked for more; and she is not any more, once she has done it.
    callers.ask(&callers.token(&SALES_FRANCE), ASK, "").await.expect(200);
    policies.satisfy(&SALES_GERMANY);
    callers.ask(&callers.token(&SALES_GERMANY), ASK, "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_application_is_taken_and_cannot_be_exchanged() {
    let callers = canned(&[("CAUSEWAY_CALLER_AUDIENCES", "api://portal")]).await;
    let token = callers.road.stack.entra.user_token(&SALES_GERMANY, "api://portal", &["Seller"]);
    let reply = callers.ask(&token, ASK, "").await.problem(401, "caller-token-refused");
    assert_eq!(reply.body["upstream"]["code"], "AADSTS500131");
    assert!(reply.message().contains("CAUSEWAY_ENTRA_CLIENT_ID"), "{}", reply.body);
    assert!(reply.header("www-authenticate").is_some());
    assert!(!reply.body.to_string().contains(&token));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_as_its_caller_cannot_be_left_behind() {
    let callers = canned(&[]).await;
    let token = callers.token(&SALES_GERMANY);
    let none = json!({});
    callers.post(&token, "/api/operations/mine?mode=start", &none).await.problem(400, "query-invalid");
    let later = json!({"callbackUrl": callers.road.stack.credentials().callback_url});
    callers.post(&token, "/api/operations/mine", &later).await.problem(400, "body-invalid").saying(&["told later"]);
    callers.post(&token, "/api/operations/mine", &none).await.expect(200);
}
