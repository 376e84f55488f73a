//! Power BI: rows of push datasets, and their limits.

use std::time::Duration;

use local_stack::power_bi::sample;
use serde_json::{Value, json};

use crate::client::Reply;
use crate::power_bi::{Room, dataset};

fn table() -> String {
    format!("{}/tables/{}/rows", dataset(sample::WORKSPACE, sample::SALES_LIVE), sample::DAILY_SALES)
}

fn rows(count: usize) -> Value {
    let row = json!({"day": "2026-01-31", "category": "garden", "orders": 3, "amount": 12.5});
    json!({"rows": vec![row; count]})
}

async fn push(room: &Room, body: &Value) -> Reply {
    room.send("POST", &table(), Some(body)).await
}

#[tokio::test]
async fn rows_are_pushed_kept_and_cleared() {
    let room = Room::start(|_| {}).await;
    let tables = room.send("GET", &format!("{}/tables", dataset(sample::WORKSPACE, sample::SALES_LIVE)), None).await;
    assert_eq!(tables.json()["value"][0]["columns"].as_array().unwrap().len(), 5);
    assert_eq!(push(&room, &rows(5)).await.status, 200);
    assert_eq!(room.power_bi.rows(sample::SALES_LIVE, sample::DAILY_SALES).len(), 5);
    let effect = room.power_bi.served.history.of("powerBi", "rows").remove(0).detail;
    assert_eq!((&effect["count"], effect["rows"].as_array().unwrap().len()), (&json!(5), 3));
    assert_eq!(room.send("DELETE", &table(), None).await.status, 200);
    assert!(room.power_bi.rows(sample::SALES_LIVE, sample::DAILY_SALES).is_empty());
}

#[tokio::test]
async fn what_does_not_fit_the_table_is_refused_whole() {
    let room = Room::start(|_| {}).await;
    let long = "x".repeat(4001);
    for row in [
        json!({"unknown": 1}),
        json!({"orders": "many"}),
        json!({"orders": 1.5}),
        json!({"day": "someday"}),
        json!({"category": long}),
        json!({"amount": {"nested": 1}}),
    ] {
        let refused = push(&room, &json!({"rows": [{"category": "garden"}, row]})).await;
        assert_eq!(refused.status, 400, "{row}");
    }
    assert_eq!(push(&room, &rows(10_001)).await.status, 400);
    assert!(room.power_bi.rows(sample::SALES_LIVE, sample::DAILY_SALES).is_empty());
    assert_eq!(push(&room, &rows(10_000)).await.status, 200);
    let import = format!("{}/tables/DailySales/rows", dataset(sample::WORKSPACE, sample::SALES));
    assert_eq!(room.send("POST", &import, Some(&rows(1))).await.status, 404);
    let missing = format!("{}/tables/Nowhere/rows", dataset(sample::WORKSPACE, sample::SALES_LIVE));
    assert_eq!(room.send("POST", &missing, Some(&rows(1))).await.status, 404);
}

#[tokio::test]
async fn more_than_120_posts_a_minute_are_told_when_to_come_back() {
    let room = Room::start(|_| {}).await;
    for _ in 0..120 {
        assert_eq!(push(&room, &rows(1)).await.status, 200);
    }
    let refused = push(&room, &rows(1)).await;
    assert_eq!(refused.status, 429);
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds));
    room.power_bi.advance(Duration::from_secs(seconds));
    assert_eq!(push(&room, &rows(1)).await.status, 200);
}

#[tokio::test]
async fn the_rows_of_an_hour_and_of_a_large_table_are_limited() {
    let room = Room::start(|options| {
        options.limits.rows_per_hour = 10;
        options.limits.large_table = 8;
        options.limits.large_table_posts_per_hour = 3;
    })
    .await;
    assert_eq!(push(&room, &rows(8)).await.status, 200);
    let refused = push(&room, &rows(3)).await;
    assert_eq!(refused.status, 429);
    assert!(refused.text.contains("rows per hour"), "{}", refused.text);
    assert_eq!(push(&room, &rows(1)).await.status, 200);
    assert_eq!(push(&room, &rows(1)).await.status, 200);
    assert_eq!(push(&room, &rows(0)).await.status, 429);
}

#[tokio::test(start_paused = true)]
async fn a_sixth_pending_post_is_refused() {
    let room = Room::start(|_| {}).await;
    room.power_bi.set_push_time(Duration::from_secs(5));
    let body = rows(1);
    let replies = futures_util::future::join_all((0..6).map(|_| push(&room, &body))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 5);
    assert_eq!(replies.iter().filter(|reply| reply.status == 429).count(), 1);
    assert_eq!(push(&room, &body).await.status, 200);
}

