//! Personal access tokens: made, listed, deleted, ended; and the workspace's rules for them.

use local_stack::databricks::TokenRules;
use serde_json::{Value, json};

use crate::caller::{Caller, Reply, with, without_engine};

const CREATE: &str = "/api/2.0/token/create";
const PERMISSIONS: &str = "/api/2.0/permissions/authorization/tokens";

/// With a token that the rules of tokens do not touch.
async fn by_entra(caller: &Caller, method: &str, path: &str, body: &Value) -> Reply {
    use base64::Engine as _;
    let part = |value: Value| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let claims =
        json!({"aud": "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d", "exp": jiff::Timestamp::now().as_second() + 600});
    let token = format!("Bearer {}.{}.s", part(json!({"alg": "RS256"})), part(claims));
    caller.send(method, path, Some(&token), body.to_string()).await
}

fn comments(list: &Value) -> Vec<&str> {
    list["token_infos"].as_array().expect("a list").iter().filter_map(|info| info["comment"].as_str()).collect()
}

#[tokio::test]
async fn a_token_is_shown_once_is_good_and_can_be_deleted_once() {
    let caller = with(without_engine()).await;
    let made = caller.post(CREATE, &json!({"comment": "mine", "lifetime_seconds": 600})).await.body;
    let (value, info) = (made["token_value"].as_str().expect("a value"), &made["token_info"]);
    let life = info["expiry_time"].as_i64().expect("an end") - info["creation_time"].as_i64().expect("a beginning");
    assert_eq!(life, 600_000);
    let list = caller.get("/api/2.0/token/list").await.body;
    assert_eq!(comments(&list), ["by hand", "mine"]);
    assert!(!list.to_string().contains(value));
    let own = format!("Bearer {value}");
    assert_eq!(caller.send("GET", "/api/2.0/token/list", Some(&own), String::new()).await.status, 200);
    let delete = json!({"token_id": info["token_id"]});
    assert_eq!(caller.post("/api/2.0/token/delete", &delete).await.status, 200);
    assert_eq!(caller.send("GET", "/api/2.0/token/list", Some(&own), String::new()).await.status, 403);
    let again = caller.post("/api/2.0/token/delete", &delete).await;
    assert_eq!((again.status, &again.body["error_code"]), (404, &json!("RESOURCE_DOES_NOT_EXIST")));
}

#[tokio::test]
async fn the_rules_of_the_workspace_refuse() {
    let caller = with(without_engine()).await;
    let refusals = [
        (TokenRules { enabled: false, ..TokenRules::default() }, 404, "FEATURE_DISABLED"),
        (TokenRules { quota: 1, ..TokenRules::default() }, 400, "QUOTA_EXCEEDED"),
        (TokenRules { most_days: Some(1), ..TokenRules::default() }, 400, "INVALID_PARAMETER_VALUE"),
        (TokenRules { can_use: false, ..TokenRules::default() }, 403, "PERMISSION_DENIED"),
    ];
    for (rules, status, code) in refusals {
        caller.stand_in.set_token_rules(rules);
        let reply = by_entra(&caller, "POST", CREATE, &json!({})).await;
        assert_eq!((reply.status, reply.body["error_code"].as_str()), (status, Some(code)), "{}", reply.body);
    }
    // Taking the right away has deleted what there was.
    assert!(caller.stand_in.token_comments().is_empty());
    let grant = json!({"access_control_list": [{"group_name": "users", "permission_level": "CAN_USE"}]});
    let granted = by_entra(&caller, "PATCH", PERMISSIONS, &grant).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    assert_eq!(by_entra(&caller, "POST", CREATE, &json!({"lifetime_seconds": 0})).await.status, 400);
    assert_eq!(by_entra(&caller, "POST", CREATE, &json!({})).await.status, 200);
}
