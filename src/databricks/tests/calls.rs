//! The client against a server: addresses, bodies, tokens, polls and chunks.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;
use wiremock::matchers::{body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::shapes::rows_reply;
use crate::databricks::Disposition;
use crate::databricks::{Databricks, DatabricksError, Parameter, StatementState, SubmitStatement};
use crate::entra::TokenSource;
use crate::failure::{Code, Effect, Failure};
use crate::http::{Deadline, Http};

/// Gives `token-1`, and after each refusal the next.
#[derive(Debug)]
struct Numbered(Mutex<u32>);

#[async_trait]
impl TokenSource for Numbered {
    async fn token(&self, _deadline: Deadline) -> Result<SecretString, Failure> {
        Ok(SecretString::from(format!("token-{}", *self.0.lock().unwrap())))
    }

    fn reject(&self, token: &SecretString) {
        let mut number = self.0.lock().unwrap();
        if token.expose_secret() == format!("token-{number}") {
            *number += 1;
        }
    }
}

pub(super) fn client(server: &MockServer) -> Databricks {
    let host = Url::parse(&server.uri()).expect("a server has an address");
    Databricks::new(Http::new().expect("a transport"), host, Arc::new(Numbered(Mutex::new(1))))
}

pub(super) fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

pub(super) async fn answers(server: &MockServer, verb: &str, at: &str, status: u16, body: Value) {
    Mock::given(method(verb))
        .and(path(at))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(server)
        .await;
}

pub(super) fn select() -> SubmitStatement {
    SubmitStatement {
        statement: "SELECT :a".to_owned(),
        warehouse_id: "0123456789abcdef".to_owned(),
        catalog: Some("main".to_owned()),
        schema: None,
        parameters: vec![
            Parameter { name: "a".to_owned(), value: Some("1".to_owned()), type_text: Some("INT".to_owned()) },
            Parameter { name: "b".to_owned(), value: None, type_text: None },
        ],
        row_limit: Some(10),
        byte_limit: None,
        disposition: Disposition::Inline,
        wait: Duration::from_secs(10),
        query_tags: vec![("causeway-key".to_owned(), "k".to_owned())],
        read: true,
    }
}

#[tokio::test]
async fn a_statement_is_sent_as_the_api_wants_it() {
    let server = MockServer::start().await;
    answers(&server, "POST", "/api/2.0/sql/statements", 200, rows_reply(&json!([["1", "2.50"]]), 1, None)).await;
    let statement = client(&server).submit(&select(), soon()).await.expect("it is taken");
    assert_eq!(statement.state, StatementState::Succeeded);
    let sent = &server.received_requests().await.expect("recorded")[0];
    assert_eq!(sent.headers["authorization"], "Bearer token-1");
    assert_eq!(sent.headers["accept"], "application/json");
    assert_eq!(
        serde_json::from_slice::<Value>(&sent.body).expect("JSON"),
        json!({
            "statement": "SELECT :a", "warehouse_id": "0123456789abcdef", "catalog": "main",
            "parameters": [{"name": "a", "value": "1", "type": "INT"}, {"name": "b"}],
            "row_limit": 10, "disposition": "INLINE", "format": "JSON_ARRAY", "wait_timeout": "10s",
            "on_wait_timeout": "CONTINUE", "query_tags": [{"key": "causeway-key", "value": "k"}],
        })
    );
}

#[rstest::rstest]
#[case::parameters(SubmitStatement { parameters: vec![Parameter { name: "p".to_owned(), value: None, type_text: None }; 257], ..select() }, Code::BodyInvalid)]
#[case::values(SubmitStatement { parameters: vec![Parameter { name: "p".to_owned(), value: Some("x".repeat(600_000)), type_text: None }; 2], ..select() }, Code::StatementTooLarge)]
#[case::statement(SubmitStatement { statement: " ".repeat(16 * 1024 * 1024) + "x", ..select() }, Code::StatementTooLarge)]
#[case::empty(SubmitStatement { statement: " \n".to_owned(), ..select() }, Code::BodyInvalid)]
#[tokio::test]
async fn what_databricks_would_refuse_is_never_sent(#[case] submit: SubmitStatement, #[case] code: Code) {
    let server = MockServer::start().await;
    let failure = Failure::from(client(&server).submit(&submit, soon()).await.expect_err("it is too much"));
    assert_eq!((failure.code, failure.effect), (code, Effect::None));
    assert!(failure.place.is_some());
    assert!(server.received_requests().await.expect("recorded").is_empty());
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let server = MockServer::start().await;
    let refusal = json!({"error_code": 403, "message": "Invalid access token."});
    Mock::given(header("authorization", "Bearer token-1"))
        .respond_with(ResponseTemplate::new(403).set_body_json(&refusal))
        .expect(1)
        .mount(&server)
        .await;
    let pending = json!({"statement_id": "s-1", "status": {"state": "PENDING"}});
    Mock::given(header("authorization", "Bearer token-2"))
        .respond_with(ResponseTemplate::new(200).set_body_json(pending))
        .expect(1)
        .mount(&server)
        .await;
    let submit = SubmitStatement { read: false, ..select() };
    let statement = client(&server).submit(&submit, soon()).await.expect("the second token is good");
    assert_eq!(statement.state, StatementState::Pending);
}

#[tokio::test]
async fn a_missing_right_is_told_at_once() {
    let server = MockServer::start().await;
    let refusal = json!({"error_code": "PERMISSION_DENIED", "message": "No CAN_USE on the warehouse."});
    answers(&server, "POST", "/api/2.0/sql/statements", 403, refusal).await;
    let failure = Failure::from(client(&server).submit(&select(), soon()).await.expect_err("no right"));
    assert_eq!(failure.code, Code::DatabricksAccessDenied);
    assert!(failure.detail.contains("CAN_USE"), "{}", failure.detail);
    assert_eq!(server.received_requests().await.expect("recorded").len(), 1);
}

#[tokio::test]
async fn waiting_polls_until_the_end_and_rows_follow_the_chunks() {
    let server = MockServer::start().await;
    let at = "/api/2.0/sql/statements/s-1";
    Mock::given(method("GET"))
        .and(path(at))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!({"statement_id": "s-1", "status": {"state": "RUNNING"}})),
        )
        .up_to_n_times(2)
        .mount(&server)
        .await;
    answers(&server, "GET", at, 200, rows_reply(&json!([["1", "1.50"], ["2", null]]), 3, Some(1))).await;
    let last = json!({"chunk_index": 1, "row_offset": 2, "row_count": 1, "data_array": [["3", "0.00"]]});
    answers(&server, "GET", &format!("{at}/result/chunks/1"), 200, last).await;
    let client = client(&server);
    let first = client.statement("s-1", soon()).await.expect("it runs");
    let ended = client.wait_for(first, soon()).await.expect("it ends");
    let (rows, left_out) = client.rows(&ended, 100, 1_000, soon()).await.expect("every row");
    assert_eq!((rows.len(), left_out), (3, false));
    assert_eq!(rows[2][0].as_deref(), Some("3"));
    let (rows, left_out) = client.rows(&ended, 2, 1_000, soon()).await.expect("the first rows");
    assert_eq!((rows.len(), left_out), (2, true));
    let mut ended = ended;
    let (rows, _) = client.take_rows(&mut ended, 100, 1_000, soon()).await.expect("every row");
    assert_eq!((rows.len(), ended.chunk.is_none()), (3, true));
}

