//! Work as the caller: two users, one query, different rows. What is refused is `as_caller_refused.rs`.

use std::time::Duration;

use local_stack::entra::users::{CONTROLLER, SALES_FRANCE, SALES_GERMANY};
use local_stack::power_bi::sample;
use serde_json::{Value, json};

use crate::callers_road::{BY_COUNTRY, Callers, DATABRICKS};

const MINE: (&str, &str) = (
    "mine",
    "summary: The caller's customers
run_as: caller
steps:
  - id: count
    sql: {statement: 'SELECT count(*) AS n, max(country) AS country FROM main.sales.customers', expect: one_row}
  - id: some
    assert: {that: steps.count.row.n > 0, message: There are none.}
output: {n: '{{ steps.count.row.n }}', country: '{{ steps.count.row.country }}'}
",
);

#[tokio::test(flavor = "multi_thread")]
async fn two_users_ask_the_same_and_see_different_rows() {
    let callers = Callers::with_rules(&[], &[]).await;
    let (germany, france) = (callers.token(&SALES_GERMANY), callers.token(&SALES_FRANCE));
    let of_germany = callers.ask(&germany, BY_COUNTRY, "").await.expect(200);
    let of_france = callers.ask(&france, BY_COUNTRY, "").await.expect(200);
    assert_eq!(of_germany.body["rows"], json!([{"country": "DE", "customers": 320, "address": "hidden"}]));
    assert_eq!(of_france.body["rows"], json!([{"country": "FR", "customers": 331, "address": "hidden"}]));
    // In our own name everything is there, whoever asks.
    let all = callers.post(&germany, "/api/sql/statements", &json!({"statement": BY_COUNTRY})).await.expect(200);
    assert_eq!(all.body["rowCount"], 6);
    assert!(all.at("/rows/0/address").as_str().unwrap().contains('@'), "{}", all.body);
    let who = callers.ask(&france, "SELECT current_user() AS me", "").await.expect(200);
    assert_eq!(who.at("/rows/0/me"), SALES_FRANCE.principal_name);
    // A token is exchanged once, however often its caller comes.
    assert_eq!(callers.exchanges(DATABRICKS), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_may_prove_itself_by_its_managed_identity() {
    let settings = [("CAUSEWAY_ON_BEHALF_OF_AUTH", "managed-identity"), ("CAUSEWAY_ENTRA_CLIENT_SECRET_NAME", "none")];
    let callers = Callers::with_rules(&[], &settings).await;
    let rows = callers.ask(&callers.token(&SALES_FRANCE), BY_COUNTRY, "").await.expect(200);
    assert_eq!(rows.body["rowCount"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_on_by_the_call_itself_and_only_its_caller_follows() {
    let callers = Callers::with_rules(&[], &[]).await;
    let (germany, france) = (callers.token(&SALES_GERMANY), callers.token(&SALES_FRANCE));
    let ids = "SELECT customer_id FROM main.sales.customers ORDER BY customer_id";
    let first = callers.ask(&germany, ids, "?pageSize=300&shape=arrays").await.expect(200);
    let link = first.body["nextLink"].as_str().expect("there is more").to_owned();
    assert!(!first.body.to_string().contains("/api/status/"), "{}", first.body["nextLink"]);
    let rest = callers.get(&germany, &Callers::path_of(&link)).await.expect(200);
    assert_eq!((rest.body["value"].as_array().unwrap().len(), rest.body.get("nextLink")), (20, None));
    assert!(rest.at("/value/0").is_array());
    callers.get(&france, &Callers::path_of(&link)).await.problem(404, "statement-not-found");
    // Nor can it be read in our own name.
    let id = first.body["statementId"].as_str().unwrap();
    callers.get(&germany, &format!("/api/sql/statements/{id}")).await.problem(404, "statement-not-found");
    let all = callers.get(&germany, &format!("/api/sql/statements/{id}/rows?runAs=caller")).await.expect(200);
    assert_eq!(all.body.as_array().unwrap().len(), 320);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_started_is_looked_at_with_the_callers_own_token() {
    let callers = Callers::start().await;
    let (germany, france) = (callers.token(&SALES_GERMANY), callers.token(&SALES_FRANCE));
    callers.road.stack.databricks.hold("/* slow */", None);
    let started = callers.ask(&germany, "SELECT 1 AS one /* slow */", "?mode=start").await.expect(201);
    assert_eq!(started.body.get("statusUrl"), None);
    let path = Callers::path_of(started.header("location").unwrap());
    assert!(path.ends_with("?runAs=caller"), "{path}");
    let seen = callers.get(&germany, &path).await.expect(200);
    assert!(matches!(seen.body["state"].as_str(), Some("PENDING" | "RUNNING")), "{}", seen.body);
    callers.get(&france, &path).await.problem(404, "statement-not-found");
    let rows = path.replace('?', "/rows?waitSeconds=0&");
    callers.get(&germany, &rows).await.problem(422, "too-long-for-caller-identity");
    callers.road.stack.databricks.release();
    let done = async {
        loop {
            let seen = callers.get(&germany, &path).await.expect(200);
            if seen.body["state"] == "SUCCEEDED" {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let seen = tokio::time::timeout(crate::road::PATIENCE, done).await.expect("it ends");
    assert_eq!(seen.at("/rows/0/one"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_wait_is_cancelled() {
    let callers = Callers::start().await;
    let token = callers.token(&SALES_GERMANY);
    callers.road.stack.databricks.hold("/* slow */", None);
    let reply = callers.ask(&token, "SELECT 1 /* slow */", "?waitSeconds=1").await;
    let reply = reply.problem(422, "too-long-for-caller-identity").saying(&["cancelled"]);
    assert_eq!(reply.header("location"), None);
    // A write too; called again, its claim knows how it ended.
    callers.ask(&token, "CREATE TABLE main.sales.mine (a INT)", "").await.expect(200);
    let insert = json!({"statement": "INSERT INTO main.sales.mine VALUES (1) /* slow */", "runAs": "caller"});
    for code in ["too-long-for-caller-identity", "statement-canceled"] {
        let path = "/api/sql/statements?waitSeconds=1";
        let reply = callers.send("POST", &token, path, Some(&insert), Some("once")).await;
        reply.problem(422, code);
    }
    callers.road.stack.databricks.release();
    let count = callers.ask(&token, "SELECT count(*) AS n FROM main.sales.mine", "").await.expect(200);
    assert_eq!(count.at("/rows/0/n"), 0);
    let sent = callers.road.effects("databricks", "statement");
    let inserts: Vec<&Value> =
        sent.iter().filter(|one| one["statement"].as_str().is_some_and(|text| text.contains("INSERT"))).collect();
    assert_eq!(inserts.len(), 1);
    assert_eq!(inserts[0]["user"], SALES_GERMANY.principal_name);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_runs_as_its_caller_and_its_run_is_theirs() {
    let callers = Callers::with_rules(&[MINE], &[]).await;
    let (germany, france) = (callers.token(&SALES_GERMANY), callers.token(&SALES_FRANCE));
    let none = json!({});
    let of_germany = callers.post(&germany, "/api/operations/mine", &none).await.expect(200);
    assert_eq!(of_germany.body, json!({"n": 320, "country": "DE"}));
    assert_eq!(callers.post(&france, "/api/operations/mine", &none).await.expect(200).body["country"], "FR");
    // Whoever sees no customer at all fails at the step that says so.
    callers.post(&callers.token(&CONTROLLER), "/api/operations/mine", &none).await.problem(422, "assertion-failed");
    let run = format!("/api/runs/{}", of_germany.header("x-causeway-run-id").unwrap());
    let view = callers.get(&germany, &run).await.expect(200);
    assert_eq!((&view.body["runAs"], &view.body["state"]), (&json!("caller"), &json!("succeeded")));
    callers.get(&france, &run).await.problem(404, "run-not-found");
    let described = callers.get(&germany, "/api/operations/mine").await.expect(200);
    assert_eq!(described.body["runAs"], "caller");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_outlasts_its_callers_wait_is_stopped() {
    let slow = MINE.1.replace("FROM main", "/* slow */ FROM main");
    let callers = Callers::with(&[("slow", &slow)], &[], |_| {}).await;
    let token = callers.token(&SALES_GERMANY);
    callers.road.stack.databricks.hold("/* slow */", None);
    let reply = callers.post(&token, "/api/operations/slow?waitSeconds=1", &json!({})).await;
    let reply = reply.problem(422, "too-long-for-caller-identity");
    let run = reply.body["runId"].as_str().expect("a run").to_owned();
    assert_eq!(callers.get(&token, &format!("/api/runs/{run}")).await.expect(200).body["state"], "failed");
    assert_eq!(callers.road.messages("causeway-work", 0).await.len(), 0, "nobody else is to move it");
    callers.road.stack.databricks.release();
}

#[tokio::test(flavor = "multi_thread")]
async fn power_bi_sees_the_user_too() {
    let callers = Callers::start().await;
    let path = format!("/api/power-bi/workspaces/{}/datasets/{}/query", sample::WORKSPACE, sample::SALES);
    let query = json!({"query": "EVALUATE Customers", "runAs": "caller"});
    callers.post(&callers.token(&SALES_FRANCE), &path, &query).await.expect(200);
    let exchanged = callers.road.effects("entra", "exchange");
    let one = exchanged.last().expect("an exchange");
    assert_eq!((one["user"].as_str(), exchanged.len()), (Some(SALES_FRANCE.object_id), 1));
    assert!(one["resource"].as_str().unwrap().contains("powerbi"), "{one}");
}
