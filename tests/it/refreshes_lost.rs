//! Refreshes whose answer was lost: found in the history and adopted, or done by the next one; never sent blindly.

use std::time::Duration;

use causeway::runs::identity::run_id;
use local_stack::core::{Action, Fault};
use local_stack::power_bi::{Clock, sample};
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::idempotency::hurried;
use crate::refreshes::{asked, let_go, sales, team_sales};
use crate::road::Road;

/// Spoils the answer to the next start.
fn lose(road: &Road, action: Action) {
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/refreshes", action));
}

fn broken(status: u16) -> Action {
    Action::StatusAfterCommit { status, headers: Vec::new(), body: String::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_whose_answer_was_lost_is_adopted() {
    let road = Road::with(|options| options.power_bi_clock = Clock::Auto(Duration::from_millis(100))).await;
    let enhanced = (sales(), json!({"type": "full", "tables": ["Orders"]}), Action::CutAfterCommit);
    let standard = (team_sales(), json!({}), broken(502));
    for (at, (path, body, action)) in [enhanced, standard].into_iter().enumerate() {
        let (path, key) = (format!("{path}?waitSeconds=60"), at.to_string());
        lose(&road, action);
        let done = road.post_keyed(&path, &key, &body).await.expect(200);
        let again = road.post_keyed(&path, &key, &body).await.expect(200);
        assert_eq!((again.replayed(), again.at("/refreshId")), (true, done.at("/refreshId")));
        assert_eq!((asked(&road), road.effects("powerBi", "refresh").len()), (at + 1, at + 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_never_arrived_is_done_by_the_next_one() {
    let road = Road::with(|options| options.power_bi_clock = Clock::Auto(Duration::from_millis(100))).await;
    let body = json!({"type": "full"});
    lose(&road, Action::CutBeforeCommit);
    let done = road.post_keyed(&format!("{}?waitSeconds=60", sales()), "k", &body).await.expect(200);
    assert_eq!((done.at("/state"), done.at("/coalesced")), (&json!("completed"), &json!(false)));
    assert_eq!(road.effects("powerBi", "refresh").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_that_began_after_the_look_is_adopted_whatever_came_later() {
    let road = Road::with(|options| {
        hurried(options);
        options.power_bi_clock = Clock::Auto(Duration::from_millis(50));
    })
    .await;
    // Its answer does not come while it is waited for.
    lose(&road, Action::DelayAfterCommit { milliseconds: 600_000 });
    let (path, body) = (team_sales(), json!({}));
    let call = road.post_keyed(&path, "k", &body);
    let other = async {
        road.until("it has begun", |road| road.effects("powerBi", "refreshEnded").len() == 1).await;
        road.stack.power_bi.start_foreign_refresh(sample::TEAM_SALES, "ViaApi").expect("a dataset");
    };
    let (reply, ()) = tokio::join!(call, other);
    let (reply, ours) = (reply.expect(200), road.effects("powerBi", "refresh"));
    assert_eq!((ours.len(), reply.at("/refreshId")), (1, &ours[0]["requestId"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_of_a_handler_that_was_killed_is_adopted_by_the_next_one() {
    let road = Road::with(|options| {
        hurried(options);
        options.power_bi_clock = Clock::Auto(Duration::from_millis(100));
    })
    .await;
    lose(&road, Action::DelayAfterCommit { milliseconds: 600_000 });
    let path = format!("{}?waitSeconds=60", sales());
    let body = json!({"type": "full"});
    let call = road.post_keyed(&path, "k", &body);
    let killed = async {
        road.until("it has begun", |road| !road.effects("powerBi", "refresh").is_empty()).await;
        road.stack.host.as_ref().expect("a host").kill_handler(None).await;
    };
    let (reply, ()) = tokio::join!(call, killed);
    let reply = reply.expect(200);
    assert!(reply.replayed());
    assert_eq!(reply.at("/refreshId"), &road.effects("powerBi", "refresh")[0]["requestId"]);
    assert_eq!(asked(&road), 1);
}

const MODEL: (&str, &str) = (
    "model",
    "summary: s
steps:
  - {id: model, refresh: {workspace: '{{ variables.workspace }}', dataset: '{{ variables.sales_dataset }}', type: full}}
output: {id: '{{ steps.model.refreshId }}'}
",
);

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_answer_was_lost_adopts_its_refresh_and_goes_on() {
    let road = Declared::canned(&[MODEL], &[]).await;
    road.stack.power_bi.set_clock(Clock::Auto(Duration::from_millis(100)));
    lose(&road, Action::CutAfterCommit);
    let reply = road.post("/api/operations/model?waitSeconds=60", &json!({})).await.expect(200);
    assert_eq!(reply.at("/id"), &road.effects("powerBi", "refresh")[0]["requestId"]);
    // What never arrived is sent again, once the history has been looked through.
    lose(&road, Action::CutBeforeCommit);
    road.post("/api/operations/model?waitSeconds=100", &json!({})).await.expect(200);
    assert_eq!(road.effects("powerBi", "refresh").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_refresh_whose_worker_dies_while_it_sends_is_adopted_and_not_doubled() {
    // A dead worker's lease ends with its deadline and half a minute.
    let road = Declared::canned(&[MODEL], &[("CAUSEWAY_MESSAGE_SECONDS", "13")]).await;
    road.stack.power_bi.set_clock(Clock::Stepped);
    road.stack.power_bi.start_foreign_refresh(sample::SALES, "Scheduled").expect("a dataset");
    let status = road.post(&format!("{}?waitSeconds=0", sales()), &json!({"type": "full"})).await.accepted();
    road.ask("a", "model", &json!({}));
    let step = run_id(&["queue", "causeway-requests", "a"]);
    road.until_true(|_| road.records(&step).iter().any(|record| record["steps"][0]["state"] == "submitted")).await;
    lose(&road, Action::DelayAfterCommit { milliseconds: 600_000 });
    let_go(&road);
    road.until("it has begun", |road| !road.effects("powerBi", "refresh").is_empty()).await;
    road.stack.host.as_ref().expect("a host").kill_handler(None).await;
    let done = road.follow(&status).await.expect(200);
    let refreshes: Vec<Value> = road.effects("powerBi", "refresh");
    assert_eq!((refreshes.len(), asked(&road)), (1, 1), "{refreshes:?}");
    assert_eq!(done.at("/refreshId"), &refreshes[0]["requestId"]);
    let ended = road.ended(&step).await;
    assert_eq!(ended["output"]["id"], refreshes[0]["requestId"], "{ended}");
}
