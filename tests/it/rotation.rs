//! Renewing the personal access token: by the timer and by hand, by two at once, refused, and killed at any call.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use causeway::runs::identity::hash;
use futures_util::future::join_all;
use local_stack::core::{Action, Crash, Fault, Moment};
use local_stack::databricks::{TOKEN, TokenRules};
use local_stack::host::Outcome;
use local_stack::stack::{DatabricksAuthentication, LEDGER_CONTAINER};
use tokio::process::{Child, Command};

use crate::road::{PATIENCE, Road, handler};

const SECRET: &str = "databricks-token";
/// Crashes in an ordinary run; each may cost a dead worker's hold.
const DRAWN: usize = 4;
/// Stacks side by side when all calls are crashed in.
const STACKS: usize = 4;

async fn road(host: bool, settings: &[(&str, &str)]) -> Road {
    Road::with(|options| {
        options.host = host;
        options.databricks.engine = false;
        options.databricks_authentication = DatabricksAuthentication::PersonalAccessToken;
        let given = [
            ("CAUSEWAY_PAT_ROTATION", "managed-identity"),
            ("CAUSEWAY_PAT_GRACE_SECONDS", "0"),
            ("CAUSEWAY_SEND_WINDOW_SECONDS", "4"),
            ("CAUSEWAY_SEND_MARGIN_SECONDS", "1"),
        ];
        for (name, value) in given.iter().chain(settings) {
            options.extra_environment.insert((*name).to_owned(), (*value).to_owned());
        }
    })
    .await
}

