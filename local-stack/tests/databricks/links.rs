//! EXTERNAL_LINKS: manifests, links and the storage account behind them, read with Apache Arrow.

use std::io::Read;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_schema::DataType;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use local_stack::core::{Action, Fault};
use local_stack::databricks::{
    Blocked, DatabricksOptions, GeneratedColumn, GeneratedReply, STOPPED_WAREHOUSE, Trap, Wrong,
};
use serde_json::{Value, json};

use crate::caller::{Caller, id, start, with, without_engine};

pub(crate) fn arrow() -> Value {
    json!({"disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM", "result_compression": "LZ4_FRAME"})
}

/// Every frame of a body that is one LZ4 frame behind the other; says how many.
pub(crate) fn unframed(body: &[u8]) -> (Vec<u8>, usize) {
    let (mut left, mut whole, mut frames) = (body, Vec::new(), 0);
    while !left.is_empty() {
        // The decoder buffers no further than its own frame.
        let mut decoder = lz4_flex::frame::FrameDecoder::new(&mut left);
        decoder.read_to_end(&mut whole).expect("an LZ4 frame");
        frames += 1;
    }
    (whole, frames)
}

pub(crate) fn batches(body: &[u8]) -> Vec<RecordBatch> {
    let (whole, _) = unframed(body);
    StreamReader::try_new(whole.as_slice(), None).expect("a stream").map(|batch| batch.expect("a batch")).collect()
}

pub(crate) fn reply(statement: &str, rows: u64) -> GeneratedReply {
    let columns = ["BIGINT", "STRING", "DECIMAL(38,18)", "TIMESTAMP", "BOOLEAN", "BINARY", "INT", "DOUBLE", "DATE"];
    GeneratedReply {
        statement: statement.into(),
        columns: columns
            .iter()
            .enumerate()
            .map(|(at, kind)| GeneratedColumn { name: format!("c{at}"), type_text: (*kind).into(), nulls: at % 2 == 1 })
            .collect(),
        rows,
        chunk_rows: Some(1000),
        batch_rows: Some(300),
        pre_encoded: false,
        repeat: false,
    }
}

/// The bytes of all chunks, by their links.
pub(crate) async fn chunks(caller: &Caller, first: &Value) -> Vec<Bytes> {
    let (mut result, mut found) = (first["result"].clone(), Vec::new());
    loop {
        let Some(link) = result["external_links"][0].as_object().cloned() else { return found };
        let (status, _, body) = caller.fetch(link["external_link"].as_str().expect("a link"), &[]).await;
        assert_eq!(status, 200);
        found.push(body);
        let Some(next) = link.get("next_chunk_internal_link") else { return found };
        result = caller.get(next.as_str().expect("a path")).await.body;
    }
}

#[tokio::test]
async fn the_engine_gives_arrow_in_frames_with_the_types_of_databricks() {
    let caller = with(DatabricksOptions { chunk_rows: 2, ..DatabricksOptions::default() }).await;
    let statement = "SELECT CAST(n AS BIGINT) AS n, sum(n) OVER () AS s, CAST(1.5 AS DECIMAL(10,2)) AS d, \
                     TIMESTAMP '2024-01-01 00:00:00' AS t, array(n) AS a, NULL AS v, INTERVAL 1 DAY AS i \
                     FROM VALUES (1), (2), (3) AS t(n)";
    let reply = caller.execute(statement, arrow()).await.body;
    assert_eq!(reply["status"]["state"], "SUCCEEDED", "{reply}");
    assert_eq!(reply["manifest"]["result_compression"], "LZ4_FRAME");
    assert_eq!(reply["manifest"]["total_row_count"], 3);
    let chunks = chunks(&caller, &reply).await;
    assert_eq!(chunks.len(), 2);
    // The schema, a batch and the end of the stream.
    let (whole, frames) = unframed(&chunks[0]);
    assert_eq!(
        (frames, whole.len() as u64),
        (3, reply["manifest"]["chunks"][0]["byte_count"].as_u64().expect("bytes"))
    );
    let batch = &batches(&chunks[0])[0];
    let schema = batch.schema();
    let kinds: Vec<&DataType> = schema.fields().iter().map(|field| field.data_type()).collect();
    assert_eq!(kinds[..3], [&DataType::Int64, &DataType::Int64, &DataType::Decimal128(10, 2)]);
    assert_eq!(kinds[5..], [&DataType::Null, &DataType::Utf8]);
    assert_eq!(batches(&chunks[1])[0].num_rows(), 1);
    assert_eq!(caller.history.of("storage", "link").len(), 2);
    let seen = serde_json::to_string(&caller.history.all()).expect("a history");
    assert!(seen.contains("sig=hidden") && !seen.replace("sig=hidden", "").contains("sig="));
}

#[tokio::test]
async fn metrics_of_a_change_come_as_arrow_too() {
    let caller = start().await;
    caller.rows("CREATE TABLE main.gold.linked (id INT)").await;
    let reply = caller.execute("INSERT INTO main.gold.linked VALUES (1), (2)", arrow()).await.body;
    let found = chunks(&caller, &reply).await;
    assert_eq!(batches(&found[0])[0].num_columns(), 2);
    let none = caller.execute("DROP TABLE main.gold.linked", arrow()).await.body;
    assert_eq!((&none["result"], &none["manifest"]["total_byte_count"]), (&json!({}), &json!(0)));
}

