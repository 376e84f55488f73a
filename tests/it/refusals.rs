//! Every refusal that the neighbours and the catalog can give: what the maker reads, what the operator reads, and that
//! nothing happened. Bodies and identities that are wrong are `bad_input.rs`.

use local_stack::databricks::STOPPED_WAREHOUSE;
use local_stack::host::Outcome;
use local_stack::power_bi::sample;
use serde_json::{Value, json};

use crate::bad_input::logged;
use crate::declared::Declared;
use crate::road::Road;

/// A dataset that is nowhere.
const STRANGE: &str = "00000000-0000-4000-8000-000000000000";

/// One wrong call.
struct Case {
    path: String,
    body: Value,
    status: u16,
    code: &'static str,
    /// What the maker's message must name.
    says: &'static [&'static str],
}

fn case(path: &str, body: Value, status: u16, code: &'static str, says: &'static [&'static str]) -> Case {
    Case { path: path.to_owned(), body, status, code, says }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_is_told_to_the_maker_and_to_the_operator() {
    let road = Road::start().await;
    assert!(road.stack.databricks.set_warehouse(STOPPED_WAREHOUSE, Some("STOPPED"), None, Some(true)));
    let sql = "/api/sql/statements";
    let dataset = |workspace: &str, dataset: &str| {
        format!("/api/power-bi/workspaces/{workspace}/datasets/{dataset}/refreshes?waitSeconds=0")
    };
    let shared = dataset(sample::SHARED_WORKSPACE, sample::TEAM_SALES);
    let unknown = dataset(sample::WORKSPACE, STRANGE);
    let cases = [
        case("/api/operations/nothing", json!({}), 404, "operation-not-found", &["nothing"]),
        case("/api/operations/refresh-sales", json!({}), 400, "parameters-invalid", &["day"]),
        case("/api/operations/refresh-sales", json!({"day": 5}), 400, "parameters-invalid", &["day"]),
        case(
            "/api/operations/refresh-sales",
            json!({"day": "2026-10-31", "dya": 1}),
            400,
            "parameters-invalid",
            &["dya"],
        ),
        case(sql, json!({"statement": "SELECT gone FROM main.sales.orders"}), 422, "statement-failed", &["gone"]),
        case(sql, json!({"statement": "DELETE FROM main.sales.gone"}), 422, "statement-failed", &["gone"]),
        case("/api/jobs/404404/runs", json!({}), 404, "job-not-found", &["404404"]),
        case("/api/jobs/no-such-job/runs", json!({}), 404, "job-not-found", &["no-such-job"]),
        case(&shared, json!({"type": "full"}), 422, "premium-required", &["shared capacity"]),
        case(&unknown, json!({}), 404, "dataset-not-found", &[STRANGE]),
    ];
    for case in cases {
        let reply = road.post(&case.path, &case.body).await.problem(case.status, case.code).saying(case.says);
        let line = logged(&road, &reply).await;
        assert!(line["error"].as_str().is_some_and(|error| !error.is_empty()), "no reason for the operator: {line}");
        assert!(line["route"].as_str().is_some_and(|route| route.starts_with("/api/")), "{line}");
        if let Some(upstream) = reply.body.get("upstream") {
            assert_eq!(line["upstreamService"], upstream["service"], "{line}");
        }
    }
    let asleep = json!({"statement": "SELECT 1", "warehouseId": STOPPED_WAREHOUSE});
    let reply = road.post(sql, &asleep).await;
    assert!(["warehouse-unavailable", "statement-failed"].contains(&reply.code()), "{}", reply.body);
    logged(&road, &reply).await;
    // A statement that failed is no effect, and there was no other.
    assert!(road.effects("databricks", "jobRun").is_empty() && road.effects("powerBi", "refresh").is_empty());
    assert!(road.ledger("runs/").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_schedule_is_named_with_its_place_and_stops_nothing_else() {
    let bad = "summary: s\nschedule: {cron: \"61 * * * *\", time_zone: UTC}\nsteps: [{id: a, job: {job: \"1\"}}]\n";
    let road = Declared::canned(&[crate::declared::ECHO, ("bad", bad)], &[]).await;
    let reply = road.post("/api/operations/bad", &json!({})).await.problem(503, "operation-invalid");
    let reply = reply.saying(&["bad.yaml:2:", "cron"]);
    logged(&road, &reply).await;
    let ticked = road.stack.host.as_ref().unwrap().fire_timer("tick", false).await.unwrap();
    assert_eq!(ticked, Outcome::Succeeded);
    road.post("/api/operations/echo", &json!({"text": "a"})).await.expect(200);
    assert!(road.effects("databricks", "jobRun").is_empty());
}
