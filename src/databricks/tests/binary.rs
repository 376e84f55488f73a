//! The form of BINARY, learned from a server.

use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::calls::{answers, client, soon};
use crate::databricks::{Budget, Databricks, Statement};
use crate::failure::{Code, Failure};
use crate::rows::{BinaryForm, ChunkData};

/// Rows of one BINARY column.
fn reply(id: &str, rows: &Value) -> Value {
    let count = rows.as_array().map_or(0, Vec::len);
    json!({
        "statement_id": id, "status": {"state": "SUCCEEDED"},
        "manifest": {"format": "JSON_ARRAY", "total_chunk_count": 1, "total_row_count": count,
            "schema": {"column_count": 1, "columns": [
                {"name": "b", "type_text": "BINARY", "type_name": "BINARY", "position": 0}]}},
        "result": {"chunk_index": 0, "row_offset": 0, "row_count": count, "data_array": rows},
    })
}

/// A workspace whose warehouse answers the probe with this cell, once at most.
async fn workspace(cell: &Value, times: u64) -> (MockServer, Databricks, Statement) {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/api/2.0/sql/statements"))
        .and(body_partial_json(json!({
            "statement": "SELECT unhex('f000fb')", "warehouse_id": "w-1", "disposition": "INLINE",
            "format": "JSON_ARRAY",
        })))
        .respond_with(ResponseTemplate::new(200).set_body_json(reply("s-probe", &json!([[cell]]))))
        .expect(times)
        .mount(&server)
        .await;
    answers(&server, "GET", "/api/2.0/sql/statements/s-1", 200, reply("s-1", &json!([["4142"], [null]]))).await;
    let client = client(&server).with_default_warehouse(Some("w-1".to_owned()));
    let statement = client.statement("s-1", soon()).await.expect("it has ended");
    (server, client, statement)
}

async fn form(client: &Databricks, statement: &Statement) -> Result<BinaryForm, Failure> {
    let mut chunks = client.chunks(statement, 0, &Budget::new(1 << 20), soon());
    let chunk = chunks.next().await?.expect("rows");
    let ChunkData::JsonArray { binary, .. } = chunk.data else { panic!("it is JSON") };
    Ok(binary)
}

#[rstest::rstest]
#[case("8AD7", BinaryForm::Base64)]
#[case("F000FB", BinaryForm::Hexadecimal)]
#[case("f000fb", BinaryForm::Hexadecimal)]
#[tokio::test]
async fn a_warehouse_is_asked_once_how_it_writes_binary(#[case] cell: &str, #[case] expected: BinaryForm) {
    let (_server, client, statement) = workspace(&json!(cell), 1).await;
    let other = client.clone();
    let (first, second) = tokio::join!(form(&client, &statement), form(&other, &statement));
    assert_eq!((first.expect("learned"), second.expect("learned")), (expected, expected));
    assert_eq!(form(&client, &statement).await.expect("known"), expected);
}

#[tokio::test]
async fn gathered_rows_have_binary_in_base64_whatever_the_warehouse_writes() {
    let (_server, client, statement) = workspace(&json!("F000FB"), 1).await;
    let (rows, _) = client.rows(&statement, 10, 1_000, soon()).await.expect("every row");
    assert_eq!(rows, [vec![Some("QUI=".to_owned())], vec![None]]);
}

#[rstest::rstest]
#[case(json!("0xF000FB"))]
#[case(json!("8AD7="))]
#[case(json!(null))]
#[tokio::test]
async fn neither_form_is_an_error_that_says_what_to_do(#[case] cell: Value) {
    let (_server, client, statement) = workspace(&cell, 1).await;
    let failure = form(&client, &statement).await.expect_err("it is not known");
    assert_eq!(failure.code, Code::UpstreamReplyInvalid);
    assert!(failure.detail.contains("hex(column)"), "{}", failure.detail);
}

#[tokio::test]
async fn a_probe_that_fails_is_told_and_made_again() {
    let (server, client, statement) = workspace(&json!("8AD7"), 1).await;
    let refusal = json!({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "The warehouse w-1 was not found."});
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(404).set_body_json(refusal))
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&server)
        .await;
    let failure = form(&client, &statement).await.expect_err("the warehouse is not there");
    assert_eq!(failure.code, Code::WarehouseNotFound);
    assert!(failure.detail.contains("how it writes BINARY"), "{}", failure.detail);
    assert_eq!(form(&client, &statement).await.expect("learned"), BinaryForm::Base64);
}

#[tokio::test]
async fn without_a_warehouse_nothing_is_guessed() {
    let (_server, client, statement) = workspace(&json!("8AD7"), 0).await;
    let client = client.with_default_warehouse(None);
    let failure = form(&client, &statement).await.expect_err("nobody can be asked");
    assert_eq!(failure.code, Code::WarehouseMissing);
}

#[tokio::test]
async fn a_result_without_binary_asks_nobody() {
    let (_server, client, mut statement) = workspace(&json!("8AD7"), 0).await;
    statement.columns[0].type_name = "STRING".to_owned();
    assert_eq!(form(&client, &statement).await.expect("not needed"), BinaryForm::default());
}
