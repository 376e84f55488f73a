//! What the SQL engine makes of Databricks SQL: types and cells on the wire, parameters, metrics, errors.

use local_stack::databricks::DatabricksOptions;
use serde_json::{Value, json};

use crate::caller::{start, with};

fn columns(body: &Value) -> Vec<(String, String)> {
    let columns = body["manifest"]["schema"]["columns"].as_array().expect("columns");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    columns.iter().map(|column| (text(&column["type_name"]), text(&column["type_text"]))).collect()
}

#[tokio::test]
async fn every_type_has_its_name_and_its_text() {
    let caller = start().await;
    let cases = [
        ("CAST(1 AS TINYINT)", "BYTE", "TINYINT", json!("1")),
        ("CAST(1 AS SMALLINT)", "SHORT", "SMALLINT", json!("1")),
        ("1", "INT", "INT", json!("1")),
        ("CAST(1 AS BIGINT)", "LONG", "BIGINT", json!("1")),
        ("CAST(0.1 AS FLOAT)", "FLOAT", "FLOAT", json!("0.1")),
        ("1e10", "DOUBLE", "DOUBLE", json!("1.0E10")),
        ("CAST('NaN' AS DOUBLE)", "DOUBLE", "DOUBLE", json!("NaN")),
        ("CAST(1.5 AS DECIMAL(10,2))", "DECIMAL", "DECIMAL(10,2)", json!("1.50")),
        ("true", "BOOLEAN", "BOOLEAN", json!("true")),
        ("'é \"x\"'", "STRING", "STRING", json!("é \"x\"")),
        ("''", "STRING", "STRING", json!("")),
        ("DATE '2024-02-29'", "DATE", "DATE", json!("2024-02-29")),
        ("TIMESTAMP '2021-06-15 12:34:56.789'", "TIMESTAMP", "TIMESTAMP", json!("2021-06-15T12:34:56.789Z")),
        (
            "CAST('2021-06-15 12:34:56' AS TIMESTAMP_NTZ)",
            "TIMESTAMP_NTZ",
            "TIMESTAMP_NTZ",
            json!("2021-06-15T12:34:56.000"),
        ),
        ("NULL", "NULL", "VOID", Value::Null),
        ("CAST(NULL AS DOUBLE)", "DOUBLE", "DOUBLE", Value::Null),
        ("unhex('f000')", "BINARY", "BINARY", json!("8AA=")),
        ("array(1, 2)", "ARRAY", "ARRAY<INT>", json!("[1,2]")),
        ("named_struct('a', 1, 'b', 'x')", "STRUCT", "STRUCT<a: INT, b: STRING>", json!("{\"a\":1,\"b\":\"x\"}")),
        ("map('k', 1)", "MAP", "MAP<STRING, INT>", json!("{\"k\":1}")),
        ("7 / 2", "DOUBLE", "DOUBLE", json!("3.5")),
        ("7 DIV 2", "INT", "INT", json!("3")),
    ];
    for (expression, type_name, type_text, cell) in cases {
        let reply = caller.execute(&format!("SELECT {expression} AS v"), json!({})).await.body;
        assert_eq!(reply["status"]["state"], "SUCCEEDED", "{expression}: {reply}");
        assert_eq!(columns(&reply), [(type_name.into(), type_text.into())], "{expression}");
        assert_eq!(reply["result"]["data_array"][0][0], cell, "{expression}");
    }
}

#[tokio::test]
async fn a_timestamp_carries_the_offset_of_the_session_at_that_time_of_the_year() {
    let options = DatabricksOptions { time_zone: "America/Los_Angeles".into(), ..DatabricksOptions::default() };
    let caller = with(options).await;
    let rows = caller
        .rows("SELECT ts FROM VALUES (TIMESTAMP '2021-01-01 10:00:00'), (TIMESTAMP '2021-06-15 12:34:56.789') AS t(ts)")
        .await;
    // The cells of databricks-jdbc's recording of testtimestamp.
    assert_eq!(rows, json!([["2021-01-01T10:00:00.000-08:00"], ["2021-06-15T12:34:56.789-07:00"]]));
}

