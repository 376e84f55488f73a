//! What can never work goes to the parking queue, with its exact bytes, its properties and the reason.

use local_stack::service_bus::{Message, NewMessage};
use serde_json::{Value, json};

use crate::declared::{Declared, ECHO};
use crate::messages::{body, dressed, said};
use crate::road::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_operation_waits_and_is_then_parked_as_it_first_came() {
    let road = Declared::canned(&[ECHO], &[("CAUSEWAY_UNKNOWN_OPERATION_SECONDS", "3")]).await;
    let request = json!({"operation": "later", "parameters": {}}).to_string();
    let mut message = dressed(request.clone(), "a");
    message.properties.reply_to = Some("causeway-replies".into());
    message.properties.reply_to_session_id = Some("session-9".into());
    road.queue("causeway-requests").send(message);
    let parked = road.messages("causeway-parking", 1).await;
    assert_eq!(said(&parked[0], "causeway-reason"), "operation-not-found");
    assert_eq!(parked[0].body, request);
    let original: Value = serde_json::from_str(said(&parked[0], "causeway-original")).expect("JSON");
    assert_eq!(original["messageId"], "a");
    assert_eq!(original["properties"], json!({"tenant": "contoso", "priority": 3}));
    // It has waited: there were copies for later.
    let copies = road.effects("serviceBus", "message");
    assert!(copies.iter().any(|m| m["queue"] == "causeway-requests" && m["scheduledEnqueueTimeUtc"].is_string()));
    let reply = &road.messages("causeway-replies", 1).await[0];
    assert_eq!(body(reply)["error"]["code"], "operation-not-found");
    assert_eq!(reply.properties.correlation_id.as_deref(), Some("order-7"));
    assert_eq!(reply.properties.session_id.as_deref(), Some("session-9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_are_parked_at_once_with_every_problem() {
    let road = Declared::canned(&[ECHO], &[]).await;
    road.ask("a", "echo", &json!({"count": 10, "extra": 1}));
    let parked = &road.messages("causeway-parking", 1).await[0];
    assert_eq!(said(parked, "causeway-reason"), "parameters-invalid");
    for place in ["parameters.text", "parameters.count", "parameters.extra"] {
        assert!(said(parked, "causeway-detail").contains(place), "{place}: {}", said(parked, "causeway-detail"));
    }
    assert_eq!(body(&road.messages("causeway-replies", 1).await[0])["error"]["code"], "parameters-invalid");
    assert!(road.runs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_parked_with_its_exact_bytes_and_properties() {
    let road = Declared::canned(&[ECHO], &[]).await;
    let bodies: [&[u8]; 6] =
        [b"\xff\xfe\x00 not text \xc3", b"", b"{\"operation\": 7}", b"[]", b"{\"operation\":\"echo\",\"x\":1}", b"{ "];
    for (n, bytes) in bodies.iter().enumerate() {
        road.queue("causeway-requests").send(dressed(bytes.to_vec(), &format!("id-{n}")));
    }
    let parked = road.messages("causeway-parking", bodies.len()).await;
    for (n, bytes) in bodies.iter().enumerate() {
        let id = json!(format!("id-{n}"));
        let original = |m: &Message| serde_json::from_str::<Value>(said(m, "causeway-original")).expect("JSON");
        let found = parked.iter().find(|message| original(message)["messageId"] == id).expect("it is parked");
        assert_eq!(found.body.as_ref(), *bytes);
        assert_eq!(said(found, "causeway-reason"), "message-malformed");
        assert_eq!(found.properties.content_type.as_deref(), Some("text/weird"));
        let original = original(found);
        assert_eq!(original["properties"], json!({"tenant": "contoso", "priority": 3}));
        assert_eq!((&original["correlationId"], &original["queue"]), (&json!("order-7"), &json!("causeway-requests")));
    }
    assert!(road.runs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_a_queue_that_is_not_allowed_is_parked() {
    let road = Declared::canned(&[ECHO], &[]).await;
    let request = json!({"operation": "echo", "parameters": {"text": "a"}, "replyTo": "causeway-work"});
    road.request("a", &request);
    let parked = &road.messages("causeway-parking", 1).await[0];
    assert_eq!(said(parked, "causeway-reason"), "reply-not-allowed");
    assert!(road.runs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_fails_ten_times_is_drained_into_the_parking_queue() {
    let road = Declared::canned(&[ECHO], &[]).await;
    let run = "0123456789abcdef0123456789abcdef";
    let path = format!("runs/{run}/00000000");
    road.stack.blob.write(local_stack::stack::LEDGER_CONTAINER, &path, "{\"v\": 99}").expect("a record");
    let work = json!({"run": run, "after": 0}).to_string();
    road.queue("causeway-work").send(NewMessage::new(work.clone()));
    let parked = &road.messages("causeway-parking", 1).await[0];
    assert_eq!(said(parked, "causeway-reason"), "deliveries-exhausted");
    assert_eq!(parked.body, work);
    assert!(said(parked, "causeway-detail").contains("MaxDeliveryCountExceeded"), "{parked:?}");
    let dead = road.queue("causeway-work").dead_letters();
    tokio::time::timeout(PATIENCE, dead.wait_until(<[Message]>::is_empty)).await.expect("drained");
}
