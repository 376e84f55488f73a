//! What is wrong is told so that a maker can mend it, logged so that an operator can, and nothing happens meanwhile.

use local_stack::core::{Action, Fault};
use local_stack::power_bi::sample;
use local_stack::stack::{DatabricksAuthentication, LEDGER_CONTAINER};
use serde_json::{Value, json};

use crate::road::{Reply, Road};

/// The failure's own line in the log: code, status, cause.
pub(crate) async fn logged(road: &Road, reply: &Reply) -> Value {
    let (id, code) = (reply.at("/requestId").as_str().unwrap(), format!("\"code\":\"{}\"", reply.code()));
    let of_the_call = |line: &Value| {
        let text = line.to_string();
        text.contains(id) && text.contains(&code) && line["target"] != "causeway::audit"
    };
    road.logged(&format!("{code} for {id}"), of_the_call).await
}

async fn raw(road: &Road, path: &str, body: &str) -> Reply {
    road.call("POST", path, Some(body.to_owned()), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_wrong_names_the_place() {
    let road = Road::start().await;
    let sql = "/api/sql/statements";
    let cases = [
        (sql, "{\"statement\": ", "body-malformed", "line 1"),
        (sql, "SELECT 1", "body-malformed", "JSON"),
        (sql, "[]", "body-invalid", "line 1"),
        (sql, "{\"statement\": 7}", "body-invalid", "string"),
        (sql, "{\"statement\": \"SELECT 1\", \"statment\": 1}", "body-invalid", "statment"),
        (sql, "{\"parameters\": {}}", "body-invalid", "statement"),
        (sql, "{\"statement\": \"  \"}", "body-invalid", "statement"),
        (sql, "{\"statement\": \"SELECT 1\", \"onTimeout\": \"stop\"}", "body-invalid", "stop"),
        (sql, "{\"statement\": \"SELECT 1\", \"rowLimit\": -1}", "body-invalid", "u64"),
        ("/api/jobs/slow/runs", "{\"parameter\": {}}", "body-invalid", "parameter"),
        ("/api/jobs/slow/runs", "{\"only\": \"main\"}", "body-invalid", "sequence"),
        ("/api/operations/refresh-sales", "{\"day\":", "body-malformed", "line 1"),
        ("/api/operations/refresh-sales", "[1]", "body-invalid", "map"),
    ];
    for (path, body, code, word) in cases {
        let reply = raw(&road, path, body).await.problem(400, code).saying(&[word]);
        assert!(reply.body["place"].is_string(), "{path} {body}: no place in {}", reply.body);
        logged(&road, &reply).await;
    }
    for (body, place) in [("{\"statement\": \"SELECT 1\", \"statment\": 1}", "statment"), ("{}", "statement")] {
        assert_eq!(raw(&road, sql, body).await.at("/place"), place);
    }
    assert!(road.effects("databricks", "statement").is_empty() && road.ledger("").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_of_a_statement_that_is_wrong_is_named() {
    let road = Road::start().await;
    let body = json!({"statement": "SELECT :a AS a", "parameters": {"a": {"value": [1], "type": "ARRAY<INT>"}}});
    let reply = road.post("/api/sql/statements", &body).await.problem(400, "body-invalid").saying(&["ARRAY<INT>"]);
    assert_eq!(reply.at("/place"), "parameters.a");
    // One that is missing is Databricks' to refuse.
    let missing = road.sql("SELECT :day AS day").await.problem(422, "statement-failed").saying(&["day"]);
    assert_eq!(missing.at("/errorClass"), "UNBOUND_SQL_PARAMETER");
    let reply = road.post("/api/operations/refresh-sales", &json!({"day": "31.10.2026"})).await;
    let reply = reply.problem(400, "parameters-invalid").saying(&["day"]);
    assert_eq!(reply.at("/place"), "day");
    let reply = road.post("/api/operations/refresh-sales", &json!({})).await;
    reply.problem(400, "parameters-invalid").saying(&["day"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_key_vault_stops_what_needs_it_before_any_effect() {
    let road = Road::start().await;
    let cut = Fault::once("GET", "/secrets/", Action::CutBeforeCommit).times(1_000);
    road.stack.key_vault.served.faults.add(cut);
    let reply = road.post("/api/jobs/slow/runs", &json!({})).await.problem(503, "key-vault-unavailable");
    assert_eq!(logged(&road, &reply).await["level"], "ERROR");
    assert!(road.effects("databricks", "jobRun").is_empty());
    // A read that fits its wait needs no secret here.
    road.sql("SELECT 1").await.expect(200);
    road.stack.key_vault.served.faults.clear();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_named() {
    let road = Road::start().await;
    road.stack.key_vault.remove_secret("causeway-status-key");
    let reply = road.post("/api/jobs/slow/runs", &json!({})).await.problem(503, "secret-not-found");
    reply.saying(&["causeway-status-key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_databricks_denying_us() {
    for (authentication, secret) in [
        (DatabricksAuthentication::PersonalAccessToken, "databricks-token"),
        (DatabricksAuthentication::OAuthM2m, "databricks-client-secret"),
    ] {
        let road = Road::with(|options| {
            options.databricks_authentication = authentication;
            options.secrets.insert(secret.into(), "dapi-wrong-and-secret".into());
        })
        .await;
        let reply = road.sql("SELECT 1").await;
        assert!(["databricks-access-denied", "identity-unavailable"].contains(&reply.code()), "{}", reply.body);
        assert!(!reply.message().contains("dapi-wrong"), "{}", reply.body);
        let line = logged(&road, &reply).await.to_string();
        assert!(!line.contains("dapi-wrong"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_identity_nothing_is_sent() {
    let road = Road::start().await;
    let refuse = Action::Status { status: 500, headers: Vec::new(), body: "{}".into() };
    road.stack.entra.identity.faults.add(Fault::once("GET", "", refuse).times(1_000));
    let reply = road.sql("SELECT 1").await.problem(503, "identity-unavailable");
    logged(&road, &reply).await;
    assert!(road.effects("databricks", "statement").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_ledger_nothing_that_acts_is_sent() {
    let road = Road::start().await;
    assert!(road.stack.blob.remove_container(LEDGER_CONTAINER).unwrap());
    let rows = format!(
        "/api/power-bi/workspaces/{}/datasets/{}/tables/DailySales/rows",
        sample::WORKSPACE,
        sample::SALES_LIVE
    );
    for (path, body) in [
        ("/api/sql/statements", json!({"statement": "CREATE TABLE main.sales.t (a INT)"})),
        ("/api/jobs/slow/runs", json!({})),
        ("/api/operations/refresh-sales", json!({"day": "2026-10-31"})),
        (rows.as_str(), json!({"rows": [{"orders": 1}]})),
    ] {
        let reply = road.post(path, &body).await.problem(503, "ledger-unavailable");
        logged(&road, &reply).await;
    }
    for (service, kind) in [("databricks", "statement"), ("databricks", "jobRun"), ("powerBi", "rows")] {
        assert!(road.effects(service, kind).is_empty(), "{kind}");
    }
    // Reads make no claim.
    road.sql("SELECT 1").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused() {
    let road = Road::start().await;
    let body = json!({"statement": "SELECT 1", "parameters": {"a": "x".repeat(33 << 20)}});
    road.post("/api/sql/statements", &body).await.problem(413, "body-too-large").saying(&["32 MiB"]);
}
