//! Statement replies as the API sends them, with our own values. Shapes: recorded replies of the API.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::databricks::statements::{chunk_in, links_in, statement_in, wait_timeout};
use crate::databricks::{ChunkInfo, DatabricksError, ResultFormat, Statement, StatementState, Subject};
use crate::failure::{Code, Effect, Failure};
use crate::http::{Reply, RequestKind};

pub(super) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Reply { status, headers, body: body.into(), tries: 1 }
}

pub(super) fn read(body: &Value) -> Result<Statement, DatabricksError> {
    let subject = Subject::Submission { warehouse: "w".to_owned() };
    statement_in(&reply(200, &[], body.to_string()), RequestKind::StatementWrite, &subject)
}

fn sound(body: &Value) -> Statement {
    read(body).expect("the reply is one that the API sends")
}

pub(super) fn rows_reply(rows: &Value, total: u64, next: Option<u64>) -> Value {
    let count = rows.as_array().map_or(0, Vec::len);
    let mut result = json!({"chunk_index": 0, "row_offset": 0, "row_count": count, "data_array": rows});
    if let Some(next) = next {
        result["next_chunk_index"] = json!(next);
        result["next_chunk_internal_link"] = json!(format!("/api/2.0/sql/statements/s-1/result/chunks/{next}"));
    }
    json!({
        "statement_id": "s-1",
        "status": {"state": "SUCCEEDED"},
        "manifest": {
            "format": "JSON_ARRAY",
            "schema": {"column_count": 2, "columns": [
                {"name": "price", "type_text": "DECIMAL(18,2)", "type_name": "DECIMAL", "position": 1,
                 "type_precision": 18, "type_scale": 2},
                {"name": "id", "type_text": "INT", "type_name": "INT", "position": 0},
            ]},
            "total_chunk_count": 1 + next.unwrap_or(0),
            "total_row_count": total,
            "truncated": false,
        },
        "result": result,
    })
}

#[rstest::rstest]
#[case("PENDING", StatementState::Pending)]
#[case("RUNNING", StatementState::Running)]
#[case("DREAMING", StatementState::Other("DREAMING".to_owned()))]
fn a_statement_on_its_way_has_no_manifest_and_no_outcome(#[case] state: &str, #[case] expected: StatementState) {
    let statement = sound(&json!({"statement_id": "s-1", "status": {"state": state}}));
    assert_eq!(statement.state, expected);
    assert!(!statement.has_ended());
    assert!(matches!(statement.outcome(), Ok(None)));
    assert!(statement.columns.is_empty() && statement.chunk.is_none() && !statement.has_result);
}

#[test]
fn ddl_has_no_columns_key_and_an_empty_result() {
    let statement = sound(&json!({
        "statement_id": "s-1", "status": {"state": "SUCCEEDED"},
        "manifest": {"format": "JSON_ARRAY", "schema": {"column_count": 0}, "total_chunk_count": 0,
                     "total_row_count": 0, "total_byte_count": 0, "truncated": false},
        "result": {},
    }));
    assert!(matches!(statement.outcome(), Ok(Some(()))));
    assert_eq!((statement.columns.len(), statement.total_row_count), (0, Some(0)));
    assert!(statement.has_result && statement.chunk.is_none());
}

#[test]
fn a_query_without_rows_has_columns_and_no_data() {
    let mut body = rows_reply(&json!([]), 0, None);
    body["result"] = json!({});
    let statement = sound(&body);
    assert_eq!(statement.columns.len(), 2);
    assert!(statement.chunk.is_none());
}

