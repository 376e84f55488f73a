//! Unity Catalog against a server: pages, names, columns and keys, refusals.

use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::calls::{answers, client, soon};
use crate::databricks::{DatabricksError, ForeignKey};
use crate::failure::{Code, Failure};

const TABLES: &str = "/api/2.1/unity-catalog/tables";

async fn page(server: &MockServer, token: Option<&str>, body: Value) {
    let mock = Mock::given(method("GET")).and(path(TABLES));
    let mock = match token {
        Some(token) => mock.and(query_param("page_token", token)),
        None => mock.and(query_param_is_missing("page_token")),
    };
    mock.respond_with(ResponseTemplate::new(200).set_body_json(body)).mount(server).await;
}

fn named(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name, "full_name": format!("main.s.{name}")})).collect()
}

#[tokio::test]
async fn pages_are_followed_over_an_empty_one_to_the_last() {
    let server = MockServer::start().await;
    page(&server, None, json!({"tables": named(&["a"]), "next_page_token": "2"})).await;
    page(&server, Some("2"), json!({"next_page_token": "3"})).await;
    page(&server, Some("3"), json!({"tables": named(&["b"]), "next_page_token": ""})).await;
    let listed = client(&server).tables("main", "s", 10, None, soon()).await.expect("a list");
    let names: Vec<&str> = listed.items.iter().map(|table| table.name.as_str()).collect();
    assert_eq!((names, listed.next), (vec!["a", "b"], None));
    let asked: Vec<String> = server.received_requests().await.expect("recorded").iter().map(wanted).collect();
    // No page is asked for more than is still wanted, so that none has to be cut.
    assert_eq!(asked, ["10", "9", "9"]);
}

fn wanted(request: &wiremock::Request) -> String {
    request.url.query_pairs().find(|(name, _)| name == "max_results").expect("a bound").1.into_owned()
}

#[tokio::test]
async fn a_full_part_tells_where_the_next_begins() {
    let server = MockServer::start().await;
    page(&server, None, json!({"tables": named(&["a", "b"]), "next_page_token": "2"})).await;
    page(&server, Some("2"), json!({"tables": named(&["c"])})).await;
    let first = client(&server).tables("main", "s", 2, None, soon()).await.expect("a list");
    assert_eq!((first.items.len(), first.next.as_deref()), (2, Some("2")));
    let second = client(&server).tables("main", "s", 2, first.next.as_deref(), soon()).await.expect("a list");
    assert_eq!((second.items[0].name.as_str(), second.next), ("c", None));
}

#[tokio::test]
async fn pages_that_go_round_end_in_an_error() {
    let server = MockServer::start().await;
    page(&server, None, json!({"next_page_token": "2"})).await;
    page(&server, Some("2"), json!({"next_page_token": "2"})).await;
    let error = client(&server).tables("main", "s", 10, None, soon()).await.expect_err("no end");
    assert!(matches!(error, DatabricksError::UnexpectedReply { .. }), "{error:?}");
}

#[rstest]
#[case("a b", "/main.s.a%20b")]
#[case("a/b", "/main.s.a%2Fb")]
#[case("a#b?c", "/main.s.a%23b%3Fc")]
#[case("a%2Fb", "/main.s.a%252Fb")]
#[case("a`b", "/main.s.a%60b")]
#[case("größe", "/main.s.gr%C3%B6%C3%9Fe")]
#[tokio::test]
async fn a_name_is_one_encoded_segment_without_backticks(#[case] table: &str, #[case] sent: &str) {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(200).set_body_json(json!({}))).mount(&server).await;
    let info = client(&server).table("main", "s", table, soon()).await.expect("a table");
    assert_eq!(info.name, table);
    let requests = server.received_requests().await.expect("recorded");
    assert_eq!(requests[0].url.path(), format!("{TABLES}{sent}"));
}

#[rstest]
#[case("ma.in", "s", "t", Code::CatalogNotFound)]
#[case("main", "s.t", "u", Code::SchemaNotFound)]
#[case("main", "s", "t.u", Code::TableNotFound)]
#[tokio::test]
async fn a_part_with_a_dot_is_never_sent(#[case] c: &str, #[case] s: &str, #[case] t: &str, #[case] code: Code) {
    let server = MockServer::start().await;
    let error = client(&server).table(c, s, t, soon()).await.expect_err("no such name");
    assert_eq!(Failure::from(error).code, code);
    assert!(server.received_requests().await.expect("recorded").is_empty());
}

