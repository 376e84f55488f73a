//! Sensitive parameters: bound where they are meant to go, and written down or told nowhere else.

use local_stack::stack::{LEDGER_CONTAINER, StackOptions};
use serde_json::json;

use crate::operations::declare;
use crate::road::Road;

const LOGIN: &str = "summary: Uses a secret
parameters:
  pin: { type: string, required: true, sensitive: true }
  who: { type: string }
steps:
  - id: compare
    sql: { statement: \"SELECT :pin = concat('swordfish', '-9') AS right, upper(:pin) AS shouted, :pin AS said\", parameters: { pin: \"{{ parameters.pin }}\" }, expect: one_row }
  - id: cast
    when: parameters.who == 'fail'
    sql: { statement: \"SELECT CAST(:pin AS INT) AS number\", parameters: { pin: \"{{ parameters.pin }}\" } }
  - id: call
    http: { url_secret: hook, body: { pin: \"{{ parameters.pin }}\" } }
output: { right: \"{{ steps.compare.row.right }}\", said: \"{{ steps.compare.row.said }}\" }
";

const PIN: &str = "swordfish-9";

async fn login(change: impl FnOnce(&mut StackOptions)) -> (Road, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let own = declare(folder.path(), &[("login.yaml", LOGIN)]);
    let road = Road::with(|options| {
        own(options);
        options.extra_environment.insert("CAUSEWAY_LOG".into(), "trace".into());
        change(options);
    })
    .await;
    road.stack.key_vault.set_secret("hook", &road.stack.webhooks.hook_url("login"));
    (road, folder)
}

fn nobody_has_written_it_down(road: &Road) {
    let lines: Vec<String> = road.stack.host.as_ref().unwrap().logs().lines().iter().map(ToString::to_string).collect();
    let kept: Vec<String> = road
        .ledger("")
        .into_iter()
        .filter_map(|name| {
            let bytes = road.stack.blob.read(LEDGER_CONTAINER, &name)?;
            Some(format!("{name} {}", String::from_utf8_lossy(&bytes)))
        })
        .collect();
    assert!(
        kept.iter().any(|entry| entry.starts_with("claims/")) && kept.iter().any(|entry| entry.starts_with("runs/"))
    );
    assert!(kept.iter().any(|entry| entry.contains("$sealed")), "nothing is sealed");
    for text in lines.iter().chain(&kept) {
        assert!(!text.contains(PIN), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sensitive_parameter_reaches_its_steps_and_nothing_else() {
    let (road, _folder) = login(|_| {}).await;
    let reply = road.post_keyed("/api/operations/login?waitSeconds=60", "k", &json!({"pin": PIN, "who": "me"})).await;
    let reply = if reply.status == 202 { road.follow(&reply.accepted()).await } else { reply }.expect(200);
    // What a step gives back of it reads so too.
    assert_eq!((reply.at("/right"), reply.at("/said")), (&json!(true), &json!("***")));
    assert_eq!(road.stack.webhooks.hooked("login")[0]["body"], json!({"pin": PIN}));
    let again = road.post_keyed("/api/operations/login?waitSeconds=60", "k", &json!({"pin": PIN, "who": "me"})).await;
    assert!(again.replayed());
    let other = road.post_keyed("/api/operations/login", "k", &json!({"pin": "other", "who": "me"})).await;
    other.problem(422, "idempotency-key-reused");
    let run = again.header("x-causeway-run-id").unwrap();
    let seen = road.get(&format!("/api/runs/{run}")).await.expect(200);
    assert_eq!(seen.at("/parameters"), &json!({"pin": "***", "who": "me"}));
    assert!(!seen.body.to_string().contains(PIN));
    nobody_has_written_it_down(&road);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbours_refusal_that_quotes_it_is_told_without_it() {
    let (road, _folder) = login(|_| {}).await;
    road.stack.databricks.fail("CAST(:pin", &format!("The value '{PIN}' cannot be cast to INT"), Some("22018"), 1);
    let reply = road.post("/api/operations/login?waitSeconds=60", &json!({"pin": PIN, "who": "fail"})).await;
    let reply = if reply.status == 202 { road.follow(&reply.accepted()).await } else { reply };
    let reply = reply.problem(422, "statement-failed").saying(&["'***' cannot be cast"]);
    assert!(!reply.body.to_string().contains(PIN));
    nobody_has_written_it_down(&road);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sealed_before_a_rotation_is_still_read_and_a_run_goes_on_after_a_kill() {
    let (road, _folder) = login(|options| {
        options.extra_environment.insert("CAUSEWAY_SECRET_CACHE_SECONDS".into(), "1".into());
    })
    .await;
    road.stack.databricks.hold("SELECT :pin", None);
    let reply = road.post("/api/operations/login?waitSeconds=1", &json!({"pin": PIN, "who": "me"})).await;
    let location = reply.accepted();
    road.stack.key_vault.set_secret("causeway-sealing-key", "another key of thirty-two characters or more");
    road.stack.host.as_ref().unwrap().kill_handler(None).await;
    road.stack.databricks.release();
    let reply = road.follow(&location).await.expect(200);
    assert_eq!(reply.at("/right"), true);
    assert_eq!(road.stack.webhooks.hooked("login")[0]["body"], json!({"pin": PIN}));
    nobody_has_written_it_down(&road);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_may_hold_one_and_its_run_does_not() {
    let (road, _folder) = login(|_| {}).await;
    road.request("a", &json!({"operation": "login", "parameters": {"pin": PIN, "who": "me"}}));
    let run = causeway::runs::identity::run_id(&["queue", "causeway-requests", "a"]);
    let ended = road.ended(&run).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["parameters"]["pin"], "***");
    let kept = road.ledger("runs/").into_iter().filter_map(|name| road.stack.blob.read(LEDGER_CONTAINER, &name));
    for bytes in kept {
        assert!(!String::from_utf8_lossy(&bytes).contains(PIN));
    }
}
