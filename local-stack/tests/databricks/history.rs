//! Query history: the lag, the order, the pages, the filters that exist and those that do not.

use std::time::Duration;

use serde_json::{Value, json};

use crate::caller::{id, with, without_engine};

const PATH: &str = "/api/2.0/sql/history/queries";

fn texts(body: &Value) -> Vec<&str> {
    body["res"].as_array().expect("rows").iter().filter_map(|row| row["query_text"].as_str()).collect()
}

#[tokio::test]
async fn a_statement_is_unknown_until_the_lag_has_passed() {
    let caller = with(without_engine()).await;
    let tags = json!([{"key": "causeway-key", "value": "k1"}]);
    let reply = caller.execute("SELECT 1", json!({"query_tags": tags})).await;
    assert_eq!(texts(&caller.get(PATH).await.body), Vec::<&str>::new());
    caller.stand_in.set_history_lag(Duration::ZERO);
    let row = caller.get(PATH).await.body["res"][0].clone();
    assert_eq!((&row["query_id"], &row["query_tags"]), (&json!(id(&reply)), &tags));
    assert_eq!(row["status"], "FAILED");
}

#[tokio::test]
async fn the_text_is_as_it_was_sent_with_its_comments() {
    let caller = with(without_engine()).await;
    caller.stand_in.set_history_lag(Duration::ZERO);
    let statement = "/* a flow */ -- and a line\nSELECT 1 /* at the end */";
    caller.execute(statement, json!({"query_tags": [{"key": "a", "value": "1"}, {"key": "b"}]})).await;
    let row = caller.get(PATH).await.body["res"][0].clone();
    assert_eq!(row["query_text"], statement);
    assert_eq!(row["query_tags"], json!([{"key": "a", "value": "1"}, {"key": "b"}]));
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest() {
    let caller = with(without_engine()).await;
    caller.stand_in.set_history_lag(Duration::ZERO);
    for statement in ["SELECT 1", "SELECT 2", "SELECT 3"] {
        caller.execute(statement, json!({})).await;
    }
    let first = caller.get(&format!("{PATH}?max_results=2")).await.body;
    assert_eq!((texts(&first), &first["has_next_page"]), (vec!["SELECT 3", "SELECT 2"], &json!(true)));
    let token = first["next_page_token"].as_str().expect("a token");
    let second = caller.get(&format!("{PATH}?max_results=2&page_token={token}")).await.body;
    assert_eq!((texts(&second), &second["has_next_page"]), (vec!["SELECT 1"], &json!(false)));
    assert!(second.get("next_page_token").is_none());
}

#[tokio::test]
async fn there_is_a_filter_by_id_status_and_time_and_none_by_tag() {
    let caller = with(without_engine()).await;
    caller.stand_in.set_history_lag(Duration::ZERO);
    let one = caller.execute("SELECT 1", json!({})).await;
    caller.execute("SELECT 2", json!({})).await;
    let only = caller.get(&format!("{PATH}?filter_by.statement_ids={}", id(&one))).await.body;
    assert_eq!(texts(&only), ["SELECT 1"]);
    assert_eq!(texts(&caller.get(&format!("{PATH}?filter_by.statuses=RUNNING")).await.body), Vec::<&str>::new());
    let later = jiff::Timestamp::now().as_millisecond() + 60_000;
    let time = format!("{PATH}?filter_by.query_start_time_range.start_time_ms={later}");
    assert_eq!(texts(&caller.get(&time).await.body), Vec::<&str>::new());
    assert_eq!(caller.get(&format!("{PATH}?filter_by.query_tags=k1")).await.status, 400);
    assert_eq!(caller.get(&format!("{PATH}?max_results=1000")).await.status, 400);
}
