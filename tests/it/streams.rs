//! Whole results as streams: formats, shapes, gzip, what may fail before and after the first byte. Callers who go away or
//! read slowly, and too many of them, are `stream_callers.rs`.

use std::fmt::Write as _;

use local_stack::core::{Action, Fault};
use local_stack::databricks::CannedReply;
use serde_json::{Value, json};

use crate::road::{Reply, Road};

/// Rows of the canned result, in chunks of [`CHUNK`].
const ROWS: usize = 25_000;
const CHUNK: usize = 4_000;
pub(crate) const SQL: &str = "SELECT id, text FROM long";

/// A stack without an engine, which has one long result.
async fn road() -> Road {
    with_rows(ROWS, CHUNK, 40, &[]).await
}

pub(crate) async fn with_rows(rows: usize, chunk: usize, width: usize, environment: &[(&str, &str)]) -> Road {
    let road = Road::with(|options| {
        options.databricks.engine = false;
        options.databricks.chunk_rows = chunk;
        // Canned replies have no Arrow; what comes by links is `links.rs`.
        options.extra_environment.insert("CAUSEWAY_SQL_DISPOSITION".into(), "inline".into());
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
pub(crate) async fn ran(road: &Road) -> String {
    let reply = road.sql(SQL).await.expect(200);
    reply.at("/statementId").as_str().expect("an id").to_owned()
}

pub(crate) async fn stream(road: &Road, id: &str, query: &str) -> reqwest::Response {
    road.open("GET", &format!("/api/sql/statements/{id}/rows{query}"), None, &[]).await
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
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
async fn csv_and_arrow_carry_the_same_rows() {
    let road = road().await;
    let id = ran(&road).await;
    let csv = stream(&road, &id, "?format=csv").await;
    assert!(header(&csv, "content-type").is_some_and(|told| told.starts_with("text/csv")));
    let csv = csv.text().await.expect("a whole body");
    let mut expected = "id,text\n".to_owned();
    for number in 0..ROWS {
        let quoted = text(number, 40).replace('"', "\"\"");
        writeln!(expected, "{number},\"{quoted}\"").expect("a string takes it");
    }
    assert!(csv == expected, "another text: {}", &csv[..200]);
    let arrow = stream(&road, &id, "?format=arrow").await;
    assert_eq!(header(&arrow, "content-type"), Some("application/vnd.apache.arrow.stream"));
    let arrow = arrow.bytes().await.expect("a whole body");
    let batches = arrow_ipc::reader::StreamReader::try_new(arrow.as_ref(), None).expect("an Arrow stream");
    let rows: usize = batches.map(|batch| batch.expect("a batch").num_rows()).sum();
    assert_eq!(rows, ROWS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_fails_half_way_never_looks_complete() {
    let road = road().await;
    let id = ran(&road).await;
    for encoding in ["gzip", "identity"] {
        let hidden = Action::Status { status: 404, headers: Vec::new(), body: r#"{"error_code":"NOT_FOUND"}"#.into() };
        road.stack.databricks.served.faults.add(Fault::once("GET", "/result/chunks/4", hidden));
        let path = format!("/api/sql/statements/{id}/rows?format=ndjson");
        let response = road.open("GET", &path, None, &[("accept-encoding", encoding)]).await;
        assert_eq!(response.status(), 200, "the first byte went out before");
        assert_eq!(header(&response, "x-causeway-row-count"), Some("25000"));
        let body = response.bytes().await;
        assert!(body.is_err(), "{} bytes looked complete", body.map(|bytes| bytes.len()).unwrap_or_default());
    }
    let line = road.logged("why the stream was cut", |line| line["message"] == "a stream was cut").await;
    let rows = line["rows"].as_u64().unwrap_or_default();
    assert!(rows > 0 && rows <= 4 * CHUNK as u64, "{line}");
    assert!(line["code"].is_string() && line.to_string().contains(&id), "{line}");
    road.logged("how the stream ended", |line| line["outcome"] == "cut").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_is_sent_to_who_asks_and_not_for_little() {
    let road = road().await;
    let id = ran(&road).await;
    let open = async |path: &str, encoding: &str| {
        let path = format!("/api/sql/statements/{id}{path}");
        let response = road.open("GET", &path, None, &[("accept-encoding", encoding)]).await;
        let told = header(&response, "content-encoding").map(str::to_owned);
        let status = response.status().as_u16();
        (status, told, response.bytes().await.expect("a whole body"))
    };
    for path in ["/rows?format=ndjson", "/rows?pageSize=1000", ""] {
        let (_, told, zipped) = open(path, "gzip").await;
        assert_eq!(told.as_deref(), Some("gzip"), "{path}");
        assert!(zipped.starts_with(&[0x1f, 0x8b]), "{path}");
        for encoding in ["identity", "gzip;q=0", "br"] {
            let (status, told, plain) = open(path, encoding).await;
            assert_eq!((status, told), (200, None), "{path} {encoding}");
            assert!(plain.len() > 3 * zipped.len(), "{path}: {} and {} bytes", plain.len(), zipped.len());
        }
    }
    let (status, told, _) = open("/rows?format=xml", "gzip").await;
    assert_eq!((status, told), (400, None));
    assert_eq!(open("/rows", "*;q=0").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_size_are_followed_to_the_end_without_a_key() {
    let road = road().await;
    let id = ran(&road).await;
    let mut page = road.get(&format!("/api/sql/statements/{id}/rows?pageSize=7000&shape=arrays")).await.expect(200);
    let (mut ids, mut sizes) = (Vec::new(), Vec::new());
    loop {
        // A list, as Power Automate's pagination collects them.
        let rows = page.at("/value").as_array().expect("rows");
        assert_eq!((page.at("/rowCount"), page.at("/returnedRows")), (&json!(ROWS), &json!(rows.len())));
        assert_eq!(page.at("/columns/1/name"), "text");
        sizes.push(rows.len());
        ids.extend(rows.iter().map(|row| row[0].as_u64().expect("a number")));
        let Some(next) = page.body["nextLink"].as_str() else { break };
        page = road.get(next).await.expect(200);
    }
    assert_eq!(sizes, [7_000, 7_000, 7_000, 4_000]);
    assert!(ids.iter().copied().eq(0..ROWS as u64), "rows are missing, repeated or out of order");
    let body = json!({"statement": SQL});
    let posted = road.post("/api/sql/statements?pageSize=2&shape=arrays", &body).await.expect(200);
    assert_eq!(posted.at("/rows"), &json!([[0, text(0, 40)], [1, text(1, 40)]]));
    for wrong in ["pageSize=0", "pageSize=10001", "pageSize=%2B5", "pageSize=5&format=csv", "shape=maps"] {
        road.get(&format!("/api/sql/statements/{id}/rows?{wrong}")).await.problem(400, "query-invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_goes_from_sql_to_a_stream_and_its_status_url_does_too() {
    let road = road().await;
    let body = json!({"statement": SQL}).to_string();
    let path = "/api/sql/statements?format=ndjson&shape=arrays";
    let at_once = road.open("POST", path, Some(body.clone()), &[]).await;
    assert_eq!(header(&at_once, "content-type"), Some("application/x-ndjson"));
    let expected = at_once.text().await.expect("a whole body");
    assert_eq!(expected.lines().count(), ROWS);

    road.stack.databricks.hold(SQL, None);
    let waiting = road.open("POST", &format!("{path}&waitSeconds=0"), Some(body), &[]).await;
    let location = reply(waiting).await.accepted();
    let still = road.get(&location).await;
    let again = still.accepted();
    road.stack.databricks.release();
    for location in [location, again] {
        road.follow(&location).await.expect(200);
        let streamed = road.open("GET", &location, None, &[]).await;
        assert_eq!(header(&streamed, "x-causeway-row-count"), Some("25000"));
        assert!(streamed.text().await.expect("a whole body") == expected, "another body than at once");
    }
    // Asked for the rows while it runs: the same way.
    road.stack.databricks.hold(SQL, None);
    let started = road.post("/api/sql/statements?mode=start", &json!({"statement": SQL})).await;
    let id = started.at("/id").as_str().expect("an id").to_owned();
    let location = reply(stream(&road, &id, "?format=ndjson&shape=arrays&waitSeconds=0").await).await.accepted();
    road.stack.databricks.release();
    road.follow(&location).await.expect(200);
    assert!(road.open("GET", &location, None, &[]).await.text().await.expect("a whole body") == expected);
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

pub(crate) async fn reply(response: reqwest::Response) -> Reply {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.json().await.expect("JSON");
    Reply { status, headers, body }
}
