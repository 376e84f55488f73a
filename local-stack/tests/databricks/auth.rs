//! Who may call: tokens of each kind, and the refusals as they were recorded.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use local_stack::databricks::{CLIENT_ID, CLIENT_SECRET, TOKEN};
use serde_json::{Value, json};

use crate::caller::{Caller, Reply, start, with, without_engine};

const LIST: &str = "/api/2.0/sql/warehouses";

async fn asked(caller: &Caller, authorization: Option<&str>) -> Reply {
    caller.send("GET", LIST, authorization, String::new()).await
}

fn entra(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("Bearer {}.{}.signature", part(&json!({"alg": "RS256"})), part(claims))
}

#[tokio::test]
async fn a_missing_credential_is_401_and_a_wrong_one_403_with_integer_codes() {
    let caller = with(without_engine()).await;
    let none = asked(&caller, None).await;
    assert_eq!((none.status, &none.body["error_code"]), (401, &json!(401)));
    assert_eq!(none.headers["www-authenticate"], "Bearer realm=\"DatabricksRealm\"");
    assert_eq!(
        none.headers["x-databricks-reason-phrase"],
        "Credential was not sent or was of an unsupported type for this API."
    );
    let wrong = asked(&caller, Some("Bearer dapiwrong")).await;
    assert_eq!((wrong.status, &wrong.body), (403, &json!({"error_code": 403, "message": "Invalid access token."})));
}

#[tokio::test]
async fn client_credentials_become_a_token_that_opens_the_door() {
    let caller = with(without_engine()).await;
    let discovery = caller.send("GET", "/oidc/.well-known/oauth-authorization-server", None, String::new()).await;
    let endpoint = discovery.body["token_endpoint"].as_str().expect("an endpoint").to_owned();
    assert_eq!(endpoint, format!("{}/oidc/v1/token", caller.stand_in.served.http_url()));
    let basic = |secret: &str| format!("Basic {}", BASE64_STANDARD.encode(format!("{CLIENT_ID}:{secret}")));
    let form = || "grant_type=client_credentials&scope=all-apis".to_owned();
    let token = caller.send("POST", "/oidc/v1/token", Some(&basic(CLIENT_SECRET)), form()).await;
    assert_eq!((token.status, &token.body["expires_in"]), (200, &json!(3600)));
    let bearer = format!("Bearer {}", token.body["access_token"].as_str().expect("a token"));
    assert_eq!(asked(&caller, Some(&bearer)).await.status, 200);
    caller.stand_in.forget_issued_tokens();
    assert_eq!(asked(&caller, Some(&bearer)).await.status, 403);
    let refused = caller.send("POST", "/oidc/v1/token", Some(&basic("wrong")), form()).await;
    assert_eq!((refused.status, &refused.body["error"]), (401, &json!("invalid_client")));
}

#[tokio::test]
async fn an_entra_token_needs_our_audience_and_more_than_30_seconds_of_life() {
    let caller = with(without_engine()).await;
    let now = jiff::Timestamp::now().as_second();
    let ours = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
    let status = async |claims| asked(&caller, Some(&entra(&claims))).await.status;
    assert_eq!(status(json!({"aud": ours, "exp": now + 600})).await, 200);
    assert_eq!(status(json!({"aud": ours, "exp": now + 20})).await, 403);
    assert_eq!(status(json!({"aud": ours})).await, 403);
    assert_eq!(status(json!({"aud": "https://vault.azure.net", "exp": now + 600})).await, 403);
}

#[tokio::test]
async fn a_personal_token_can_be_added_and_removed() {
    let caller = with(without_engine()).await;
    assert_eq!(asked(&caller, Some("Bearer dapinew")).await.status, 403);
    caller.stand_in.add_token("dapinew");
    assert_eq!(asked(&caller, Some("Bearer dapinew")).await.status, 200);
    caller.stand_in.remove_token(TOKEN);
    assert_eq!(asked(&caller, Some(&format!("Bearer {TOKEN}"))).await.status, 403);
}

#[tokio::test]
async fn me_is_who_the_statements_of_the_history_belong_to() {
    let caller = start().await;
    caller.stand_in.set_history_lag(std::time::Duration::ZERO);
    let me = caller.get("/api/2.0/preview/scim/v2/Me").await.body;
    caller.rows("SELECT 1").await;
    let rows = caller.get("/api/2.0/sql/history/queries").await.body["res"].clone();
    assert_eq!(rows[0]["user_id"].to_string(), me["id"].as_str().expect("an id"));
    assert_eq!(rows[0]["user_name"], me["userName"]);
}

#[tokio::test]
async fn a_token_that_was_made_opens_the_door_until_it_is_deleted() {
    let caller = with(without_engine()).await;
    let made =
        caller.post("/api/2.0/token/create", &json!({"comment": "rotated", "lifetime_seconds": 3600})).await.body;
    let bearer = format!("Bearer {}", made["token_value"].as_str().expect("a token"));
    assert_eq!(asked(&caller, Some(&bearer)).await.status, 200);
    let listed = caller.get("/api/2.0/token/list").await.body;
    assert!(listed["token_infos"].as_array().expect("a list").contains(&made["token_info"]), "{listed}");
    let id = json!({"token_id": made["token_info"]["token_id"]});
    assert_eq!(caller.post("/api/2.0/token/delete", &id).await.status, 200);
    assert_eq!(asked(&caller, Some(&bearer)).await.status, 403);
    let again = caller.post("/api/2.0/token/delete", &id).await;
    assert_eq!((again.status, &again.body["error_code"]), (404, &json!("RESOURCE_DOES_NOT_EXIST")));
}
