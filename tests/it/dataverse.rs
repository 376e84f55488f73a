//! Messages of a Dataverse service endpoint, on the request queue and over a topic. The body follows the sample on the
//! vendor's page "Use webhooks to create external handlers for server events" (learn.microsoft.com, use-webhooks).

use local_stack::service_bus::NewMessage;
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::messages::said;
use crate::road::root;

const UPDATED: &str = include_str!("../fixtures/dataverse/account-update.json");
const CLAIM: &str = "http://schemas.microsoft.com/xrm/2011/Claims/EntityLogicalName";

const SYNC: (&str, &str) = (
    "sync",
    "summary: Sync
parameters:
  name: {type: string, required: true}
  revenue: {type: number}
  kind: {type: integer}
  was: {type: integer}
  by: {type: string}
steps: [{id: check, assert: {that: size(parameters.name) > 0, message: no name}}]
events:
  - source: dataverse
    entity: account
    message: Update
    when: event.depth < 3
    parameters:
      name: '{{ event.target.name }}'
      revenue: '{{ event.target.revenue }}'
      kind: '{{ event.target.customertypecode }}'
      was: '{{ event.preImage.customertypecode }}'
      by: '{{ event.userId }}'
output: {name: '{{ parameters.name }}', revenue: '{{ parameters.revenue }}', kind: '{{ parameters.kind }}', was: '{{ parameters.was }}'}
",
);
const AUDIT: (&str, &str) = (
    "audit",
    "summary: Audit
parameters: {row: {type: string, required: true}, at: {type: datetime}}
steps: [{id: check, assert: {that: size(parameters.row) > 0, message: no row}}]
events: [{source: dataverse, entity: account, message: Update, parameters: {row: '{{ event.id }}', at: '{{ event.time }}'}}]
output: {row: '{{ parameters.row }}'}
",
);

