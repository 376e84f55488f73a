//! EXTERNAL_LINKS: manifests, links, the storage account behind them, and generated results, read with Apache Arrow.

use std::io::Read;

use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_schema::DataType;
use bytes::Bytes;
use local_stack::core::{Action, Fault};
use local_stack::databricks::{Blocked, DatabricksOptions, GeneratedColumn, GeneratedReply, Trap, Wrong};
use serde_json::{Value, json};

use crate::caller::{Caller, id, start, with, without_engine};

pub(crate) fn arrow() -> Value {
    json!({"disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM", "result_compression": "LZ4_FRAME"})
}

/// Every frame of a body that is one LZ4 frame behind the other; says how many.
fn unframed(body: &[u8]) -> (Vec<u8>, usize) {
    let (mut left, mut whole, mut frames) = (body, Vec::new(), 0);
    while !left.is_empty() {
        // The decoder buffers no further than its own frame.
        let mut decoder = lz4_flex::frame::FrameDecoder::new(&mut left);
        decoder.read_to_end(&mut whole).expect("an LZ4 frame");
        frames += 1;
    }
    (whole, frames)
}

fn batches(body: &[u8]) -> Vec<RecordBatch> {
    let (whole, _) = unframed(body);
    StreamReader::try_new(whole.as_slice(), None).expect("a stream").map(|batch| batch.expect("a batch")).collect()
}

fn reply(statement: &str, rows: u64) -> GeneratedReply {
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
async fn chunks(caller: &Caller, first: &Value) -> Vec<Bytes> {
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
async fn a_generated_result_has_the_same_values_in_each_format() {
    let caller = with(without_engine()).await;
    caller.stand_in.generated(&reply("SELECT many", 2500)).expect("generated");
    let inline = caller.execute("SELECT many", json!({})).await.body;
    assert_eq!(inline["manifest"]["total_chunk_count"], 3);
    let mut rows = inline["result"]["data_array"].as_array().expect("rows").clone();
    for index in 1..3 {
        let path =
            format!("/api/2.0/sql/statements/{}/result/chunks/{index}", inline["statement_id"].as_str().expect("id"));
        rows.extend(caller.get(&path).await.body["data_array"].as_array().expect("rows").clone());
    }
    assert_eq!(rows.len(), 2500);
    let linked = caller.execute("SELECT many", json!({"disposition": "EXTERNAL_LINKS"})).await.body;
    let mut texts = Vec::new();
    for chunk in chunks(&caller, &linked).await {
        texts.extend(serde_json::from_slice::<Vec<Value>>(&chunk).expect("rows"));
    }
    assert_eq!(texts, rows);
    let columnar = caller.execute("SELECT many", arrow()).await.body;
    let mut row = 0;
    for chunk in chunks(&caller, &columnar).await {
        assert_eq!(unframed(&chunk).1, batches(&chunk).len() + 2);
        for batch in batches(&chunk) {
            let numbers = batch.column(0).as_any().downcast_ref::<arrow_array::Int64Array>().expect("numbers");
            let words = batch.column(1).as_any().downcast_ref::<arrow_array::StringArray>().expect("words");
            let decimals = batch.column(2).as_any().downcast_ref::<arrow_array::Decimal128Array>().expect("decimals");
            for at in 0..batch.num_rows() {
                assert_eq!(rows[row][0], numbers.value(at).to_string());
                assert_eq!(rows[row][1].as_str(), (!words.is_null(at)).then(|| words.value(at)));
                assert_eq!(rows[row][2].as_str(), Some(decimals.value_as_string(at).as_str()));
                row += 1;
            }
        }
    }
    assert_eq!(row, 2500);
}

#[tokio::test]
async fn a_repeated_result_of_a_hundred_million_rows_is_laid_out_at_once() {
    let caller = with(without_engine()).await;
    let reply = GeneratedReply { repeat: true, chunk_rows: Some(100_000), ..reply("SELECT most", 100_000_000) };
    caller.stand_in.generated(&reply).expect("generated");
    let reply = caller.execute("SELECT most", arrow()).await.body;
    assert_eq!(reply["manifest"]["total_row_count"], 100_000_000);
    assert_eq!(reply["manifest"]["chunks"][999]["row_offset"], 99_900_000);
    let path = format!("/api/2.0/sql/statements/{}/result/chunks/999", reply["statement_id"].as_str().expect("id"));
    let last = caller.get(&path).await.body;
    let url = last["external_links"][0]["external_link"].as_str().expect("a link").to_owned();
    let first = chunks_first(&caller, &reply).await;
    assert_eq!(caller.fetch(&url, &[]).await.2, first);
}

async fn chunks_first(caller: &Caller, reply: &Value) -> Bytes {
    caller.fetch(reply["result"]["external_links"][0]["external_link"].as_str().expect("a link"), &[]).await.2
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
