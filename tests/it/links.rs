//! Large results behind links, from the warehouse to the caller: every row, in every format and in pages, in flat memory.
//! Links and storages that fail are `links_failing.rs`.

use local_stack::core::History;
use local_stack::databricks::{Binary, GeneratedColumn, GeneratedReply};
use serde_json::{Value, json};

use crate::road::{Reply, Road};

pub(crate) const SQL: &str = "SELECT * FROM big";

/// A result of five columns under [`SQL`].
pub(crate) fn big(rows: u64, chunk_rows: usize) -> GeneratedReply {
    let kinds = ["BIGINT", "STRING", "DECIMAL(38,18)", "TIMESTAMP", "DOUBLE"];
    let column = |(at, kind): (usize, &&str)| GeneratedColumn {
        name: format!("c{at}"),
        type_text: (*kind).into(),
        nulls: at > 2,
    };
    GeneratedReply {
        statement: SQL.into(),
        columns: kinds.iter().enumerate().map(column).collect(),
        rows,
        chunk_rows: Some(chunk_rows),
        batch_rows: None,
        pre_encoded: false,
        repeat: false,
    }
}

/// One of two columns whose chunks cost nothing to serve.
pub(crate) fn repeated(statement: &str, rows: u64, chunk_rows: usize) -> GeneratedReply {
    let mut reply = GeneratedReply { pre_encoded: true, repeat: true, ..big(rows, chunk_rows) };
    reply.columns.truncate(2);
    GeneratedReply { statement: statement.into(), ..reply }
}

/// A stack without an engine, with the results.
pub(crate) async fn road(
    replies: &[GeneratedReply],
    change: impl FnOnce(&mut local_stack::stack::StackOptions),
) -> Road {
    let road = Road::with(|options| {
        options.databricks.engine = false;
        change(options);
    })
    .await;
    for reply in replies {
        road.stack.databricks.generated(reply).expect("a generated reply");
    }
    road
}

/// `POST /api/sql/statements` of [`SQL`], its body still to be read.
pub(crate) async fn posted(road: &Road, query: &str, disposition: &str) -> reqwest::Response {
    let body = json!({"statement": SQL, "disposition": disposition}).to_string();
    road.open("POST", &format!("/api/sql/statements{query}"), Some(body), &[]).await
}

/// The whole body of what must be a stream.
pub(crate) async fn whole(response: reqwest::Response) -> String {
    let status = response.status();
    let body = response.text().await.expect("a whole body");
    assert_eq!(status, 200, "{}", &body[..body.len().min(2_000)]);
    body
}

/// Ends of lines.
pub(crate) fn ends_in(piece: &[u8]) -> u64 {
    piece.split(|byte| *byte == b'\n').skip(1).count() as u64
}

