//! Generated results: the same values in each format, of any size, within the limits that were asked for.

use arrow_array::Array;
use bytes::Bytes;
use local_stack::databricks::{DatabricksOptions, GeneratedReply};
use serde_json::{Value, json};

use crate::caller::{Caller, with, without_engine};
use crate::links::{arrow, batches, chunks, reply, unframed};

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
    let first = first_chunk(&caller, &reply).await;
    assert_eq!(caller.fetch(&url, &[]).await.2, first);
}

#[tokio::test]
async fn what_was_asked_for_is_checked_and_limits_hold() {
    let caller = with(without_engine()).await;
    caller.stand_in.generated(&reply("SELECT some", 5000)).expect("generated");
    for wrong in [
        json!({"format": "ARROW_STREAM"}),
        json!({"format": "CSV", "disposition": "INLINE"}),
        json!({"disposition": "ELSEWHERE"}),
        json!({"format": "PARQUET", "disposition": "EXTERNAL_LINKS"}),
        json!({"result_compression": "ZSTD", "disposition": "EXTERNAL_LINKS"}),
        json!({"parameters": [{"value": "1"}]}),
    ] {
        assert_eq!(caller.execute("SELECT some", wrong.clone()).await.status, 400, "{wrong}");
    }
    let mut limited = arrow();
    limited["row_limit"] = json!(1500);
    let reply = caller.execute("SELECT some", limited).await.body;
    let manifest = &reply["manifest"];
    assert_eq!((&manifest["total_row_count"], &manifest["truncated"]), (&json!(1500), &json!(true)));
    let found = chunks(&caller, &reply).await;
    let rows: usize = found.iter().flat_map(|chunk| batches(chunk)).map(|batch| batch.num_rows()).sum();
    assert_eq!(rows, 1500);
    let mut limited = arrow();
    limited["byte_limit"] = json!(100_000);
    let manifest = caller.execute("SELECT some", limited).await.body["manifest"].clone();
    assert_eq!(manifest["truncated"], true);
    let rows = manifest["total_row_count"].as_u64().expect("a count");
    assert!(rows > 100 && rows < 5000, "{rows}");
}

#[tokio::test]
async fn an_inline_result_that_is_too_long_fails_and_its_links_do_not() {
    let caller = with(DatabricksOptions { inline_limit: 10_000, ..without_engine() }).await;
    caller.stand_in.generated(&reply("SELECT some", 5000)).expect("generated");
    let failed = caller.execute("SELECT some", json!({})).await.body;
    assert!(
        failed["status"]["error"]["message"].as_str().expect("a message").starts_with("Inline byte limit exceeded")
    );
    assert_eq!(caller.execute("SELECT some", arrow()).await.body["status"]["state"], "SUCCEEDED");
}

async fn first_chunk(caller: &Caller, reply: &Value) -> Bytes {
    caller.fetch(reply["result"]["external_links"][0]["external_link"].as_str().expect("a link"), &[]).await.2
}
