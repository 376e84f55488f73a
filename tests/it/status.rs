//! Status tokens from outside: signed, tied to the version of their key, good without a function key, and to nobody
//! who changed them. That they expire is a unit test beside them.

use serde_json::json;

use crate::road::Road;

async fn token_url(road: &Road) -> String {
    road.stack.databricks.hold("/* held */", None);
    let body = json!({"statement": "SELECT 1 AS one /* held */"});
    road.post("/api/sql/statements?waitSeconds=0", &body).await.accepted()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_changed_is_refused_and_one_of_ours_needs_no_key() {
    let road = Road::start().await;
    let url = token_url(&road).await;
    road.get(&url).await.accepted();
    let (base, token) = url.split_once("/api/status/").unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let other_version = token.replace(parts[1], "0123456789abcdef0123456789abcdef");
    let mut flipped = token.to_owned();
    let last = if flipped.pop() == Some('A') { 'B' } else { 'A' };
    flipped.push(last);
    let wrong = [
        flipped,
        token[..token.len() - 8].to_owned(),
        format!("{}.{}.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}.{}.{}", parts[0], parts[1], "eyJ0Ijoiam9iUnVuIn0", parts[3]),
        other_version,
        format!("v1...{}", parts[3]),
        "v1.x%2F..%2Fkeys.y.z".to_owned(),
        "x".to_owned(),
        "x".repeat(3_000),
    ];
    for token in wrong {
        let reply = road.get(&format!("{base}/api/status/{token}")).await;
        if token.contains("%2F") {
            assert!([403, 404].contains(&reply.status), "{token}: {}", reply.body);
        } else {
            reply.problem(403, "status-token-invalid").saying(&["Location"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_outlives_the_rotation_of_its_key() {
    let road = Road::start().await;
    let old = token_url(&road).await;
    road.stack.key_vault.set_secret("causeway-status-key", "another key, long enough to sign with");
    // A new process has no cache.
    road.stack.host.as_ref().unwrap().kill_handler(None).await;
    let new = token_url(&road).await;
    let version = |url: &str| url.split('.').nth(4).map(str::to_owned);
    assert!(version(&old).is_some() && version(&old) != version(&new), "{old} {new}");
    road.get(&old).await.accepted();
    road.stack.databricks.release();
    for url in [&old, &new] {
        assert_eq!(road.follow(url).await.expect(200).at("/rows"), &json!([{"one": 1}]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_function_key_is_not_answered_without_one() {
    let road = Road::start().await;
    let base = road.stack.endpoints().host.unwrap();
    for path in ["/api/operations", "/api/sql/statements/x", "/api/runs/x", "/api/jobs/runs/1"] {
        assert_eq!(road.get(&format!("{base}{path}")).await.status, 401, "{path}");
    }
    for path in ["/api/health", "/api/health/ready"] {
        road.get(&format!("{base}{path}")).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_is_the_configured_one_when_there_is_one() {
    let road = Road::with(|options| {
        let base = "https://api.example.com/causeway/".to_owned();
        options.extra_environment.insert("CAUSEWAY_PUBLIC_BASE_URL".into(), base);
    })
    .await;
    let reply = road.post("/api/sql/statements?mode=start", &json!({"statement": "SELECT 1"})).await;
    assert!(reply.started().starts_with("https://api.example.com/causeway/api/sql/statements/"));
}