fn orders() -> Value {
    let identity = r#"{"name":"id","type":"long","nullable":false,"metadata":{"delta.identity.start":1,"delta.identity.allowExplicitInsert":false}}"#;
    json!({
        "name": "orders", "catalog_name": "main", "schema_name": "s", "full_name": "main.s.orders",
        "table_type": "MANAGED", "data_source_format": "DELTA", "comment": "",
        "columns": [
            {"name": "amount", "type_text": "decimal(18,2)", "type_name": "DECIMAL", "type_precision": 18,
                "type_scale": 2, "position": 1, "comment": "net", "mask": {"function_name": "main.s.hide"}},
            {"name": "id", "type_text": "bigint", "type_name": "LONG", "type_precision": 0, "type_scale": 0,
                "position": 0, "nullable": false, "type_json": identity},
            {"name": "day", "type_text": "date", "type_name": "DATE", "position": 2, "partition_index": 0},
        ],
        "table_constraints": [
            {"primary_key_constraint": {"name": "pk", "child_columns": ["id"]}},
            {"foreign_key_constraint": {"name": "fk", "child_columns": ["day"], "parent_table": "main.s.days",
                "parent_columns": ["day"]}},
        ],
        "row_filter": {"function_name": "main.s.mine", "input_column_names": []},
    })
}

#[tokio::test]
async fn a_table_has_its_columns_in_order_and_its_keys() {
    let server = MockServer::start().await;
    answers(&server, "GET", &format!("{TABLES}/main.s.orders"), 200, orders()).await;
    let table = client(&server).table("main", "s", "orders", soon()).await.expect("a table");
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "amount", "day"]);
    let (id, amount) = (&table.columns[0], table.column("AMOUNT").expect("found without case"));
    assert_eq!((id.nullable, id.precision, id.generated), (false, None, true));
    assert_eq!((amount.precision, amount.scale, amount.nullable, amount.masked), (Some(18), Some(2), true, true));
    assert_eq!((amount.comment.as_deref(), table.comment.as_deref()), (Some("net"), None));
    assert_eq!(table.columns[2].partition_index, Some(0));
    assert_eq!((table.primary_key, table.has_row_filter), (vec!["id".to_owned()], true));
    let key = ForeignKey {
        name: Some("fk".to_owned()),
        columns: vec!["day".to_owned()],
        parent_table: "main.s.days".to_owned(),
        parent_columns: vec!["day".to_owned()],
    };
    assert_eq!(table.foreign_keys, [key]);
}

#[rstest]
#[case(404, "CATALOG_DOES_NOT_EXIST", Code::CatalogNotFound, "")]
#[case(404, "SCHEMA_DOES_NOT_EXIST", Code::SchemaNotFound, "")]
#[case(404, "TABLE_DOES_NOT_EXIST", Code::TableNotFound, "table main.s.t")]
#[case(403, "PERMISSION_DENIED", Code::DatabricksAccessDenied, "USE SCHEMA")]
#[tokio::test]
async fn a_refusal_says_what_is_missing(
    #[case] status: u16,
    #[case] error_code: &str,
    #[case] code: Code,
    #[case] says: &str,
) {
    let server = MockServer::start().await;
    let body = json!({"error_code": error_code, "message": "so it is"});
    answers(&server, "GET", &format!("{TABLES}/main.s.t"), status, body).await;
    let error = client(&server).table("main", "s", "t", soon()).await.expect_err("refused");
    let failure = Failure::from(error);
    assert_eq!(failure.code, code);
    assert!(failure.detail.contains("so it is") && failure.detail.contains(says), "{}", failure.detail);
}

#[tokio::test]
async fn warehouses_come_with_their_state() {
    let server = MockServer::start().await;
    let body = json!({"warehouses": [{"id": "1a", "name": "small", "state": "STOPPED", "cluster_size": "2X-Small",
        "warehouse_type": "PRO", "enable_serverless_compute": true, "auto_stop_mins": 10}, {"name": "no id"}]});
    answers(&server, "GET", "/api/2.0/sql/warehouses", 200, body).await;
    let listed = client(&server).warehouses(10, None, soon()).await.expect("a list");
    let [small] = listed.items.as_slice() else { panic!("{listed:?}") };
    assert_eq!((small.id.as_str(), small.state.as_str(), small.size.as_deref()), ("1a", "STOPPED", Some("2X-Small")));
    assert_eq!((small.serverless, small.auto_stop_minutes), (Some(true), Some(10)));
}
