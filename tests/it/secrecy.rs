//! Nothing that is said, logged or kept holds a secret, at the most talkative level of the log.

use local_stack::core::{Action, Fault};
use local_stack::databricks::Blocked;
use local_stack::power_bi::sample;
use local_stack::stack::{DatabricksAuthentication, LEDGER_CONTAINER};
use serde_json::json;

use crate::road::{Reply, Road};

/// As it might be written: plain, in a query, or inside JSON.
fn spellings(secret: &str) -> Vec<String> {
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    vec![secret.to_owned(), encoded, json!(secret).to_string().trim_matches('"').to_owned()]
}

/// One call of each kind, good and bad.
async fn calls(road: &Road) -> Vec<Reply> {
    let power_bi = format!("/api/power-bi/workspaces/{}/datasets/{}", sample::WORKSPACE, sample::SALES);
    let accepted = road.post("/api/operations/refresh-sales?waitSeconds=0", &json!({"day": "2026-10-31"})).await;
    let location = accepted.accepted();
    let followed = road.follow(&location).await;
    // The key in the query, as a webhook sends it.
    let key = road.stack.credentials().host_key.unwrap();
    let host = road.stack.endpoints().host.unwrap();
    let in_query = road.call("GET", &format!("{host}/api/sql/nothing?code={key}"), None, &[]).await;
    vec![
        accepted,
        followed,
        in_query,
        road.sql("SELECT 1").await,
        road.sql("SELECT nothing FROM nowhere").await,
        road.post_keyed("/api/sql/statements", "k", &json!({"statement": "SELECT 2"})).await,
        road.post("/api/jobs/rebuild-daily-sales/runs?waitSeconds=0", &json!({})).await,
        road.post("/api/jobs/nothing/runs", &json!({})).await,
        road.post(&format!("{power_bi}/refreshes?waitSeconds=0"), &json!({})).await,
        road.post(&format!("{power_bi}/tables/T/rows"), &json!({"rows": [{"a": 1}]})).await,
        road.get("/api/health/ready").await,
        road.get("/api/status/v1.a.b.c").await,
    ]
}

