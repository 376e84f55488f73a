//! Claims against a ledger in memory: what one key allows, and when.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use super::super::{Mode, Presence};
use super::*;
use crate::databricks::Databricks;
use crate::entra::TokenSource;
use crate::failure::Code;
use crate::http::Http;
use crate::key_vault::{Secret, Secrets};
use crate::ledger::Ledger;
use crate::operations::Catalog;
use crate::power_bi::PowerBi;
use crate::runs::{Engine, Runs};
use crate::service_bus::ServiceBus;
use crate::settings::{self, LedgerPlace};
use crate::steps::Neighbours;

/// Nobody that a claim ever talks to.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl TokenSource for Nobody {
    async fn token(&self, _: Deadline) -> Result<SecretString, Failure> {
        Err(Failure::new(Code::IdentityUnavailable, "nobody"))
    }

    fn reject(&self, _: &SecretString) {}
}

#[async_trait]
impl Secrets for Nobody {
    async fn current(&self, _: &str, _: Deadline) -> Result<Secret, Failure> {
        Err(Failure::new(Code::SecretNotFound, "nobody"))
    }

    async fn version(&self, _: &str, _: &str, _: Deadline) -> Result<Secret, Failure> {
        Err(Failure::new(Code::SecretNotFound, "nobody"))
    }

    fn forget(&self, _: &str, _: &SecretString) {}
}

fn requests(claim_life: Duration) -> Requests {
    let (http, nowhere) = (Http::new().unwrap(), Url::parse("http://127.0.0.1:9/").unwrap());
    let tokens = std::sync::Arc::new(Nobody);
    let ledger = Ledger::open(&settings::Ledger { place: LedgerPlace::Memory }, None).unwrap();
    let sql = settings::Sql {
        mode: settings::SqlMode::ReadWrite,
        disposition: settings::ResultDisposition::Auto,
        max_rows: None,
        max_bytes: None,
        concurrency: 64,
        streams: 8,
        result_budget: 64 << 20,
    };
    let messages = std::sync::Arc::new(ServiceBus::new(nowhere.clone(), http.clone(), tokens.clone()));
    let neighbours = Neighbours {
        messages: messages.clone(),
        send_queues: Vec::new(),
        sql: sql.clone(),
        clock: crate::clock::Clock::system(),
        outside: crate::http::Guarded::new(&[], false),
        secrets: tokens.clone(),
        databricks: Databricks::new(http.clone(), nowhere.clone(), tokens.clone()),
        power_bi: PowerBi::new(http.clone(), nowhere.clone(), tokens.clone()),
        warehouse_id: None,
        ledger: ledger.clone(),
    };
    let runs_settings = settings::Runs {
        send_window: Duration::from_secs(1),
        send_margin: Duration::ZERO,
        message_deadline: Duration::from_mins(4),
        unknown_operation_wait: Duration::from_mins(15),
        message_id_reuse: Duration::from_hours(24),
        retention: Duration::from_hours(24),
        claim_life: Duration::from_hours(24),
    };
    let runs = Runs::new(Engine {
        clock: crate::clock::Clock::system(),
        kinds: std::sync::Arc::new(crate::steps::EveryKind),
        sealer: crate::sealing::Sealer::new(tokens.clone(), "sealing"),
        telling: crate::runs::Telling {
            outside: std::sync::Arc::new(crate::http::Guarded::new(&[], false)),
            problem: |_, _| Vec::new(),
        },
        ledger: ledger.clone(),
        neighbours: neighbours.clone(),
        messages,
        catalog: std::sync::Arc::new(Catalog::default()),
        settings: runs_settings.clone(),
        queues: settings::ServiceBus {
            url: nowhere,
            request_queue: "r".into(),
            work_queue: "w".into(),
            parking_queue: "p".into(),
            request_topic: None,
            request_subscription: "causeway".into(),
            reply_queues: Vec::new(),
            send_queues: Vec::new(),
        },
    });
    let settings = settings::Requests {
        public_base_url: None,
        status_key_secret_name: "key".into(),
        claim_life,
        power_bi_raw: false,
    };
    Requests::new(neighbours, ledger, tokens, runs, settings, sql, runs_settings)
}

fn call() -> Call {
    Call {
        deadline: Deadline::after(Duration::from_secs(40)),
        stream_deadline: Deadline::after(Duration::from_secs(40)),
        stream_pause: Duration::from_secs(40),
        presence: Presence::new().0,
        mode: Mode::Wait(None),
        idempotency_key: Some("k".into()),
        invocation_id: "i".into(),
        caller: "keys".into(),
        rights: std::sync::Arc::new(crate::settings::Rights::all()),
        user: None,
        forwarded_base: None,
        trail: crate::telemetry::Trail::default(),
        query: Vec::new(),
    }
}

