//! Statement Execution: waits, states, chunks, limits, cancel, expiry.

use local_stack::core::{Action, Fault};
use local_stack::databricks::{CannedReply, DatabricksOptions, WAREHOUSE};
use serde_json::{Value, json};

use crate::caller::{id, start, with, without_engine};

const PATH: &str = "/api/2.0/sql/statements";

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_statement_that_does_not_wait_is_always_pending_first() {
    let caller = start().await;
    let reply = caller.execute("SELECT 1 AS one", json!({"wait_timeout": "0s"})).await;
    assert_eq!(reply.body["status"], json!({"state": "PENDING"}));
    assert_eq!(keys(&reply.body), ["statement_id", "status"]);
    let done = caller.until_state(&id(&reply), "SUCCEEDED").await;
    assert_eq!(done["result"]["data_array"], json!([["1"]]));
}

#[tokio::test]
async fn a_held_statement_is_running_until_it_is_released_and_acts_once() {
    let caller = start().await;
    caller.stand_in.hold("held", None);
    let insert = "INSERT INTO gold.daily_sales (day, category) VALUES (DATE '2030-01-01', 'held')";
    let reply = caller.execute(insert, json!({"wait_timeout": "0s"})).await;
    let running = caller.until_state(&id(&reply), "RUNNING").await;
    assert_eq!(keys(&running), ["statement_id", "status"]);
    let count = "SELECT count(*) FROM gold.daily_sales WHERE day = '2030-01-01'";
    assert_eq!(caller.rows(count).await, json!([["0"]]));
    caller.stand_in.release();
    caller.until_state(&id(&reply), "SUCCEEDED").await;
    assert_eq!(caller.rows(count).await, json!([["1"]]));
    let effects = caller.history.of("databricks", "statement");
    assert_eq!(effects.iter().filter(|effect| effect.detail["statement"] == insert).count(), 1);
}

#[tokio::test]
async fn a_wait_that_ends_continues_or_cancels_as_asked() {
    let caller = with(without_engine()).await;
    caller.stand_in.hold("slow", None);
    let ask = async |then: &str| {
        caller.execute("SELECT 'slow'", json!({"wait_timeout": "5s", "on_wait_timeout": then})).await
    };
    let (continued, canceled) = tokio::join!(ask("CONTINUE"), ask("CANCEL"));
    assert_eq!(continued.body["status"], json!({"state": "RUNNING"}));
    assert_eq!(canceled.body["status"], json!({"state": "CANCELED"}));
    assert_eq!(keys(&canceled.body), ["statement_id", "status"]);
}

#[tokio::test]
async fn a_cancel_ends_a_held_statement_and_one_that_runs() {
    let caller = start().await;
    caller.stand_in.hold("held", None);
    for statement in ["SELECT 'held'", "SELECT count(*) FROM range(100000000) a, range(100000000) b"] {
        let reply = caller.execute(statement, json!({"wait_timeout": "0s"})).await;
        caller.until_state(&id(&reply), "RUNNING").await;
        let cancel = caller.post(&format!("{PATH}/{}/cancel", id(&reply)), &json!({})).await;
        assert_eq!((cancel.status, cancel.body), (200, json!({})));
        caller.until_state(&id(&reply), "CANCELED").await;
    }
}

#[tokio::test]
async fn a_cancel_interrupts_what_the_engine_is_doing() {
    let caller = start().await;
    let endless = "SELECT count(*) FROM range(100000000) a, range(100000000) b";
    let reply = caller.execute(endless, json!({"wait_timeout": "5s", "on_wait_timeout": "CANCEL"})).await;
    assert_eq!(reply.body["status"], json!({"state": "CANCELED"}));
}

#[tokio::test]
async fn only_0s_and_5s_to_50s_are_waits() {
    let caller = with(without_engine()).await;
    for bad in ["1s", "51s", "5m", "10", "-5s", ""] {
        let reply = caller.execute("SELECT 1", json!({"wait_timeout": bad})).await;
        assert_eq!((reply.status, &reply.body["error_code"]), (400, &json!("INVALID_PARAMETER_VALUE")), "{bad}");
    }
    assert!(caller.history.of("databricks", "statement").is_empty());
    for good in ["0s", "5s", "50s"] {
        assert_eq!(caller.execute("SELECT 1", json!({"wait_timeout": good})).await.status, 200, "{good}");
    }
}