fn posted(body: &str, id: &str) -> NewMessage {
    NewMessage::new(body.to_owned()).message_id(id).property(CLAIM, "account")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_starts_every_operation_that_wants_it_and_once() {
    let road = Declared::canned(&[SYNC, AUDIT], &[]).await;
    road.queue("causeway-requests").send(posted(UPDATED, "a"));
    road.until("two runs", |_| road.runs().len() == 2).await;
    let mut outputs = Vec::new();
    for run in road.runs() {
        let ended = road.ended(&run).await;
        assert_eq!(ended["trigger"], "event");
        outputs.push((ended["operation"].as_str().expect("a name").to_owned(), ended["output"].clone()));
    }
    outputs.sort_by(|left, right| left.0.cmp(&right.0));
    assert_eq!(outputs[0].1, json!({"row": "f0a1d2b3-1111-4c5d-8e9f-000000000007"}));
    assert_eq!(outputs[1].1, json!({"name": "Contoso", "revenue": 2154.32, "kind": 3, "was": 1}));
    // Dataverse posts again under another message id when the first answer was lost.
    road.queue("causeway-requests").send(posted(UPDATED, "b"));
    road.until("it is completed", |road| {
        let done = road.effects("serviceBus", "completed");
        done.iter().filter(|done| done["queue"] == "causeway-requests").count() == 2
    })
    .await;
    assert_eq!(road.runs().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_nobody_is_completed_with_a_line() {
    let road = Declared::canned(&[SYNC], &[]).await;
    let other = UPDATED.replace("\"PrimaryEntityName\":\"account\"", "\"PrimaryEntityName\":\"contact\"");
    road.queue("causeway-requests").send(posted(&other, "a"));
    let unwanted = |line: &Value| line["message"] == "no operation wants this event";
    assert_eq!(road.logged("that nobody wants it", unwanted).await["event"], "contact Update");
    assert!(road.queue("causeway-parking").peek().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripped_message_runs_where_nothing_is_missing_and_is_parked_for_the_rest() {
    let road = Declared::canned(&[SYNC, AUDIT], &[]).await;
    let mut body: Value = serde_json::from_str(UPDATED).expect("JSON");
    for stripped in ["InputParameters", "PreEntityImages", "PostEntityImages"] {
        body[stripped] = json!([]);
    }
    let too_large = "http://schemas.microsoft.com/xrm/2011/Claims/MessageMaxSizeExceeded";
    road.queue("causeway-requests").send(posted(&body.to_string(), "a").property(too_large, "True"));
    let run = road.only_run().await;
    assert_eq!(road.ended(&run).await["operation"], "audit");
    let parked = &road.messages("causeway-parking", 1).await[0];
    assert_eq!(said(parked, "causeway-reason"), "event-stripped");
    let detail = said(parked, "causeway-detail");
    assert!(detail.contains("192 KB") && detail.contains("sync") && detail.contains("event.id"), "{detail}");
    assert_eq!(parked.body, body.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn net_binary_is_refused_with_what_to_set() {
    let road = Declared::canned(&[SYNC], &[]).await;
    let body = b"\x40\x16RemoteExecutionContext\x08\x37http://schemas.microsoft.com/xrm/2011/Contracts".to_vec();
    road.queue("causeway-requests").send(NewMessage::new(body.clone()).property(CLAIM, "account"));
    let parked = &road.messages("causeway-parking", 1).await[0];
    assert_eq!(said(parked, "causeway-reason"), "message-malformed");
    assert!(said(parked, "causeway-detail").contains("message format of the service endpoint to JSON"));
    assert_eq!(parked.body, body);
}

/// The app as `xtask package --topic` lays it out: the same, with the topic's functions turned on.
fn with_topic() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(root().join("host.json"), folder.path().join("host.json")).expect("host.json");
    for entry in std::fs::read_dir(root().join("function-definitions")).expect("definitions") {
        let entry = entry.expect("a folder");
        let to = folder.path().join("function-definitions").join(entry.file_name());
        std::fs::create_dir_all(&to).expect("made");
        let text = std::fs::read_to_string(entry.path().join("function.json")).expect("a definition");
        std::fs::write(to.join("function.json"), text.replace("\"disabled\": true", "\"disabled\": false"))
            .expect("kept");
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_s_subscription_is_the_same_wire() {
    let app = with_topic();
    let echo = crate::declared::ECHO;
    let road = Declared::with(&[SYNC, echo], &[], |options| {
        options.databricks.engine = false;
        options.app_root = app.path().to_owned();
        options.topics = vec![("business".into(), vec!["causeway".into(), "others".into()])];
    })
    .await;
    let send = |body: &str, id: &str| {
        for subscription in road.stack.service_bus.broker().topic("business").expect("a topic") {
            subscription.send(posted(body, id));
        }
    };
    send(UPDATED, "a");
    let run = road.only_run().await;
    assert_eq!(road.ended(&run).await["operation"], "sync");
    let request = json!({"operation": "echo", "parameters": {"text": "hi"}, "replyTo": "causeway-replies"});
    send(&request.to_string(), "b");
    assert_eq!(road.messages("causeway-replies", 1).await.len(), 1);
    send("{\"operation\": 7}", "c");
    let parked = &road.messages("causeway-parking", 1).await[0];
    let original: Value = serde_json::from_str(said(parked, "causeway-original")).expect("JSON");
    assert_eq!(original["queue"], "business/subscriptions/causeway");
    // The other subscription has its copies still.
    let others = road.queue("business/subscriptions/others");
    assert_eq!(others.peek().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_is_off_unless_the_package_turns_it_on() {
    let road = Declared::canned(&[SYNC], &[]).await;
    let functions = road.stack.host.as_ref().expect("a host").functions();
    assert!(functions.iter().any(|name| name == "event-grid"), "{functions:?}");
    assert!(!functions.iter().any(|name| name.ends_with("-topic")), "{functions:?}");
}