#[tokio::test]
async fn the_storage_account_answers_as_azure_does() {
    let headers = vec![("x-ms-encryption-key".to_owned(), "secret".to_owned())];
    let caller = with(DatabricksOptions { link_headers: headers, ..without_engine() }).await;
    caller.stand_in.generated(&reply("SELECT some", 10)).expect("generated");
    let reply = caller.execute("SELECT some", arrow()).await.body;
    let link = &reply["result"]["external_links"][0];
    assert_eq!(link["http_headers"], json!({"x-ms-encryption-key": "secret"}));
    let url = link["external_link"].as_str().expect("a link").to_owned();
    let key = ("x-ms-encryption-key", "secret");
    let (status, _, whole) = caller.fetch(&url, &[key]).await;
    assert_eq!(status, 200);
    let (status, headers, part) = caller.fetch(&url, &[key, ("range", "bytes=4-9")]).await;
    assert_eq!((status, &part[..]), (206, &whole[4..10]));
    assert_eq!(headers["content-range"], format!("bytes 4-9/{}", whole.len()));
    let code = async |url: &str, headers: &[(&str, &str)]| {
        let (status, headers, body) = caller.fetch(url, headers).await;
        assert!(String::from_utf8_lossy(&body).contains("<Error><Code>"));
        (status, headers["x-ms-error-code"].to_str().expect("a code").to_owned())
    };
    assert_eq!(code(&url, &[key, ("authorization", "Bearer x")]).await, (400, "InvalidAuthenticationInfo".into()));
    assert_eq!(code(&url, &[]).await, (409, "BlobUsesCustomerSpecifiedEncryption".into()));
    let refused = (403, "AuthenticationFailed".to_owned());
    assert_eq!(code(&url.replace("_0?sig=", "_1?sig="), &[key]).await, refused);
    caller.stand_in.expire_links();
    assert_eq!(code(&url, &[key]).await, refused);
    let path = format!("/api/2.0/sql/statements/{}/result/chunks/0", reply["statement_id"].as_str().expect("id"));
    let fresh = caller.get(&path).await.body["external_links"][0]["external_link"].as_str().expect("a link").to_owned();
    assert_eq!(caller.fetch(&fresh, &[key]).await.0, 200);
    caller.stand_in.block_storage(Some(Blocked::Firewall));
    assert_eq!(code(&fresh, &[key]).await, (403, "AuthorizationFailure".into()));
    caller.stand_in.block_storage(None);
    caller.stand_in.storage.faults.add(Fault::once("GET", "/jobs/", Action::EmptyBody));
    assert_eq!(caller.fetch(&fresh, &[key]).await.2.len(), 0);
}

#[tokio::test]
async fn chunks_can_be_repeated_missing_or_swapped() {
    let caller = with(without_engine()).await;
    caller.stand_in.generated(&reply("SELECT some", 3000)).expect("generated");
    let reply = caller.execute("SELECT some", arrow()).await;
    let statement = id(&reply);
    let asked = async |index: usize| {
        let body = caller.get(&format!("/api/2.0/sql/statements/{statement}/result/chunks/{index}")).await.body;
        body["external_links"][0]["chunk_index"].as_u64()
    };
    let trap = |wrong, chunk| caller.stand_in.trap(Trap { statement_contains: "some".into(), wrong, chunk });
    trap(Wrong::Repeated, 1);
    assert_eq!((asked(1).await, asked(2).await), (Some(0), Some(2)));
    caller.stand_in.clear_traps();
    trap(Wrong::Missing, 2);
    assert_eq!((asked(1).await, asked(2).await), (Some(1), None));
    caller.stand_in.clear_traps();
    trap(Wrong::Swapped, 1);
    assert_eq!((asked(1).await, asked(2).await), (Some(2), Some(1)));
}

#[tokio::test]
async fn a_stopped_warehouse_keeps_a_statement_waiting_and_then_its_links_work() {
    let delay = std::time::Duration::from_hours(1);
    let caller = with(without_engine()).await;
    caller.stand_in.set_warehouse(STOPPED_WAREHOUSE, Some("STOPPED"), Some(delay), None);
    caller.stand_in.generated(&reply("SELECT some", 10)).expect("generated");
    let mut asked = arrow();
    asked["warehouse_id"] = json!(STOPPED_WAREHOUSE);
    asked["wait_timeout"] = json!("0s");
    let statement = id(&caller.execute("SELECT some", asked).await);
    let path = format!("/api/2.0/sql/statements/{statement}");
    caller.until(&format!("/api/2.0/sql/warehouses/{STOPPED_WAREHOUSE}"), |body| body["state"] == "STARTING").await;
    assert_eq!(caller.get(&path).await.body["status"], json!({"state": "PENDING"}));
    assert_eq!(caller.get(&format!("{path}/result/chunks/0")).await.status, 400);
    caller.stand_in.set_warehouse(STOPPED_WAREHOUSE, Some("RUNNING"), None, None);
    let done = caller.until_state(&statement, "SUCCEEDED").await;
    assert_eq!(batches(&chunks(&caller, &done).await[0])[0].num_rows(), 10);
}

#[tokio::test]
async fn a_small_result_is_attached_and_may_be_closed_with_it() {
    let caller = with(DatabricksOptions { attached_is_closed: true, ..without_engine() }).await;
    caller.stand_in.generated(&reply("SELECT some", 10)).expect("generated");
    let mut asked = arrow();
    asked["disposition"] = json!("INLINE_OR_EXTERNAL_LINKS");
    let reply = caller.execute("SELECT some", asked).await.body;
    assert_eq!(reply["status"]["state"], "CLOSED");
    let attached =
        BASE64_STANDARD.decode(reply["result"]["attachment"].as_str().expect("an attachment")).expect("base64");
    assert_eq!(reply["result"]["byte_count"], attached.len());
    assert_eq!(batches(&attached)[0].num_rows(), 10);
}
