//! Statements that end badly or whose replies make no sense, from outside: what is told, where the fault stands, and that
//! no answer to a write invites its caller to send it again. Refused bodies are `bad_input.rs`, refusals of all neighbours
//! `refusals.rs`.

use local_stack::core::{Action, Fault};
use local_stack::databricks::Blocked;
use serde_json::{Value, json};

use crate::idempotency::{insert, submitted};
use crate::road::Road;

const STATEMENTS: &str = "/api/sql/statements";
/// More than any kind of call is tried.
const ALWAYS: usize = 20;
const PAGE: &str = "<html><head><title>Bad Gateway</title></head><body><h1>nginx</h1></body></html>";

/// A statement, its error class, its SQLSTATE, where the fault is, and what is said.
type Told = (&'static str, &'static str, &'static str, Option<&'static str>, &'static [&'static str]);

fn says(status: u16, headers: &[(&str, &str)], body: &str) -> Action {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Action::Status { status, headers, body: body.to_owned() }
}

fn spoil(road: &Road, fault: Fault) {
    road.stack.databricks.served.faults.add(fault);
}

/// Spoils the answers to every submission of this text.
fn spoil_submissions(road: &Road, part: &str, action: Action) {
    spoil(road, Fault::once("POST", "/api/2.0/sql/statements", action).body_contains(part).times(ALWAYS));
}

