//! Starts, exits, restarts, timeouts and function groups.

use std::path::Path;

use http::StatusCode;
use local_stack::host::{Groups, State};
use serde_json::{Value, json};

use super::{Played, Stage, within};

/// The ports of all processes so far, in order.
fn ports(played: &Played) -> Vec<u64> {
    let lines = played.host.logs().lines();
    let started = lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
    started.filter_map(|line| line["started"].is_number().then(|| line["port"].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn the_handler_gets_its_arguments_and_its_lines_are_kept() {
    let stage = Stage::new(json!({})).http();
    let played =
        stage.options(|options| drop(options.environment.insert("COLOUR".into(), "blue".into()))).ready().await;
    played.wait_for_line("on stderr").await;
    played.wait_for_line(r#""arguments":["serve","blue"]"#).await;
    assert_eq!(played.host.state(), State::Running);
}

#[tokio::test]
async fn a_handler_that_exits_with_0_stays_dead() {
    let played = Stage::new(json!({})).http().ready().await;
    assert_eq!(played.post("/api/echo?do=exit:0,ok", "").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(played.post("/api/echo", "").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    let process = &played.host.processes()[0];
    assert_eq!((process.state, process.pid, process.starts), (State::Running, None, 1));
}

#[tokio::test]
async fn a_handler_that_exits_with_another_code_is_started_again_on_the_same_port() {
    let played = Stage::new(json!({})).http().ready().await;
    assert_eq!(played.post("/api/echo?do=exit:1,ok", "").await.0, StatusCode::OK);
    played.wait_for_line("error 1 of 3").await;
    let ports = ports(&played);
    assert_eq!((ports.len(), ports[0]), (2, ports[1]));
}

#[tokio::test]
async fn an_exit_with_200_is_no_error() {
    let start = json!({"start": ["exit:200", "exit:200", "exit:200", "exit:200", "serve"]});
    let played = Stage::new(start).http().ready().await;
    let process = &played.host.processes()[0];
    assert_eq!((process.starts, process.hosts), (5, 1));
}

#[tokio::test]
async fn after_the_third_error_a_new_host_comes_with_a_new_port() {
    let start = json!({"start": ["exit:1", "exit:1", "exit:1", "serve"]});
    let played = Stage::new(start).http().start().await;
    within(played.host.wait_until(|process| process.hosts == 2 && process.state == State::Running)).await;
    played.wait_for_line("Exceeded http worker restart retry count").await;
    let ports = ports(&played);
    assert_eq!(ports.len(), 4);
    assert!(ports[0] == ports[1] && ports[1] == ports[2] && ports[2] != ports[3], "{ports:?}");
    assert_eq!(played.post("/api/echo", "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn without_a_host_clients_get_503() {
    let stage = Stage::new(json!({"start": ["exit:1"]})).http();
    let played = stage.options(|options| options.platform_restart = std::time::Duration::from_hours(1)).start().await;
    within(played.host.wait_until(|process| process.state == State::Stopped)).await;
    assert_eq!(played.post("/api/echo", "").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_handler_that_is_not_ready_in_time_is_killed_and_started_again() {
    let stage = Stage::new(json!({"start": ["never-listens", "serve"]})).http();
    let played = stage.with("/customHandler/initializationTimeout", "00:00:02").start().await;
    played.wait_for_line("error 1 of 3").await;
    within(played.host.wait_until(|process| process.starts > 1 && process.state == State::Running)).await;
}

#[tokio::test]
async fn a_handler_that_cannot_be_started_is_not_tried_again() {
    let stage = Stage::new(json!({})).http().with("/customHandler/initializationTimeout", "00:00:00.1");
    let played = stage.options(|options| options.handler = "/no/such/handler".into()).start().await;
    assert!(within(played.host.ready()).await.is_err());
    assert_eq!(played.host.logs().count("Failed to start Worker Channel"), 1);
}

#[tokio::test]
async fn a_function_timeout_kills_the_process_and_everything_in_flight() {
    let stage = Stage::new(json!({"onRequest": ["hang", "ok"]})).http().messages(Some("binary"));
    let played = stage.with("/functionTimeout", "00:00:05").ready().await;
    let others = async {
        played.wait_for_seen(1).await;
        // Its pauses put time between the first call's limit and the message's.
        played.post("/api/echo?do=drop", "").await;
        played.queue.send(local_stack::service_bus::NewMessage::new("work"));
        played.wait_for_seen(12).await;
        played.post("/api/echo?do=hang,ok", "").await.0
    };
    let ((first, _, _), second) = tokio::join!(played.post("/api/echo?do=hang,ok", ""), others);
    assert_eq!(first, StatusCode::INTERNAL_SERVER_ERROR, "the one that took too long is not sent again");
    assert_eq!(second, StatusCode::OK, "the others are");
    played.wait_for_line("was exceeded by function: Functions.echo").await;
    let records = played.wait_for_records("invocation", 5).await;
    let messages: Vec<&Value> = records.iter().filter(|record| record["trigger"] == "serviceBus").collect();
    assert!(messages[0]["reason"].as_str().unwrap().starts_with("HttpRequestException"), "{messages:?}");
    assert_eq!((&messages[1]["outcome"], &messages[1]["deliveryCount"]), (&json!("succeeded"), &json!(2)));
    assert_eq!(played.host.restarts(), 1);
}

#[tokio::test]
async fn in_flex_every_function_but_http_has_a_process_for_itself() {
    let stage = Stage::new(json!({})).http().messages(None).timer("0 0 0 1 1 *");
    let played = stage.options(|options| options.groups = Groups::Flex).ready().await;
    let groups: Vec<String> = played.host.processes().into_iter().map(|process| process.group).collect();
    assert_eq!(groups, ["http", "onRequest", "tick"]);
    played.host.kill_handler(Some("onRequest")).await;
    played.host.ready().await.unwrap();
    let starts: Vec<usize> = played.host.processes().iter().map(|process| process.starts).collect();
    assert_eq!(starts, [1, 2, 1]);
}

#[tokio::test]
async fn a_function_that_is_wrong_is_left_out_and_the_others_go_on() {
    let stage = Stage::new(json!({})).http().timer("0 0 25 * * *");
    let trigger = json!({"type": "serviceBusTrigger", "name": "message", "queueName": "%QUEUE%", "connection": "None"});
    let played = stage
        .function("nameless", &json!([{"type": "httpTrigger", "name": "not_a_name"}]))
        .function("unsettled", &json!([{"type": "serviceBusTrigger", "name": "message", "queueName": "%UNSET%"}]))
        .function("unconnected", &json!([trigger]))
        .ready()
        .await;
    assert_eq!(played.host.functions(), ["echo"]);
    let line = played.host.logs().find("Functions.tick").unwrap().text;
    assert!(line.contains("Error indexing method") && line.contains("0 0 25 * * *"), "{line}");
    for reason in ["not_a_name", "%UNSET%", "connection 'None' does not exist"] {
        assert!(played.host.logs().find(reason).is_some(), "{reason}");
    }
    assert_eq!(played.post("/api/echo", "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn no_handler_outlives_its_host() {
    for stop in [true, false] {
        let played = Stage::new(json!({})).http().ready().await;
        let pid = played.host.processes()[0].pid.unwrap();
        let process = format!("/proc/{pid}");
        assert!(Path::new(&process).exists());
        if stop {
            within(played.host.stop()).await;
            assert!(!Path::new(&process).exists());
        } else {
            drop(played);
            // The runtime collects the killed child by and by.
            within(async {
                while Path::new(&process).exists() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
    }
}
