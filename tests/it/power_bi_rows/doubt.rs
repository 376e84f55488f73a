//! Lost answers: with sequence numbers every row comes once; without them none comes twice, and what
//! is unknown is told with its rows.

use super::*;
use crate::idempotency::hurried;
use crate::road::Reply;

/// Recovery begins sooner than in production, and a dead worker's lease ends sooner.
pub(super) async fn hurried_road(numbers: bool) -> Road {
    let road = Road::with(|options| {
        hurried(options);
        options.databricks.engine = false;
        options.extra_environment.insert("CAUSEWAY_MESSAGE_SECONDS".into(), "12".into());
    })
    .await;
    road.stack.power_bi.set_sequence_numbers(numbers);
    road
}

async fn in_the_end(road: &Road, reply: Reply) -> Reply {
    if reply.status == 202 { road.follow(&reply.accepted()).await } else { reply }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_sequence_numbers_a_lost_answer_costs_nothing() {
    let road = hurried_road(true).await;
    // The second batch came and its answer was lost; the third never came.
    let faults = &road.stack.power_bi.served.faults;
    faults.add(Fault::once("POST", "/rows", Action::CutAfterCommit).skip(1));
    faults.add(Fault::once("POST", "/rows", Action::CutBeforeCommit));
    let reply = road.post(&rows(TABLE), &days(35_000)).await;
    let reply = in_the_end(&road, reply).await.expect(200);
    assert_eq!(reply.body, json!({"rowsPushed": 35_000, "batches": 4}));
    assert_whole(&road, 35_000);
    // The one that never came was sent again, the other not.
    assert_eq!(asked(&road), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_sequence_numbers_a_lost_answer_is_told_with_its_rows() {
    let road = hurried_road(false).await;
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", Action::CutAfterCommit).skip(1));
    let body = days(35_000);
    let reply = road.post_keyed(&rows(TABLE), "half", &body).await;
    reply.problem(409, "outcome-unknown").saying(&["10001 to 20000 of 35000", "10000 before them are"]);
    road.post_keyed(&rows(TABLE), "half", &body).await.problem(409, "outcome-unknown");
    assert_eq!(pushes(&road), [10_000, 10_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_of_few_rows_is_told_with_its_rows() {
    let road = hurried_road(false).await;
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", Action::CutAfterCommit));
    let reply = road.post_keyed(&rows(TABLE), "few", &days(3)).await;
    reply.problem(409, "outcome-unknown").saying(&["Rows 1 to 3 of 3"]);
    road.post_keyed(&rows(TABLE), "few", &days(3)).await.problem(409, "outcome-unknown");
    assert_eq!(pushes(&road), [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_cleared_first_is_cleared_again_and_ends_whole() {
    let road = hurried_road(false).await;
    road.post(&rows(TABLE), &days(5)).await.expect(200);
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/rows", Action::CutAfterCommit).skip(1));
    let mut body = days(15_000);
    body["clear"] = json!(true);
    let reply = road.post(&rows(TABLE), &body).await;
    let reply = in_the_end(&road, reply).await.expect(200);
    assert_eq!(reply.body, json!({"rowsPushed": 15_000, "batches": 2}));
    assert_whole(&road, 15_000);
    assert_eq!(road.effects("powerBi", "rowsDeleted").len(), 2);
    assert_eq!(road.ledger("spool/"), Vec::<String>::new());
}