#[tokio::test]
async fn named_parameters_are_bound_with_their_declared_types() {
    let caller = start().await;
    let parameters = json!([
        {"name": "i", "value": "42", "type": "INT"},
        {"name": "d", "value": "12.345", "type": "DECIMAL(10,2)"},
        {"name": "day", "value": "2026-01-05", "type": "DATE"},
        {"name": "at", "value": "2024-01-15T10:30:00", "type": "TIMESTAMP"},
        {"name": "b", "value": "true", "type": "BOOLEAN"},
        {"name": "n", "type": "BIGINT"},
        {"name": "s", "value": "x'; DROP TABLE sales.orders; --"},
    ]);
    let statement = "SELECT :i + 1, :d, :day, :at, :b, :n, :s";
    let reply = caller.execute(statement, json!({"parameters": parameters})).await.body;
    let cells = json!([[
        "43",
        "12.35",
        "2026-01-05",
        "2024-01-15T10:30:00.000Z",
        "true",
        null,
        "x'; DROP TABLE sales.orders; --"
    ]]);
    assert_eq!(reply["result"]["data_array"], cells, "{reply}");
    let kinds: Vec<String> = columns(&reply).into_iter().map(|(_, text)| text).collect();
    assert_eq!(kinds, ["INT", "DECIMAL(10,2)", "DATE", "TIMESTAMP", "BOOLEAN", "BIGINT", "STRING"]);
}

#[tokio::test]
async fn changes_answer_with_their_metrics() {
    let caller = start().await;
    let ddl = caller.execute("CREATE TABLE main.gold.t (id INT PRIMARY KEY, name STRING) USING DELTA", json!({})).await;
    assert_eq!(ddl.body["manifest"]["schema"], json!({"column_count": 0}));
    assert_eq!(ddl.body["result"], json!({}));
    // Keys are declared and not enforced.
    assert_eq!(caller.rows("INSERT INTO main.gold.t VALUES (1, 'a'), (1, 'b'), (2, 'c')").await, json!([["3", "3"]]));
    assert_eq!(caller.rows("UPDATE main.gold.t AS t SET t.name = 'z' WHERE t.id = 1").await, json!([["2"]]));
    let merge = "MERGE INTO main.gold.t AS t USING (SELECT 2 AS id, 'm' AS name UNION ALL SELECT 9, 'n') AS s \
                 ON t.id = s.id WHEN MATCHED THEN UPDATE SET t.name = s.name \
                 WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)";
    assert_eq!(caller.rows(merge).await, json!([["2", "1", "0", "1"]]));
    assert_eq!(caller.rows("DELETE FROM main.gold.t WHERE id IN (SELECT 1)").await, json!([["2"]]));
    assert_eq!(caller.rows("INSERT OVERWRITE main.gold.t SELECT 5, 'o'").await, json!([["1", "1"]]));
    assert_eq!(caller.rows("SELECT * FROM main.gold.t").await, json!([["5", "o"]]));
    caller.rows("ALTER TABLE main.gold.t ADD COLUMNS (a BIGINT, b DATE)").await;
    assert_eq!(caller.rows("SELECT * FROM main.gold.t").await, json!([["5", "o", null, null]]));
}

