//! Who reads a stream: slowly, not to the end, not at all, or too many at once; and who goes while a statement runs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::road::Road;
use crate::streams::{SQL, ran, reply, stream, with_rows};

/// Far more than the sockets between the handler and its caller hold.
const ROWS: usize = 16_000;
const CHUNK: usize = 250;
const WIDTH: usize = 4_000;
const CHUNKS: usize = ROWS / CHUNK;

async fn long(environment: &[(&str, &str)]) -> Road {
    with_rows(ROWS, CHUNK, WIDTH, environment).await
}

/// Requests to the stand-in with this in their target.
fn asked(road: &Road, part: &str) -> usize {
    let asked = road.effects("databricks", "request");
    asked.iter().filter(|one| one["target"].as_str().is_some_and(|target| target.contains(part))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_stops_the_fetching() {
    let road = long(&[]).await;
    let id = ran(&road).await;
    let mut response = stream(&road, &id, "?format=ndjson").await;
    assert!(response.chunk().await.expect("a piece").is_some());
    drop(response);
    let line = road.logged("how the stream ended", |line| line["outcome"] == "abandoned").await;
    assert!(line["rows"].as_u64() < Some(ROWS as u64), "{line}");
    road.logged("that its result is let go", |line| {
        line["message"].as_str().is_some_and(|message| message.contains("let go"))
    })
    .await;
    let fetched = asked(&road, "/result/chunks/");
    assert!(fetched < CHUNKS - 1, "all of {CHUNKS} chunks were fetched");
    // Another result, whole, and the first has not gone on meanwhile.
    let whole = stream(&road, &id, "?format=ndjson").await.text().await.expect("a whole body");
    assert_eq!(whole.lines().count(), ROWS);
    assert_eq!(asked(&road, "/result/chunks/"), fetched + CHUNKS - 1);
    assert_eq!(asked(&road, "/cancel"), 0, "it had ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_gets_all_and_the_handler_does_not_run_ahead() {
    let road = long(&[]).await;
    let id = ran(&road).await;
    let path = format!("/api/sql/statements/{id}/rows?format=ndjson");
    let mut response = road.open("GET", &path, None, &[("accept-encoding", "identity")]).await;
    let (mut received, mut ahead) = (0, 0);
    while let Some(piece) = response.chunk().await.expect("a piece") {
        received += piece.len();
        let fetched = asked(&road, "/result/chunks/") * CHUNK * WIDTH;
        ahead = ahead.max(fetched.saturating_sub(received));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(received > ROWS * WIDTH, "{received}");
    assert!(ahead < ROWS * WIDTH / 4 * 3, "{ahead} bytes were fetched that nobody had taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_streams_than_allowed_are_429_and_a_statement_that_ran_is_not_lost() {
    let road = long(&[("CAUSEWAY_SQL_STREAMS", "1")]).await;
    let id = ran(&road).await;
    let mut first = stream(&road, &id, "?format=ndjson").await;
    assert!(first.chunk().await.expect("a piece").is_some());
    let second = reply(stream(&road, &id, "?format=ndjson").await).await;
    second.problem(429, "too-many-calls");
    // Pages are no streams.
    road.get(&format!("/api/sql/statements/{id}/rows?pageSize=10")).await.expect(200);
    // It has run: its answer waits.
    let body = json!({"statement": SQL}).to_string();
    let posted = road.open("POST", "/api/sql/statements?format=ndjson", Some(body), &[]).await;
    let location = reply(posted).await.accepted();
    road.get(&location).await.accepted();
    drop(first);
    road.follow(&location).await.expect(200);
}

/// Sends a statement that is held, and goes away while it is waited for.
async fn abandoned(road: &Road, sql: &str, key: &[(&str, &str)]) -> String {
    road.stack.databricks.hold(sql, None);
    // Below five seconds Databricks does not wait, so that we do.
    let body = Some(json!({"statement": sql}).to_string());
    let call = road.open("POST", "/api/sql/statements?waitSeconds=4", body, key);
    let seen = road.until("the statement's submission", |road| statement(road, sql).is_some());
    tokio::select! {
        _ = call => panic!("answered"),
        () = seen => {}
    }
    road.logged("that the caller went", |line| line["message"] == "abandoned by its caller").await;
    statement(road, sql).expect("submitted")
}

fn statement(road: &Road, sql: &str) -> Option<String> {
    let sent = road.effects("databricks", "statement");
    let found = sent.iter().find(|one| one["statement"].as_str().is_some_and(|text| text.ends_with(sql)))?;
    found["statementId"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_nobody_waits_for_any_more_is_cancelled() {
    let road = long(&[]).await;
    let id = abandoned(&road, "SELECT 'nobody waits'", &[]).await;
    road.until("its cancellation", |road| asked(road, &format!("{id}/cancel")) == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_and_a_keyed_read_go_on_without_their_caller() {
    let road = long(&[]).await;
    let write = abandoned(&road, "INSERT INTO t VALUES (1)", &[]).await;
    let keyed = abandoned(&road, "SELECT 'keyed'", &[("Idempotency-Key", "k")]).await;
    // By its key it is found.
    let again =
        road.post_keyed("/api/sql/statements?waitSeconds=0", "k", &json!({"statement": "SELECT 'keyed'"})).await;
    again.accepted();
    assert_eq!((again.replayed(), again.at("/id")), (true, &Value::from(keyed.as_str())));
    // Something that is cancelled, so that nothing is left to wait for but what must not happen.
    let read = abandoned(&road, "SELECT 'nobody waits'", &[]).await;
    road.until("its cancellation", |road| asked(road, &format!("{read}/cancel")) == 1).await;
    for id in [write, keyed] {
        assert_eq!(asked(&road, &format!("{id}/cancel")), 0);
    }
}
