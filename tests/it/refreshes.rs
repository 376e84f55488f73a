//! Refreshes that many want at once: one at a time for each dataset, one waiting for each kind, and everybody gets one that
//! began after they asked.

use std::time::Duration;

use jiff::Timestamp;
use local_stack::host::Groups;
use local_stack::power_bi::{Clock, sample};
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::road::{Reply, Road};

/// Of [`sample::SALES`], which enhanced refreshes work on.
pub(crate) fn sales() -> String {
    format!("/api/power-bi/workspaces/{}/datasets/{}/refreshes", sample::WORKSPACE, sample::SALES)
}

/// Standard refreshes only.
pub(crate) fn team_sales() -> String {
    format!("/api/power-bi/workspaces/{}/datasets/{}/refreshes", sample::SHARED_WORKSPACE, sample::TEAM_SALES)
}

pub(crate) const SHORT: Clock = Clock::Auto(Duration::from_millis(100));

/// How often a refresh was asked for at Power BI, whatever came of it.
pub(crate) fn asked(road: &Road) -> usize {
    let exchanges = road.effects("powerBi", "exchange");
    let start = |exchange: &&Value| {
        exchange["method"] == "POST" && exchange["path"].as_str().is_some_and(|path| path.ends_with("/refreshes"))
    };
    exchanges.iter().filter(start).count()
}

/// Nothing moves, and somebody else's refresh runs.
pub(crate) async fn busy() -> Road {
    let road = Road::with(|options| {
        options.power_bi_clock = Clock::Stepped;
        options.groups = Groups::Flex;
    })
    .await;
    road.stack.power_bi.start_foreign_refresh(sample::SALES, "Scheduled").expect("a dataset");
    road
}

/// The one that runs ends, and those to come are short.
pub(crate) fn let_go(road: &Road) {
    road.stack.power_bi.set_clock(SHORT);
    for _ in 0..3 {
        road.stack.power_bi.step();
    }
}