#[tokio::test]
async fn what_is_too_much_or_unknown_is_refused_before_it_is_accepted() {
    let caller = with(without_engine()).await;
    let many: Vec<Value> = (0..257).map(|i| json!({"name": format!("p{i}"), "value": "1"})).collect();
    let reply = caller.execute("SELECT 1", json!({"parameters": many})).await;
    assert_eq!(reply.status, 400);
    assert_eq!(
        reply.body["message"],
        "Parameterized query has too many parameters: 257 parameters were given but the limit is 256."
    );
    let long = caller.execute(&" ".repeat(16_777_217).replacen(' ', "S", 1), json!({})).await;
    assert_eq!(long.body["message"], "The statement field must not exceed a length of 16777216 bytes.");
    for (more, status) in [
        (json!({"warehouse_id": "0000000000000000"}), 400),
        (json!({"statement": ""}), 400),
        (json!({"disposition": "EVERYWHERE"}), 400),
        (json!({"format": "CSV"}), 400),
        (json!({"on_wait_timeout": "WAIT"}), 400),
        (json!({"row_limit": "many"}), 400),
    ] {
        assert_eq!(caller.execute("SELECT 1", more.clone()).await.status, status, "{more}");
    }
    assert_eq!(caller.get(&format!("{PATH}/01f00000-0000-1000-8000-000000000000")).await.status, 404);
    assert!(caller.history.of("databricks", "statement").is_empty());
}

#[tokio::test]
async fn chunks_follow_each_other_and_the_last_names_no_next() {
    let caller = with(DatabricksOptions { chunk_rows: 1000, ..DatabricksOptions::default() }).await;
    let reply = caller.execute("SELECT order_id FROM sales.orders WHERE order_id <= 2500 ORDER BY 1", json!({})).await;
    let manifest = &reply.body["manifest"];
    assert_eq!((&manifest["total_chunk_count"], &manifest["total_row_count"]), (&json!(3), &json!(2500)));
    assert_eq!(manifest["chunks"][2], json!({"chunk_index": 2, "row_offset": 2000, "row_count": 500}));
    let mut rows = 0;
    let mut part = reply.body["result"].clone();
    loop {
        let data = part["data_array"].as_array().expect("rows").clone();
        assert_eq!(data[0][0], json!((rows + 1).to_string()));
        rows += data.len();
        let Some(next) = part.get("next_chunk_internal_link") else { break };
        part = caller.get(next.as_str().expect("a link")).await.body;
    }
    assert_eq!(rows, 2500);
    assert!(part.get("next_chunk_index").is_none());
    assert_eq!(caller.get(&format!("{PATH}/{}/result/chunks/3", id(&reply))).await.status, 400);
}

#[tokio::test]
async fn a_row_limit_and_a_byte_limit_truncate_and_say_so() {
    let caller = start().await;
    let all = "SELECT order_id FROM sales.orders ORDER BY 1";
    let rows = caller.execute(all, json!({"row_limit": 7})).await.body;
    assert_eq!((&rows["manifest"]["truncated"], &rows["manifest"]["total_row_count"]), (&json!(true), &json!(7)));
    let bytes = caller.execute(all, json!({"byte_limit": 20})).await.body;
    assert_eq!((&bytes["manifest"]["truncated"], &bytes["manifest"]["total_row_count"]), (&json!(true), &json!(14)));
    let exact = caller.execute("SELECT 1", json!({"row_limit": 1})).await.body;
    assert_eq!(exact["manifest"]["truncated"], false);
}

#[tokio::test]
async fn an_inline_result_over_the_limit_fails_the_statement() {
    let caller = with(DatabricksOptions { inline_limit: 1000, ..DatabricksOptions::default() }).await;
    let reply = caller.execute("SELECT * FROM sales.orders", json!({})).await;
    assert_eq!((reply.status, &reply.body["status"]["state"]), (200, &json!("FAILED")));
    let message = reply.body["status"]["error"]["message"].as_str().expect("a message");
    assert!(message.starts_with("Inline byte limit exceeded.") && message.contains("at most 1000 bytes"), "{message}");
    assert_eq!(reply.body["status"]["error"]["error_code"], "BAD_REQUEST");
}