#[test]
fn columns_stand_in_the_order_of_their_positions() {
    let statement = sound(&rows_reply(&json!([["1", null]]), 1, None));
    let names: Vec<_> = statement.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "price"]);
    assert_eq!((statement.columns[1].precision, statement.columns[1].scale), (Some(18), Some(2)));
    let typed = statement.typed_columns(crate::rows::ValueOptions::default());
    assert_eq!(typed[1].json, crate::rows::Conversion::StringNumber);
    let chunk = statement.chunk.expect("rows came");
    assert_eq!(chunk.rows().expect("cells"), vec![vec![Some("1".to_owned()), None]]);
    assert_eq!((chunk.next_chunk_index, &*chunk.text), (None, br#"[["1",null]]"#.as_slice()));
}

#[test]
fn a_chunk_is_a_bare_result() {
    let subject = Subject::Rows("s-1".to_owned());
    let body = json!({"chunk_index": 1, "row_offset": 2, "row_count": 1, "data_array": [["9"]]});
    let chunk = chunk_in(&reply(200, &[], body.to_string()), 1, &subject).expect("the last chunk");
    assert_eq!((chunk.chunk_index, chunk.row_offset, chunk.next_chunk_index), (1, Some(2), None));
    assert_eq!(chunk.counted("s-1").expect("as told"), 1);
    let short = json!({"chunk_index": 1, "row_offset": 2, "row_count": 5, "data_array": [["9"]]});
    let chunk = chunk_in(&reply(200, &[], short.to_string()), 1, &subject).expect("it can be read");
    let failure = Failure::from(chunk.counted("s-1").expect_err("it lacks four rows"));
    assert_eq!((failure.code, failure.effect), (Code::ResultIncomplete, Effect::None));
}

#[test]
fn external_links_are_read_without_their_rows() {
    let mut body = rows_reply(&json!([]), 3, None);
    body["manifest"]["chunks"] = json!([{"chunk_index": 0, "row_offset": 0, "row_count": 3, "byte_count": 9}]);
    body["manifest"]["result_compression"] = json!("LZ4_FRAME");
    body["result"] = json!({"external_links": [{"chunk_index": 0, "row_offset": 0, "row_count": 3, "byte_count": 9,
        "external_link": "https://storage.example.invalid/x?sig=s", "expiration": "2026-01-01T00:00:00.000Z"}]});
    let statement = sound(&body);
    assert!(statement.has_result && statement.chunk.is_none());
    assert_eq!((statement.links.len(), &statement.format), (1, &ResultFormat::JsonArray));
    let info = ChunkInfo { chunk_index: 0, row_offset: Some(0), row_count: Some(3), byte_count: Some(9) };
    assert_eq!(&*statement.chunks, [info]);
    assert!(!format!("{statement:?}").contains("sig="));
}

fn failed(message: &str, sql_state: Option<&str>) -> Failure {
    let mut status = json!({"state": "FAILED", "error": {"error_code": "BAD_REQUEST", "message": message}});
    if let Some(state) = sql_state {
        status["sql_state"] = json!(state);
    }
    sound(&json!({"statement_id": "s-1", "status": status})).outcome().expect_err("it failed")
}

#[test]
fn a_failed_statement_tells_its_class_and_sqlstate_from_the_message() {
    let message = "\n[PARSE_SYNTAX_ERROR.NEAR] Syntax error at or near 'SELEC'. SQLSTATE: 42601 (line 1, pos 0)\n\n== SQL ==\nSELEC";
    let failure = failed(message, None);
    assert_eq!(failure.code, Code::StatementFailed);
    assert_eq!(failure.sql_state.as_deref(), Some("42601"));
    assert_eq!(failure.error_class.as_deref(), Some("PARSE_SYNTAX_ERROR.NEAR"));
    assert_eq!(
        failure.detail,
        "The statement failed: [PARSE_SYNTAX_ERROR.NEAR] Syntax error at or near 'SELEC'. (line 1, pos 0) Values belong \
         into `parameters` as `:name`, names of tables into backticks."
    );
    assert_eq!(failure.place.as_deref(), Some("statement line 1, column 1"));
    assert_eq!(failure.upstream.and_then(|upstream| upstream.code).as_deref(), Some("BAD_REQUEST"));
}

#[test]
fn the_member_sql_state_comes_before_the_message() {
    let failure = failed("[A_CLASS] Said. SQLSTATE: 42601", Some("2D521"));
    assert_eq!(failure.sql_state.as_deref(), Some("2D521"));
}

#[rstest::rstest]
#[case("", None, "Databricks gives no reason.")]
#[case("plain words", None, "plain words")]
#[case("SQLSTATE: 4260", None, "")]
#[case("x SQLSTATE: 426012 y", None, "x y")]
#[case("[not a class] SQLSTATE: é", None, "[not a class] é")]
#[case("cut. SQLSTATE: 42704", Some("42704"), "cut.")]
fn odd_messages_are_read_too(#[case] message: &str, #[case] state: Option<&str>, #[case] told: &str) {
    let failure = failed(message, None);
    assert_eq!(failure.sql_state.as_deref(), state);
    assert_eq!(failure.error_class, None);
    assert_eq!(
        failure.detail.strip_prefix("The statement failed: "),
        Some(told).filter(|told| !told.is_empty()).or(Some(""))
    );
}

#[test]
fn more_than_inline_holds_is_a_result_too_large() {
    let message = "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at most 26214400 bytes.";
    assert_eq!(failed(message, None).code, Code::ResultTooLarge);
}

#[test]
fn a_service_that_is_down_is_not_the_statement_s_fault() {
    let error = json!({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "Come back."});
    let statement = sound(&json!({"statement_id": "s-1", "status": {"state": "FAILED", "error": error}}));
    assert_eq!(statement.outcome().expect_err("it failed").code, Code::WarehouseUnavailable);
}

#[test]
fn closed_with_a_result_is_success_and_without_it_the_result_is_gone() {
    let mut body = rows_reply(&json!([["1", null]]), 1, None);
    body["status"]["state"] = json!("CLOSED");
    assert!(matches!(sound(&body).outcome(), Ok(Some(()))));
    let gone = sound(&json!({"statement_id": "s-1", "status": {"state": "CLOSED"}}));
    assert_eq!(gone.outcome().expect_err("its result is gone").code, Code::ResultExpired);
}

#[test]
fn a_canceled_statement_says_so() {
    let statement = sound(&json!({"statement_id": "s-1", "status": {"state": "CANCELED"}}));
    assert_eq!(statement.outcome().expect_err("it was canceled").code, Code::StatementCanceled);
}

#[rstest::rstest]
#[case(json!({}))]
#[case(json!([]))]
#[case(json!({"statement_id": "s-1"}))]
#[case(json!({"statement_id": "", "status": {"state": "PENDING"}}))]
#[case(json!({"statement_id": "s-1", "status": {}}))]
fn a_success_that_makes_no_sense_may_have_acted(#[case] body: Value) {
    let error = read(&body).expect_err("nothing can be made of it");
    assert_eq!(error.effect(), Effect::Possible);
    let failure = Failure::from(error);
    assert_eq!((failure.code, failure.effect), (Code::UpstreamReplyInvalid, Effect::Possible));
}

#[rstest::rstest]
#[case(0, "0s")]
#[case(4_999, "0s")]
#[case(5_000, "5s")]
#[case(30_900, "30s")]
#[case(90_000, "50s")]
fn the_wait_is_rounded_down_to_what_the_api_takes(#[case] millis: u64, #[case] expected: &str) {
    assert_eq!(wait_timeout(std::time::Duration::from_millis(millis)), expected);
}

/// Replies that were recorded from a workspace stand in no repository of ours; `CAUSEWAY_RECORDINGS` names the file.
#[test]
fn every_recorded_reply_is_read() {
    let Some(path) = std::env::var_os("CAUSEWAY_RECORDINGS") else {
        println!("skipped: CAUSEWAY_RECORDINGS is not set");
        return;
    };
    let text = std::fs::read_to_string(path).expect("the file is there");
    let (mut statements, mut chunks, mut refusals) = (0, 0, 0);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let line: Value = serde_json::from_str(line).expect("a recording is JSON");
        let (url, answer) = (line["request"]["url"].as_str().unwrap_or_default(), &line["response"]);
        let status = u16::try_from(answer["status"].as_u64().unwrap_or(0)).unwrap_or(0);
        let body = reply(status, &[], answer["body"].to_string());
        let subject = Subject::Statement("recorded".to_owned());
        if status >= 400 {
            let error = crate::databricks::refusal::success(body, RequestKind::StatementGet, &subject);
            assert_eq!(Failure::from(error.expect_err("a refusal")).code, Code::DatabricksAccessDenied, "{line}");
            refusals += 1;
        } else if url.contains("/result/chunks/") {
            let error = chunk_in(&body, 0, &subject).expect_err("the recorded chunks are external links");
            assert_eq!(Failure::from(error).code, Code::UpstreamReplyInvalid);
            let told = answer["body"]["external_links"].as_array().map(Vec::len);
            assert_eq!(Some(links_in(&body, 0, &subject).expect("links").len()), told);
            chunks += 1;
        } else if answer["body"].get("statement_id").is_some() {
            statements += 1;
            let statement = statement_in(&body, RequestKind::StatementRead, &subject).expect("a statement");
            assert_eq!(statement.outcome().is_err(), answer["body"]["status"]["state"] == "FAILED", "{line}");
            if let Err(failure) = statement.outcome() {
                assert!(failure.sql_state.is_some() && failure.error_class.is_some(), "{failure:?}");
            }
            let told = answer["body"]["result"]["external_links"].as_array().map_or(0, Vec::len);
            assert_eq!(statement.links.len(), told, "{line}");
            if let Some(chunk) = &statement.chunk {
                let rows = chunk.rows().expect("cells");
                let options = crate::rows::ValueOptions::default();
                let columns = statement.typed_columns(options);
                crate::rows::to_values(&columns, &rows, options).expect("every cell has its rule");
                assert_eq!(Some(rows.len() as u64), statement.total_row_count);
            }
        }
    }
    println!("read {statements} statements, {chunks} chunks, {refusals} refusals");
    assert!(statements > 0 && refusals > 0);
}