fn json_says(body: &Value) -> Action {
    says(200, &[("content-type", "application/json")], &body.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_with_its_result_is_success_and_without_it_the_result_is_gone() {
    let road = Road::start().await;
    let id = "01ef9de3-f8ca-153c-87e8-675103f90126";
    let closed = json!({
        "statement_id": id, "status": {"state": "CLOSED"},
        "manifest": {"format": "JSON_ARRAY", "total_row_count": 1, "total_chunk_count": 1, "truncated": false,
            "schema": {"column_count": 1, "columns": [{"name": "one", "type_name": "INT", "type_text": "INT", "position": 0}]},
            "chunks": [{"chunk_index": 0, "row_offset": 0, "row_count": 1}]},
        "result": {"chunk_index": 0, "row_offset": 0, "row_count": 1, "data_array": [["1"]]},
    });
    let post = || Fault::once("POST", "/api/2.0/sql/statements", json_says(&closed));
    spoil(&road, post().body_contains("SELECT 1"));
    let reply = road.sql("SELECT 1 AS one").await.expect(200);
    assert_eq!((reply.at("/rows"), reply.at("/state")), (&json!([{"one": 1}]), &json!("CLOSED")));

    let gone = json!({"statement_id": id, "status": {"state": "CLOSED"}});
    spoil(&road, Fault::once("POST", "/api/2.0/sql/statements", json_says(&gone)).body_contains("SELECT 2"));
    road.sql("SELECT 2 AS two").await.problem(410, "result-expired").saying(&[id]);

    // A write has been done; nobody is told to do it again.
    let body = insert(&road, "closed").await;
    spoil(&road, Fault::once("GET", "/api/2.0/sql/statements/", json_says(&gone)));
    let reply = road.post_keyed(STATEMENTS, "k", &body).await.problem(410, "result-expired");
    let reply = reply.saying(&["has run", "a write"]);
    assert!(!reply.message().contains("Run it again"), "{}", reply.body);
    assert_eq!(submitted(&road, "INSERT"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_databricks_has_forgotten_is_told_apart_from_what_never_was() {
    let road = Road::start().await;
    let done = road.sql("SELECT id FROM range(0, 12000) AS t(id)").await.expect(200);
    let id = done.at("/statementId").as_str().unwrap().to_owned();
    let started = road.post(&format!("{STATEMENTS}?mode=start"), &json!({"statement": "SELECT 3 AS three"})).await;
    let body = insert(&road, "forgotten").await;
    let written = road.post_keyed(STATEMENTS, "k", &body).await.expect(200);
    let old = [&id, started.at("/id").as_str().unwrap(), written.at("/statementId").as_str().unwrap()];
    let written_id = old[2];
    assert!(road.stack.databricks.expire(written_id));
    let replay = road.post_keyed(STATEMENTS, "k", &body).await.problem(410, "result-expired").saying(&["a write"]);
    assert!(!replay.message().contains("Run it again"), "{}", replay.body);
    for id in old {
        assert!(road.stack.databricks.forget(id), "{id}");
    }
    road.get(&format!("{STATEMENTS}/{id}")).await.problem(404, "statement-not-found").saying(&[&id]);
    road.get(&format!("{STATEMENTS}/{id}/rows")).await.problem(404, "statement-not-found");
    road.get(done.at("/nextLink").as_str().unwrap()).await.problem(404, "statement-not-found");
    road.get(started.at("/statusUrl").as_str().unwrap()).await.problem(404, "statement-not-found");
    // It was there: that it is not found does not mean that nothing was written.
    let replay = road.post_keyed(STATEMENTS, "k", &body).await;
    replay.problem(409, "outcome-unknown").saying(&[written_id, "12 hours"]);
    assert_eq!(submitted(&road, "INSERT"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_read_in_every_shape() {
    let road = Road::start().await;
    let cases = [
        (says(400, &[], r#"{"error_code":400,"message":"Bad day."}"#), 422, "databricks-refused", "400", "Bad day."),
        (says(400, &[], PAGE), 422, "databricks-refused", "", "Bad Gateway"),
        (says(400, &[], ""), 422, "databricks-refused", "", "without a reason"),
        (says(400, &[], "MALFORMED_REQUEST: Bad field."), 422, "databricks-refused", "MALFORMED_REQUEST", "Bad field."),
        (
            says(403, &[], r#"{"error_code":403,"message":"Invalid access token."}"#),
            424,
            "databricks-access-denied",
            "403",
            "Invalid access token.",
        ),
        (
            says(403, &[], r#"{"error_code":"PERMISSION_DENIED","message":"You shall not."}"#),
            424,
            "databricks-access-denied",
            "PERMISSION_DENIED",
            "CAN USE",
        ),
        (
            says(404, &[], r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No endpoint."}"#),
            404,
            "warehouse-not-found",
            "RESOURCE_DOES_NOT_EXIST",
            "does not know warehouse 1a2b3c4d5e6f7081.",
        ),
    ];
    for (action, status, code, upstream, words) in cases {
        for sql in ["SELECT 'refused'", "DELETE FROM main.sales.customers WHERE 1 = 0 /* 'refused' */"] {
            let told = format!("{action:?}");
            road.stack.databricks.served.faults.clear();
            spoil_submissions(&road, "'refused'", action.clone());
            let reply = road.sql(sql).await.problem(status, code).saying(&[words]);
            assert_eq!(reply.body["upstream"]["code"].as_str().unwrap_or_default(), upstream, "{told}: {}", reply.body);
        }
    }
    road.stack.databricks.served.faults.clear();
    let told = r#"{"error_code":"BAD_REQUEST","message":"[PARSE_SYNTAX_ERROR] Bad. SQLSTATE: 42601"}"#;
    spoil_submissions(&road, "'refused'", says(400, &[], told));
    let reply = road.sql("SELECT 'refused'").await.problem(422, "databricks-refused");
    assert_eq!((reply.at("/sqlState"), reply.at("/errorClass")), (&json!("42601"), &json!("PARSE_SYNTAX_ERROR")));
    assert_eq!(submitted(&road, "refused"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_page_names_private_link_and_any_other_page_the_host() {
    let road = Road::start().await;
    let to = "https://adb-1.azuredatabricks.net/login.html?error=private-link-validation-error:1";
    for sql in ["SELECT 'page'", "DELETE FROM main.sales.customers WHERE 1 = 0 /* 'page' */"] {
        spoil(
            &road,
            Fault::once("POST", "/api/2.0/sql/statements", says(303, &[("location", to)], "")).body_contains("'page'"),
        );
        road.sql(sql).await.problem(424, "databricks-access-denied").saying(&["Private Link"]);
    }
    spoil_submissions(&road, "'page'", says(200, &[("content-type", "text/html; charset=utf-8")], PAGE));
    road.sql("SELECT 'page'").await.problem(502, "upstream-reply-invalid");
    let told =
        |line: &Value| line["message"] == "failed" && line.to_string().contains("is the host that of a workspace?");
    road.logged("what came instead of a reply", told).await;
    assert_eq!(submitted(&road, "page"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn common_failures_say_what_to_do_and_where() {
    let road = Road::start().await;
    let cases: [Told; 10] = [
        // The comment that carries our key is not counted, neither in `place` nor in what is said.
        (
            "INSERT INTO INTO x",
            "PARSE_SYNTAX_ERROR",
            "42601",
            Some("line 1, column 13"),
            &["(line 1, column 13)", "`:name`"],
        ),
        ("INSERT\n INTO INTO x", "PARSE_SYNTAX_ERROR", "42601", Some("line 2, column 7"), &["(line 2, column 7)"]),
        (
            "SELECT * FROM main.sales.nowhere",
            "TABLE_OR_VIEW_NOT_FOUND",
            "42P01",
            Some("line 1, column 15"),
            &["`main`.`sales`.`nowhere`", "send `catalog` and `schema`", "Without a grant"],
        ),
        (
            "SELECT * FROM main.sales.custmers",
            "TABLE_OR_VIEW_NOT_FOUND",
            "42P01",
            Some("line 1, column 15"),
            &["In catalog main there is sales.customers."],
        ),
        // With the comment or without it: nobody can tell from this message.
        ("DELETE FROM main.sales.nowhere", "TABLE_OR_VIEW_NOT_FOUND", "42P01", None, &["`nowhere`"]),
        (
            "SELECT custmer_id FROM main.sales.customers",
            "UNRESOLVED_COLUMN.WITH_SUGGESTION",
            "42703",
            Some("line 1, column 8"),
            &["`custmer_id`", "`customer_id`", "line 1, column 8"],
        ),
        ("SELECT 1 / 0 AS n", "DIVIDE_BY_ZERO", "22012", None, &["try_divide"]),
        ("SELECT CAST('x' AS INT) AS n", "CAST_INVALID_INPUT", "22018", None, &["'x'", "try_cast"]),
        ("SELECT :gone AS n", "UNBOUND_SQL_PARAMETER", "42P02", None, &["gone", "`parameters`"]),
        ("SELECT * FROM nowhere.a.t", "NO_SUCH_CATALOG_EXCEPTION", "42704", None, &["'nowhere'", "USE CATALOG"]),
    ];
    for (statement, class, state, place, words) in cases {
        let reply = road.sql(statement).await.problem(422, "statement-failed").saying(words);
        assert_eq!((reply.at("/errorClass"), reply.at("/sqlState")), (&json!(class), &json!(state)), "{statement}");
        let place = place.map(|place| format!("statement {place}"));
        assert_eq!(reply.body.get("place").and_then(Value::as_str), place.as_deref(), "{statement}: {}", reply.body);
        assert!(!reply.message().contains(" pos "), "{}", reply.body);
    }
    road.stack.databricks.revoke("main.sales.orders");
    let denied = road.sql("SELECT * FROM main.sales.orders").await.problem(422, "statement-failed");
    assert_eq!(denied.saying(&["SELECT on Table 'main.sales.orders'", "granted"]).at("/sqlState"), "42501");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_rows_that_was_not_looked_at_in_time_is_told_as_written() {
    let road = Road::start().await;
    road.sql("CREATE TABLE main.sales.late (a INT)").await.expect(200);
    let rows = json!({"mode": "insert", "rows": [{"a": 1}, {"a": 2}]});
    let path = "/api/sql/catalogs/main/schemas/sales/tables/late/rows";
    let gone = json!({"statement_id": "01ef9de3-f8ca-153c-87e8-675103f90126", "status": {"state": "CLOSED"}});
    spoil(&road, Fault::once("GET", "/api/2.0/sql/statements/", json_says(&gone)));
    let reply = road.post_keyed(path, "k", &rows).await.problem(410, "result-expired");
    let reply = reply.saying(&["Batch 1 of 1 (rows 1 to 2) is written"]);
    assert!(!reply.message().contains("Nothing was written"), "{}", reply.body);
    road.post_keyed(path, "k", &rows).await.problem(410, "result-expired");
    let count = road.sql("SELECT count(*) AS n FROM main.sales.late").await.expect(200);
    assert_eq!((count.at("/rows/0/n"), submitted(&road, "from_json")), (&json!(2), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_statement_stands_is_told_also_when_its_rows_cannot_be_had() {
    let road = Road::start().await;
    road.stack.databricks.block_storage(Some(Blocked::Firewall));
    let body = json!({"statement": "SELECT id FROM range(0, 10) AS t(id)", "disposition": "externalLinks"});
    let started = road.post(&format!("{STATEMENTS}?mode=start"), &body).await;
    started.started();
    road.follow(started.at("/statusUrl").as_str().unwrap()).await.problem(424, "storage-blocked");
    let path = format!("{STATEMENTS}/{}", started.at("/id").as_str().unwrap());
    let seen = road.get(&path).await.expect(200);
    assert_eq!((seen.at("/state"), seen.at("/error/code")), (&json!("SUCCEEDED"), &json!("storage-blocked")));
    road.get(&format!("{path}/rows")).await.problem(424, "storage-blocked").saying(&["127.0.0.1"]);
    road.stack.databricks.block_storage(None);
    assert_eq!(road.get(&path).await.expect(200).at("/returnedRows"), 10);
}
