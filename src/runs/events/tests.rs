//! What is told apart, what expressions see, and what makes two events the same. The bodies in `tests/fixtures` follow the
//! vendor's pages: event-schema-blob-storage (Event Grid), use-webhooks (Dataverse) on learn.microsoft.com.

use bytes::Bytes;
use rstest::rstest;
use serde_json::{Value, json};

use super::start::run_of;
use super::{Event, recognise};
use crate::failure::Failure;
use crate::runs::received::Received;

const OWN: &str = include_str!("../../../tests/fixtures/event_grid/blob-created.json");
const CLOUD: &str = include_str!("../../../tests/fixtures/event_grid/blob-created.cloud.json");
const DATAVERSE: &str = include_str!("../../../tests/fixtures/dataverse/account-update.json");
const TOO_LARGE: &str = "http://schemas.microsoft.com/xrm/2011/Claims/MessageMaxSizeExceeded";

fn message(body: impl Into<Bytes>) -> Received {
    Received { body: body.into(), message_id: Some("m".into()), ..Received::default() }
}

fn events(message: &Received) -> Result<Vec<Event>, Failure> {
    recognise(message).expect("it is an event")
}

fn event(body: &str) -> Event {
    events(&message(body.to_owned())).expect("it is read").remove(0)
}

/// The body with some of it changed.
fn but(body: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut body = serde_json::from_str(body).expect("JSON");
    change(&mut body);
    body.to_string()
}

#[test]
fn both_schemas_of_event_grid_are_one_shape_and_one_run() {
    let (own, cloud) = (event(OWN), event(CLOUD));
    for member in ["id", "source", "type", "subject", "time", "data"] {
        assert_eq!(own.shown[member], cloud.shown[member], "{member}");
        assert!(!own.shown[member].is_null(), "{member}");
    }
    assert_eq!(run_of("load", &own), run_of("load", &cloud));
    assert_ne!(run_of("load", &own), run_of("other", &own));
    let elsewhere = event(&but(OWN, |body| body["topic"] = json!("another account")));
    assert_ne!(run_of("load", &own), run_of("load", &elsewhere));
}

#[test]
fn a_dataverse_context_is_brought_to_a_shape_that_makers_can_use() {
    let shown = event(DATAVERSE).shown;
    assert_eq!(shown["entity"], "account");
    assert_eq!(shown["message"], "Update");
    assert_eq!(shown["id"], "f0a1d2b3-1111-4c5d-8e9f-000000000007");
    assert_eq!(shown["time"], "2017-09-26T07:04:08Z");
    assert_eq!((&shown["depth"], &shown["stage"], &shown["mode"]), (&json!(1), &json!(40), &json!("async")));
    let target = &shown["target"];
    assert_eq!(target["revenue"], 2154.32);
    assert_eq!(target["customertypecode"], 3);
    assert_eq!(shown["labels"]["customertypecode"], "Customer");
    assert_eq!(target["modifiedon"], "2017-09-26T00:04:07Z");
    assert_eq!(target["telephone1"], Value::Null);
    let contact = json!({"id": "a4982849-096f-ef11-a670-6045bd21f435", "entity": "contact", "name": null});
    assert_eq!(target["primarycontactid"], contact);
    assert_eq!(shown["preImage"]["customertypecode"], 1);
    assert_eq!(shown["preImages"]["before"]["name"], "Contoso Ltd");
    assert_eq!(shown["postImages"], json!({}));
    assert_eq!(shown["sharedVariables"], json!({"IsAutoTransact": true}));
    assert_eq!(shown["inputParameters"], json!({"ConcurrencyBehavior": 0}));
    let changed = shown["changed"].as_array().expect("a list");
    assert!(changed.contains(&json!("revenue")) && changed.len() == 7);
}

