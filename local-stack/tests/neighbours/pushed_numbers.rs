//! Power BI: pushes that carry a sequence number, and a service without them.

use local_stack::power_bi::{AUDIENCES, sample};
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::power_bi::{Room, dataset};

fn table() -> String {
    format!("{}/tables/{}", dataset(sample::WORKSPACE, sample::SALES_LIVE), sample::DAILY_SALES)
}

async fn push(room: &Room, client: &Client, number: &str, orders: i64) -> Reply {
    let client = client.with("X-PowerBI-PushData-SequenceNumber", number);
    room.send_by(&client, "POST", &format!("{}/rows", table()), Some(&json!({"rows": [{"orders": orders}]}))).await
}

async fn numbers(room: &Room) -> Value {
    room.send("GET", &format!("{}/sequenceNumbers", table()), None).await.json()["value"].clone()
}

fn effects(room: &Room, kind: &str) -> usize {
    room.power_bi.served.history.of("powerBi", kind).len()
}

#[tokio::test]
async fn a_number_that_was_pushed_is_acknowledged_and_adds_nothing() {
    let room = Room::start(|_| {}).await;
    assert_eq!(numbers(&room).await, json!([]));
    for (number, orders) in [("1", 0), ("2", 1), ("2", 1), ("1", 0), ("5", 2)] {
        assert_eq!(push(&room, &room.client, number, orders).await.status, 200);
    }
    assert_eq!(numbers(&room).await, json!([{"clientId": "app", "sequenceNumber": 5}]));
    assert!(room.power_bi.tally(sample::SALES_LIVE, sample::DAILY_SALES, "orders", 0..3).is_exact());
    assert_eq!((effects(&room, "rows"), effects(&room, "rowsRepeated")), (3, 2));
    assert_eq!(push(&room, &room.client, "no number", 3).await.status, 400);
}

#[tokio::test]
async fn numbers_are_a_clients_own_and_outlive_the_rows() {
    let room = Room::start(|_| {}).await;
    let (token, _) = room.tokens.issue(AUDIENCES[0], "other", "object");
    let other = Client::default().bearer(&token).with("content-type", "application/json");
    push(&room, &room.client, "7", 0).await;
    push(&room, &other, "1", 1).await;
    let both = json!([{"clientId": "app", "sequenceNumber": 7}, {"clientId": "other", "sequenceNumber": 1}]);
    assert_eq!(numbers(&room).await, both);
    assert_eq!(room.send("DELETE", &format!("{}/rows", table()), None).await.status, 200);
    push(&room, &room.client, "7", 0).await;
    assert_eq!(room.power_bi.row_count(sample::SALES_LIVE, sample::DAILY_SALES), 0);
    assert_eq!(numbers(&room).await, both);
}

#[tokio::test]
async fn without_sequence_numbers_the_header_means_nothing_and_there_is_no_list() {
    let room = Room::start(|options| options.sequence_numbers = false).await;
    for _ in 0..2 {
        assert_eq!(push(&room, &room.client, "1", 0).await.status, 200);
    }
    assert_eq!(push(&room, &room.client, "no number", 0).await.status, 200);
    assert_eq!(room.power_bi.row_count(sample::SALES_LIVE, sample::DAILY_SALES), 3);
    assert_eq!(room.send("GET", &format!("{}/sequenceNumbers", table()), None).await.status, 404);
    room.power_bi.set_sequence_numbers(true);
    push(&room, &room.client, "1", 0).await;
    push(&room, &room.client, "1", 0).await;
    assert_eq!(room.power_bi.row_count(sample::SALES_LIVE, sample::DAILY_SALES), 4);
}
