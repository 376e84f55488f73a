//! Secrets while calls go on: rotated, expired, disabled; a vault that throttles, and one that is away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use local_stack::core::{Action, Fault};
use local_stack::stack::DatabricksAuthentication;
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::road::{PATIENCE, Reply};

const SECRET: &str = "databricks-token";
const STATEMENT: &str = "SELECT 1 AS one";

/// Signs in to Databricks with a token from Key Vault.
async fn road(settings: &[(&str, &str)]) -> Declared {
    Declared::with(&[], settings, |options| {
        options.databricks.engine = false;
        options.databricks_authentication = DatabricksAuthentication::PersonalAccessToken;
    })
    .await
}

async fn ask(road: &Declared) -> Reply {
    road.sql(STATEMENT).await
}

/// Calls until the answer is as wanted.
async fn until(road: &Declared, what: &str, wanted: impl Fn(&Reply) -> bool) -> Reply {
    let asking = async {
        loop {
            let reply = ask(road).await;
            if wanted(&reply) {
                return reply;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("never {what}"))
}

/// When the vault was asked for the token, in milliseconds.
fn readings(road: &Declared) -> Vec<i64> {
    let of_token = |entry: &local_stack::core::Entry| {
        entry.detail["target"].as_str().is_some_and(|target| target.starts_with(&format!("/secrets/{SECRET}")))
    };
    let entries = road.stack.history.of("keyVault", "request");
    entries.iter().filter(|entry| of_token(entry)).map(|entry| entry.at.as_millisecond()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_rotated_while_calls_go_on_costs_none_of_them() {
    let road = road(&[]).await;
    let over = AtomicBool::new(false);
    let calling = join_all((0..6).map(|_| async {
        let mut count = 0;
        while !over.load(Ordering::Relaxed) {
            ask(&road).await.expect(200);
            count += 1;
        }
        count
    }));
    let rotating = async {
        let mut old = road.stack.key_vault.secret(SECRET).expect("a token");
        for round in 0..4 {
            // Until calls use what is there now.
            let before = road.effects("databricks", "statement").len();
            road.until("calls go on", |road| road.effects("databricks", "statement").len() >= before + 12).await;
            let new = format!("dapi-rotated-{round}");
            road.stack.databricks.add_token(&new);
            road.stack.key_vault.set_secret(SECRET, &new);
            road.stack.databricks.remove_token(&old);
            old = new;
        }
        let before = road.effects("databricks", "statement").len();
        road.until("calls go on", |road| road.effects("databricks", "statement").len() >= before + 12).await;
        over.store(true, Ordering::Relaxed);
    };
    let (counts, ()) = tokio::join!(calling, rotating);
    let readings = readings(&road).len();
    assert!(counts.iter().sum::<usize>() >= 60 && readings <= 12, "{counts:?}, {readings} readings");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_expired_or_not_yet_valid_or_disabled_is_named_and_its_mending_seen() {
    let road = road(&[("CAUSEWAY_SECRET_CACHE_SECONDS", "1")]).await;
    ask(&road).await.expect(200);
    let now = Timestamp::now().as_second();
    let vault = &road.stack.key_vault;
    for (not_before, expires, word) in
        [(None, Some(now - 60), "expired at"), (Some(now + 3600), None, "is not valid before")]
    {
        vault.set_times(SECRET, not_before, expires);
        let reply = until(&road, word, |reply| reply.status != 200).await;
        reply.problem(503, "secret-not-valid").saying(&[SECRET, word]);
        vault.set_times(SECRET, None, None);
        until(&road, "mended", |reply| reply.status == 200).await;
    }
    vault.set_enabled(SECRET, false);
    let reply = until(&road, "disabled", |reply| reply.status != 200).await;
    reply.problem(503, "secret-not-valid").saying(&[SECRET, "is disabled"]);
    vault.set_enabled(SECRET, true);
    until(&road, "mended", |reply| reply.status == 200).await;
    vault.remove_secret(SECRET);
    let reply = until(&road, "gone", |reply| reply.status != 200).await;
    reply.problem(503, "secret-not-found").saying(&[SECRET]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_dropped_at_its_own_expiration_however_long_it_might_be_kept() {
    let road = road(&[]).await;
    let ends = Timestamp::now().as_second() + 12;
    road.stack.key_vault.set_times(SECRET, None, Some(ends));
    ask(&road).await.expect(200);
    // A new version stands there before the old one's end.
    road.stack.databricks.add_token("dapi-next");
    road.stack.key_vault.set_secret(SECRET, "dapi-next");
    let before = readings(&road).len();
    let reading = async {
        while readings(&road).len() == before {
            ask(&road).await.expect(200);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("it is read again");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_vault_is_away_what_was_read_serves_and_after_the_grace_the_answer_says_so() {
    let road = road(&[("CAUSEWAY_SECRET_CACHE_SECONDS", "1"), ("CAUSEWAY_SECRET_GRACE_SECONDS", "15")]).await;
    ask(&road).await.expect(200);
    let before = readings(&road).len();
    road.stack.key_vault.served.faults.add(Fault::once("GET", "/secrets/", Action::CutBeforeCommit).times(100_000));
    // Asked in vain, the vault has not stopped anybody.
    let serving = async {
        while readings(&road).len() < before + 2 {
            ask(&road).await.expect(200);
        }
    };
    tokio::time::timeout(PATIENCE, serving).await.expect("the vault is asked again");
    let reply = until(&road, "over", |reply| reply.status != 200).await;
    reply.problem(503, "key-vault-unavailable").saying(&[SECRET]);
    road.stack.key_vault.served.faults.clear();
    until(&road, "back", |reply| reply.status == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_throttles_is_left_alone_as_long_as_it_says() {
    let road = road(&[("CAUSEWAY_SECRET_CACHE_SECONDS", "1")]).await;
    ask(&road).await.expect(200);
    let busy = Action::Status {
        status: 429,
        headers: vec![("retry-after".into(), "2".into())],
        body: json!({"error": {"code": "Throttled", "message": "too many"}}).to_string(),
    };
    let before = readings(&road).len();
    road.stack.key_vault.served.faults.add(Fault::once("GET", "/secrets/", busy).times(100_000));
    let calls = join_all((0..4).map(|_| async {
        while readings(&road).len() < before + 3 {
            ask(&road).await.expect(200);
        }
    }));
    tokio::time::timeout(PATIENCE, calls).await.expect("it is asked again");
    let asked = readings(&road).split_off(before);
    assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= 1_900), "a storm: {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_status_addresses_do_not_spend_the_vaults_limits() {
    let road = road(&[]).await;
    let of_versions = |road: &Declared| {
        let entries = road.effects("keyVault", "request");
        let target = |entry: &&Value| {
            entry["target"].as_str().is_some_and(|to| to.starts_with("/secrets/causeway-status-key/0"))
        };
        entries.iter().filter(target).count()
    };
    for number in 0..50 {
        let reply = road.get(&format!("/api/status/v1.{number:032x}.a.b")).await;
        assert!(matches!(reply.code(), "status-token-invalid" | "key-vault-unavailable"), "{}", reply.body);
    }
    // The SDK asks for the challenge once.
    assert!(of_versions(&road) <= 31, "{}", of_versions(&road));
    // A real one is followed all the same.
    let started = road.post("/api/jobs/slow/runs?waitSeconds=0", &json!({})).await;
    let reply = road.get(&started.accepted()).await;
    assert!(matches!(reply.status, 200 | 202), "{}", reply.body);
}
