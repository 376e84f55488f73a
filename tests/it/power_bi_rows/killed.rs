//! Handlers that are killed within a batch and between two: with sequence numbers every row comes once; without them none
//! comes twice, and what is unknown is told with its rows.

use std::time::Duration;

use super::doubt::hurried_road;
use super::*;
use crate::road::Reply;

/// Starts a push of 35,000 rows, kills the handler once Power BI has had the third batch, or has it before it, and waits for
/// the end.
async fn killed_in_the_third_batch(road: &Road, fault: Action, seen: usize) -> Reply {
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", fault).skip(2));
    let path = format!("{}?mode=start", rows(TABLE));
    let started = road.post_keyed(&path, "k", &days(35_000)).await;
    started.started();
    let third = |road: &Road| asked(road) >= 3 && pushes(road).len() >= seen;
    road.until("the third batch", third).await;
    road.stack.host.as_ref().unwrap().kill_handler(None).await;
    // Sent again meanwhile: the same run.
    let again = road.post_keyed(&path, "k", &days(35_000)).await;
    again.started();
    assert_eq!(again.at("/id"), started.at("/id"));
    road.follow(started.at("/statusUrl").as_str().unwrap()).await
}

/// The same with sequence numbers and without, `there` being the rows that are in the table then.
async fn with_numbers_and_without(fault: Action, seen: usize, there: i64) {
    let with = async {
        let road = hurried_road(true).await;
        let reply = killed_in_the_third_batch(&road, fault.clone(), seen).await.expect(200);
        assert_eq!(reply.body, json!({"rowsPushed": 35_000, "batches": 4}));
        assert_whole(&road, 35_000);
    };
    let without = async {
        let road = hurried_road(false).await;
        let reply = killed_in_the_third_batch(&road, fault.clone(), seen).await;
        reply.problem(409, "outcome-unknown").saying(&["20001 to 30000 of 35000"]);
        assert_whole(&road, there);
    };
    tokio::join!(with, without);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_killed_within_a_batch_that_came_loses_and_doubles_nothing() {
    with_numbers_and_without(Action::DelayAfterCommit { milliseconds: 600_000 }, 3, 30_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_killed_within_a_batch_that_never_came_loses_and_doubles_nothing() {
    with_numbers_and_without(Action::Hang, 2, 20_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_killed_between_two_batches_loses_and_doubles_nothing() {
    for numbers in [true, false] {
        let road = hurried_road(numbers).await;
        // The run sleeps between its batches, as a push beyond the limits does.
        let refusal =
            Action::Status { status: 429, headers: vec![("retry-after".into(), "4".into())], body: String::new() };
        road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", refusal).skip(1));
        let started = road.post(&format!("{}?mode=start", rows(TABLE)), &days(25_000)).await;
        started.started();
        let run = started.at("/id").as_str().unwrap().to_owned();
        let asleep = async {
            loop {
                let seen = road.get(&format!("/api/runs/{run}")).await;
                if seen.body["state"] == "waiting" && pushes(&road).len() == 1 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(crate::road::PATIENCE, asleep).await.expect("it sleeps");
        road.stack.host.as_ref().unwrap().kill_handler(None).await;
        let reply = road.follow(started.at("/statusUrl").as_str().unwrap()).await.expect(200);
        assert_eq!(reply.body, json!({"rowsPushed": 25_000, "batches": 3}));
        assert_whole(&road, 25_000);
    }
}
