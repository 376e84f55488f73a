//! `/api/health` and `/api/health/ready`: alive whatever is away; ready when every neighbour answers, each named else.

use local_stack::core::{Action, Fault, Faults};
use local_stack::databricks::STOPPED_WAREHOUSE;
use local_stack::stack::LEDGER_CONTAINER;
use serde_json::Value;

use crate::road::Road;

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_road_is_alive_and_ready_and_starts_no_warehouse() {
    let road = Road::with(|options| {
        let asleep = STOPPED_WAREHOUSE.to_owned();
        options.extra_environment.insert("CAUSEWAY_DATABRICKS_WAREHOUSE_ID".into(), asleep);
    })
    .await;
    let alive = road.get("/api/health").await.expect(200);
    assert_eq!(alive.at("/status"), "ok");
    let ready = road.get("/api/health/ready").await.expect(200);
    assert_eq!(ready.at("/status"), "ready");
    for neighbour in ["ledger", "keyVault", "databricks", "powerBi"] {
        assert_eq!(ready.at("/neighbours")[neighbour], "ok", "{}", ready.body);
    }
    assert_eq!(ready.at("/warehouse"), "STOPPED");
    // Looked at once in 30 s, however many ask.
    let before = road.effects("databricks", "request").len();
    road.get("/api/health/ready").await.expect(200);
    assert_eq!(road.effects("databricks", "request").len(), before);
}

/// A road of which one neighbour is away, seen through `/api/health/ready`.
async fn named(name: &str, path: &str, faults: impl Fn(&Road) -> &Faults) {
    let road = Road::start().await;
    let away = Action::Status { status: 503, headers: Vec::new(), body: String::new() };
    faults(&road).add(Fault::once("GET", path, away).times(1_000));
    let reply = road.get("/api/health/ready").await.problem(503, "upstream-unavailable").saying(&[name]);
    for other in ["databricks", "powerBi", "keyVault", "ledger"] {
        assert_eq!(reply.message().contains(other), other == name, "{name}: {}", reply.message());
    }
    // Anybody may ask: states only, no addresses.
    assert!(!reply.message().contains("127.0.0.1") && !reply.message().contains("http"), "{}", reply.message());
    let named = |line: &Value| line["message"] == "not ready" && line.to_string().contains(name);
    road.logged(&format!("that {name} is not ready"), named).await;
    road.get("/api/health").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_neighbour_that_is_away_is_named_and_nothing_else_is_told() {
    named("databricks", "/warehouses", |road| &road.stack.databricks.served.faults).await;
    named("powerBi", "/groups", |road| &road.stack.power_bi.served.faults).await;
    named("keyVault", "/secrets/", |road| &road.stack.key_vault.served.faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_without_its_container_is_named() {
    let road = Road::start().await;
    assert!(road.stack.blob.remove_container(LEDGER_CONTAINER).unwrap());
    road.get("/api/health/ready").await.problem(503, "upstream-unavailable").saying(&["ledger"]);
    road.get("/api/health").await.expect(200);
}