fn command(road: &Road, arguments: &[&str]) -> Child {
    let mut command = Command::new(handler());
    command.arg("rotate-pat").args(arguments).env_clear().envs(road.stack.handler_environment()).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// Exit code, and what it said on both streams.
async fn said(child: Child) -> (Option<i32>, String) {
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("in time").expect("an end");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

fn current(road: &Road) -> String {
    road.stack.key_vault.secret(SECRET).expect("a token")
}

/// Live tokens that Causeway has made.
fn ours(road: &Road) -> usize {
    road.stack.databricks.token_comments().iter().filter(|comment| comment.starts_with("Causeway: ")).count()
}

async fn tick(road: &Road) -> Outcome {
    road.stack.host.as_ref().expect("a host").fire_timer("rotate-pat", false).await.expect("a timer")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timer_renews_the_token_once_and_calls_go_on_with_the_new_one() {
    let road = road(true, &[]).await;
    road.get("/api/jobs").await.expect(200);
    assert_eq!(tick(&road).await, Outcome::Succeeded);
    let new = current(&road);
    assert!(new != TOKEN && ours(&road) == 1);
    road.get("/api/jobs").await.expect(200);
    assert_eq!(tick(&road).await, Outcome::Succeeded);
    assert_eq!(current(&road), new, "it is not due");
    // Every instance hears of it, and nothing that is kept has the value.
    assert!(!road.ledger(&format!("secrets/{SECRET}/")).is_empty());
    for name in road.ledger("") {
        let bytes = road.stack.blob.read(LEDGER_CONTAINER, &name).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains(&new), "{name} has the token");
    }
    // The old one may go: the instance reads the new one.
    road.stack.databricks.remove_token(TOKEN);
    road.get("/api/jobs").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_hand_the_old_token_is_revoked_after_its_grace_or_at_once() {
    let road = road(false, &[("CAUSEWAY_PAT_GRACE_SECONDS", "86400")]).await;
    let (code, told) = said(command(&road, &[])).await;
    assert!(code == Some(0) && told.contains("the new token serves; the old one is revoked at"), "{told}");
    let first = current(&road);
    let (code, told) = said(command(&road, &[])).await;
    assert!(code == Some(0) && current(&road) == first, "it goes on, and makes no other: {told}");
    let (code, told) = said(command(&road, &["--again"])).await;
    assert!(code == Some(0) && current(&road) != first && ours(&road) == 2, "{told}");
    assert!(road.stack.databricks.token_is_good(&first), "its grace has not passed");
    let (code, told) = said(command(&road, &["--revoke-now"])).await;
    assert!(code == Some(0) && told.contains("1 old tokens are revoked") && ours(&road) == 1, "{told}");
    assert!(road.stack.databricks.token_is_good(&current(&road)));
    assert!(!told.contains(&current(&road)) && !told.contains("dapi"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_make_one_token() {
    let road = road(true, &[]).await;
    let second = road.stack.another_host(0).await.expect("a second host");
    second.ready().await.expect("ready");
    let by_hand = said(command(&road, &[]));
    let (first, other, (code, told)) = tokio::join!(tick(&road), second.fire_timer("rotate-pat", false), by_hand);
    assert_eq!((first, other.expect("a timer"), code), (Outcome::Succeeded, Outcome::Succeeded, Some(0)), "{told}");
    let made = road.effects("databricks", "token").len();
    // Who came after all was done, by hand, has asked for another.
    assert!(made == 1 || (made == 2 && !told.contains("waiting")), "{made}: {told}");
    assert_eq!(ours(&road), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn off_it_does_nothing_and_says_how_to_turn_it_on() {
    let road = road(true, &[("CAUSEWAY_PAT_ROTATION", "off")]).await;
    assert_eq!(tick(&road).await, Outcome::Succeeded);
    assert_eq!(current(&road), TOKEN);
    let (code, told) = said(command(&road, &[])).await;
    assert!(code == Some(1) && told.contains("misconfigured") && told.contains("CAUSEWAY_PAT_ROTATION"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_has_its_code_and_says_what_to_do_and_leaves_the_old_token() {
    let road = road(false, &[]).await;
    let refusals = [
        (TokenRules { enabled: false, ..TokenRules::default() }, "tokens-disabled", "enableTokensConfig"),
        (TokenRules { quota: 1, ..TokenRules::default() }, "token-quota-exceeded", "600"),
        (
            TokenRules { most_days: Some(30), ..TokenRules::default() },
            "token-lifetime-refused",
            "CAUSEWAY_PAT_LIFETIME_DAYS",
        ),
        // The last: it deletes the tokens that there are.
        (TokenRules { can_use: false, ..TokenRules::default() }, "tokens-not-allowed", "--allow"),
    ];
    for (rules, refusal, word) in refusals {
        road.stack.databricks.set_token_rules(rules);
        let (code, told) = said(command(&road, &[])).await;
        assert!(code == Some(1) && told.contains(refusal) && told.contains(word), "{refusal}: {told}");
        assert_eq!((current(&road).as_str(), ours(&road)), (TOKEN, 0), "{refusal}");
    }
    let (code, told) = said(command(&road, &["--allow", local_stack::databricks::CLIENT_ID])).await;
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = said(command(&road, &[])).await;
    assert!(code == Some(0) && ours(&road) == 1, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audience_that_entra_does_not_know_is_named() {
    let road = road(false, &[]).await;
    let message = "AADSTS500011: The resource principal named 2ff814a6 was not found in the tenant named contoso.";
    let body = serde_json::json!({"statusCode": 400, "message": message}).to_string();
    let refused = Action::Status { status: 400, headers: Vec::new(), body };
    let fault = Fault::once("GET", "resource=2ff814a6", refused).times(100);
    road.stack.entra.identity.faults.add(fault);
    let (code, told) = said(command(&road, &[])).await;
    assert!(code == Some(1) && told.contains("entra-scope-invalid"), "{told}");
    assert!(told.contains("CAUSEWAY_DATABRICKS_AUDIENCE"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_work_is_never_stored() {
    let road = road(false, &[]).await;
    let refused = Action::Status { status: 403, headers: Vec::new(), body: r#"{"error_code": 403}"#.into() };
    road.stack.databricks.served.faults.add(Fault::once("GET", "scim/v2/Me", refused).times(2));
    let (code, told) = said(command(&road, &[])).await;
    assert!(code == Some(1) && told.contains("is revoked"), "{told}");
    assert_eq!((current(&road).as_str(), ours(&road)), (TOKEN, 0));
}

/// Watches that the secret always holds a token that works.
async fn watched(road: &Road, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let token = current(road);
        // Revoked since it was read, it must have been replaced before.
        let works = road.stack.databricks.token_is_good(&token) || current(road) != token;
        assert!(works, "the secret holds a token that does not work");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Runs the command until it succeeds; kills it where the plan wants that.
async fn rotate(road: &Road, crash: &Crash) {
    let rotating = async {
        loop {
            let mut child = command(road, &[]);
            let killed = tokio::select! {
                () = crash.wanted() => true,
                status = child.wait() => {
                    if status.expect("an end").success() {
                        return;
                    }
                    false
                }
            };
            if killed {
                child.kill().await.expect("killed");
                crash.killed();
            }
            drop(said(child).await);
        }
    };
    tokio::time::timeout(PATIENCE, rotating).await.expect("it ends well");
}

/// Where a rotation is killed: everywhere, or at a few calls that are drawn.
fn chosen(calls: usize) -> Vec<(usize, Moment)> {
    let moments = [Moment::BeforeCommit, Moment::AfterCommit];
    let mut all: Vec<_> = (0..calls).flat_map(|call| moments.map(|moment| (call, moment))).collect();
    if std::env::var_os("CAUSEWAY_CRASH_EVERYWHERE").is_none() {
        let seed = std::env::var("CAUSEWAY_SEED").unwrap_or_default();
        all.sort_by_cached_key(|(call, moment)| hash(&["rotation", &seed, &call.to_string(), &format!("{moment:?}")]));
        all.truncate(DRAWN);
    }
    all
}

async fn crash_road() -> (Road, Crash) {
    let road = road(false, &[]).await;
    let crash = Crash::default();
    road.stack.history.count_in(&crash);
    // From here on there is a token of our own to revoke.
    rotate(&road, &crash).await;
    (road, crash)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_may_die_at_any_of_its_calls() {
    let (road, crash) = crash_road().await;
    crash.plan(None);
    rotate(&road, &crash).await;
    let calls = crash.calls();
    assert!(calls.len() >= 12, "{calls:#?}");
    let points = chosen(calls.len());
    let share = points.len().div_ceil(STACKS).max(1);
    let died = join_all(points.chunks(share).map(async |points| {
        let (road, crash) = crash_road().await;
        let mut died = 0;
        for (call, moment) in points {
            let (before, over) = (current(&road), AtomicBool::new(false));
            crash.plan(Some((*call, *moment)));
            let rotating = async {
                rotate(&road, &crash).await;
                over.store(true, Ordering::Relaxed);
            };
            tokio::join!(rotating, watched(&road, &over));
            died += usize::from(!crash.is_to_come());
            let told = format!("died at call {call} {moment:?}, such as {}", calls[*call]);
            assert!(current(&road) != before, "not renewed; {told}");
            assert_eq!(ours(&road), 1, "{:?}; {told}", road.stack.databricks.token_comments());
            assert!(road.stack.databricks.token_is_good(&current(&road)), "{told}");
        }
        died
    }));
    let died: usize = died.await.iter().sum();
    println!("{} calls, {died} crashes", calls.len());
    assert!(died > 0, "nothing died");
}