/// Dispositions of the statements so far.
pub(crate) fn dispositions(road: &Road) -> Vec<String> {
    let sent = road.effects("databricks", "statement");
    sent.iter().map(|one| one["disposition"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Chunks that the storage gave, in its order.
pub(crate) fn given(history: &History) -> Vec<u64> {
    history.of("storage", "link").iter().filter_map(|entry| entry.detail["chunk"].as_u64()).collect()
}

/// Runs [`SQL`] behind links; the statement's id.
pub(crate) async fn ran(road: &Road) -> String {
    let body = json!({"statement": SQL, "disposition": "externalLinks"});
    let reply = road.post("/api/sql/statements?mode=start", &body).await;
    reply.started();
    let id = reply.at("/id").as_str().expect("an id").to_owned();
    let page = road.get(&format!("/api/sql/statements/{id}/rows?pageSize=1")).await.expect(200);
    assert_eq!(page.at("/returnedRows"), 1);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_comes_in_order_as_it_would_inline() {
    const ROWS: usize = 60_000;
    let road = road(&[big(ROWS as u64, 6_000)], |_| {}).await;
    let linked = posted(&road, "?format=ndjson", "externalLinks").await;
    assert_eq!(linked.headers()["x-causeway-row-count"], ROWS.to_string().as_str());
    assert!(!linked.headers().contains_key("x-causeway-fallback"));
    let linked = whole(linked).await;
    assert_eq!(linked.lines().count(), ROWS);
    for (number, line) in linked.lines().enumerate() {
        assert!(line.starts_with(&format!("{{\"c0\":{number},")), "row {number}: {line}");
    }
    let mut fetched = given(&road.stack.history);
    fetched.sort_unstable();
    assert_eq!(fetched, (0..10).collect::<Vec<u64>>(), "each chunk once");
    // It refuses who brings a token along (400), and whom it refuses asks again.
    assert_eq!(road.effects("storage", "request").len(), 10, "none was refused");
    assert!(linked == whole(posted(&road, "?format=ndjson", "inline").await).await, "other rows than inline");
    assert!(linked == whole(posted(&road, "?format=ndjson", "auto").await).await, "other rows by auto");
    assert_eq!(dispositions(&road), ["EXTERNAL_LINKS", "INLINE", "EXTERNAL_LINKS"]);

    let csv = whole(posted(&road, "?format=csv", "externalLinks").await).await;
    assert!(csv == whole(posted(&road, "?format=csv", "inline").await).await, "other rows in CSV");
    let array = whole(posted(&road, "?format=json", "externalLinks").await).await;
    let rows: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(&array).expect("one array");
    assert!(rows.iter().map(|row| row.get()).eq(linked.lines()), "other rows in JSON");

    let arrow = posted(&road, "?format=arrow", "externalLinks").await.bytes().await.expect("a whole body");
    let mut ids = Vec::new();
    for batch in arrow_ipc::reader::StreamReader::try_new(arrow.as_ref(), None).expect("an Arrow stream") {
        let batch = batch.expect("a batch");
        assert_eq!(batch.num_columns(), 5);
        let column = batch.column(0).as_any().downcast_ref::<arrow_array::Int64Array>().expect("numbers");
        ids.extend_from_slice(column.values());
    }
    assert!(
        ids.iter().map(|id| usize::try_from(*id).unwrap()).eq(0..ROWS),
        "{} rows in Arrow, or out of order",
        ids.len()
    );

    let body = json!({"statement": SQL, "disposition": "externalLinks"}).to_string();
    let zipped =
        road.open("POST", "/api/sql/statements?format=ndjson", Some(body), &[("accept-encoding", "gzip")]).await;
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
    assert!(zipped.bytes().await.expect("a whole body").len() < linked.len() / 2);
}

/// Follows `nextLink`s to the end: the rows, as text.
async fn followed(road: &Road, first: Reply) -> Vec<Value> {
    let (mut page, mut rows) = (first.expect(200), Vec::new());
    loop {
        let value = page.body["value"].as_array_mut().or(None).map(std::mem::take);
        rows.extend(value.expect("rows"));
        let Some(next) = page.body["nextLink"].as_str() else { return rows };
        page = road.get(next).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_the_same_rows_and_fetch_no_chunk_that_they_do_not_need() {
    let road = road(&[big(30_000, 5_000)], |_| {}).await;
    let expected = whole(posted(&road, "?format=ndjson", "inline").await).await;
    let expected: Vec<Value> = expected.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let id = ran(&road).await;
    for size in [7_777, 5_000, 10_000] {
        let before = given(&road.stack.history).len();
        let first = road.get(&format!("/api/sql/statements/{id}/rows?pageSize={size}")).await;
        assert_eq!(first.at("/rowCount"), 30_000);
        assert!(followed(&road, first).await == expected, "other rows in pages of {size}");
        let fetched = given(&road.stack.history).len() - before;
        // Each of six chunks once, and again where a page ended within it.
        let most = match size {
            5_000 | 10_000 => 6,
            _ => 9,
        };
        assert!(fetched <= most, "pages of {size} fetched {fetched} chunks");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_running_statement_are_202_and_then_the_stream() {
    let road = road(&[big(3_000, 1_000)], |_| {}).await;
    let expected = whole(posted(&road, "?format=csv", "externalLinks").await).await;
    road.stack.databricks.hold(SQL, None);
    let body = json!({"statement": SQL, "disposition": "externalLinks"});
    let started = road.post("/api/sql/statements?mode=start", &body).await;
    let id = started.at("/id").as_str().expect("an id").to_owned();
    let location = road.get(&format!("/api/sql/statements/{id}/rows?format=csv&waitSeconds=0")).await.accepted();
    road.get(&location).await.accepted();
    road.stack.databricks.release();
    road.follow(&location).await.expect(200);
    assert!(whole(road.open("GET", &location, None, &[]).await).await == expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_is_base64_whichever_way_it_came() {
    for form in [Binary::Hex, Binary::Base64] {
        let road = Road::with(|options| options.databricks.binary = form).await;
        let statement = "SELECT unhex('f000fb') AS a, unhex('') AS b, CAST(NULL AS BINARY) AS c, unhex('8AD7') AS d";
        for disposition in ["inline", "externalLinks", "inline"] {
            let body = json!({"statement": statement, "disposition": disposition});
            let reply = road.post("/api/sql/statements?shape=arrays", &body).await.expect(200);
            assert_eq!(reply.at("/rows"), &json!([["8AD7", "", null, "itc="]]), "{form:?} {disposition}");
        }
        let mut columns = big(3_000, 1_000);
        columns.columns[1].type_text = "BINARY".into();
        road.stack.databricks.generated(&columns).expect("a generated reply");
        let inline = whole(posted(&road, "?format=ndjson", "inline").await).await;
        assert!(inline == whole(posted(&road, "?format=ndjson", "externalLinks").await).await, "{form:?}");
        let sent = road.effects("databricks", "statement");
        let probes = sent.iter().filter(|one| one["statement"] == "SELECT unhex('f000fb')").count();
        assert_eq!(probes, 1, "{form:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_stops_the_fetching_of_links() {
    let rows = 4_000_000;
    let chunks = 200;
    let road = road(&[repeated(SQL, rows, 20_000)], |options| {
        options.extra_environment.insert("CAUSEWAY_RESULT_BUDGET_MIB".into(), "8".into());
    })
    .await;
    let mut response = posted(&road, "?format=ndjson", "externalLinks").await;
    assert!(response.chunk().await.expect("a piece").is_some());
    drop(response);
    road.logged("how the stream ended", |line| line["outcome"] == "abandoned").await;
    road.logged("that its result is let go", |line| {
        line["message"].as_str().is_some_and(|message| message.contains("let go"))
    })
    .await;
    let fetched = given(&road.stack.history).len();
    assert!(fetched < chunks / 4, "{fetched} of {chunks} chunks were fetched");
    // Nothing goes on behind it: all that comes now belongs to the next.
    let id = ran(&road).await;
    let page = road.get(&format!("/api/sql/statements/{id}/rows?pageSize=5")).await.expect(200);
    assert_eq!(page.at("/returnedRows"), 5);
    let more = given(&road.stack.history).len() - fetched;
    // What was on its way when the caller went, and a chunk each for two looks.
    assert!(more <= 10, "{more} more chunks were fetched");
}

/// The most memory that the handler ever had, in KiB.
fn peak(road: &Road) -> u64 {
    let host = road.stack.host.as_ref().expect("a host");
    let pid = host.processes()[0].pid.expect("a handler");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("its peak");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// Reads a stream in small steps at first, so that all that may wait does; then the rest. Its lines.
async fn read_slowly(mut response: reqwest::Response) -> u64 {
    let (mut lines, mut pieces) = (0, 0);
    while let Some(piece) = response.chunk().await.expect("a piece") {
        lines += ends_in(&piece);
        pieces += 1;
        if pieces < 300 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn the_peak_of_memory_does_not_grow_with_the_result() {
    let road =
        road(&[repeated("SELECT less", 100_000, 10_000), repeated("SELECT more", 2_000_000, 10_000)], |options| {
            options.extra_environment.insert("CAUSEWAY_RESULT_BUDGET_MIB".into(), "8".into());
        })
        .await;
    let mut peaks = Vec::new();
    for (sql, rows) in [("SELECT less", 100_000), ("SELECT more", 2_000_000)] {
        let body = json!({"statement": sql, "disposition": "externalLinks"}).to_string();
        let identity = [("accept-encoding", "identity")];
        let response = road.open("POST", "/api/sql/statements?format=ndjson&shape=arrays", Some(body), &identity).await;
        assert_eq!(response.status(), 200);
        assert_eq!(read_slowly(response).await, rows);
        peaks.push(peak(&road));
    }
    assert!(peaks[1] * 2 < peaks[0] * 3, "{} KiB for few rows, {} KiB for twenty times as many", peaks[0], peaks[1]);
}