fn id_of(reply: &Reply) -> String {
    reply.at("/refreshId").as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_callers_at_once_make_at_most_two_refreshes_and_each_gets_one_that_began_after_it_asked() {
    // HTTP calls and runs live in processes of their own.
    let road = Road::with(|options| {
        options.power_bi_clock = Clock::Auto(Duration::from_millis(600));
        options.groups = Groups::Flex;
    })
    .await;
    let path = format!("{}?waitSeconds=60", sales());
    let body = json!({"type": "full"});
    let calls = (0..10).map(|_| async {
        // The stand-in writes milliseconds.
        let before = Timestamp::now() - Duration::from_millis(1);
        let reply = road.post(&path, &body).await.expect(200);
        let start: Timestamp = reply.at("/startTime").as_str().expect("a time").parse().expect("a time");
        assert!(start >= before, "began {start}, asked for at {before}");
        reply
    });
    let replies = futures_util::future::join_all(calls).await;
    let refreshes = road.effects("powerBi", "refresh");
    assert!((1..=2).contains(&refreshes.len()), "{refreshes:?}");
    assert_eq!(asked(&road), refreshes.len(), "one was refused or dropped");
    for refresh in &refreshes {
        let of_it = replies.iter().filter(|reply| reply.at("/refreshId") == &refresh["requestId"]);
        let first = of_it.filter(|reply| reply.at("/coalesced") == &json!(false)).count();
        assert_eq!(first, 1, "one asked for it and the others joined: {refresh}");
    }
    assert!(replies.iter().all(|reply| reply.at("/state") == "completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_refresh_runs_the_next_is_queued_and_later_ones_join_it() {
    let road = busy().await;
    let path = format!("{}?waitSeconds=0", sales());
    let first = road.post(&path, &json!({"type": "full"})).await;
    let second = road.post(&path, &json!({"type": "FULL", "maxParallelism": 2})).await;
    let started = road.post(&format!("{}?mode=start", sales()), &json!({"type": "full"})).await;
    let run = first.at("/id").as_str().expect("a run").to_owned();
    assert_eq!((second.at("/id"), started.at("/id")), (&json!(run), &json!(run)));
    assert!(started.started().ends_with(&format!("/api/runs/{run}")));
    assert_eq!(second.header("x-causeway-run-id"), Some(run.as_str()));
    assert_eq!(asked(&road), 0, "the one that runs has not seen their data");
    let_go(&road);
    let done = road.follow(&first.accepted()).await.expect(200);
    let joined = road.follow(&second.accepted()).await.expect(200);
    assert_eq!(id_of(&done), id_of(&joined));
    assert_eq!((done.at("/coalesced"), joined.at("/coalesced")), (&json!(false), &json!(true)));
    assert_eq!((road.effects("powerBi", "refresh").len(), asked(&road)), (1, 1));
    assert_eq!(road.ended(&run).await["output"]["refreshId"], json!(id_of(&done)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_a_refresh_that_has_begun() {
    let road = busy().await;
    let path = format!("{}?waitSeconds=0", sales());
    let early = road.post(&path, &json!({"type": "full"})).await;
    for _ in 0..2 {
        road.stack.power_bi.step();
    }
    road.until("the queued one begins", |road| road.effects("powerBi", "refresh").len() == 1).await;
    let late = road.post(&path, &json!({"type": "full"})).await;
    assert_ne!(late.at("/id"), early.at("/id"));
    let_go(&road);
    let (early, late) = (road.follow(&early.accepted()).await, road.follow(&late.accepted()).await);
    assert_ne!(id_of(&early.expect(200)), id_of(&late.expect(200)));
    assert_eq!((road.effects("powerBi", "refresh").len(), asked(&road)), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_refresh_that_fails_tells_everybody_why() {
    let road = busy().await;
    road.stack.power_bi.fail_next_refresh(sample::SALES, local_stack::power_bi::FailedRefresh::credentials());
    let path = format!("{}?waitSeconds=0", sales());
    let (first, second) = (road.post(&path, &json!({})).await, road.post(&path, &json!({})).await);
    // Not the foreign one, which runs already.
    let_go(&road);
    for reply in [first, second] {
        road.follow(&reply.accepted()).await.problem(422, "refresh-failed").saying(&["credentials"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_of_other_tables_partitions_or_types_do_not_join() {
    let road = busy().await;
    let path = format!("{}?waitSeconds=0", sales());
    let kinds = [
        json!({"tables": ["DailySales"]}),
        json!({"tables": ["Orders"]}),
        json!({"tables": ["Orders"], "type": "full"}),
        json!({"partitions": [{"table": "Orders", "partition": "2026"}]}),
        json!({}),
    ];
    let mut replies = Vec::new();
    for kind in &kinds {
        replies.push(road.post(&path, kind).await);
    }
    let joins = road.post(&path, &json!({"tables": ["Orders"]})).await;
    assert_eq!(joins.at("/id"), replies[1].at("/id"));
    let_go(&road);
    let mut ids = Vec::new();
    for reply in &replies {
        let done = road.follow(&reply.accepted()).await.expect(200);
        assert_eq!(done.at("/coalesced"), &json!(false));
        ids.push(id_of(&done));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), kinds.len());
    assert_eq!((road.effects("powerBi", "refresh").len(), asked(&road)), (kinds.len(), kinds.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_handler_loses_no_queued_refresh_and_doubles_none() {
    let road = Declared::with(&[], &[], |options| {
        options.power_bi_clock = Clock::Stepped;
        options.groups = Groups::Flex;
        options.databricks.engine = false;
    })
    .await;
    road.stack.power_bi.start_foreign_refresh(sample::SALES, "Scheduled").expect("a dataset");
    let reply = road.post(&format!("{}?waitSeconds=0", sales()), &json!({"type": "full"})).await;
    let (status, run) = (reply.accepted(), reply.at("/id").as_str().expect("a run").to_owned());
    // It sleeps, and nobody holds it.
    road.until_true(|_| road.records(&run).iter().any(|record| record["transition"] == "waiting")).await;
    let host = road.stack.host.as_ref().expect("a host");
    for process in host.processes() {
        host.kill_handler(Some(&process.group)).await;
    }
    let_go(&road);
    let done = road.follow(&status).await.expect(200);
    assert_eq!(road.effects("powerBi", "refresh").len(), 1);
    assert_eq!(road.effects("powerBi", "refresh")[0]["requestId"], json!(id_of(&done)));
}

pub(crate) const QUEUEING: (&str, &str) = (
    "queueing",
    "summary: s
steps:
  - {id: model, refresh: {workspace: '{{ variables.workspace }}', dataset: '{{ variables.sales_dataset }}', tables: [DailySales]}}
output: {id: '{{ steps.model.refreshId }}', coalesced: '{{ steps.model.coalesced }}'}
",
);

#[tokio::test(flavor = "multi_thread")]
async fn steps_and_calls_join_the_same_queued_refresh() {
    let road = Declared::canned(&[QUEUEING], &[]).await;
    road.stack.power_bi.set_clock(Clock::Stepped);
    road.stack.power_bi.start_foreign_refresh(sample::SALES, "Scheduled").expect("a dataset");
    let called = road.post(&format!("{}?waitSeconds=0", sales()), &json!({"tables": ["DailySales"]})).await;
    let path = "/api/operations/queueing?waitSeconds=0";
    let stepped = [road.post(path, &json!({})).await, road.post(path, &json!({})).await];
    assert_eq!(asked(&road), 0);
    let_go(&road);
    let done = road.follow(&called.accepted()).await.expect(200);
    assert_eq!(done.at("/coalesced"), &json!(false));
    for reply in stepped {
        let output = road.follow(&reply.accepted()).await.expect(200).body;
        assert_eq!(output, json!({"id": id_of(&done), "coalesced": true}));
    }
    assert_eq!(road.effects("powerBi", "refresh").len(), 1);
}
