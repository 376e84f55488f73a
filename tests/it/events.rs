//! Event Grid: delivered by the host's webhook, mapped to operations, each event one run.

use local_stack::core::{Action, Fault};
use local_stack::stack::DatabricksAuthentication;
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::messages::said;
use crate::road::Road;

/// Takes new CSV files, and tells which.
const LOAD: (&str, &str) = (
    "load",
    "summary: Load
parameters:
  file: {type: string, required: true}
  size: {type: integer}
steps: [{id: check, assert: {that: size(parameters.file) > 0, message: no file}}]
events:
  - source: event_grid
    type: Microsoft.Storage.BlobCreated
    subject: {begins_with: /blobServices/default/containers/in/, ends_with: .csv}
    when: event.data.contentLength > 0
    parameters: {file: '{{ event.data.url }}', size: '{{ event.data.contentLength }}'}
output: {file: '{{ parameters.file }}', size: '{{ parameters.size }}'}
",
);

fn created(id: &str, file: &str, length: i64) -> Value {
    json!({
        "id": id, "topic": "/subscriptions/s/storageAccounts/a", "eventType": "Microsoft.Storage.BlobCreated",
        "subject": format!("/blobServices/default/containers/in/blobs/{file}"), "eventTime": "2026-01-02T03:04:05Z",
        "data": {"api": "PutBlob", "url": format!("https://a.blob.core.windows.net/in/{file}"), "contentLength": length},
        "dataVersion": "", "metadataVersion": "1"
    })
}

fn as_cloud_event(event: &Value) -> Value {
    json!({
        "specversion": "1.0", "id": event["id"], "source": event["topic"], "type": event["eventType"],
        "subject": event["subject"], "time": event["eventTime"], "data": event["data"]
    })
}

async fn delivered(road: &Road, count: usize) {
    road.until("they are delivered", |road| {
        let taken = |delivery: &&Value| delivery["status"] == 202;
        road.effects("eventGrid", "delivery").iter().filter(taken).count() >= count
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_a_run_in_either_schema_and_coming_again_it_is_the_same() {
    let road = Declared::canned(&[LOAD], &[]).await;
    let event = created("e-1", "a.csv", 7);
    road.stack.event_grid.publish(event.clone());
    let run = road.only_run().await;
    let ended = road.ended(&run).await;
    assert_eq!(ended["output"], json!({"file": "https://a.blob.core.windows.net/in/a.csv", "size": 7}));
    assert_eq!(ended["trigger"], "event");
    road.stack.event_grid.publish(event.clone());
    road.stack.event_grid.publish(as_cloud_event(&event));
    delivered(&road, 3).await;
    assert_eq!(road.runs(), [run]);
    road.stack.event_grid.publish(as_cloud_event(&created("e-2", "b.csv", 8)));
    road.until("a second run", |_| road.runs().len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_operation_wants_is_completed_with_a_line() {
    let road = Declared::canned(&[LOAD], &[]).await;
    road.stack.event_grid.publish(created("e-1", "a.txt", 7));
    road.stack.event_grid.publish(created("e-2", "empty.csv", 0));
    let mut deleted = created("e-3", "a.csv", 7);
    deleted["eventType"] = json!("Microsoft.Storage.BlobDeleted");
    road.stack.event_grid.publish(deleted);
    delivered(&road, 3).await;
    let unwanted = |line: &Value| {
        line["message"] == "no operation wants this event" && line["event"] == "Microsoft.Storage.BlobDeleted"
    };
    road.logged("that nobody wants it", unwanted).await;
    assert!(road.runs().is_empty());
    assert!(road.queue("causeway-parking").peek().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_can_never_work_is_parked_in_its_own_bytes() {
    let road = Declared::canned(&[LOAD], &[]).await;
    let mut without = created("e-1", "a.csv", 7);
    without["data"]["url"] = Value::Null;
    road.stack.event_grid.publish(without.clone());
    let mut nameless = created("e-2", "a.csv", 7);
    nameless["topic"] = Value::Null;
    road.stack.event_grid.publish(nameless.clone());
    let parked = road.messages("causeway-parking", 2).await;
    for (event, reason) in [(without, "parameters-invalid"), (nameless, "message-malformed")] {
        let found = parked.iter().find(|message| said(message, "causeway-reason") == reason).expect(reason);
        assert_eq!(found.body, event.to_string(), "{reason}");
    }
    delivered(&road, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_waits_while_the_ledger_is_away() {
    let road = Declared::canned(&[LOAD], &[]).await;
    let away = Action::Status { status: 503, headers: Vec::new(), body: String::new() };
    road.stack.blob.served.faults.add(Fault::once("PUT", "", away).times(30));
    road.stack.event_grid.publish(created("e-1", "a.csv", 7));
    let run = road.only_run().await;
    assert_eq!(road.ended(&run).await["state"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_for_a_broken_file_waits_until_it_is_mended() {
    let broken = format!("{}\nnothing: known\n", LOAD.1);
    let mut road = Declared::canned(&[("load", &broken)], &[("CAUSEWAY_UNKNOWN_OPERATION_SECONDS", "60")]).await;
    road.stack.event_grid.publish(created("e-1", "a.csv", 7));
    road.until("it waits", |road| {
        road.effects("serviceBus", "message").iter().any(|m| m["scheduledEnqueueTimeUtc"].is_string())
    })
    .await;
    assert!(road.queue("causeway-parking").peek().is_empty());
    road.declare(LOAD.0, LOAD.1);
    road.restart().await;
    let run = road.only_run().await;
    assert_eq!(road.ended(&run).await["output"]["size"], 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_of_a_secret_is_read_by_every_host_that_uses_it() {
    let road = Road::with(|options| {
        options.databricks.engine = false;
        options.databricks_authentication = DatabricksAuthentication::PersonalAccessToken;
        options.extra_environment.insert("CAUSEWAY_SECRET_MARKER_SECONDS".into(), "1".into());
    })
    .await;
    let second = road.stack.another_host(0).await.expect("a second host");
    second.ready().await.expect("ready");
    let key = second.keys().host["default"].clone();
    let use_second = async || {
        let url = format!("{}/api/jobs", second.url());
        road.call("GET", &url, None, &[("x-functions-key", &key)]).await.expect(200);
    };
    let readings = |road: &Road| {
        let requests = road.effects("keyVault", "request");
        let of_token = |request: &&Value| request["target"].as_str().is_some_and(|to| to.contains("databricks-token"));
        requests.iter().filter(of_token).count()
    };
    road.get("/api/jobs").await.expect(200);
    use_second().await;
    let before = readings(&road);
    assert!(before >= 2, "each host has read it");
    let value = road.stack.key_vault.secret("databricks-token").expect("a secret");
    let version = road.stack.key_vault.set_secret("databricks-token", &value);
    road.stack.event_grid.publish(json!({
        "id": "k-1", "topic": "/subscriptions/s/vaults/v", "subject": "databricks-token",
        "eventType": "Microsoft.KeyVault.SecretNewVersionCreated", "eventTime": "2026-01-02T03:04:05Z",
        "data": {"Id": "https://v/secrets/databricks-token", "VaultName": "v", "ObjectType": "Secret",
                 "ObjectName": "databricks-token", "Version": version, "NBF": null, "EXP": null},
        "dataVersion": "1", "metadataVersion": "1"
    }));
    road.until("the marker is written", |road| !road.ledger("secrets/").is_empty()).await;
    let both = async {
        while readings(&road) < before + 2 {
            road.get("/api/jobs").await.expect(200);
            use_second().await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(crate::road::PATIENCE, both).await.expect("both hosts read it again");
}