#[tokio::test]
async fn an_expired_result_is_closed_and_a_forgotten_statement_is_404() {
    let caller = with(without_engine()).await;
    let reply = CannedReply {
        statement: "SELECT 1".into(),
        columns: vec![("1".into(), "INT".into(), "INT".into())],
        rows: vec![vec![Some("1".into())]],
    };
    caller.stand_in.canned(&reply).expect("a reply");
    let done = caller.execute("SELECT 1", json!({})).await;
    assert_eq!(done.body["result"]["data_array"], json!([["1"]]));
    let path = format!("{PATH}/{}", id(&done));
    assert!(caller.stand_in.expire(&id(&done)));
    assert_eq!(caller.get(&path).await.body["status"], json!({"state": "CLOSED"}));
    assert_eq!(caller.get(&format!("{path}/result/chunks/0")).await.status, 404);
    assert!(caller.stand_in.forget(&id(&done)));
    assert_eq!(caller.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_statement_whose_reply_was_cut_has_run_all_the_same() {
    let caller = start().await;
    caller.stand_in.served.faults.add(Fault::once(
        "POST",
        PATH,
        Action::StatusAfterCommit { status: 503, headers: vec![], body: String::new() },
    ));
    let delete = "DELETE FROM sales.orders WHERE order_id = 1";
    assert_eq!(caller.execute(delete, json!({})).await.status, 503);
    assert_eq!(caller.rows("SELECT count(*) FROM sales.orders WHERE order_id = 1").await, json!([["0"]]));
    let effect = &caller.history.of("databricks", "statement")[0].detail;
    assert_eq!((&effect["statement"], &effect["warehouseId"]), (&json!(delete), &json!(WAREHOUSE)));
}

#[tokio::test]
async fn a_failure_that_was_asked_for_comes_as_often_as_asked_and_nothing_is_done() {
    let caller = start().await;
    let message = "[DELTA_CONCURRENT_APPEND.ROW_LEVEL_CHANGES] Transaction conflict detected. SQLSTATE: 2D521";
    caller.stand_in.fail("DELETE", message, Some("2D521"), 1);
    let delete = "DELETE FROM sales.orders WHERE order_id = 1";
    let failed = caller.execute(delete, json!({})).await.body;
    let error = json!({"error_code": "BAD_REQUEST", "message": message});
    assert_eq!(failed["status"], json!({"state": "FAILED", "error": error, "sql_state": "2D521"}));
    assert_eq!(caller.rows(delete).await, json!([["1"]]));
}

#[tokio::test]
async fn the_controls_work_over_http_too() {
    let caller = with(without_engine()).await;
    let control = async |what: &str, body: Value| {
        caller.send("POST", &format!("/__stand-in/{what}"), None, body.to_string()).await.status
    };
    let rows = json!({"statement": "SELECT 2", "columns": [["2", "INT", "INT"]], "rows": [["2"], [null]]});
    assert_eq!(control("canned", rows).await, 200);
    assert_eq!(control("hold", json!({"statementContains": "SELECT 2"})).await, 200);
    let reply = caller.execute("SELECT 2", json!({"wait_timeout": "0s"})).await;
    caller.until_state(&id(&reply), "RUNNING").await;
    assert_eq!(control("release", json!({})).await, 200);
    let done = caller.until_state(&id(&reply), "SUCCEEDED").await;
    assert_eq!(done["result"]["data_array"], json!([["2"], [null]]));
    assert_eq!(control("hold", json!({"nonsense": 1})).await, 400);
}

#[tokio::test]
async fn a_lakehouse_belongs_to_one_stand_in() {
    let (one, other) = tokio::join!(start(), start());
    one.rows("CREATE TABLE main.gold.mine (a INT)").await;
    one.rows("SELECT * FROM main.gold.mine").await;
    let reply = other.execute("SELECT * FROM main.gold.mine", json!({})).await;
    assert_eq!(reply.body["status"]["sql_state"], "42P01");
    let sum = "SELECT sum(amount) FROM main.sales.orders";
    assert_eq!(one.rows(sum).await, other.rows(sum).await);
}