#[tokio::test]
async fn rows_as_json_become_rows_and_a_bad_one_fails_in_failfast() {
    let caller = start().await;
    let statement = "SELECT r.a, r.b FROM (SELECT explode(from_json(:rows, \
                     'ARRAY<STRUCT<a: INT, b: STRING>>', map('mode', 'FAILFAST'))) AS r)";
    let ask = async |rows: &str| {
        caller.execute(statement, json!({"parameters": [{"name": "rows", "value": rows}]})).await.body
    };
    let good = ask(r#"[{"a": 1, "b": "x"}, {"a": 2}]"#).await;
    assert_eq!(good["result"]["data_array"], json!([["1", "x"], ["2", null]]), "{good}");
    for bad in [r#"[{"a": "one"}]"#, "no json"] {
        assert_eq!(ask(bad).await["status"]["state"], "FAILED", "{bad}");
    }
}

#[tokio::test]
async fn failures_carry_their_class_and_sqlstate() {
    let caller = start().await;
    let cases = [
        ("INSER INTO t VALUES (1)", "PARSE_SYNTAX_ERROR", "42601"),
        ("SELECT (1", "PARSE_SYNTAX_ERROR", "42601"),
        ("SELECT 1; SELECT 2", "PARSE_SYNTAX_ERROR", "42601"),
        ("SELECT * FROM main.gold.nothing", "TABLE_OR_VIEW_NOT_FOUND", "42P01"),
        ("SELECT nothing FROM main.gold.daily_sales", "UNRESOLVED_COLUMN", "42703"),
        ("SELECT 1 / 0", "DIVIDE_BY_ZERO", "22012"),
        ("SELECT CAST('abc' AS INT)", "CAST_INVALID_INPUT", "22018"),
        ("SELECT DATE 'soon'", "CAST_INVALID_INPUT", "22018"),
        ("SELECT CAST(2147483647 AS INT) + CAST(1 AS INT)", "ARITHMETIC_OVERFLOW", "22003"),
        ("SELECT :missing", "UNBOUND_SQL_PARAMETER", "42P02"),
        ("SELECT ?", "UNBOUND_SQL_PARAMETER", "42P02"),
        ("CREATE TABLE main.sales.orders (a INT)", "TABLE_OR_VIEW_ALREADY_EXISTS", "42P07"),
        ("SELECT nofunction(1)", "UNRESOLVED_ROUTINE", "42883"),
        ("SELECT raise_error('boom')", "USER_RAISED_EXCEPTION", "P0001"),
        ("OPTIMIZE main.sales.orders", "UNSUPPORTED_BY_STAND_IN", "0A000"),
        ("SELECT * FROM main.sales.orders VERSION AS OF 3", "UNSUPPORTED_BY_STAND_IN", "0A000"),
    ];
    for (statement, class, sql_state) in cases {
        let reply = caller.execute(statement, json!({})).await;
        let status = &reply.body["status"];
        assert_eq!((reply.status, &status["state"]), (200, &json!("FAILED")), "{statement}: {}", reply.body);
        assert_eq!(status["sql_state"], sql_state, "{statement}");
        assert_eq!(status["error"]["error_code"], "BAD_REQUEST", "{statement}");
        let message = status["error"]["message"].as_str().expect("a message");
        assert!(message.trim_start().starts_with(&format!("[{class}")), "{statement}: {message}");
        assert!(message.contains(&format!("SQLSTATE: {sql_state}")), "{statement}: {message}");
        assert!(!message.contains("cat_"), "{statement}: {message}");
    }
}

#[tokio::test]
async fn the_syntax_error_reads_as_the_recorded_one() {
    let caller = start().await;
    let statement = "INSER INTO main.gold.t (id) VALUES (1)";
    let reply = caller.execute(statement, json!({})).await.body;
    assert_eq!(
        reply["status"]["error"]["message"],
        format!(
            "\n[PARSE_SYNTAX_ERROR] Syntax error at or near 'INSER'. SQLSTATE: 42601 (line 1, pos 0)\n\n== SQL ==\n\
             {statement}\n^^^\n"
        )
    );
}

#[tokio::test]
async fn metadata_shows_catalogs_by_their_own_names() {
    let caller = start().await;
    assert_eq!(caller.rows("SHOW CATALOGS").await, json!([["main"]]));
    assert_eq!(
        caller.rows("SHOW SCHEMAS IN main").await,
        json!([["default"], ["finance"], ["gold"], ["planning"], ["sales"]])
    );
    assert_eq!(
        caller.rows("SHOW TABLES IN main.sales").await,
        json!([["sales", "customers", "false"], ["sales", "orders", "false"]])
    );
    let tables = "SELECT table_catalog, table_schema, table_name FROM main.information_schema.tables \
                  WHERE table_name IN ('customers', 'daily_sales', 'orders') ORDER BY 3";
    assert_eq!(
        caller.rows(tables).await,
        json!([["main", "sales", "customers"], ["main", "gold", "daily_sales"], ["main", "sales", "orders"]])
    );
    let described = caller.rows("DESCRIBE TABLE main.gold.daily_sales").await;
    assert_eq!(described[4], json!(["amount", "decimal(18,2)", null]));
    let schema = caller.execute("SELECT count(*) FROM daily_sales", json!({"catalog": "main", "schema": "gold"})).await;
    assert_eq!(schema.body["status"]["state"], "SUCCEEDED");
}

#[tokio::test]
async fn an_identifier_parameter_is_a_name_and_nothing_else() {
    let caller = start().await;
    let ask = async |name: &str| {
        let parameters = json!([{"name": "table", "value": name}]);
        caller.execute("SELECT count(*) > 0 FROM IDENTIFIER(:table)", json!({"parameters": parameters})).await.body
    };
    assert_eq!(ask("main.gold.daily_sales").await["result"]["data_array"], json!([["true"]]));
    assert_eq!(ask("main.gold.daily_sales; DROP TABLE x").await["status"]["sql_state"], "42601");
}
