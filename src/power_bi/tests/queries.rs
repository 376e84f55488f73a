//! DAX: what is sent, and that no cut result passes for a whole one.

use serde_json::{Value, json};
use wiremock::MockServer;

use super::calls::received;
use super::{DATASET, GROUP, answers, at, client, json_reply, soon};
use crate::failure::{Code, Effect, Failure};
use crate::power_bi::{DaxQuery, DaxRows};

fn query() -> DaxQuery {
    DaxQuery { query: "EVALUATE VALUES(Sales)".into(), include_nulls: true, impersonated_user_name: None }
}

async fn asked(reply: &Value) -> Result<DaxRows, Failure> {
    let server = MockServer::start().await;
    answers(&server, "POST", &at("/executeQueries"), json_reply(200, reply)).await;
    Ok(client(&server).query(GROUP, DATASET, &query(), soon()).await?)
}

#[tokio::test]
async fn a_query_is_one_of_a_list() {
    let server = MockServer::start().await;
    let reply = json!({"results": [{"tables": [{"rows": []}]}]});
    answers(&server, "POST", &at("/executeQueries"), json_reply(200, &reply)).await;
    let as_another = DaxQuery { impersonated_user_name: Some("a@b.example".into()), include_nulls: false, ..query() };
    client(&server).query(GROUP, DATASET, &query(), soon()).await.expect("a result");
    client(&server).query(GROUP, DATASET, &as_another, soon()).await.expect("a result");
    let sent: Vec<Value> = received(&server).await.iter().map(|sent| sent.body_json().unwrap()).collect();
    let queries = json!([{"query": "EVALUATE VALUES(Sales)"}]);
    assert_eq!(sent[0], json!({"queries": queries, "serializerSettings": {"includeNulls": true}}));
    assert_eq!(
        sent[1],
        json!({"queries": queries, "serializerSettings": {"includeNulls": false}, "impersonatedUserName": "a@b.example"})
    );
}

#[tokio::test]
async fn rows_come_under_the_names_that_are_asked_for_and_with_every_digit() {
    let server = MockServer::start().await;
    // As text, since a JSON value would round the digits.
    let text = r#"{"results":[{"tables":[{"rows":[
        {"Sales[Day]":"2026-01-01T00:00:00","[Total]":12345678901234567890.123456789},
        {"[Total]":null,"Sales[Day]":"b\"c"},
        {"Sales[\u0044ay]":"x"},
        {}]}]}]}"#;
    let reply = wiremock::ResponseTemplate::new(200).set_body_raw(text, "application/json");
    answers(&server, "POST", &at("/executeQueries"), reply).await;
    let rows = client(&server).query(GROUP, DATASET, &query(), soon()).await.expect("a result");
    assert_eq!((rows.columns.as_slice(), rows.count), (["Sales[Day]".to_owned(), "[Total]".to_owned()].as_slice(), 4));
    let mut out = Vec::new();
    rows.write(&["day \"1\"".to_owned(), "total".to_owned()], &mut out).expect("written");
    let written = String::from_utf8(out).unwrap();
    assert_eq!(
        written,
        r#"[{"day \"1\"":"2026-01-01T00:00:00","total":12345678901234567890.123456789},{"total":null,"day \"1\"":"b\"c"},{"day \"1\"":"x"},{}]"#
    );
}

#[tokio::test]
async fn an_error_on_any_level_of_a_success_is_an_error() {
    let error = json!({"code": "MaxRowsExceeded", "message": "More than 100000 rows in a query result"});
    let rows = json!([{"Sales[Id]": 1}]);
    for reply in [
        json!({"results": [{"tables": [{"rows": rows, "error": error}]}]}),
        json!({"results": [{"tables": [{"rows": rows}], "error": error}]}),
        json!({"results": [{"tables": [{"rows": rows}]}], "error": error}),
        json!({"results": [{"tables": [{"rows": rows, "error": {"code": "X", "details": [{"detail": {"value": "More than 1000000 values in a query result"}}]}}]}]}),
    ] {
        let failure = asked(&reply).await.expect_err("it was cut");
        assert_eq!((failure.code, failure.effect), (Code::ResultTooLarge, Effect::None), "{}", failure.detail);
        assert!(failure.detail.contains("More than 1"), "{}", failure.detail);
    }
    let two = json!({"results": [{"tables": [{"rows": rows}], "error": {"message": "More than one result table in a query"}}]});
    let failure = asked(&two).await.expect_err("two results");
    assert_eq!(failure.code, Code::QueryFailed);
    assert!(failure.detail.contains("EVALUATE"), "{}", failure.detail);
    asked(&json!({"results": [{"tables": [{"rows": rows, "error": null}], "error": null}]})).await.expect("no error");
}

#[tokio::test]
async fn a_result_at_the_limit_of_bytes_is_not_believed_to_be_whole() {
    for (bytes, whole) in [(14_000_000, true), (15_000_000, false)] {
        let server = MockServer::start().await;
        let text = format!(r#"{{"results":[{{"tables":[{{"rows":[{{"[T]":"{}"}}]}}]}}]}}"#, "x".repeat(bytes));
        let reply = wiremock::ResponseTemplate::new(200).set_body_raw(text, "application/json");
        answers(&server, "POST", &at("/executeQueries"), reply).await;
        let asked = client(&server).query(GROUP, DATASET, &query(), soon()).await.map_err(Failure::from);
        assert_eq!(
            asked.map(|_| ()).map_err(|failure| failure.code),
            if whole { Ok(()) } else { Err(Code::ResultTooLarge) }
        );
    }
}

#[tokio::test]
async fn a_success_without_a_table_makes_no_sense() {
    for reply in [
        json!({}),
        json!({"results": []}),
        json!({"results": [{"tables": []}]}),
        json!({"results": [{"tables": [{"rows": [7]}]}]}),
    ] {
        assert_eq!(asked(&reply).await.expect_err("no table").code, Code::UpstreamReplyInvalid, "{reply}");
    }
}