#[tokio::test]
async fn a_table_that_is_full_takes_no_more_and_one_with_basic_fifo_drops_the_oldest() {
    let room = Room::start(|options| {
        options.limits.rows_per_table = 25;
        options.limits.rows_per_fifo_table = 20;
    })
    .await;
    assert_eq!(push(&room, &rows(25)).await.status, 200);
    assert_eq!(push(&room, &rows(1)).await.status, 400);
    assert_eq!(room.power_bi.row_count(sample::SALES_LIVE, sample::DAILY_SALES), 25);

    let datasets = format!("groups/{}/datasets", sample::WORKSPACE);
    let table = json!({"name": "T", "columns": [{"name": "n", "dataType": "Int64"}]});
    let body = json!({"name": "Newest", "tables": [table]});
    let made = room.send("POST", &format!("{datasets}?defaultRetentionPolicy=basicFIFO"), Some(&body)).await.json();
    let id = made["id"].as_str().unwrap();
    let numbers = |range: std::ops::Range<i64>| json!({"rows": range.map(|n| json!({"n": n})).collect::<Vec<_>>()});
    let path = format!("{datasets}/{id}/tables/T/rows");
    room.send("POST", &path, Some(&numbers(0..21))).await;
    assert_eq!(room.power_bi.row_count(id, "T"), 21, "a little over is kept");
    room.send("POST", &path, Some(&numbers(21..30))).await;
    assert!(room.power_bi.tally(id, "T", "n", 10..30).is_exact());
}

#[tokio::test]
async fn a_request_of_more_than_16_mb_is_too_large() {
    let room = Room::start(|options| options.limits.bytes_per_post = 1_000).await;
    assert_eq!(push(&room, &rows(100)).await.status, 413);
    assert_eq!(push(&room, &rows(1)).await.status, 200);
}

#[tokio::test]
async fn on_a_faster_clock_an_hour_is_over_sooner_and_the_wait_is_told_in_real_seconds() {
    let room = Room::start(|options| {
        options.limits.rows_per_hour = 10;
        options.time_scale = 60.0;
    })
    .await;
    assert_eq!(push(&room, &rows(10)).await.status, 200);
    let refused = push(&room, &rows(1)).await;
    assert_eq!(refused.status, 429);
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    room.power_bi.set_time_scale(1.0);
    let refused = push(&room, &rows(1)).await;
    let unscaled: u64 = refused.header("retry-after").parse().unwrap();
    assert!(unscaled > 60, "{unscaled}");
    room.power_bi.advance(Duration::from_secs(unscaled));
    assert_eq!(push(&room, &rows(1)).await.status, 200);
}

#[tokio::test]
async fn the_faster_clock_itself_ends_an_hour() {
    let room = Room::start(|options| {
        options.limits.rows_per_hour = 1;
        options.time_scale = 86_400.0;
    })
    .await;
    assert_eq!(push(&room, &rows(1)).await.status, 200);
    let again = async { while push(&room, &rows(1)).await.status != 200 {} };
    tokio::time::timeout(Duration::from_secs(30), again).await.expect("an hour of 42 milliseconds ends");
}

#[tokio::test]
async fn another_process_sets_the_limits_and_counts_what_was_lost_and_doubled() {
    let room = Room::start(|_| {}).await;
    let control = |path: &str| format!("{}/__stand-in/{path}", room.power_bi.url());
    let wish = json!({"timeScale": 60.0, "limits": {"rowsPerPost": 2}, "sequenceNumbers": false});
    assert_eq!(room.client.send("POST", &control("settings"), wish.to_string()).await.status, 200);
    assert_eq!(room.client.send("POST", &control("settings"), r#"{"unknown": 1}"#).await.status, 400);
    assert_eq!(push(&room, &rows(3)).await.status, 400);
    for orders in [[0, 1], [1, 3], [4, 9]] {
        let body = json!({"rows": orders.map(|orders| json!({"orders": orders}))});
        assert_eq!(push(&room, &body).await.status, 200);
    }
    let path = format!("datasets/{}/tables/DailySales/tally?column=orders&from=0&to=5", sample::SALES_LIVE);
    let tally = room.client.get(&control(&path)).await.json();
    assert_eq!(tally, json!({"rows": 6, "lost": [2], "doubled": {"1": 2}, "unexpected": 1}));
}
