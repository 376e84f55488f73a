//! Values through the front door: each type once, in an answer and behind a link, with every way to write its numbers.

use serde_json::{Value, json};

use crate::road::Road;

const STATEMENTS: &str = "/api/sql/statements";

/// What is selected, and how it stands in JSON.
fn values() -> Vec<(&'static str, Value)> {
    vec![
        ("CAST('-128' AS TINYINT)", json!(-128)),
        ("CAST('-32768' AS SMALLINT)", json!(-32768)),
        ("CAST('-2147483648' AS INT)", json!(-2_147_483_648_i64)),
        ("CAST('-9223372036854775808' AS BIGINT)", json!(i64::MIN)),
        ("CAST('9223372036854775807' AS BIGINT)", json!(i64::MAX)),
        ("CAST('1.5' AS FLOAT)", json!(1.5)),
        ("CAST('0.1' AS DOUBLE)", json!(0.1)),
        ("CAST('-1.7976931348623157E308' AS DOUBLE)", json!(f64::MIN)),
        ("CAST('NaN' AS DOUBLE)", json!("NaN")),
        ("CAST('Infinity' AS DOUBLE)", json!("Infinity")),
        ("CAST('-Infinity' AS FLOAT)", json!("-Infinity")),
        ("CAST('-0.05' AS DECIMAL(15,2))", json!(-0.05)),
        ("CAST('9999999999999.99' AS DECIMAL(15,2))", json!(9_999_999_999_999.99)),
        ("CAST('99999999999999.99' AS DECIMAL(16,2))", json!("99999999999999.99")),
        (
            "CAST('-99999999999999999999.999999999999999999' AS DECIMAL(38,18))",
            json!("-99999999999999999999.999999999999999999"),
        ),
        ("TRUE", json!(true)),
        ("FALSE", json!(false)),
        ("''", json!("")),
        ("'null'", json!("null")),
        ("'a\"b\\\\c'", json!("a\"b\\c")),
        ("'grüße 🚀 名前'", json!("grüße 🚀 名前")),
        ("CAST('0001-01-01' AS DATE)", json!("0001-01-01")),
        ("CAST('9999-12-31' AS DATE)", json!("9999-12-31")),
        ("CAST('2026-10-31 12:30:00' AS TIMESTAMP)", json!("2026-10-31T12:30:00.000Z")),
        ("CAST('2026-10-31 12:30:00.123456' AS TIMESTAMP)", json!("2026-10-31T12:30:00.123456Z")),
        ("CAST('2026-10-31 12:30:00.120' AS TIMESTAMP_NTZ)", json!("2026-10-31T12:30:00.120")),
        ("unhex('f000fb')", json!("8AD7")),
        ("CAST('' AS BINARY)", json!("")),
        ("array(1, 2, CAST(NULL AS INT))", json!([1, 2, null])),
        ("map('a', 1, 'b', 2)", json!({"a": 1, "b": 2})),
        ("named_struct('n', CAST(7 AS BIGINT), 's', 'x')", json!({"n": 7, "s": "x"})),
        ("CAST(NULL AS STRING)", Value::Null),
        ("CAST(NULL AS DECIMAL(38,18))", Value::Null),
        ("CAST(NULL AS TIMESTAMP)", Value::Null),
        ("NULL", Value::Null),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_type_has_one_form_whichever_way_the_result_comes() {
    let road = Road::start().await;
    let values = values();
    let columns: Vec<String> = values.iter().enumerate().map(|(at, (sql, _))| format!("{sql} AS c{at}")).collect();
    let statement = format!("SELECT {}", columns.join(", "));
    for disposition in ["inline", "externalLinks"] {
        let body = json!({"statement": statement, "disposition": disposition});
        let reply = road.post(STATEMENTS, &body).await.expect(200);
        for (at, (sql, expected)) in values.iter().enumerate() {
            let got = &reply.at("/rows/0")[format!("c{at}")];
            assert_eq!(got, expected, "{sql}, {disposition}: {}", reply.at("/columns")[at]);
        }
        let sent = road.effects("databricks", "statement").pop().unwrap();
        assert_eq!(sent["disposition"], if disposition == "inline" { "INLINE" } else { "EXTERNAL_LINKS" }, "{sent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn decimals_and_bigints_are_written_as_asked_digit_by_digit() {
    let road = Road::start().await;
    let statement = "SELECT CAST('1.50' AS DECIMAL(15,2)) AS small, CAST('-12345678901234567890.123456789012345678' AS \
                     DECIMAL(38,18)) AS large, CAST('9223372036854775807' AS BIGINT) AS big, CAST(7 AS INT) AS int";
    let (number, text) = ("-12345678901234567890.123456789012345678", "\"-12345678901234567890.123456789012345678\"");
    let (big, big_text) = ("9223372036854775807", "\"9223372036854775807\"");
    for disposition in ["inline", "externalLinks"] {
        for (query, small, large, long) in [
            ("", "1.50", text, big),
            ("?decimals=auto&bigints=number", "1.50", text, big),
            ("?decimals=number", "1.50", number, big),
            ("?decimals=string", "\"1.50\"", text, big),
            ("?bigints=string", "1.50", text, big_text),
            ("?decimals=string&bigints=string&shape=arrays", "\"1.50\"", text, big_text),
            ("?decimals=number&format=ndjson", "1.50", number, big),
        ] {
            let body = json!({"statement": statement, "disposition": disposition}).to_string();
            let reply = road.open("POST", &format!("{STATEMENTS}{query}"), Some(body), &[]).await;
            // As text: a JSON reader would lose the digits that this is about.
            let reply = reply.text().await.unwrap();
            let row = if query.contains("arrays") {
                format!("[{small},{large},{long},7]")
            } else {
                format!("{{\"small\":{small},\"large\":{large},\"big\":{long},\"int\":7}}")
            };
            assert!(reply.contains(&row), "{disposition} {query}: {row} is not in {reply}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_tells_an_empty_text_from_null_and_quotes_what_must_be() {
    let road = Road::start().await;
    let body = json!({"statement":
        "SELECT '' AS empty, CAST(NULL AS STRING) AS nothing, 'a,\"b\"' AS quoted, array(1, 2) AS list, \
         CAST('12345678901234567.25' AS DECIMAL(20,2)) AS large, TRUE AS yes"})
    .to_string();
    let reply = road.open("POST", &format!("{STATEMENTS}?format=csv"), Some(body), &[]).await;
    let text = reply.text().await.unwrap();
    assert_eq!(
        text,
        "empty,nothing,quoted,list,large,yes\n\"\",,\"a,\"\"b\"\"\",\"[1,2]\",12345678901234567.25,true\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_every_kind_are_bound_and_stay_what_they_are() {
    let road = Road::start().await;
    let body = json!({
        "statement": "SELECT :whole + 1 AS whole, :big AS big, :part AS part, :yes AS yes, :day AS day, :price AS price, \
                      :none IS NULL AS none, :typed_none IS NULL AS typed_none, :text AS text, \
                      from_json(:list, 'ARRAY<INT>') AS list, from_json(:record, 'STRUCT<a: INT>') AS record",
        "parameters": {
            "whole": 41, "big": 9_007_199_254_740_993_i64, "part": 0.5, "yes": true,
            "day": {"value": "2026-10-31", "type": "DATE"}, "price": {"value": "12.30", "type": "DECIMAL(10,2)"},
            "none": null, "typed_none": {"value": null, "type": "INT"}, "text": "'; DROP TABLE x --",
            "list": [1, 2, 3], "record": {"a": 5},
        },
    });
    let reply = road.post(STATEMENTS, &body).await.expect(200);
    assert_eq!(
        reply.at("/rows/0"),
        &json!({"whole": 42, "big": 9_007_199_254_740_993_i64, "part": 0.5, "yes": true, "day": "2026-10-31",
            "price": 12.3, "none": true, "typed_none": true, "text": "'; DROP TABLE x --", "list": [1, 2, 3],
            "record": {"a": 5}})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn catalog_and_schema_are_where_names_are_looked_for() {
    let road = Road::start().await;
    let within = async |catalog: Value, schema: Value| {
        let body =
            json!({"statement": "SELECT count(*) > 0 AS some FROM orders", "catalog": catalog, "schema": schema});
        road.post(STATEMENTS, &body).await
    };
    let found = within(json!("main"), json!("sales")).await.expect(200);
    assert_eq!(found.at("/rows"), &json!([{"some": true}]));
    within(json!("main"), json!("gold")).await.problem(422, "statement-failed").saying(&["orders"]);
}