async fn tells_no_secret(authentication: DatabricksAuthentication) {
    let road = Road::with(|options| {
        options.databricks_authentication = authentication;
        options.extra_environment.insert("CAUSEWAY_LOG".into(), "trace".into());
    })
    .await;
    let mut replies = calls(&road).await;
    road.request("a", &json!({"operation": "refresh-sales", "parameters": {"day": "2026-10-30"}}));
    road.request("b", &json!({"operation": "refresh-sales", "parameters": {"day": "never"}}));
    road.messages("causeway-parking", 1).await;
    // Refused tokens and a vault that fails are where errors like to quote what was sent.
    road.stack.entra.tokens.revoke_all();
    road.stack.databricks.forget_issued_tokens();
    replies.push(road.sql("SELECT 3").await);
    let broken = Action::Status { status: 500, headers: Vec::new(), body: "no".into() };
    road.stack.key_vault.served.faults.add(Fault::once("GET", "/secrets/", broken).times(1_000));
    replies.push(road.post("/api/jobs/slow/runs?mode=start", &json!({})).await);
    road.until("both requests are settled", |road| {
        let done = road.effects("serviceBus", "completed");
        done.iter().filter(|done| done["queue"] == "causeway-requests").count() >= 2
    })
    .await;

    let lines: Vec<String> = road.stack.host.as_ref().unwrap().logs().lines().iter().map(ToString::to_string).collect();
    let read = |name: &String| road.stack.blob.read(LEDGER_CONTAINER, name);
    let kept: Vec<String> = road
        .ledger("")
        .iter()
        .filter_map(|name| Some(format!("{name} {}", String::from_utf8_lossy(&read(name)?))))
        .collect();
    let parked = road.queue("causeway-parking").peek().into_iter().map(|message| format!("{message:?}"));
    let said = replies.iter().map(|reply| format!("{:?} {}", reply.headers, reply.body));
    let said: Vec<String> = said.chain(parked).collect();

    // What is looked through is there at all.
    assert!(lines.iter().any(|line| line.contains("neighbour answered")), "no trace");
    assert!(kept.iter().any(|entry| entry.starts_with("claims/")), "no claims");
    assert!(kept.iter().any(|entry| entry.starts_with("runs/")), "no runs");
    let secrets = road.stack.every_secret();
    assert!(secrets.len() > 8);
    let spelled: Vec<String> = secrets.iter().flat_map(|secret| spellings(secret)).collect();
    for text in lines.iter().chain(&kept).chain(&said) {
        assert!(!spelled.iter().any(|secret| text.contains(secret)), "{text}");
    }
    // A status URL needs no key, so it is one: its caller has it, the log and the ledger do not.
    let tokens: Vec<&str> =
        replies.iter().filter_map(|reply| reply.body["statusUrl"].as_str()?.rsplit('/').next()).collect();
    assert!(tokens.len() > 2, "{tokens:?}");
    for text in lines.iter().chain(&kept) {
        assert!(!tokens.iter().any(|token| text.contains(token)), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_no_line_and_no_ledger_entry_holds_a_secret() {
    tells_no_secret(DatabricksAuthentication::OAuthM2m).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_personal_token_is_told_either() {
    tells_no_secret(DatabricksAuthentication::PersonalAccessToken).await;
}

/// Everything, as makers use it, while each neighbour fails now and then: what fails likes to quote what was sent.
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_demo_with_faults_tells_no_secret() {
    let road = Road::with(|options| {
        options.extra_environment.insert("CAUSEWAY_LOG".into(), "trace".into());
    })
    .await;
    let stack = &road.stack;
    let status =
        |status: u16| Action::Status { status, headers: vec![("Retry-After".into(), "1".into())], body: "no".into() };
    for served in [&stack.databricks.served, &stack.key_vault.served, &stack.service_bus.served, &stack.blob.served] {
        for (skip, action) in [(1, status(503)), (4, status(429)), (9, Action::CutBeforeCommit)] {
            served.faults.add(Fault { skip, method: None, ..Fault::once("", "", action) });
        }
    }
    let heard = local_stack::demo::over(stack).await.unwrap();
    assert!(heard.len() > 5);
    // A handler that dies says why, to the host.
    stack.host.as_ref().unwrap().kill_handler(None).await;
    road.sql("SELECT 1").await;

    let told: Vec<String> = stack.history.all().iter().map(|entry| format!("{entry:?}")).collect();
    let kept = road.ledger("").into_iter().filter_map(|name| stack.blob.read(LEDGER_CONTAINER, &name));
    let kept: Vec<String> = kept.map(|entry| String::from_utf8_lossy(&entry).into_owned()).collect();
    let lines: Vec<String> = stack.host.as_ref().unwrap().logs().lines().iter().map(ToString::to_string).collect();
    assert!(lines.iter().any(|line| line.contains("\"tries\":2")), "no fault was met");
    let spelled: Vec<String> = stack.every_secret().iter().flat_map(|secret| spellings(secret)).collect();
    for text in lines.iter().chain(&kept).chain(&heard).chain(&told) {
        assert!(!spelled.iter().any(|secret| text.contains(secret)), "{text}");
    }
}

/// Whoever has a presigned link and its headers has the rows.
#[tokio::test(flavor = "multi_thread")]
async fn no_line_no_answer_and_no_entry_holds_a_link_to_a_result() {
    let header = "key-that-opens-the-chunk";
    let road = Road::with(|options| {
        options.databricks.link_headers = vec![("x-amz-server-side-encryption-customer-key".into(), header.into())];
        options.databricks.chunk_rows = 400;
        options.extra_environment.insert("CAUSEWAY_LOG".into(), "trace".into());
    })
    .await;
    let read = json!({"statement": "SELECT id FROM range(0, 2000) AS t(id)", "disposition": "externalLinks"});
    let posted = async |query: &str, key: &str| {
        let headers = [("Idempotency-Key", key)];
        let path = format!("/api/sql/statements{query}");
        let response = road.open("POST", &path, Some(read.to_string()), &headers).await;
        let headers = format!("{:?}", response.headers());
        format!("{headers} {}", response.text().await.unwrap_or_default())
    };
    let mut said = vec![posted("", "a").await, posted("?format=ndjson", "b").await];
    assert!(said[1].contains("1999"), "{}", said[1]);
    road.stack.databricks.expire_links();
    said.push(posted("?format=csv", "c").await);
    for blocked in [Blocked::Firewall, Blocked::Unreachable] {
        road.stack.databricks.block_storage(Some(blocked));
        said.push(posted("", &format!("{blocked:?}")).await);
    }
    assert!(said[3].contains("storage-blocked") && said[4].contains("storage-blocked"), "{said:?}");

    let lines: Vec<String> = road.stack.host.as_ref().unwrap().logs().lines().iter().map(ToString::to_string).collect();
    assert!(lines.iter().any(|line| line.contains("neighbour answered")), "no trace");
    let kept = road.ledger("").into_iter().filter_map(|name| road.stack.blob.read(LEDGER_CONTAINER, &name));
    let kept: Vec<String> = kept.map(|entry| String::from_utf8_lossy(&entry).into_owned()).collect();
    assert!(!kept.is_empty());
    for text in lines.iter().chain(&kept).chain(&said) {
        for part in ["sig=", "sig%3D", "/sql/20", header] {
            assert!(!text.contains(part), "{text}");
        }
    }
}

/// What a process that dies leaves on a disk is its memory.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_leaves_no_core_dump() {
    let road = Road::start().await;
    let process = road.stack.host.as_ref().unwrap().processes().remove(0);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.pid.unwrap())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}
