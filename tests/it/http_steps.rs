//! `http` steps: what is sent, what is kept, what becomes of a lost answer; and that no secret of theirs is written down.

use local_stack::core::{Action, Fault};
use local_stack::stack::LEDGER_CONTAINER;
use serde_json::{Value, json};

use crate::idempotency::hurried;
use crate::operations::declare;
use crate::road::Road;

const HOOK: &str = "summary: Calls a hook
parameters:
  day: { type: date, required: true }
steps:
  - id: call
    http:
      url_secret: hook
      headers: { x-day: \"{{ parameters.day }}\", authorization: { secret: hook-token } }
      body: { text: \"done for {{ parameters.day }}\" }
output: { status: \"{{ steps.call.status }}\", got: \"{{ steps.call.body }}\", id: \"{{ steps.call.headers['x-request-id'] }}\" }
";

const AGAIN: &str = "summary: Calls a hook, twice if need be
steps:
  - id: call
    http: { url_secret: hook, method: PUT, idempotent: true, body: [1, 2] }
output: { status: \"{{ steps.call.status }}\" }
";

const ELSEWHERE: &str = "summary: Calls what it is told to
parameters:
  url: { type: string, required: true }
steps:
  - id: call
    http: { url: \"{{ parameters.url }}\", expect: [200, 404] }
output: { status: \"{{ steps.call.status }}\" }
";

const WAITS: &str = "summary: Waits until it is done
steps:
  - id: done
    wait_for:
      http: { url_secret: hook, headers: { authorization: { secret: hook-token } } }
      until: result.body.state == 'done'
      every: 1s
output: { tries: \"{{ steps.done.body.tries }}\" }
";

const TELLS: &str = "summary: Tells when it fails
steps:
  - id: stop
    assert: { that: 1 > 2, message: never }
on_failure:
  - id: tell
    http: { url_secret: hook, idempotent: true, body: { text: \"{{ run.operation }} failed: {{ run.error.detail }}\" } }
";

async fn calling(change: impl FnOnce(&mut local_stack::stack::StackOptions)) -> (Road, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("hook.yaml", HOOK),
        ("again.yaml", AGAIN),
        ("elsewhere.yaml", ELSEWHERE),
        ("tells.yaml", TELLS),
        ("waits.yaml", WAITS),
    ];
    let own = declare(folder.path(), &files);
    let road = Road::with(|options| {
        own(options);
        hurried(options);
        options.extra_environment.insert("CAUSEWAY_LOG".into(), "trace".into());
        options.secrets.insert("hook-token".into(), "Bearer hush-nobody-may-know".into());
        change(options);
    })
    .await;
    road.stack.key_vault.set_secret("hook", &road.stack.webhooks.hook_url("tell"));
    (road, folder)
}

fn nothing_is_written_down(road: &Road) {
    let lines: Vec<String> = road.stack.host.as_ref().unwrap().logs().lines().iter().map(ToString::to_string).collect();
    let kept = road.ledger("").into_iter().filter_map(|name| {
        let bytes = road.stack.blob.read(LEDGER_CONTAINER, &name)?;
        Some(format!("{name} {}", String::from_utf8_lossy(&bytes)))
    });
    let mut secrets: Vec<String> = road.stack.webhooks.every_signature().into_iter().collect();
    secrets.push("hush-nobody-may-know".into());
    for text in lines.into_iter().chain(kept) {
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_rotated_is_read_again_when_the_old_one_is_refused() {
    let (road, _folder) = calling(|_| {}).await;
    road.post("/api/operations/again", &json!({})).await.expect(200);
    road.stack.key_vault.set_secret("hook", &road.stack.webhooks.hook_url("moved"));
    let refused = Action::Status { status: 401, headers: Vec::new(), body: String::new() };
    road.stack.webhooks.served.faults.add(Fault::once("PUT", "/hooks/tell", refused));
    let reply = road.post("/api/operations/again", &json!({})).await.expect(200);
    assert_eq!(reply.at("/status"), 200);
    assert_eq!((road.stack.webhooks.hooked("tell").len(), road.stack.webhooks.hooked("moved").len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_out_with_its_secrets_and_what_comes_back_is_kept_without_them() {
    let (road, _folder) = calling(|_| {}).await;
    let reply = road.post("/api/operations/hook?waitSeconds=60", &json!({"day": "2026-10-31"})).await.expect(200);
    let got = &road.stack.webhooks.hooked("tell")[0];
    assert_eq!((&got["method"], &got["body"]), (&json!("POST"), &json!({"text": "done for 2026-10-31"})));
    assert_eq!(got["headers"]["authorization"], "Bearer hush-nobody-may-know");
    assert_eq!(got["headers"]["x-day"], "2026-10-31");
    assert_eq!(got["headers"]["idempotency-key"].as_str().unwrap().len(), 64);
    assert_eq!((reply.at("/status"), reply.at("/id")), (&json!(200), &json!("received-1")));
    // The receiver quotes what it was sent.
    assert_eq!(reply.at("/got/authorization"), "***");
    nothing_is_written_down(&road);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_unknown_unless_the_call_may_be_made_twice() {
    let (road, _folder) = calling(|_| {}).await;
    let cut = Fault::once("POST", "/hooks/tell", Action::CutAfterCommit);
    road.stack.webhooks.served.faults.add(cut);
    let reply = road.post("/api/operations/hook?waitSeconds=60", &json!({"day": "2026-10-31"})).await;
    reply.problem(409, "outcome-unknown").saying(&["may or may not"]);
    assert_eq!(road.stack.webhooks.hooked("tell").len(), 1);

    road.stack.webhooks.served.faults.add(Fault::once("PUT", "/hooks/tell", Action::CutAfterCommit));
    let reply = road.post("/api/operations/again?waitSeconds=60", &json!({})).await.expect(200);
    assert_eq!(reply.at("/status"), 200);
    let calls = road.stack.webhooks.hooked("tell");
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[1]["headers"]["idempotency-key"], calls[2]["headers"]["idempotency-key"]);
    nothing_is_written_down(&road);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_receiver_is_called_later_and_one_that_refuses_is_told() {
    let (road, _folder) = calling(|_| {}).await;
    let status = |status: u16, after: &str| {
        let headers = if after.is_empty() { vec![] } else { vec![("retry-after".to_owned(), after.to_owned())] };
        Action::Status { status, headers, body: "Bearer hush-nobody-may-know is busy".into() }
    };
    let faults = &road.stack.webhooks.served.faults;
    faults.add(Fault::once("POST", "/hooks/tell", status(503, "1")).times(4));
    let reply = road.post("/api/operations/hook?waitSeconds=60", &json!({"day": "2026-10-31"})).await;
    let reply = if reply.status == 202 { road.follow(&reply.accepted()).await } else { reply };
    reply.expect(200);
    assert_eq!(road.stack.webhooks.hooked("tell").len(), 1);

    faults.add(Fault::once("POST", "/hooks/tell", status(403, "")));
    let reply = road.post("/api/operations/hook?waitSeconds=60", &json!({"day": "2026-10-31"})).await;
    let reply = reply.problem(422, "http-failed").saying(&["403", "*** is busy"]);
    assert_eq!((reply.at("/step"), reply.at("/upstream/status")), (&json!("call"), &json!(403)));
    nothing_is_written_down(&road);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_addresses_on_the_list_are_called() {
    let (road, _folder) = calling(|_| {}).await;
    let address = road.stack.webhooks.served.address;
    for url in [
        "https://evil.example/".to_owned(),
        format!("https://localhost:{}/hooks/tell", address.port()),
        format!("https://user@{address}/hooks/tell"),
        format!("https://127.0.0.1:{}/", address.port() ^ 1),
        "https://169.254.169.254/metadata".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let reply = road.post("/api/operations/elsewhere?waitSeconds=60", &json!({"url": url})).await;
        let reply = reply.problem(422, "host-not-allowed");
        assert_eq!(reply.at("/step"), "call", "{url}");
    }
    assert!(road.effects("webhooks", "request").is_empty());
    // A redirect is an answer like any other, and leads nowhere.
    let away = Action::Status {
        status: 302,
        headers: vec![("location".into(), "https://169.254.169.254/".into())],
        body: String::new(),
    };
    road.stack.webhooks.served.faults.add(Fault::once("GET", "/hooks/tell", away));
    let body = json!({"url": format!("https://{address}/hooks/tell")});
    road.post("/api/operations/elsewhere?waitSeconds=60", &body).await.problem(422, "http-failed").saying(&["302"]);
    let reply = road.post("/api/operations/elsewhere?waitSeconds=60", &body).await.expect(200);
    assert_eq!(reply.at("/status"), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_looked_at_until_it_answers_what_is_waited_for() {
    let (road, _folder) = calling(|_| {}).await;
    let answers = [(200, r#"{"state": "running"}"#), (429, ""), (503, ""), (200, r#"{"state": "done", "tries": 4}"#)];
    for (status, body) in answers {
        let headers = vec![("content-type".into(), "application/json".into()), ("retry-after".into(), "1".into())];
        let answer = Action::Status { status, headers, body: body.into() };
        road.stack.webhooks.served.faults.add(Fault::once("GET", "/hooks/tell", answer));
    }
    let reply = road.post("/api/operations/waits?waitSeconds=60", &json!({})).await.expect(200);
    assert_eq!(reply.at("/tries"), 4);
    assert!(road.effects("webhooks", "request").iter().all(|request| request["method"] == "GET"));
    nothing_is_written_down(&road);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_as_long_as_no_host_is_listed() {
    let (road, _folder) = calling(|options| {
        options.extra_environment.insert("CAUSEWAY_HTTP_HOSTS".into(), String::new());
    })
    .await;
    let reply = road.post("/api/operations/again?waitSeconds=60", &json!({})).await;
    reply.problem(422, "host-not-allowed").saying(&["127.0.0.1"]);
    assert!(road.effects("webhooks", "request").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_and_stays_the_answer() {
    let (road, _folder) = calling(|_| {}).await;
    road.post("/api/operations/tells?waitSeconds=60", &json!({})).await.problem(422, "assertion-failed");
    let got: Vec<Value> = road.stack.webhooks.hooked("tell");
    assert_eq!(got[0]["body"], json!({"text": "tells failed: never"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_dies_while_its_secret_is_read_leaves_nobody_in_doubt() {
    let (road, _folder) = calling(|options| {
        // A dead worker's lease ends with its deadline and half a minute.
        options.extra_environment.insert("CAUSEWAY_MESSAGE_SECONDS".into(), "12".into());
    })
    .await;
    let faults = &road.stack.key_vault.served.faults;
    faults.add(Fault::once("GET", "/secrets/hook-token", Action::Hang).times(1_000));
    road.request("a", &json!({"operation": "hook", "parameters": {"day": "2026-10-31"}}));
    let reads = |request: &Value| request["target"].as_str().is_some_and(|target| target.contains("hook-token"));
    road.until("the secret is asked for", |road| road.effects("keyVault", "request").iter().any(reads)).await;
    faults.clear();
    road.stack.host.as_ref().unwrap().kill_handler(None).await;
    let ended = road.ended(&causeway::runs::identity::run_id(&["queue", "causeway-requests", "a"])).await;
    assert_eq!((&ended["state"], &ended["output"]["status"]), (&json!("succeeded"), &json!(200)), "{ended}");
    assert_eq!(road.stack.webhooks.hooked("tell").len(), 1);
    nothing_is_written_down(&road);
}
