//! `causeway parked`, as an operator types it, against the stack's Service Bus.

use std::process::{Output, Stdio};

use local_stack::service_bus::NewMessage;
use serde_json::{Value, json};

use crate::declared::{Declared, ECHO};
use crate::messages::{body, dressed, said};
use crate::road::handler;

/// The command, with the settings that the handler has.
async fn parked(road: &Declared, arguments: &[&str], typed: &str) -> Output {
    use std::io::Write as _;
    let mut command = std::process::Command::new(handler());
    command.arg("parked").args(arguments).env_clear().envs(road.stack.handler_environment());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let typed = typed.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("it starts");
        child.stdin.take().expect("its input").write_all(typed.as_bytes()).expect("typed");
        child.wait_with_output().expect("it ends")
    })
    .await
    .expect("it ends")
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn listed(road: &Declared) -> Vec<Value> {
    let list = out(&parked(road, &["list", "--json"], "").await);
    serde_json::from_str::<Value>(&list).expect("JSON").as_array().expect("a list").clone()
}

/// A road with an operation that is not there yet, and its request parked.
async fn waiting_for_later() -> Declared {
    let road = Declared::canned(&[ECHO], &[("CAUSEWAY_UNKNOWN_OPERATION_SECONDS", "1")]).await;
    let request = json!({"operation": "later", "parameters": {"text": "x"}, "replyTo": "causeway-replies"}).to_string();
    road.queue("causeway-requests").send(dressed(request, "order-1"));
    road.messages("causeway-parking", 1).await;
    road
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_lines_up_and_takes_nothing_away() {
    let road = waiting_for_later().await;
    road.queue("causeway-requests").send(NewMessage::new("no request").message_id("a-much-longer-message-id"));
    road.messages("causeway-parking", 2).await;
    let table = out(&parked(&road, &["list"], "").await);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    let column = lines[0].find("REASON").expect("a heading");
    assert!(lines[1][column..].starts_with("operation-not-found"), "{table}");
    assert!(lines[2][column..].starts_with("message-malformed"), "{table}");
    let column = lines[0].find("MESSAGE ID").expect("a heading");
    assert!(lines[1][column..].starts_with("order-1") && lines[1].contains("later"), "{table}");
    assert!(lines[2][column..].starts_with("a-much-longer-message-id"), "{table}");
    let all = listed(&road).await;
    assert_eq!((&all[0]["reason"], &all[0]["what"]), (&json!("operation-not-found"), &json!("later")));
    assert_eq!(all[0]["looks"], 2, "a look is a delivery");
    let shown = out(&parked(&road, &["show", &all[0]["id"].to_string()], "").await);
    for part in ["order-1", "causeway-requests", "{\"operation\":\"later\"", "tenant"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(road.queue("causeway-parking").peek().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_the_request_that_it_was_with_all_its_properties() {
    let mut road = waiting_for_later().await;
    road.declare("later", &ECHO.1.replace("Echo", "Later"));
    road.restart().await;
    // What was told of its parking.
    road.queue("causeway-replies").drain();
    let id = listed(&road).await[0]["id"].to_string();
    assert!(out(&parked(&road, &["replay", &id], "").await).contains("causeway-requests"));
    let reply = &road.messages("causeway-replies", 1).await[0];
    assert_eq!(body(reply)["output"]["text"], "x");
    assert_eq!(reply.properties.correlation_id.as_deref(), Some("order-7"));
    assert_eq!(body(reply)["runId"], causeway::runs::identity::run_id(&["queue", "causeway-requests", "order-1"]));
    assert!(road.queue("causeway-parking").peek().is_empty());
    let sent = road.effects("serviceBus", "message");
    let replayed = sent.iter().rfind(|m| m["queue"] == "causeway-requests").expect("the replay");
    let properties = &replayed["applicationProperties"];
    assert_eq!((&properties["tenant"], &properties["priority"]), (&json!("contoso"), &json!(3)));
    assert_ne!(replayed["messageId"], "order-1", "duplicate detection would swallow it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_no_text_is_bytes_for_bytes_and_comes_back() {
    let road = Declared::canned(&[ECHO], &[]).await;
    let bytes = b"\xff\xfe\x00 no text".to_vec();
    road.queue("causeway-requests").send(dressed(bytes.clone(), "b-1"));
    road.messages("causeway-parking", 1).await;
    assert!(out(&parked(&road, &["replay", "--all", "--reason", "message-malformed"], "").await).contains("sent to"));
    road.until("it is parked again", |road| {
        let sent = road.effects("serviceBus", "message");
        sent.iter().filter(|m| m["queue"] == "causeway-parking").count() == 2
    })
    .await;
    let again = &road.messages("causeway-parking", 1).await[0];
    assert_eq!(again.body, bytes);
    let original: Value = serde_json::from_str(said(again, "causeway-original")).expect("JSON");
    assert_eq!((&original["messageId"], &original["properties"]["priority"]), (&json!("b-1"), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_asks_for_the_id() {
    let road = waiting_for_later().await;
    let id = listed(&road).await[0]["id"].to_string();
    assert!(!parked(&road, &["drop", &id], "no\n").await.status.success());
    assert_eq!(road.queue("causeway-parking").peek().len(), 1);
    assert!(!parked(&road, &["drop", "9999", "--yes"], "").await.status.success());
    out(&parked(&road, &["drop", &id], &format!("{id}\n")).await);
    assert!(road.queue("causeway-parking").peek().is_empty());
    assert_eq!(out(&parked(&road, &["list"], "").await), "nothing is parked\n");
}
