//! The contract with the Functions host, on the real process: logs, settings, exits, early answers, bodies.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use local_stack::core::{Action, Fault};
use local_stack::host::Source;
use serde_json::{Value, json};

use crate::road::{PATIENCE, Road, handler};

#[tokio::test(flavor = "multi_thread")]
async fn every_line_on_stdout_is_json_and_an_invocations_lines_carry_its_id() {
    let road = Road::start().await;
    let fine = road.sql("SELECT 1").await.expect(200);
    let failed = road.sql("SELECT nothing FROM nowhere").await;
    for reply in [&fine, &failed] {
        let id = reply.header("x-request-id").unwrap();
        road.logged(&format!("the invocation {id}"), |line| line["invocationId"] == id).await;
    }
    let lines = road.stack.host.as_ref().unwrap().logs().lines();
    let ours: Vec<Value> = lines
        .iter()
        .filter(|line| line.source == Source::Output)
        .map(|line| serde_json::from_str(&line.text).unwrap_or_else(|_| panic!("no JSON: {}", line.text)))
        .collect();
    assert!(!ours.is_empty());
    assert!(!lines.iter().any(|line| line.source == Source::Error), "something went to stderr");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_leaves_the_process_up_and_is_named() {
    let road = Road::with(|options| {
        options.extra_environment.insert("CAUSEWAY_DATABRICKS_HOST".into(), "not a url".into());
        options.extra_environment.insert("CAUSEWAY_CLAIM_HOURS".into(), "many".into());
    })
    .await;
    let reply = road.sql("SELECT 1").await.problem(503, "misconfigured");
    let reply = reply.saying(&["CAUSEWAY_DATABRICKS_HOST", "CAUSEWAY_CLAIM_HOURS"]);
    assert!(!reply.message().contains("not a url"), "a value might be a secret: {}", reply.message());
    road.get("/api/health").await.expect(200);
    assert_eq!(road.stack.host.as_ref().unwrap().restarts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_not_known_is_a_warning_and_nothing_more() {
    let road = Road::with(|options| {
        options.extra_environment.insert("CAUSEWAY_WAREHOUSE".into(), "x".into());
    })
    .await;
    road.sql("SELECT 1").await.expect(200);
    let warned = |line: &Value| line["level"] == "WARN" && line.to_string().contains("CAUSEWAY_WAREHOUSE");
    road.logged("that the setting is not known", warned).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_answered_while_a_neighbour_hangs() {
    let road = Road::start().await;
    road.stack.key_vault.served.faults.add(Fault::once("GET", "/secrets/", Action::Hang).times(1_000));
    let host = road.stack.host.as_ref().unwrap();
    host.kill_handler(None).await;
    tokio::time::timeout(PATIENCE, road.stack.ready()).await.unwrap().unwrap();
    let none = json!({});
    let waiting = road.post("/api/jobs/slow/runs?mode=start", &none);
    let answered = async {
        let asked = road.until("Key Vault is asked", |road| {
            let requests = road.effects("keyVault", "request");
            requests
                .iter()
                .filter(|request| request["target"].as_str().is_some_and(|to| to.contains("status-key")))
                .count()
                > 0
        });
        asked.await;
        let root = format!("http://127.0.0.1:{}/", host.processes()[0].port);
        assert_eq!(road.get(&root).await.status, 200);
        road.get("/api/health").await.expect(200);
        // The neighbour comes back, and the call that waited is answered.
        road.stack.key_vault.served.faults.clear();
    };
    let (reply, ()) = tokio::join!(waiting, answered);
    assert!(reply.status == 201 || reply.code() == "key-vault-unavailable", "{}", reply.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_come_in_chunks() {
    let road = Road::start().await;
    let text = json!({"statement": "SELECT 5 AS five"}).to_string();
    let pieces: Vec<std::io::Result<String>> = text.chars().map(|letter| Ok(letter.to_string())).collect();
    let credentials = road.stack.credentials();
    let request = reqwest::Client::new()
        .post(format!("{}/api/sql/statements", road.stack.endpoints().host.unwrap()))
        .header("x-functions-key", credentials.host_key.unwrap())
        .body(reqwest::Body::wrap_stream(futures_util::stream::iter(pieces)));
    let reply = request.send().await.unwrap();
    assert_eq!(reply.status(), 200);
    let body: Value = reply.json().await.unwrap();
    assert_eq!(body["rows"], json!([{"five": 5}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_addresses_and_methods_are_problems_too() {
    let road = Road::start().await;
    road.get("/api/sql/nothing").await.expect(404);
    let reply = road.call("DELETE", "/api/operations/refresh-sales", None, &[]).await;
    assert!([404, 405].contains(&reply.status), "{}", reply.body);
    let named = road.call("GET", "/api/operations/nothing", None, &[("accept", "application/problem+json")]).await;
    assert_eq!(named.header("content-type"), Some("application/problem+json"));
    road.get("/api/operations?colour=red").await.problem(400, "query-invalid").saying(&["colour"]);
    road.post("/api/jobs/slow/runs?waitSeconds=500", &json!({})).await.problem(400, "query-invalid").saying(&["105"]);
}

/// A process of its own, listening.
fn listening(port: u16) -> (std::process::Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(handler())
        .arg("serve")
        .env_clear()
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the handler starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    while !line.contains("listening") && lines.read_line(&mut line).is_ok_and(|read| read > 0) {}
    // It answers when it has begun to listen to signals too.
    let port = line.split("\"port\":").nth(1).and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    if let Some(Ok(mut door)) = port.map(|port| std::net::TcpStream::connect(format!("127.0.0.1:{port}"))) {
        door.write_all(b"GET / HTTP/1.1\r\nhost: handler\r\n\r\n").expect("sent");
        door.read_exact(&mut [0; 12]).expect("an answer");
    }
    (child, lines)
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn no_way_out_is_0() {
    let ended = tokio::task::spawn_blocking(|| {
        // Without a single setting it stays up, until it is asked to end.
        let (mut asked, _lines) = listening(0);
        assert!(asked.try_wait().unwrap().is_none(), "it ended by itself");
        let killed = Command::new("kill").args(["-TERM", &asked.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let terminated = asked.wait().unwrap().code();

        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (mut refused, _lines) = listening(taken.local_addr().unwrap().port());
        let mut said = String::new();
        let code = refused.wait().unwrap().code();
        refused.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.contains("could not listen"), "{said}");
        let usage = Command::new(handler()).arg("sevre").stderr(Stdio::null()).status().unwrap().code();
        [terminated, code, usage]
    });
    let codes = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
    assert_eq!(codes[0], Some(143));
    assert!(codes.iter().all(|code| code.is_some_and(|code| code != 0)), "{codes:?}");
}
