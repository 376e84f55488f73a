//! What drivers set for a whole session, and how a workspace writes BINARY.

use local_stack::databricks::{Binary, TOKEN, WAREHOUSE};
use serde_json::json;

use crate::caller::start;

#[tokio::test]
async fn binary_is_base64_or_hex_as_told() {
    let caller = start().await;
    assert_eq!(caller.rows("SELECT unhex('f000fb') AS b").await, json!([["8AD7"]]));
    caller.stand_in.set_binary(Binary::Hex);
    assert_eq!(caller.rows("SELECT unhex('f000fb') AS b").await, json!([["f000fb"]]));
}

#[tokio::test]
async fn a_session_has_a_catalog_a_schema_and_a_time_zone() {
    let caller = start().await;
    let confs = json!({"TIMEZONE": "America/Los_Angeles"});
    let open = json!({"warehouse_id": WAREHOUSE, "catalog": "SPARK", "schema": "gold", "session_confs": confs});
    let session = caller.post("/api/2.0/sql/sessions", &open).await.body["session_id"].clone();
    let ask = async |statement: &str| caller.execute(statement, json!({"session_id": session})).await;
    let noon = ask("SELECT TIMESTAMP '2021-01-01 12:00:00' AS t, count(*) > 0 AS n FROM daily_sales").await.body;
    assert_eq!(noon["result"]["data_array"], json!([["2021-01-01T12:00:00.000-08:00", "true"]]), "{noon}");
    assert_eq!(ask("USE main.sales").await.body["status"]["state"], "SUCCEEDED");
    assert_eq!(ask("SELECT count(*) FROM orders").await.body["status"]["state"], "SUCCEEDED");
    let path = format!("/api/2.0/sql/sessions/{}?warehouse_id={WAREHOUSE}", session.as_str().expect("an id"));
    caller.send("DELETE", &path, Some(&format!("Bearer {TOKEN}")), String::new()).await;
    assert_eq!(ask("SELECT 1").await.status, 404);
}
