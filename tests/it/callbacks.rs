//! `callbackUrl`: the end of work is told where its caller asked, again until it is taken, and only there.

use std::fmt::Write as _;
use std::time::Duration;

use aws_lc_rs::hmac;
use local_stack::core::{Action, Fault};
use local_stack::databricks::Clock;
use local_stack::power_bi::sample;
use local_stack::stack::LEDGER_CONTAINER;
use serde_json::{Value, json};

use crate::idempotency::hurried;
use crate::operations::declare;
use crate::road::Road;

/// Ends at once, as its parameter says.
const JUDGE: &str = "summary: Judges
parameters:
  amount: { type: integer, required: true }
steps:
  - id: judge
    assert: { that: parameters.amount > 0, message: \"{{ parameters.amount }} is too little\" }
output: { amount: \"{{ parameters.amount }}\" }
";

const PATH: &str = "/api/operations/judge";

async fn judging(change: impl FnOnce(&mut local_stack::stack::StackOptions)) -> (Road, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let own = declare(folder.path(), &[("judge.yaml", JUDGE)]);
    let road = Road::with(|options| {
        own(options);
        hurried(options);
        options.extra_environment.insert("CAUSEWAY_LOG".into(), "trace".into());
        change(options);
    })
    .await;
    (road, folder)
}

/// What the waiting action took, once there are so many.
async fn taken(road: &Road, workflow: &str, count: usize) -> Vec<Value> {
    road.until("the callback", |road| road.stack.webhooks.taken(workflow).len() >= count).await;
    road.stack.webhooks.taken(workflow)
}

/// As docs/callbacks.md tells receivers to.
fn signed_by(road: &Road, callback: &Value, body: &str) -> bool {
    let header = callback["headers"]["x-causeway-signature"].as_str().unwrap();
    let part = |name: &str| {
        let found = header.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("{header}")).to_owned()
    };
    let secret = road.stack.key_vault.secret("causeway-sealing-key").unwrap();
    let sign = |key: &[u8], message: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let key = sign(secret.as_bytes(), b"causeway callback signature v1");
    let expected = sign(key.as_ref(), format!("{}.{body}", part("t")).as_bytes());
    let hex = expected.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    hex == part("v1") && part("k").len() == 32
}

/// Neither the log nor the ledger has an address that was given out, or a part that opens it.
fn nobody_knows_the_addresses(road: &Road) {
    let lines: Vec<String> = road.stack.host.as_ref().unwrap().logs().lines().iter().map(ToString::to_string).collect();
    assert!(lines.iter().any(|line| line.contains("neighbour answered")), "no trace");
    let kept = road.ledger("").into_iter().filter_map(|name| {
        let bytes = road.stack.blob.read(LEDGER_CONTAINER, &name)?;
        Some(format!("{name} {}", String::from_utf8_lossy(&bytes)))
    });
    let signatures = road.stack.webhooks.every_signature();
    assert!(!signatures.is_empty());
    for text in lines.into_iter().chain(kept) {
        assert!(!signatures.iter().any(|signature| text.contains(signature)), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_operation_is_told_with_its_output_or_its_problem() {
    let (road, _folder) = judging(|_| {}).await;
    for (workflow, amount, state) in [("good", 5, "succeeded"), ("bad", 0, "failed")] {
        let url = road.stack.webhooks.callback_url(workflow);
        let reply = road.post(PATH, &json!({"amount": amount, "callbackUrl": url})).await;
        let subscription = reply.started();
        assert!(subscription.starts_with("http") && subscription.contains("/api/status/"), "{subscription}");
        let run = reply.header("x-causeway-run-id").unwrap().to_owned();
        let callback = taken(&road, workflow, 1).await.remove(0);
        assert_eq!(callback["headers"]["causeway-run-id"], run.as_str());
        assert_eq!(callback["headers"]["x-causeway-state"], state);
        assert_eq!(callback["headers"]["content-type"], "application/json");
        assert!(callback["headers"].get("authorization").is_none());
        // What the status answers.
        let status = road.follow(reply.at("/statusUrl").as_str().unwrap()).await;
        let mut told = callback["body"].clone();
        let mut answered = status.body.clone();
        for body in [&mut told, &mut answered] {
            body.as_object_mut().unwrap().remove("requestId");
        }
        assert_eq!(told, answered);
        assert!(signed_by(&road, &callback, &callback["body"].to_string()), "{callback}");
    }
    assert_eq!(road.stack.webhooks.taken("bad")[0]["body"]["code"], "assertion-failed");
    nobody_knows_the_addresses(&road);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_job_run_is_told_and_a_start_sent_again_answers_the_same() {
    let (road, _folder) = judging(|options| options.databricks.clock = Clock::Auto(Duration::from_millis(50))).await;
    for (job, workflow) in [("rebuild-daily-sales", "good"), ("always-fails", "bad")] {
        let path = format!("/api/jobs/{job}/runs");
        let url = road.stack.webhooks.callback_url(workflow);
        let parameters = if workflow == "good" { json!({"day": "2026-10-30"}) } else { json!({}) };
        let body = json!({"parameters": parameters, "callbackUrl": url});
        let first = road.post_keyed(&path, workflow, &body).await;
        let subscription = first.started();
        let again = road.post_keyed(&path, workflow, &body).await;
        assert!(again.replayed());
        assert_eq!((again.status, again.at("/id")), (201, first.at("/id")));
        assert_eq!(again.header("x-causeway-run-id"), first.header("x-causeway-run-id"));
        assert!(again.started().contains("/api/status/") && subscription.contains("/api/status/"));
        let callback = taken(&road, workflow, 1).await.remove(0);
        let status = road.follow(first.at("/statusUrl").as_str().unwrap()).await;
        let mut answered = status.body.clone();
        let mut told = callback["body"].clone();
        for body in [&mut told, &mut answered] {
            body.as_object_mut().unwrap().remove("requestId");
        }
        assert_eq!(told, answered, "{job}");
    }
    assert_eq!(road.effects("databricks", "jobRun").len(), 2);
    assert_eq!(road.stack.webhooks.taken("good")[0]["body"]["terminationCode"], "SUCCESS");
    assert_eq!(road.stack.webhooks.taken("bad")[0]["body"]["code"], "job-failed");
    assert_eq!(road.stack.webhooks.taken("good").len(), 1);
    nobody_knows_the_addresses(&road);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_refresh_is_told_also_of_one_that_had_to_wait() {
    let (road, _folder) = judging(|_| {}).await;
    let path = format!("/api/power-bi/workspaces/{}/datasets/{}/refreshes", sample::WORKSPACE, sample::SALES);
    for (workflow, kind) in [("first", "full"), ("second", "full")] {
        let url = road.stack.webhooks.callback_url(workflow);
        road.post(&path, &json!({"type": kind, "callbackUrl": url})).await.started();
    }
    for workflow in ["first", "second"] {
        let callback = taken(&road, workflow, 1).await.remove(0);
        assert_eq!(callback["body"]["state"], "completed", "{callback}");
    }
    assert_eq!(road.effects("powerBi", "refresh").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_away_is_told_when_it_is_back_and_the_run_sleeps_meanwhile() {
    let (road, _folder) = judging(|_| {}).await;
    let url = road.stack.webhooks.callback_url("away");
    let faults = &road.stack.webhooks.served.faults;
    faults.add(Fault::once("POST", "/workflows/", Action::CutBeforeCommit));
    let busy = Action::Status { status: 429, headers: vec![("retry-after".into(), "1".into())], body: "{}".into() };
    faults.add(Fault::once("POST", "/workflows/", busy));
    // It has taken it and we do not know: it is told again, with the same id.
    faults.add(Fault::once("POST", "/workflows/", Action::CutAfterCommit));
    let reply = road.post(PATH, &json!({"amount": 1, "callbackUrl": url})).await;
    reply.started();
    let run = reply.header("x-causeway-run-id").unwrap();
    let callbacks = taken(&road, "away", 2).await;
    assert!(callbacks.iter().all(|callback| callback["headers"]["causeway-run-id"] == run), "{callbacks:?}");
    assert_eq!(callbacks[0]["body"], callbacks[1]["body"]);
    // No invocation was held: each try was one of its own.
    road.until("the run is closed", |road| road.ledger("open/").is_empty()).await;
    assert_eq!(road.stack.webhooks.taken("away").len(), 2);
    nobody_knows_the_addresses(&road);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_is_told_once() {
    let (road, _folder) = judging(|_| {}).await;
    let url = road.stack.webhooks.callback_url("gone");
    road.stack.webhooks.end("gone");
    road.post(PATH, &json!({"amount": 1, "callbackUrl": url})).await.started();
    road.until("the run is closed", |road| road.ledger("history/").len() == 1 && road.ledger("open/").is_empty()).await;
    assert_eq!(road.effects("webhooks", "refusedCallback").len(), 1);
    let line = road.logged("that it is gone", |line| line.to_string().contains("is gone")).await;
    assert!(line.to_string().contains("127.0.0.1"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_unsubscribed_is_told_nothing() {
    let (road, _folder) = judging(|options| options.databricks.clock = Clock::Stepped).await;
    let url = road.stack.webhooks.callback_url("quiet");
    let reply = road.post("/api/jobs/slow/runs", &json!({"callbackUrl": url})).await;
    let subscription = reply.started();
    // Without a key, as a webhook trigger does; once is as good as twice.
    for _ in 0..2 {
        road.call("DELETE", &subscription, None, &[]).await.expect(200);
    }
    let status = reply.at("/statusUrl").as_str().unwrap();
    road.call("DELETE", status, None, &[]).await.problem(403, "status-token-invalid");
    road.stack.databricks.set_clock(Clock::Auto(Duration::from_millis(20)));
    road.until("the run is closed", |road| road.ledger("history/").len() == 1 && road.ledger("open/").is_empty()).await;
    assert!(road.stack.webhooks.taken("quiet").is_empty());
    // The job has run all the same.
    road.follow(status).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_is_killed_before_it_has_told_is_followed_by_one_that_does() {
    let (road, _folder) = judging(|options| {
        for queue in &mut options.queues {
            queue.lock_duration = Duration::from_secs(2);
        }
    })
    .await;
    let url = road.stack.webhooks.callback_url("killed");
    road.stack.webhooks.served.faults.add(Fault::once("POST", "/workflows/", Action::Hang));
    road.post(PATH, &json!({"amount": 1, "callbackUrl": url})).await.started();
    road.until("the first try", |road| {
        let asked = road.effects("webhooks", "request");
        asked.iter().any(|request| request["target"].as_str().is_some_and(|target| target.contains("/workflows/")))
    })
    .await;
    road.stack.host.as_ref().unwrap().kill_handler(None).await;
    assert_eq!(taken(&road, "killed", 1).await[0]["body"], json!({"amount": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_may_not_be_told_anything_is_refused_before_anything_begins() {
    let (road, _folder) = judging(|_| {}).await;
    let addresses = [
        "https://evil.example/",
        "https://logic.azure.com.evil.example/",
        "http://prod-1.westeurope.logic.azure.com/",
        "https://user@prod-1.westeurope.logic.azure.com/",
        "https://prod-1.westeurope.logic.azure.com:8443/",
        "https://169.254.169.254/metadata/identity",
        "nonsense",
    ];
    for address in addresses {
        for path in [PATH, "/api/jobs/slow/runs"] {
            let mut body = json!({"callbackUrl": address});
            if path == PATH {
                body["amount"] = json!(1);
            }
            let reply = road.post(path, &body).await.problem(422, "host-not-allowed");
            assert_eq!(reply.at("/place"), "callbackUrl", "{address}");
        }
    }
    road.post(PATH, &json!({"amount": 1, "callbackUrl": 7})).await.problem(400, "body-invalid");
    road.post(&format!("{PATH}?waitSeconds=30"), &json!({"amount": 1, "callbackUrl": null})).await.expect(200);
    assert!(road.effects("databricks", "jobRun").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_inside_is_not_told_unless_that_is_allowed() {
    let (road, _folder) = judging(|options| {
        options.extra_environment.insert("CAUSEWAY_PRIVATE_ADDRESSES".into(), "false".into());
    })
    .await;
    // On the list, and on this machine.
    let url = road.stack.webhooks.callback_url("inside");
    let reply = road.post(PATH, &json!({"amount": 1, "callbackUrl": url})).await;
    reply.problem(422, "host-not-allowed").saying(&["not on the public internet"]);
    assert!(road.effects("webhooks", "request").is_empty());
}