#[test]
fn the_target_of_a_delete_is_a_reference() {
    let delete = but(DATAVERSE, |body| {
        body["MessageName"] = json!("Delete");
        let reference = json!({"__type": "EntityReference:http://schemas.microsoft.com/xrm/2011/Contracts",
            "Id": "i", "LogicalName": "account", "Name": null});
        body["InputParameters"] = json!([{"key": "Target", "value": reference}]);
    });
    assert_eq!(event(&delete).shown["target"], json!({"id": "i", "entity": "account", "name": null}));
}

#[test]
fn a_context_that_comes_again_is_the_same_run_and_another_request_is_another() {
    let first = event(DATAVERSE);
    assert_eq!(run_of("sync", &first), run_of("sync", &event(DATAVERSE)));
    for member in ["RequestId", "OperationId", "PrimaryEntityId", "Stage", "MessageName", "OrganizationId"] {
        let other = but(DATAVERSE, |body| body[member] = if member == "Stage" { json!(20) } else { json!("other") });
        assert_ne!(run_of("sync", &first), run_of("sync", &event(&other)), "{member}");
    }
}

#[test]
fn a_context_without_ids_is_told_apart_by_its_message() {
    let nameless = but(DATAVERSE, |body| {
        body["RequestId"] = Value::Null;
        body["OperationId"] = json!("00000000-0000-0000-0000-000000000000");
    });
    let of = |id: &str| {
        let message = Received { message_id: Some(id.into()), ..message(nameless.clone()) };
        run_of("sync", &events(&message).expect("it is read")[0])
    };
    assert_eq!(of("a"), of("a"));
    assert_ne!(of("a"), of("b"));
}

#[test]
fn a_stripped_context_is_known_by_its_property_also_in_a_copy_of_ours() {
    let bare = but(DATAVERSE, |body| body["InputParameters"] = json!([]));
    let mut stripped = message(bare);
    assert!(events(&stripped).expect("it is read")[0].stripped.is_none());
    stripped.properties.insert(TOO_LARGE.into(), json!("True"));
    assert!(events(&stripped).expect("it is read")[0].stripped.is_some());
    let original = json!({"properties": stripped.properties}).to_string();
    stripped.properties = json!({"causeway-original": original}).as_object().cloned().unwrap_or_default();
    let event = events(&stripped).expect("it is read").remove(0);
    assert_eq!((event.stripped.is_some(), &event.shown["stripped"]), (true, &json!(true)));
}

#[rstest]
#[case(b"\x40\x16RemoteExecutionContext\x08\x37http://schemas.microsoft.com".as_slice(), ".NET binary form")]
#[case(b"<RemoteExecutionContext xmlns=\"x\">".as_slice(), "XML")]
fn a_context_in_another_form_is_refused_with_what_to_set(#[case] body: &[u8], #[case] form: &str) {
    let refusal = events(&message(body.to_vec())).expect_err("no JSON");
    assert!(refusal.detail.contains(form) && refusal.detail.contains("to JSON"), "{}", refusal.detail);
}

#[rstest]
#[case(json!({"eventType": "T", "topic": "t"}), "no `id`")]
#[case(json!({"eventType": "T", "id": "1"}), "no `topic`")]
#[case(json!({"specversion": "0.3", "id": "1", "source": "s", "type": "T"}), "`specversion` is not 1.0")]
#[case(json!({"specversion": "1.0", "id": "", "source": "s", "type": "T"}), "no `id`")]
#[case(json!({"MessageName": "Update", "PrimaryEntityName": null}), "`PrimaryEntityName` is missing")]
fn what_is_an_event_and_lacks_what_names_it_is_refused(#[case] body: Value, #[case] expected: &str) {
    let refusal = events(&message(body.to_string())).expect_err("it lacks something");
    assert!(refusal.detail.contains(expected), "{}", refusal.detail);
}

#[rstest]
#[case("{\"operation\": 7}")]
#[case("[]")]
#[case("[{\"eventType\": \"T\"}, 7]")]
#[case("not JSON")]
fn what_is_no_event_is_left_to_others(#[case] body: &str) {
    assert!(recognise(&message(body.to_owned())).is_none());
}
