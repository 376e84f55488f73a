//! Rows as JSON in one parameter: how bulk writes go to Databricks.

use serde_json::{Value, json};

use crate::caller::{Caller, start};

const SCHEMA: &str = "ARRAY<STRUCT<t: TINYINT, s: SMALLINT, i: INT, l: BIGINT, f: FLOAT, d: DOUBLE, c: DECIMAL(10,2), \
    x: STRING, b: BOOLEAN, day: DATE, ts: TIMESTAMP, n: TIMESTAMP_NTZ, y: BINARY, a: ARRAY<INT>, m: MAP<STRING, INT>, \
    o: STRUCT<k: INT>>>";

async fn read(caller: &Caller, schema: &str, mode: &str, rows: &str) -> Value {
    let statement =
        format!("SELECT r.* FROM (SELECT explode(from_json(:rows, '{schema}', map('mode', '{mode}'))) AS r)");
    caller.execute(&statement, json!({"parameters": [{"name": "rows", "value": rows}]})).await.body
}

#[tokio::test]
async fn every_type_comes_out_of_json_as_spark_reads_it() {
    let caller = start().await;
    let row = r#"{"t": 1, "s": -2, "i": 3, "l": 9007199254740993, "f": 1.5, "d": 1e300, "c": "12345678.905",
        "x": "größe 😀", "b": true, "day": "2026-01-05", "ts": "2026-01-05T10:00:00.250+02:00",
        "n": "2026-01-05 10:00:00", "y": "8AA=", "a": [1, null], "m": {"k": 1}, "o": {"k": 7, "more": 1}, "more": 2}"#;
    let reply = read(&caller, SCHEMA, "FAILFAST", &format!("[{row}, {{}}]")).await;
    assert_eq!(
        reply["result"]["data_array"][0],
        json!([
            "1",
            "-2",
            "3",
            "9007199254740993",
            "1.5",
            "1.0E300",
            "12345678.91",
            "größe 😀",
            "true",
            "2026-01-05",
            "2026-01-05T08:00:00.250Z",
            "2026-01-05T10:00:00.000",
            "8AA=",
            "[1,null]",
            "{\"k\":1}",
            "{\"k\":7}"
        ]),
        "{reply}"
    );
    assert_eq!(reply["result"]["data_array"][1], json!(vec![Value::Null; 16]));
}

