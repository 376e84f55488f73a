//! Power BI: DAX queries, what they may answer, and what is cut.

use std::time::Duration;

use local_stack::power_bi::{CannedQuery, sample};
use serde_json::{Value, json};

use crate::client::Reply;
use crate::power_bi::{Room, dataset};

async fn ask(room: &Room, query: &str) -> Reply {
    ask_with(room, json!({"queries": [{"query": query}]})).await
}

async fn ask_with(room: &Room, body: Value) -> Reply {
    let path = format!("{}/executeQueries", dataset(sample::WORKSPACE, sample::SALES_LIVE));
    room.send("POST", &path, Some(&body)).await
}

fn rows(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["results"][0]["tables"][0]["rows"].clone()
}

async fn filled(count: i64) -> Room {
    let room = Room::start(|_| {}).await;
    let path = format!("{}/tables/DailySales/rows", dataset(sample::WORKSPACE, sample::SALES_LIVE));
    let all: Vec<Value> =
        (0..count).map(|orders| json!({"day": "2026-10-31T00:00:00Z", "orders": orders.to_string()})).collect();
    assert_eq!(room.send("POST", &path, Some(&json!({"rows": all}))).await.status, 200);
    room
}

#[tokio::test]
async fn rows_that_were_pushed_are_queried_and_counted() {
    let room = filled(3).await;
    let first = json!({"DailySales[day]": "2026-10-31T00:00:00", "DailySales[orders]": 0});
    let all = rows(&ask(&room, "EVALUATE 'DailySales'").await);
    assert_eq!((all.as_array().unwrap().len(), &all[0]), (3, &first));
    assert_eq!(rows(&ask(&room, "EVALUATE TOPN(1, DailySales)").await), json!([first]));
    assert_eq!(rows(&ask(&room, r#"EVALUATE ROW("n", COUNTROWS('DailySales'))"#).await), json!([{"[n]": 3}]));
    let query = "EVALUATE TOPN(1, DailySales)";
    let nulls = json!({"queries": [{"query": query}], "serializerSettings": {"includeNulls": true}, "impersonatedUserName": "maker@contoso.example"});
    let with_nulls = rows(&ask_with(&room, nulls).await);
    assert_eq!((with_nulls[0].as_object().unwrap().len(), &with_nulls[0]["DailySales[amount]"]), (5, &Value::Null));
    let effects = room.power_bi.served.history.of("powerBi", "query");
    assert_eq!(effects[3].detail["impersonatedUserName"], "maker@contoso.example");
}

#[tokio::test]
async fn what_is_too_much_is_cut_and_says_so_under_a_200() {
    let room = filled(6).await;
    let mut limits = local_stack::power_bi::Limits::default();
    let whole = ask(&room, "EVALUATE DailySales").await;
    assert_eq!(whole.json()["results"][0]["tables"][0].get("error"), None);
    // Five columns: 20 values are 4 rows; two rows are more than 100 bytes, of which the second is completed.
    limits.rows_per_query = 5;
    let by_rows = limits;
    limits.values_per_query = 20;
    let by_values = limits;
    limits.bytes_per_query = 100;
    for (limits, kept, word) in [(by_rows, 5, "5 rows"), (by_values, 4, "20 values"), (limits, 2, "100 bytes")] {
        room.power_bi.set_limits(limits);
        let reply = ask(&room, "EVALUATE DailySales").await;
        assert_eq!(rows(&reply).as_array().unwrap().len(), kept, "{}", reply.text);
        let error = reply.json()["results"][0]["tables"][0]["error"]["message"].clone();
        assert!(error.as_str().unwrap().contains(word), "{error}");
    }
    let two = ask(&room, "EVALUATE DailySales EVALUATE DailySales").await;
    assert_eq!((two.status, two.json()["results"][0]["tables"].as_array().unwrap().len()), (200, 1));
    assert_eq!(two.json()["results"][0]["error"]["message"], "More than one result table in a query");
}

#[tokio::test]
async fn queries_that_are_wrong_are_400_with_the_reason_in_the_details() {
    let room = Room::start(|_| {}).await;
    for (query, why) in [("EVALUATE Nowhere", "Nowhere"), ("SELECT 1", "Query (1, 1)"), ("EVALUATE", "Query (1, 9)")] {
        let refused = ask(&room, query).await;
        assert_eq!(refused.status, 400);
        let error = refused.json()["error"].clone();
        assert_eq!(error["code"], "DatasetExecuteQueriesError");
        let detail = error["pbi.error"]["details"][0]["detail"]["value"].as_str().unwrap();
        assert!(detail.contains(why), "{detail}");
    }
    let two = json!({"queries": [{"query": "EVALUATE T"}, {"query": "EVALUATE T"}]});
    assert_eq!(ask_with(&room, two).await.status, 400);
    assert_eq!(ask_with(&room, json!({"queries": []})).await.status, 400);
    room.power_bi.set_row_level_security(sample::SALES_LIVE, true);
    assert_eq!(ask(&room, "EVALUATE DailySales").await.status, 401);
}

#[tokio::test]
async fn a_test_answers_what_no_stand_in_can_compute() {
    let room = Room::start(|_| {}).await;
    let row = json!({"Sales[year]": 2026, "[total]": 12.5});
    room.power_bi.answer_query(CannedQuery {
        query_contains: "SUMMARIZECOLUMNS".into(),
        rows: vec![row.as_object().unwrap().clone()],
        error: None,
    });
    let query = "EVALUATE SUMMARIZECOLUMNS(Sales[year], \"total\", [Total])";
    assert_eq!(rows(&ask(&room, query).await), json!([row]));
    let wish = json!({"queryContains": "Sales[year]", "error": "Column 'year' cannot be found."});
    let url = format!("{}/__stand-in/queries", room.power_bi.url());
    assert_eq!(room.client.send("POST", &url, wish.to_string()).await.status, 200);
    assert_eq!(ask(&room, query).await.status, 400);
}

#[tokio::test]
async fn more_than_120_queries_a_minute_are_told_when_to_come_back() {
    let room = Room::start(|options| options.limits.queries_per_minute = 2).await;
    for _ in 0..2 {
        assert_eq!(ask(&room, "EVALUATE DailySales").await.status, 200);
    }
    let refused = ask(&room, "EVALUATE DailySales").await;
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert_eq!((refused.status, (1..=60).contains(&seconds)), (429, true));
    room.power_bi.advance(Duration::from_secs(seconds));
    assert_eq!(ask(&room, "EVALUATE DailySales").await.status, 200);
}
