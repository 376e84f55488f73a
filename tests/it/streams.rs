//! Whole results as streams: formats, shapes, what may fail before and after the first byte. Pages are `statements.rs`.

use local_stack::core::{Action, Fault};
use local_stack::databricks::CannedReply;
use serde_json::{Value, json};

use crate::road::{Reply, Road};

/// Rows of the canned result, in chunks of [`CHUNK`].
const ROWS: usize = 25_000;
const CHUNK: usize = 4_000;
const SQL: &str = "SELECT id, text FROM long";

/// A stack without an engine, which has one long result.
async fn road() -> Road {
    with_rows(ROWS, 40, &[]).await
}

async fn with_rows(rows: usize, width: usize, environment: &[(&str, &str)]) -> Road {
    let road = Road::with(|options| {
        options.databricks.engine = false;
        options.databricks.chunk_rows = CHUNK;
        for (name, value) in environment {
            options.extra_environment.insert((*name).into(), (*value).into());
        }
    })
    .await;
    let columns =
        vec![("id".into(), "LONG".into(), "BIGINT".into()), ("text".into(), "STRING".into(), "STRING".into())];
    let rows = (0..rows).map(|id| vec![Some(id.to_string()), Some(text(id, width))]).collect();
    road.stack.databricks.canned(&CannedReply { statement: SQL.into(), columns, rows }).expect("a canned reply");
    road
}

fn text(id: usize, width: usize) -> String {
    format!("{id:>width$}, \"ü\"")
}

/// Runs the statement; its id.
async fn ran(road: &Road) -> String {
    let reply = road.sql(SQL).await.expect(200);
    reply.at("/statementId").as_str().expect("an id").to_owned()
}

async fn stream(road: &Road, id: &str, query: &str) -> reqwest::Response {
    road.open("GET", &format!("/api/sql/statements/{id}/rows{query}"), None, &[]).await
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

fn chunks_fetched(road: &Road) -> usize {
    let asked = road.effects("databricks", "request");
    asked.iter().filter(|one| one["target"].as_str().is_some_and(|target| target.contains("/result/chunks/"))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_result_streams_as_ndjson_and_as_one_array() {
    let road = road().await;
    let id = ran(&road).await;
    let response = stream(&road, &id, "?format=ndjson").await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), Some("application/x-ndjson"));
    assert_eq!(header(&response, "x-causeway-row-count"), Some("25000"));
    assert_eq!(header(&response, "x-causeway-statement-id"), Some(id.as_str()));
    assert_eq!(header(&response, "x-causeway-truncated"), None);
    let lines = response.text().await.expect("a whole body");
    let ids: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(ids.len(), ROWS);
    for (number, row) in ids.iter().enumerate() {
        assert_eq!(row, &json!({"id": number, "text": text(number, 40)}));
    }
    let whole = stream(&road, &id, "?shape=arrays&bigints=string").await;
    assert_eq!(header(&whole, "content-type"), Some("application/json"));
    let rows: Vec<Value> = whole.json().await.expect("one array");
    assert_eq!((rows.len(), &rows[ROWS - 1]), (ROWS, &json!(["24999", text(24_999, 40)])));
    let line = road.logged("how the stream ended", |line| line["outcome"] == "complete").await;
    assert_eq!((&line["rows"], &line["status"]), (&json!(ROWS), &json!(200)), "{line}");
    assert!(line["bytes"].as_u64() > Some(ROWS as u64 * 40), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_fails_half_way_never_looks_complete() {
    let road = road().await;
    let id = ran(&road).await;
    let hidden = Action::Status { status: 404, headers: Vec::new(), body: r#"{"error_code":"NOT_FOUND"}"#.into() };
    road.stack.databricks.served.faults.add(Fault::once("GET", "/result/chunks/4", hidden));
    let response = stream(&road, &id, "?format=ndjson").await;
    assert_eq!(response.status(), 200, "the first byte went out before");
    assert_eq!(header(&response, "x-causeway-row-count"), Some("25000"));
    let body = response.bytes().await;
    assert!(body.is_err(), "{} bytes looked complete", body.map(|bytes| bytes.len()).unwrap_or_default());
    let line = road.logged("why the stream was cut", |line| line["message"] == "a stream was cut").await;
    assert_eq!((&line["statementId"], &line["rows"]), (&json!(id), &json!(4 * CHUNK)), "{line}");
    road.logged("how the stream ended", |line| line["outcome"] == "cut").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_before_the_first_byte_is_a_problem() {
    let road = road().await;
    let id = ran(&road).await;
    let hidden = Action::Status { status: 404, headers: Vec::new(), body: r#"{"error_code":"NOT_FOUND"}"#.into() };
    // The first chunk comes with the statement itself.
    road.stack.databricks.served.faults.add(Fault::once("GET", &id, hidden));
    let reply = reply(stream(&road, &id, "?format=ndjson").await).await;
    assert!((400..500).contains(&reply.status), "{}", reply.body);
    assert!(!reply.code().is_empty(), "{}", reply.body);
    stream(&road, &id, "?format=xml").await.error_for_status().expect_err("an unknown format");
}

async fn reply(response: reqwest::Response) -> Reply {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.json().await.expect("JSON");
    Reply { status, headers, body }
}