#[tokio::test]
async fn what_is_no_such_token_is_malformed_and_permissive_makes_it_null() {
    let caller = start().await;
    let cases = [
        ("i INT", r#"{"i": "3"}"#),
        ("i INT", r#"{"i": 3.0}"#),
        ("i INT", r#"{"i": 3000000000}"#),
        ("i TINYINT", r#"{"i": 128}"#),
        ("i BOOLEAN", r#"{"i": "true"}"#),
        ("i DATE", r#"{"i": "soon"}"#),
        ("i DATE", r#"{"i": "2026-02-30"}"#),
        ("i TIMESTAMP", r#"{"i": "2026-01-05T25:00:00"}"#),
        ("i TIMESTAMP_NTZ", r#"{"i": "2026-01-05T10:00:00Z"}"#),
        ("i DECIMAL(4,2)", r#"{"i": 123.45}"#),
        ("i DECIMAL(4,2)", r#"{"i": "many"}"#),
        ("i BINARY", r#"{"i": "!!"}"#),
        ("i DOUBLE", r#"{"i": "1.5"}"#),
        ("i ARRAY<INT>", r#"{"i": 5}"#),
        ("i INT", r#"{"i": "#),
        ("i INT", "no json"),
    ];
    for (schema, record) in cases {
        let ask = async |mode: &str| {
            let statement = format!("SELECT from_json(:row, '{schema}', map('mode', '{mode}')).i AS i");
            caller.execute(&statement, json!({"parameters": [{"name": "row", "value": record}]})).await.body
        };
        let strict = ask("FAILFAST").await;
        assert_eq!(strict["status"]["sql_state"], "22023", "{schema} {record}: {strict}");
        let message = strict["status"]["error"]["message"].as_str().expect("a message");
        assert!(message.starts_with("[MALFORMED_RECORD_IN_PARSING."), "{message}");
        let lenient = ask("PERMISSIVE").await;
        assert_eq!(lenient["result"]["data_array"], json!([[null]]), "{schema} {record}: {lenient}");
    }
    // A STRING takes whatever stands there, as it was written.
    let text = read(&caller, "ARRAY<STRUCT<x: STRING>>", "FAILFAST", r#"[{"x": 1.50}, {"x": {"a": [1, "b"]}}]"#).await;
    assert_eq!(text["result"]["data_array"], json!([["1.50"], ["{\"a\":[1,\"b\"]}"]]));
    assert_eq!(read(&caller, "ARRAY<INT>", "DROPMALFORMED", "[]").await["status"]["sql_state"], "42601");
}

const SOURCE: &str = "SELECT r.`the id` AS `the id`, r.`größe``` AS `größe``` FROM (SELECT explode(from_json(:rows, \
    'ARRAY<STRUCT<`the id`: INT, `größe```: STRING>>', map('mode', 'FAILFAST'))) AS r)";

#[tokio::test]
async fn rows_are_inserted_merged_and_deleted_with_odd_names() {
    let caller = start().await;
    caller.rows("CREATE TABLE main.gold.`a#b` (`the id` INT, `größe``` STRING)").await;
    let run = async |statement: &str, rows: Value| {
        let parameters =
            json!([{"name": "rows", "value": rows.to_string()}, {"name": "t", "value": "main.gold.`a#b`"}]);
        let reply = caller.execute(statement, json!({"parameters": parameters})).await.body;
        assert_eq!(reply["status"]["state"], "SUCCEEDED", "{statement}: {reply}");
        let names = reply["manifest"]["schema"]["columns"].as_array().expect("columns").iter();
        names
            .map(|column| column["name"].as_str().expect("a name").to_owned())
            .zip(reply["result"]["data_array"][0].as_array().expect("a row").clone())
            .collect::<Vec<_>>()
    };
    let counted = |names: &[&str], counts: &[u32]| {
        names.iter().zip(counts).map(|(name, count)| ((*name).to_owned(), json!(count.to_string()))).collect::<Vec<_>>()
    };
    let insert = format!("INSERT INTO IDENTIFIER(:t) (`the id`, `größe```) {SOURCE}");
    let two = json!([{"the id": 1, "größe`": "a"}, {"the id": 2, "größe`": null}]);
    assert_eq!(run(&insert, two).await, counted(&["num_affected_rows", "num_inserted_rows"], &[2, 2]));
    let merge = format!(
        "MERGE INTO main.gold.`a#b` AS t USING ({SOURCE}) AS s ON t.`the id` = s.`the id` \
         WHEN MATCHED THEN UPDATE SET t.`größe``` = s.`größe``` \
         WHEN NOT MATCHED THEN INSERT (`the id`, `größe```) VALUES (s.`the id`, s.`größe```)"
    );
    let of_merge = ["num_affected_rows", "num_updated_rows", "num_deleted_rows", "num_inserted_rows"];
    let rows = json!([{"the id": 2, "größe`": "b"}, {"the id": 3, "größe`": "c"}, {"the id": 4, "größe`": "d"}]);
    assert_eq!(run(&merge, rows).await, counted(&of_merge, &[3, 1, 0, 2]));
    let delete = format!(
        "MERGE INTO main.gold.`a#b` AS t USING ({SOURCE}) AS s ON t.`the id` = s.`the id` WHEN MATCHED THEN DELETE"
    );
    // One unconditional DELETE may match a row twice (Delta, MergeIntoCommandBase).
    let rows = json!([{"the id": 1}, {"the id": 2}, {"the id": 2}, {"the id": 9}]);
    assert_eq!(run(&delete, rows).await, counted(&of_merge, &[2, 0, 2, 0]));
    let left = caller.rows("SELECT * FROM main.gold.`a#b` ORDER BY 1").await;
    assert_eq!(left, json!([["3", "c"], ["4", "d"]]));
    let parameters = json!([{"name": "rows", "value": r#"[{"the id": 3}, {"the id": 3}]"#}]);
    let twice = caller.execute(&merge, json!({"parameters": parameters})).await.body;
    assert_eq!(twice["status"]["sql_state"], "21506", "{twice}");
    let message = twice["status"]["error"]["message"].as_str().expect("a message");
    assert!(message.starts_with("[DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE]"), "{message}");
    assert_eq!(caller.rows("SELECT * FROM main.gold.`a#b` ORDER BY 1").await, left);
}

#[tokio::test]
async fn parameters_have_limits() {
    let caller = start().await;
    let many = |count: usize| -> Value { (0..count).map(|i| json!({"name": format!("p{i}"), "value": "1"})).collect() };
    let over = caller.execute("SELECT :p0", json!({"parameters": many(257)})).await;
    assert_eq!((over.status, &over.body["error_code"]), (400, &json!("BAD_REQUEST")));
    assert_eq!(
        over.body["message"],
        "Parameterized query has too many parameters: 257 parameters were given but the limit is 256."
    );
    let full = caller.execute("SELECT :p0", json!({"parameters": many(256)})).await;
    assert_eq!(full.body["status"]["state"], "SUCCEEDED", "{}", full.body);
    let large = |bytes: usize| json!({"parameters": [{"name": "a", "value": "x".repeat(bytes)}]});
    assert_eq!(caller.execute("SELECT length(:a)", large(1_048_577)).await.status, 400);
    assert_eq!(caller.execute("SELECT length(:a)", large(1_048_576)).await.body["status"]["state"], "SUCCEEDED");
}

#[tokio::test]
async fn range_has_one_column_named_id() {
    let caller = start().await;
    let reply = caller.execute("SELECT * FROM range(3)", json!({})).await.body;
    let column = &reply["manifest"]["schema"]["columns"][0];
    assert_eq!((&column["name"], &column["type_text"]), (&json!("id"), &json!("BIGINT")));
    assert_eq!(caller.rows("SELECT t.id * 2 FROM range(1, 3) AS t").await, json!([["2"], ["4"]]));
    assert_eq!(caller.rows("SELECT x FROM range(0, 4, 2) AS t(x)").await, json!([["0"], ["2"]]));
}
