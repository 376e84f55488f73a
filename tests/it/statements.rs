//! SQL over HTTP, from outside: values, pages, failures. Waiting and cancelling are `waiting.rs`.

use local_stack::databricks::STOPPED_WAREHOUSE;
use serde_json::{Value, json};

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

const TYPES: &str = "SELECT CAST(1 AS TINYINT) AS byte, CAST(2 AS SMALLINT) AS short, 3 AS int, \
    CAST(9007199254740993 AS BIGINT) AS long, CAST(1.5 AS FLOAT) AS float, CAST(2.5 AS DOUBLE) AS double, \
    CAST('NaN' AS DOUBLE) AS nan, CAST('12.30' AS DECIMAL(10,2)) AS small, \
    CAST('12345678901234567.25' AS DECIMAL(20,2)) AS large, TRUE AS yes, 'text' AS text, \
    CAST('2026-10-31' AS DATE) AS day, CAST('2026-10-31 12:30:00' AS TIMESTAMP) AS moment, \
    CAST('2026-10-31 12:30:00' AS TIMESTAMP_NTZ) AS local, CAST('abc' AS BINARY) AS bytes, \
    array(1, 2) AS list, named_struct('a', 1) AS struct, CAST(NULL AS STRING) AS nothing";

#[tokio::test(flavor = "multi_thread")]
async fn each_type_has_its_form() {
    let road = Road::start().await;
    let reply = road.sql(TYPES).await.expect(200);
    let expected = json!({
        "byte": 1, "short": 2, "int": 3, "long": 9_007_199_254_740_993_i64, "float": 1.5, "double": 2.5, "nan": "NaN",
        "small": 12.3, "large": "12345678901234567.25", "yes": true, "text": "text", "day": "2026-10-31",
        "local": "2026-10-31T12:30:00.000", "bytes": "YWJj", "nothing": null,
    });
    let row = reply.at("/rows/0");
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&row[name], value, "{name}");
    }
    assert!(row["moment"].as_str().unwrap().starts_with("2026-10-31T12:30:00"), "{}", row["moment"]);
    assert!(row["moment"].as_str().unwrap().ends_with('Z'), "{}", row["moment"]);
    // Databricks writes the leaves of nested values as text; here they are JSON.
    assert!(row["list"].is_array() && row["struct"].is_object(), "{row}");
    let columns = reply.at("/columns").as_array().unwrap();
    let rule = |name: &str| columns.iter().find(|column| column["name"] == name).unwrap()["json"].clone();
    assert_eq!(
        (rule("small"), rule("large"), rule("bytes")),
        (json!("number"), json!("string-number"), json!("base64"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_chooses_how_decimals_and_bigints_are_written() {
    let road = Road::start().await;
    let sql = json!({"statement":
        "SELECT CAST(7 AS BIGINT) AS long, CAST('1.50' AS DECIMAL(10,2)) AS small, \
         CAST('12345678901234567.25' AS DECIMAL(20,2)) AS large"});
    let asked = async |query: &str| road.post(&format!("/api/sql/statements{query}"), &sql).await;
    let plain = asked("").await.expect(200);
    assert_eq!(plain.at("/rows/0"), &json!({"long": 7, "small": 1.5, "large": "12345678901234567.25"}));
    let strings = asked("?decimals=string&bigints=string").await.expect(200);
    assert_eq!(strings.at("/rows/0"), &json!({"long": "7", "small": "1.50", "large": "12345678901234567.25"}));
    let numbers = asked("?decimals=number").await.expect(200);
    assert!(numbers.at("/rows/0/large").is_number(), "{}", numbers.body);
    asked("?decimals=float").await.problem(400, "query-invalid").saying(&["decimals"]);
    asked("?bigints=yes").await.problem(400, "query-invalid").saying(&["bigints"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_comes_in_pages_that_need_no_key_and_nothing_is_lost() {
    let road = Road::with(|options| options.databricks.chunk_rows = 7_000).await;
    let sql = "SELECT id, CAST(id AS BIGINT) AS again FROM range(0, 25000) AS t(id)";
    let mut page = road.post("/api/sql/statements?bigints=string", &json!({"statement": sql})).await.expect(200);
    assert_eq!((page.at("/rowCount"), page.at("/returnedRows")), (&json!(25_000), &json!(10_000)));
    let mut ids: Vec<String> = Vec::new();
    let mut pages = 0;
    loop {
        pages += 1;
        let rows = page.at("/rows").as_array().unwrap();
        assert_eq!(page.at("/returnedRows"), rows.len());
        // The choice of the first call holds for every page.
        ids.extend(rows.iter().map(|row| row["again"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["nextLink"].as_str() else { break };
        // A whole URL gets no key from this caller.
        page = road.get(next).await.expect(200);
        assert_eq!(page.at("/rowCount"), 25_000);
    }
    assert_eq!(pages, 3);
    let expected: Vec<String> = (0..25_000).map(|id| id.to_string()).collect();
    assert!(ids == expected, "{} rows, first {:?}, last {:?}", ids.len(), ids.first(), ids.last());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_limit_is_told_as_truncation() {
    let road = Road::start().await;
    let body = json!({"statement": "SELECT id FROM range(0, 50) AS t(id)", "rowLimit": 10});
    let reply = road.post("/api/sql/statements", &body).await.expect(200);
    assert_eq!((reply.at("/returnedRows"), reply.at("/truncated")), (&json!(10), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_rows_are_gone_says_so() {
    let road = Road::start().await;
    let first = road.sql("SELECT id FROM range(0, 12000) AS t(id)").await.expect(200);
    let next = first.at("/nextLink").as_str().unwrap().to_owned();
    assert!(road.stack.databricks.expire(first.at("/statementId").as_str().unwrap()));
    road.get(&next).await.problem(410, "result-expired").saying(&["again"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_statement_is_a_422_with_its_sqlstate_and_error_class() {
    let road = Road::start().await;
    let reply = road.sql("SELECT * FROM main.sales.nowhere").await.problem(422, "statement-failed");
    assert_eq!(reply.at("/sqlState"), "42P01");
    assert_eq!(reply.at("/errorClass"), "TABLE_OR_VIEW_NOT_FOUND");
    assert_eq!(reply.at("/upstream/service"), "databricks");
    let reply = reply.saying(&["nowhere"]);
    // The operator finds the same call, with its cause.
    let id = reply.at("/requestId").as_str().unwrap();
    let failed = |line: &Value| line["message"] == "failed" && line.to_string().contains(id);
    assert_eq!(road.logged("that the call failed", failed).await["code"], "statement-failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_at_a_statement_always_answers_200_also_when_it_failed() {
    let road = Road::start().await;
    let started =
        road.post("/api/sql/statements?mode=start", &json!({"statement": "SELECT * FROM main.sales.nowhere"})).await;
    let location = started.started();
    let id = started.at("/id").as_str().unwrap();
    assert!(location.ends_with(&format!("/api/sql/statements/{id}")), "{location}");
    road.follow(started.at("/statusUrl").as_str().unwrap()).await.problem(422, "statement-failed");
    let path = format!("/api/sql/statements/{id}");
    let seen = road.get(&path).await.expect(200);
    assert_eq!((seen.at("/statementId"), seen.at("/state")), (&json!(id), &json!("FAILED")));
    assert_eq!(seen.at("/error/sqlState"), "42P01");

    let done = road.sql("SELECT 1 AS one").await.expect(200);
    let again =
        road.get(&format!("/api/sql/statements/{}", done.at("/statementId").as_str().unwrap())).await.expect(200);
    assert_eq!((again.at("/state"), again.at("/rows")), (&json!("SUCCEEDED"), &json!([{"one": 1}])));

    for nothing in ["01ef0000-0000-1000-8000-000000000000", "no such id"] {
        let reply = road.get(&format!("/api/sql/statements/{}", nothing.replace(' ', "%20"))).await;
        reply.problem(404, "statement-not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warehouse_that_is_unknown_or_does_not_start_is_named() {
    let road = Road::start().await;
    let on = async |warehouse: &str| {
        road.post("/api/sql/statements", &json!({"statement": "SELECT 1 AS one", "warehouseId": warehouse})).await
    };
    on("0000000000000000").await.problem(404, "warehouse-not-found").saying(&["0000000000000000"]);
    // One that sleeps is started by the statement itself.
    let woken = on(STOPPED_WAREHOUSE).await.expect(200);
    assert_eq!(woken.at("/rows"), &json!([{"one": 1}]));
    assert!(road.stack.databricks.set_warehouse(STOPPED_WAREHOUSE, Some("STOPPED"), None, Some(true)));
    let refused = on(STOPPED_WAREHOUSE).await;
    assert!((400..=503).contains(&refused.status), "{}", refused.body);
    assert!(["statement-failed", "warehouse-unavailable"].contains(&refused.code()), "{}", refused.body);
    let write = json!({"statement": "CREATE TABLE main.sales.never (a INT)", "warehouseId": STOPPED_WAREHOUSE});
    let refused = road.post("/api/sql/statements", &write).await;
    assert!(refused.status < 429, "a write that was submitted invites its caller again: {}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_warehouse_the_missing_one_is_a_422() {
    let road = Road::with(|options| {
        options.extra_environment.insert("CAUSEWAY_DATABRICKS_WAREHOUSE_ID".into(), String::new());
    })
    .await;
    let reply = road.sql("SELECT 1").await.problem(422, "warehouse-missing").saying(&["warehouseId"]);
    assert_eq!(reply.at("/place"), &Value::from("warehouseId"));
}
