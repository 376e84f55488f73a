//! The timer from outside: what is due is started once, whatever the clock does.

use jiff::{SignedDuration, Timestamp};
use local_stack::host::Outcome;
use local_stack::stack::LEDGER_CONTAINER;
use serde_json::json;

use crate::declared::Declared;

/// Daily at a time of day that has been reached already; how many days are missed is the watermark's business.
fn daily(missed: &str, overlap: &str) -> String {
    format!(
        "summary: s
schedule: {{cron: '0 0 * * *', time_zone: UTC, missed: {missed}, overlap: {overlap}, parameters: {{due: '{{{{ run.dueTime }}}}'}}}}
parameters: {{due: {{type: datetime, required: true}}}}
steps: [{{id: ask, sql: {{statement: SELECT 1 AS one}}}}]
output: {{due: '{{{{ parameters.due }}}}'}}
"
    )
}

/// The last tick was this long ago.
fn last_tick(road: &Declared, ago: SignedDuration) {
    let mark = json!({"writer": "test", "until": Timestamp::now() - ago, "last": {}}).to_string();
    road.stack.blob.write(LEDGER_CONTAINER, "slots/tick-watermark/00000000", mark).expect("a watermark");
}

async fn tick(road: &Declared) {
    let host = road.stack.host.as_ref().expect("a host");
    assert_eq!(host.fire_timer("tick", false).await.expect("a timer"), Outcome::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_missed_ticks_start_what_each_schedule_says() {
    let files = [("last", daily("last", "queue")), ("all", daily("all", "queue")), ("none", daily("none", "queue"))];
    let mut files: Vec<(&str, &str)> = files.iter().map(|(name, yaml)| (*name, yaml.as_str())).collect();
    files.push(("broken", "summary: s\nschedule: {cron: 61 25 * * *, time_zone: UTC}\nsteps: [{id: a, sql: {statement: SELECT 1 AS one}}]\n"));
    let road = Declared::canned(&files, &[]).await;
    last_tick(&road, SignedDuration::from_hours(72));
    tick(&road).await;
    tick(&road).await;
    let mut started = std::collections::BTreeMap::<String, Vec<String>>::new();
    for run in road.runs() {
        let first = road.records(&run).remove(0);
        let due = first["pinned"]["trigger"]["due"].as_str().expect("a due time").to_owned();
        started.entry(first["operation"].as_str().expect("a name").to_owned()).or_default().push(due);
    }
    // Within a minute and a half of midnight even `none` has missed nothing.
    let midnight = Timestamp::now().as_second() % 86_400 < 180;
    assert_eq!(started["all"].len(), 3, "{started:?}");
    assert_eq!(started["last"], [started["all"].iter().max().expect("three").clone()]);
    assert!(midnight || !started.contains_key("none"), "{started:?}");
    assert!(!started.contains_key("broken"));
    for run in road.runs() {
        assert!(
            ["running", "waiting", "succeeded"]
                .contains(&road.get(&format!("/api/runs/{run}")).await.body["state"].as_str().unwrap_or_default())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ticks_at_once_start_one_run() {
    let every = daily("last", "skip");
    let road = Declared::canned(&[("every", &every)], &[]).await;
    last_tick(&road, SignedDuration::from_hours(25));
    tokio::join!(tick(&road), tick(&road));
    let run = road.only_run().await;
    let ended = road.ended(&run).await;
    assert_eq!((&ended["state"], &ended["trigger"]), (&json!("succeeded"), &json!("schedule")), "{ended}");
    assert_eq!(road.effects("databricks", "statement").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_without_the_ledger_fails_and_the_next_one_catches_up() {
    let every = daily("last", "skip");
    let road = Declared::canned(&[("every", &every)], &[]).await;
    last_tick(&road, SignedDuration::from_hours(25));
    let away = local_stack::core::Action::Status { status: 503, headers: Vec::new(), body: String::new() };
    let faults = road.stack.blob.served.faults.clone();
    faults.add(local_stack::core::Fault::once("PUT", "runs/", away).times(1_000));
    let host = road.stack.host.as_ref().expect("a host");
    assert!(matches!(host.fire_timer("tick", false).await.expect("a timer"), Outcome::Failed(_)));
    assert!(road.runs().is_empty());
    faults.clear();
    tick(&road).await;
    let run = road.only_run().await;
    assert_eq!(road.ended(&run).await["state"], "succeeded");
}
