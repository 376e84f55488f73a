//! SQL over HTTP, from outside: values, waiting, failures.

use serde_json::json;

use crate::road::Road;

#[tokio::test(flavor = "multi_thread")]
async fn a_select_answers_typed_rows_with_bound_parameters() {
    let road = Road::start().await;
    let body = json!({
        "statement": "SELECT :name AS name, CAST(:amount AS DECIMAL(10,2)) AS amount, :none AS none",
        "parameters": {"name": "O'Hara; DROP TABLE x", "amount": {"value": "2.50", "type": "DECIMAL(10,2)"}, "none": null},
    });
    let reply = road.post("/api/sql/statements", &body).await.expect(200);
    assert_eq!(reply.body["rows"], json!([{"name": "O'Hara; DROP TABLE x", "amount": 2.5, "none": null}]));
    assert_eq!(reply.body["rowCount"], 1);
    assert_eq!(reply.body["truncated"], false);
}
