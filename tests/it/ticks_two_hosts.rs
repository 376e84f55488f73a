//! The timer of two hosts over one ledger and one queue, one of which dies in its tick and is started again: each due time is
//! one run.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use local_stack::core::{Action, Fault};
use local_stack::host::{Host, Outcome};
use local_stack::stack::LEDGER_CONTAINER;
use serde_json::json;

use crate::declared::Declared;
use crate::road::Road;

const HOURLY: &str = "summary: s
schedule: {cron: '0 * * * *', time_zone: UTC, missed: all, overlap: queue, parameters: {due: '{{ run.dueTime }}'}}
parameters: {due: {type: datetime, required: true}}
steps: [{id: ask, sql: {statement: SELECT 1 AS one}}]
";
const NAMES: [&str; 3] = ["hourly-a", "hourly-b", "hourly-c"];

async fn tick(host: &Host) -> Outcome {
    host.fire_timer("tick", false).await.expect("a timer")
}

/// Full hours after `from`, up to `to`.
fn hours(from: Timestamp, to: Timestamp) -> BTreeSet<Timestamp> {
    let all = from.as_second() / 3_600 + 1..=to.as_second() / 3_600;
    all.map(|hour| Timestamp::from_second(hour * 3_600).expect("a time")).collect()
}

/// What the runs were started for, one entry each.
fn started(road: &Declared) -> Vec<(String, Timestamp)> {
    let of = |run: &String| {
        let first = road.records(run).remove(0);
        let due = first["pinned"]["trigger"]["due"].as_str().expect("a due time");
        (first["operation"].as_str().expect("a name").to_owned(), due.parse().expect("a time"))
    };
    road.runs().iter().map(of).collect()
}

/// Records 0 that were asked to be written.
fn creations(road: &Road) -> usize {
    let asked = road.effects("blob", "request");
    let targets = asked.iter().filter(|request| request["method"] == "PUT").filter_map(|put| put["target"].as_str());
    targets.filter(|target| target.contains("/runs/") && target.ends_with("/00000000")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_fires_once_per_tick_over_two_hosts_and_a_restart() {
    let mut road = Declared::canned(&NAMES.map(|name| (name, HOURLY)), &[("CAUSEWAY_MESSAGE_SECONDS", "13")]).await;
    let second = road.stack.another_host(0).await.expect("a second host");
    second.ready().await.expect("ready");
    let since = Timestamp::now() - SignedDuration::from_hours(1);
    let mark = json!({"writer": "test", "until": since, "last": {}}).to_string();
    road.stack.blob.write(LEDGER_CONTAINER, "slots/tick-watermark/00000000", mark).expect("a watermark");
    // The first host dies within its tick: one run is created, the next is not.
    let hangs = Fault::once("PUT", "/runs/", Action::Hang).body_contains("\"created\"").skip(1);
    road.stack.blob.served.faults.add(hangs);
    let first = road.stack.host.as_ref().expect("a host");
    let dies = async {
        // Not within the run's step, which would be asked again: reads may be.
        road.until("it hangs", |road| creations(road) >= 2 && road.queue("causeway-work").peek().is_empty()).await;
        first.kill_handler(None).await;
    };
    let (died, ()) = tokio::join!(tick(first), dies);
    assert!(matches!(died, Outcome::Failed(_)), "{died:?}");
    assert_eq!(road.runs().len(), 1);
    let before = Timestamp::now();
    // The second one goes on while the first is started again; then both tick at once, twice.
    let (ticked, ()) = tokio::join!(tick(&second), road.restart());
    assert_eq!(ticked, Outcome::Succeeded);
    let first = road.stack.host.as_ref().expect("a host");
    for _ in 0..2 {
        assert_eq!(tokio::join!(tick(first), tick(&second)), (Outcome::Succeeded, Outcome::Succeeded));
    }
    let started = started(&road);
    let each: BTreeSet<_> = started.iter().cloned().collect();
    assert_eq!(each.len(), started.len(), "twice: {started:?}");
    // A tick looks a second ahead.
    let latest = Timestamp::now() + SignedDuration::from_secs(1);
    for name in NAMES {
        let due: BTreeSet<_> = each.iter().filter(|(of, _)| of == name).map(|(_, due)| *due).collect();
        assert!(hours(since, before).is_subset(&due) && due.is_subset(&hours(since, latest)), "{name}: {due:?}");
    }
    for run in road.runs() {
        assert_eq!(road.ended(&run).await["state"], "succeeded");
    }
    assert_eq!(road.effects("databricks", "statement").len(), started.len());
}
