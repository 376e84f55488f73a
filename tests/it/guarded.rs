//! What the function `sql` lets through, from outside: modes, limits, ceilings, places. What is refused never reaches
//! Databricks, and leaves no claim.

use serde_json::{Map, Value, json};

use crate::road::Road;

const STATEMENTS: &str = "/api/sql/statements";

async fn road(settings: &[(&str, &str)]) -> Road {
    let settings: Vec<(String, String)> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Road::with(|options| options.extra_environment.extend(settings)).await
}

/// Statements that Databricks was given.
fn sent(road: &Road) -> Vec<Value> {
    road.effects("databricks", "statement")
}

fn untouched(road: &Road) {
    assert_eq!((sent(road).len(), road.ledger("claims/").len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_reads_pass_unless_writes_are_allowed() {
    let road = road(&[("CAUSEWAY_SQL_MODE", "read_only")]).await;
    for (statement, word) in [
        ("INSERT INTO main.sales.customers VALUES (1)", "INSERT"),
        ("WITH a AS (SELECT 1) DELETE FROM main.sales.customers", "DELETE"),
        ("USE main", "`catalog`"),
        ("SELECT http_request(conn => 'c')", "http_request"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT 'open", "line 1, column 8"),
    ] {
        let reply = road.post_keyed(STATEMENTS, "k", &json!({"statement": statement})).await;
        let reply = reply.problem(403, "statement-not-allowed").saying(&[word]);
        assert_eq!(reply.at("/place"), "statement");
    }
    untouched(&road);
    let read = json!({"statement": "SELECT 'DELETE' AS word -- DROP TABLE t"});
    assert_eq!(road.post(STATEMENTS, &read).await.expect(200).at("/rows"), &json!([{"word": "DELETE"}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn switched_off_nothing_passes() {
    let road = road(&[("CAUSEWAY_SQL_MODE", "off")]).await;
    road.sql("SELECT 1").await.problem(403, "statement-not-allowed").saying(&["CAUSEWAY_SQL_MODE"]);
    let path = format!("{STATEMENTS}/01ef0000-0000-1000-8000-000000000000");
    road.get(&path).await.problem(403, "statement-not-allowed");
    road.call("POST", &format!("{path}/cancel"), None, &[]).await.problem(403, "statement-not-allowed");
    untouched(&road);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_databricks_would_refuse_for_its_size_is_refused_before_a_byte_is_sent() {
    let road = Road::start().await;
    let parameters: Map<String, Value> = (0..257).map(|at| (format!("p{at}"), json!(at))).collect();
    let tags: Map<String, Value> = (0..20).map(|at| (format!("t{at}"), json!("x"))).collect();
    let long = "x".repeat(129);
    // (what else stands in the body, status, code, place)
    let cases = [
        (json!({"parameters": parameters}), 400, "body-invalid", "parameters"),
        (json!({"parameters": {"p": "x".repeat(1024 * 1024 + 1)}}), 422, "statement-too-large", "parameters"),
        (json!({"parameters": {"p": {"value": "2026-01-01", "typ": "DATE"}}}), 400, "body-invalid", "parameters.p"),
        (json!({"parameters": {"p": {"value": "1", "type": "MAP<INT, INT>"}}}), 400, "body-invalid", "parameters.p"),
        (json!({"queryTags": tags}), 400, "body-invalid", "queryTags"),
        (json!({"queryTags": {"causeway-key": "mine"}}), 400, "body-invalid", "queryTags.causeway-key"),
        (json!({"queryTags": {"team": long}}), 400, "body-invalid", "queryTags.team"),
        (json!({"queryTags": {"team": 7}}), 400, "body-invalid", "queryTags.team"),
        (json!({"rowLimit": 0}), 400, "body-invalid", "rowLimit"),
        (json!({"byteLimit": 0}), 400, "body-invalid", "byteLimit"),
        (json!({"waitSeconds": 5}), 400, "body-invalid", "waitSeconds"),
    ];
    for (rest, status, code, place) in cases {
        for statement in ["SELECT 1 AS one", "DELETE FROM main.sales.customers WHERE 1 = 0"] {
            let mut body = rest.clone();
            body["statement"] = statement.into();
            let reply = road.post(STATEMENTS, &body).await.problem(status, code);
            assert_eq!(reply.at("/place"), place, "{}", reply.body);
        }
    }
    let reply = road.sql(&format!("SELECT '{}'", "x".repeat(16 * 1024 * 1024))).await;
    assert_eq!(reply.problem(422, "statement-too-large").at("/place"), "statement");
    untouched(&road);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_digit_of_a_parameter_is_lost_and_tags_go_out_behind_ours() {
    let road = Road::start().await;
    let text = r#"{"statement": "DELETE FROM main.sales.customers WHERE name = :a OR name = :b",
        "parameters": {"a": 12345678901234567.89, "b": {"value": 0.10, "type": "DECIMAL(4,2)"}},
        "queryTags": {"team": "sales", "nightly": null}}"#;
    road.call("POST", STATEMENTS, Some(text.to_owned()), &[]).await;
    let sent = sent(&road);
    let parameters = sent[0]["parameters"].to_string();
    assert!(parameters.contains("12345678901234567.89") && parameters.contains("DECIMAL(19,2)"), "{parameters}");
    assert!(parameters.contains("\"0.10\""), "{parameters}");
    let keys: Vec<&str> =
        sent[0]["queryTags"].as_array().unwrap().iter().filter_map(|tag| tag["key"].as_str()).collect();
    assert_eq!(keys, ["causeway-key", "team", "nightly"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lower_of_our_ceiling_and_the_callers_limit_holds() {
    let road = road(&[("CAUSEWAY_SQL_MAX_ROWS", "20")]).await;
    for (limit, rows) in [(json!(null), 20), (json!(7), 7), (json!(500), 20)] {
        let body = json!({"statement": "SELECT id FROM range(0, 50) AS t(id)", "rowLimit": limit});
        let reply = road.post(STATEMENTS, &body).await.expect(200);
        assert_eq!((reply.at("/returnedRows"), reply.at("/truncated")), (&json!(rows), &json!(true)), "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_places_a_call_is_turned_away_before_anything_is_sent() {
    let road = road(&[("CAUSEWAY_SQL_CONCURRENCY", "1")]).await;
    road.stack.databricks.hold("SELECT 7", None);
    let second = async {
        road.until("the first is under way", |road| sent(road).len() == 1).await;
        let reply = road.post_keyed(STATEMENTS, "k", &json!({"statement": "SELECT 8"})).await;
        road.stack.databricks.release();
        reply
    };
    let (first, second) = tokio::join!(road.sql("SELECT 7 AS seven"), second);
    first.expect(200);
    let second = second.problem(429, "too-many-calls").saying(&["Nothing was sent"]);
    assert_eq!((second.header("retry-after"), sent(&road).len(), road.ledger("claims/").len()), (Some("2"), 1, 0));
    road.sql("SELECT 8 AS eight").await.expect(200);
}
