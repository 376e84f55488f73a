//! Timer functions: what a tick carries, when it comes, and that there is one at a time.

use http::StatusCode;
use local_stack::host::{Outcome, Timers};
use serde_json::{Value, json};

use super::{Stage, within};

fn timer(seen: &Value) -> Value {
    let envelope: Value = serde_json::from_str(seen["body"].as_str().unwrap()).unwrap();
    assert_eq!(envelope["Metadata"].as_object().unwrap().len(), 1, "only sys");
    envelope["Data"]["timer"].clone()
}

#[tokio::test]
async fn a_monitored_timer_carries_its_status() {
    let stage = Stage::new(json!({})).timer("0 */5 * * * *");
    let played = stage.options(|options| options.timers = Timers::OnRequest).ready().await;
    assert_eq!(within(played.host.fire_timer("tick", false)).await.unwrap(), Outcome::Succeeded);
    assert_eq!(within(played.host.fire_timer("tick", true)).await.unwrap(), Outcome::Succeeded);
    let seen = played.wait_for_seen(2).await;
    assert_eq!(seen[0]["target"], "/tick");
    let (first, second) = (timer(&seen[0]), timer(&seen[1]));
    assert_eq!(first["Schedule"], json!({"AdjustForDST": true}));
    assert_eq!((&first["IsPastDue"], &second["IsPastDue"]), (&json!(false), &json!(true)));
    assert_eq!(first["ScheduleStatus"]["Last"], "0001-01-01T00:00:00");
    assert_ne!(second["ScheduleStatus"]["Last"], first["ScheduleStatus"]["Last"]);
    let next = second["ScheduleStatus"]["Next"].as_str().unwrap();
    assert!(next.ends_with(":00Z"), "{next}");
}

#[tokio::test]
async fn a_timer_within_the_minute_fires_by_itself_and_has_no_status() {
    let played = Stage::new(json!({})).timer("* * * * * *").ready().await;
    let seen = played.wait_for_seen(2).await;
    assert_eq!(timer(&seen[1])["ScheduleStatus"], Value::Null);
    assert_eq!(timer(&seen[1])["IsPastDue"], false);
}

#[tokio::test]
async fn occurrences_missed_while_no_host_ran_come_as_one_that_is_past_due() {
    let stage = Stage::new(json!({})).timer("0 0 0 1 * *");
    let at = |text: &str| text.parse().unwrap();
    let stage = stage.options(|options| {
        options.timer_status.set("tick", at("2024-01-01T00:00:00Z"), at("2024-02-01T00:00:00Z"));
    });
    let played = stage.ready().await;
    let status = async |count| timer(&played.wait_for_seen(count).await[count - 1]);
    let first = status(1).await;
    assert_eq!((&first["IsPastDue"], &first["ScheduleStatus"]["Next"]), (&json!(true), &json!("2024-02-01T00:00:00Z")));
    within(played.host.fire_timer("tick", false)).await.unwrap();
    let second = status(2).await;
    assert_ne!(second["ScheduleStatus"]["Last"], first["ScheduleStatus"]["Last"]);
    assert_eq!(played.seen().len(), 2, "many months, one run");
}

#[tokio::test]
async fn a_timer_runs_once_at_a_time() {
    let stage = Stage::new(json!({"tick": ["wait:go", "status:500"]})).http().timer("0 0 0 1 1 *");
    let played = stage.ready().await;
    let order = async {
        played.wait_for_seen(1).await;
        assert_eq!(played.post("/api/echo?do=drop,drop,ok", "").await.0, StatusCode::OK);
        let ticks = played.seen().iter().filter(|seen| seen["target"] == "/tick").count();
        assert_eq!(ticks, 1, "the second waits for the first");
        played.release("go");
    };
    let (first, second, ()) = tokio::join!(
        within(played.host.fire_timer("tick", false)),
        within(played.host.fire_timer("tick", false)),
        order
    );
    assert_eq!(first.unwrap(), Outcome::Succeeded);
    assert!(matches!(second.unwrap(), Outcome::Failed(reason) if reason.contains("500")));
}

#[tokio::test]
async fn the_master_key_starts_a_timer_from_outside() {
    let played = Stage::new(json!({})).timer("0 0 0 1 1 *").ready().await;
    let status =
        async |key: &str| played.call("POST", "/admin/functions/tick", &[("x-functions-key", key)], "{}").await.0;
    assert_eq!(status("wrong").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&played.host.keys().master).await, StatusCode::ACCEPTED);
    played.wait_for_seen(1).await;
}
