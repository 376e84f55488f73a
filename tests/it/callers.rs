//! Who is let in with `CAUSEWAY_AUTH=entra`: each token that is not taken, with the exact problem; and what needs none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::company_door::{API, API_ID, Door, GERMANY, OFFICE, laid_out};
use crate::road::{Reply, Road};

impl Reply {
    /// A 401 as RFC 6750 wants it.
    #[track_caller]
    fn refused(self, code: &str) -> Self {
        let reply = self.problem(401, code);
        let challenge = reply.header("www-authenticate").expect("a challenge").to_owned();
        assert!(challenge.starts_with("Bearer realm=\"causeway\""), "{challenge}");
        assert_eq!(challenge.contains("error=\"invalid_token\""), code != "token-missing", "{challenge}");
        reply
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_of_either_version_is_taken_and_needs_no_key() {
    let door = Door::open().await;
    for audience in [API, API_ID] {
        let token = door.road.stack.entra.user_token(&OFFICE, audience, &["Analyst"]);
        let rows = door.post("/api/sql/statements", json!({"statement": "SELECT 1 AS one"}), &token).await.expect(200);
        assert_eq!(rows.at("/rows/0/one"), 1);
    }
    let token = door.token(&OFFICE, &["Analyst"]);
    door.road.logged("who called", |line| line["message"] == "answered" && line["caller"] == OFFICE.object_id).await;
    let logs = door.road.stack.host.as_ref().unwrap().logs();
    assert!(!logs.lines().iter().any(|line| line.text.contains(&token)), "a token is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_token_that_is_not_good_is_refused_and_told_why() {
    let door = Door::open().await;
    let tokens = door.tokens();
    let claims = tokens.user_claims(&GERMANY, API, &["Admin"]);
    let good = tokens.sign(&claims);
    let changed = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        tokens.sign(&claims)
    };
    let now = claims["iat"].as_i64().unwrap();
    let cases = [
        ("token-signature-wrong", tokens.signed_with_another_key(&claims)),
        ("token-signature-wrong", tokens.with_changed_claims(&good, |claims| claims["oid"] = json!(OFFICE.object_id))),
        ("token-key-unknown", tokens.signed_with_an_unknown_key(&claims)),
        ("token-algorithm-not-allowed", tokens.without_signature(&claims)),
        ("token-algorithm-not-allowed", tokens.signed_with_the_public_key(&claims)),
        ("token-expired", changed("exp", json!(now - 61))),
        ("token-not-yet-valid", changed("nbf", json!(now + 600))),
        ("token-audience-wrong", changed("aud", json!("https://vault.azure.net"))),
        ("token-issuer-wrong", changed("iss", json!("https://sts.windows.net/00000000-0000-4000-8000-000000000000/"))),
        ("token-issuer-wrong", changed("tid", json!("00000000-0000-4000-8000-000000000000"))),
        ("token-kind-wrong", changed("appid", Value::Null)),
        ("token-kind-wrong", changed("oid", json!("nobody"))),
        ("token-malformed", "not.a.token".to_owned()),
        ("token-malformed", format!("{good}.{good}")),
    ];
    for (code, token) in &cases {
        let reply = door.get("/api/runs", token).await.refused(code);
        for part in token.split('.').filter(|part| part.len() > 20) {
            assert!(!reply.body.to_string().contains(part), "{}", reply.body);
        }
    }
    door.get("/api/runs", &good).await.expect(200);
    door.call("GET", "/api/runs", None, &[]).await.refused("token-missing");
    door.call("GET", "/api/runs", None, &[("authorization", "Basic dTpw")]).await.refused("token-malformed");
    // Whoever is not let in learns nothing of what there is, and starts nothing.
    for (method, path) in [("POST", "/api/operations/tell"), ("GET", "/api/operations"), ("GET", "/api/runs/x")] {
        door.call(method, path, Some(json!({"number": 1})), &[]).await.refused("token-missing");
    }
    assert!(door.road.ledger("claims/").is_empty() && door.road.ledger("runs/").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_with_a_large_body_is_answered_all_the_same() {
    let door = Door::open().await;
    let body = json!({"statement": "x".repeat(4 << 20)});
    door.call("POST", "/api/sql/statements", Some(body), &[]).await.refused("token-missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_status_are_for_anybody_and_messages_come_as_before() {
    let door = Door::open().await;
    door.call("GET", "/api/health", None, &[]).await.expect(200);
    door.call("GET", "/api/health/ready", None, &[]).await.expect(200);
    door.call("GET", "/api/status/v1.a.b.c", None, &[]).await.problem(403, "status-token-invalid");
    // A poll needs no token: its address is signed, and of a changed one nothing is left.
    door.road.stack.databricks.hold("/* held */", None);
    let statement = json!({"statement": "SELECT 1 AS one /* held */"});
    let token = door.token(&OFFICE, &["Analyst"]);
    let location = door.post("/api/sql/statements?waitSeconds=0", statement, &token).await.accepted();
    door.call("GET", &location, None, &[]).await.accepted();
    let (base, status) = location.split_once("/api/status/").unwrap();
    for at in (3..status.len()).step_by(11) {
        let mut changed = status.as_bytes().to_vec();
        changed[at] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        let reply = door.call("GET", &format!("{base}/api/status/{changed}"), None, &[]).await;
        assert!(matches!(reply.status, 403 | 404), "{at}: {}", reply.body);
    }
    door.road.stack.databricks.release();
    door.road.request("m-1", &json!({"operation": "tell", "parameters": {"number": 7}}));
    let reply = door.road.messages("causeway-replies", 0).await;
    assert!(reply.is_empty());
    door.road.until("the message's run ends", |road| !road.ledger("history/").is_empty()).await;
}

/// What App Service authentication would say.
fn principal(oid: &str, roles: &[&str]) -> String {
    let claim = |typ: &str, val: &str| json!({"typ": typ, "val": val});
    let mut claims = vec![
        claim("http://schemas.microsoft.com/identity/claims/objectidentifier", oid),
        claim("http://schemas.microsoft.com/identity/claims/tenantid", local_stack::stack::TENANT),
    ];
    claims.extend(roles.iter().map(|role| claim("roles", role)));
    STANDARD.encode(json!({"auth_typ": "aad", "role_typ": "roles", "claims": claims}).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headers_of_app_service_authentication_are_nobodys_word_unless_it_is_on() {
    let forged = principal(OFFICE.object_id, &["Admin"]);
    let headers = [
        ("x-ms-client-principal", forged.as_str()),
        ("x-ms-client-principal-id", OFFICE.object_id),
        ("x-ms-client-principal-idp", "aad"),
    ];
    let door = Door::open().await;
    door.call("GET", "/api/runs", None, &headers).await.refused("token-missing");
    // Nor do they add anything to a token.
    let seller = format!("Bearer {}", door.token(&GERMANY, &["Reader"]));
    let both = [&headers[..], &[("authorization", seller.as_str())]].concat();
    door.call("GET", "/api/sql/warehouses", None, &both).await.problem(403, "role-missing");

    let on = [("CAUSEWAY_EASY_AUTH", "true"), ("WEBSITE_AUTH_ENABLED", "True")];
    let door = Door::with(&on).await;
    door.call("GET", "/api/runs", None, &headers).await.expect(200);
    door.road.logged("who called", |line| line["caller"] == OFFICE.object_id).await;
    door.call("GET", "/api/runs", None, &[]).await.refused("token-missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_let_in_everybody_lets_in_nobody() {
    // No audience: a token for anything would do.
    let door = Door::with(&[("CAUSEWAY_CALLER_AUDIENCES", "")]).await;
    let reply = door.get("/api/runs", &door.token(&OFFICE, &["Admin"])).await.problem(503, "misconfigured");
    reply.saying(&["CAUSEWAY_CALLER_AUDIENCES"]);
    door.call("GET", "/api/health", None, &[]).await.expect(200);
    // The headers believed, and nobody there who strips them.
    let door = Door::with(&[("CAUSEWAY_EASY_AUTH", "true")]).await;
    door.call("GET", "/api/runs", None, &[]).await.problem(503, "misconfigured").saying(&["CAUSEWAY_EASY_AUTH"]);
    // The host asks for no key, and the handler believes that it does.
    let app = laid_out("anonymous");
    let road = Road::with(|options| options.app_root = app.path().to_owned()).await;
    road.get("/api/runs").await.problem(503, "misconfigured").saying(&["CAUSEWAY_AUTH"]);
    road.logged("why", |line| line["message"] == "warm-up failed" && line["error"].to_string().contains("--auth keys"))
        .await;
}