/// One sending: with the body `{}` and these inputs, or without a body.
async fn claim(of: &Requests, inputs: Option<Value>, recovery: fn(&Value) -> Recovery) -> Result<Claimed, Failure> {
    let call = call();
    let body = if inputs.is_some() { Bytes::from_static(b"{}") } else { Bytes::new() };
    let claimant = Claimant { call: &call, route: "rows", target: "t", body: &body, recovery };
    of.claim(&claimant, inputs).await
}

fn ours(claimed: Result<Claimed, Failure>) -> Ours {
    match claimed {
        Ok(Claimed::Ours(ours)) => ours,
        other => panic!("not ours: {other:?}"),
    }
}

const DAY: Duration = Duration::from_hours(24);

fn again(_: &Value) -> Recovery {
    Recovery::SendAgain
}

fn never(_: &Value) -> Recovery {
    Recovery::Unknown
}

#[tokio::test]
async fn a_key_that_is_used_after_its_life_is_new_work() {
    let requests = requests(Duration::ZERO);
    let first = ours(claim(&requests, Some(json!(1)), again).await);
    let key = first.key.clone();
    requests.had(first, &call(), Ok(json!("id-1"))).await.unwrap();
    let second = ours(claim(&requests, Some(json!(2)), again).await);
    assert_ne!(second.key, key, "the neighbour would take it for the work of before");
    // Without a body there is no telling what the new work would be.
    requests.had(second, &call(), Ok(json!("id-2"))).await.unwrap();
    assert_eq!(claim(&requests, None, again).await.unwrap_err().code, Code::BodyMissing);
}

#[tokio::test]
async fn what_was_had_is_found_also_without_the_body() {
    let requests = requests(DAY);
    let first = ours(claim(&requests, Some(json!({"a": 1})), never).await);
    requests.had(first, &call(), Ok(json!("id-1"))).await.unwrap();
    match claim(&requests, None, never).await {
        Ok(Claimed::Before(had)) => {
            assert_eq!(
                (had.upstream.clone(), had.inputs().clone(), had.replayed),
                (json!("id-1"), json!({"a": 1}), true)
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_known_refusal_frees_the_claim_for_the_same_work_under_the_same_key() {
    let requests = requests(DAY);
    let first = ours(claim(&requests, Some(json!({"a": 1})), never).await);
    let key = first.key.clone();
    let refusal = Failure::new(Code::UpstreamThrottled, "later");
    assert_eq!(requests.had(first, &call(), Err(refusal)).await.unwrap_err().code, Code::UpstreamThrottled);
    let second = ours(claim(&requests, None, never).await);
    assert_eq!((second.key, second.inputs), (key, json!({"a": 1})));
}

#[tokio::test]
async fn what_the_claim_did_not_keep_cannot_be_sent_without_the_body() {
    let requests = requests(DAY);
    let first = ours(claim(&requests, Some(Value::Null), never).await);
    let refusal = Failure::new(Code::UpstreamThrottled, "later");
    requests.had(first, &call(), Err(refusal)).await.unwrap_err();
    assert_eq!(claim(&requests, None, never).await.unwrap_err().code, Code::BodyMissing);
}

#[tokio::test]
async fn a_worker_that_died_is_followed_after_its_window_by_kind() {
    for recovery in [again as fn(&Value) -> Recovery, never] {
        let requests = requests(DAY);
        let dead = ours(claim(&requests, Some(json!(1)), recovery).await);
        let next = claim(&requests, None, recovery).await;
        assert!(dead.window.has_passed(), "the window was still open: both could have sent");
        match next {
            Ok(Claimed::Ours(next)) => assert_eq!((next.recovery, next.key), (Recovery::SendAgain, dead.key)),
            Err(failure) => {
                assert_eq!((failure.code, failure.effect), (Code::OutcomeUnknown, Effect::Possible));
                assert_eq!(dead.recovery, Recovery::Unknown);
            }
            Ok(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_sending_that_can_be_repeated_is_taken_over_when_time_runs_out_and_no_other_is() {
    let requests = requests(Duration::from_hours(24));
    let first = ours(claim(&requests, Some(json!({"job": 1})), |_| Recovery::SendAgain).await);
    // The first worker has died; its window is still open.
    let call = Call { deadline: Deadline::after(Duration::from_secs(2)), ..call() };
    let body = Bytes::from_static(b"{}");
    let again = |recovery| Claimant { call: &call, route: "rows", target: "t", body: &body, recovery };
    let refused = requests.claim(&again(|_| Recovery::Unknown), Some(json!({"job": 1}))).await;
    assert_eq!(refused.unwrap_err().code, Code::OutcomeUnknown);
    let second = ours(requests.claim(&again(|_| Recovery::SendAgain), Some(json!({"job": 1}))).await);
    assert_eq!(second.key, first.key, "the neighbour must recognise it");
}
