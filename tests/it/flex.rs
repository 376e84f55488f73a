//! One process per function group, as Flex Consumption has it: nothing is shared but the ledger and the queues.

use local_stack::host::Groups;
use serde_json::json;

use crate::declared::{Declared, ECHO};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_crosses_processes_that_share_no_memory() {
    let road = Declared::with(&[ECHO], &[], |options| {
        options.groups = Groups::Flex;
        options.databricks.engine = false;
    })
    .await;
    let groups = road.stack.host.as_ref().expect("a host").processes().len();
    assert!(groups > 4, "{groups} processes");
    road.ask("a", "echo", &json!({"text": "one"}));
    assert_eq!(road.messages("causeway-replies", 1).await.len(), 1);
    let run = road.only_run().await;
    assert_eq!(road.ended(&run).await["output"], json!({"text": "one", "one": 1}));
    let reply = road.post("/api/operations/echo", &json!({"text": "two"})).await.expect(200);
    assert_eq!(reply.body, json!({"text": "two", "one": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_operation_pushes_rows_and_refreshes() {
    let road = crate::road::Road::with(|options| options.groups = Groups::Flex).await;
    let parameters = json!({"first_day": "2026-10-05", "days": 7});
    let body = json!({"operation": "push-daily-sales", "parameters": parameters, "replyTo": "causeway-replies"});
    road.request("a", &body);
    let reply = &road.messages("causeway-replies", 1).await[0];
    let reply: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(reply["state"], "succeeded", "{reply}");
    assert_eq!(reply["output"]["rows"], 7);
    assert_eq!(road.effects("powerBi", "rows").len(), 1);
    assert_eq!(road.effects("powerBi", "refresh").len(), 1);
}