#[tokio::test]
async fn a_deadline_ends_the_waiting_with_the_statement_as_last_seen() {
    let server = MockServer::start().await;
    let running = json!({"statement_id": "s-1", "status": {"state": "RUNNING"}});
    answers(&server, "GET", "/api/2.0/sql/statements/s-1", 200, running).await;
    let client = client(&server);
    let first = client.statement("s-1", soon()).await.expect("it runs");
    let seen = client.wait_for(first, Deadline::after(Duration::from_millis(300))).await.expect("not an error");
    assert_eq!(seen.state, StatementState::Running);
}

#[tokio::test]
async fn a_chunk_that_is_gone_is_an_expired_result() {
    let server = MockServer::start().await;
    answers(&server, "GET", "/api/2.0/sql/statements/s-1", 200, rows_reply(&json!([["1", null]]), 2, Some(1))).await;
    let client = client(&server);
    let statement = client.statement("s-1", soon()).await.expect("it has ended");
    let error = client.rows(&statement, 100, 1_000, soon()).await.expect_err("its chunk is gone");
    assert_eq!(Failure::from(error).code, Code::ResultExpired);
}

#[rstest::rstest]
#[case("../../token/list?x=")]
#[case("..")]
#[case("")]
#[tokio::test]
async fn what_is_no_id_is_not_found_and_not_sent(#[case] id: &str) {
    let server = MockServer::start().await;
    let client = client(&server);
    let error = client.statement(id, soon()).await.expect_err("no id");
    assert_eq!(Failure::from(error).code, Code::StatementNotFound);
    let error = client.cancel_statement(id, soon()).await.expect_err("no id");
    assert_eq!(Failure::from(error).code, Code::StatementNotFound);
    assert_eq!(client.probe(Some(id), soon()).await.expect_err("no id").code, Code::WarehouseNotFound);
    assert!(server.received_requests().await.expect("recorded").is_empty());
}

#[tokio::test]
async fn a_lost_reply_to_a_write_may_have_acted() {
    let server = MockServer::start().await;
    answers(&server, "POST", "/api/2.0/sql/statements", 200, json!({"status": {"state": "PENDING"}})).await;
    let submit = SubmitStatement { read: false, ..select() };
    let error = client(&server).submit(&submit, soon()).await.expect_err("it has no id");
    assert!(matches!(error, DatabricksError::UnexpectedReply { .. }));
    assert_eq!(error.effect(), Effect::Possible);
}

#[tokio::test]
async fn cancel_posts_an_object() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/api/2.0/sql/statements/s-1/cancel"))
        .and(body_partial_json(json!({})))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    client(&server).cancel_statement("s-1", soon()).await.expect("it is taken");
}

#[tokio::test]
async fn the_probe_tells_a_warehouse_s_state_and_starts_nothing() {
    let server = MockServer::start().await;
    answers(&server, "GET", "/api/2.0/sql/warehouses/w-1", 200, json!({"id": "w-1", "state": "STOPPED"})).await;
    Mock::given(method("GET"))
        .and(path("/api/2.0/sql/warehouses"))
        .and(query_param("page_size", "1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
        .mount(&server)
        .await;
    let client = client(&server);
    assert_eq!(client.probe(Some("w-1"), soon()).await.expect("it is there").as_deref(), Some("STOPPED"));
    assert_eq!(client.probe(None, soon()).await.expect("it answers"), None);
    let missing = client.probe(Some("w-2"), soon()).await.expect_err("it is not there");
    assert_eq!(missing.code, Code::WarehouseNotFound);
    assert!(server.received_requests().await.expect("recorded").iter().all(|sent| sent.method.as_str() == "GET"));
}
