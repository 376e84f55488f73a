//! Power BI: refreshes that fail, are tried again, overlap, or were asked for wrongly.

use std::time::Duration;

use local_stack::power_bi::{Clock, FailedRefresh, Overlap, RefreshState, sample};
use serde_json::{Value, json};

use crate::power_bi::{Room, dataset};

fn sales() -> String {
    format!("{}/refreshes", dataset(sample::WORKSPACE, sample::SALES))
}

/// Starts one and steps it so often; its details.
async fn stepped(room: &Room, body: &Value, times: usize) -> Value {
    let id = room.send("POST", &sales(), Some(body)).await.header("x-ms-request-id").to_owned();
    for _ in 0..times {
        room.power_bi.step();
    }
    room.send("GET", &format!("{}/{id}", sales()), None).await.json()
}

async fn newest(room: &Room) -> Value {
    room.send("GET", &format!("{}?$top=1", sales()), None).await.json()["value"][0].clone()
}

#[tokio::test]
async fn a_refresh_that_fails_is_tried_again_as_often_as_was_asked() {
    let room = Room::start(|_| {}).await;
    room.power_bi.fail_next_refresh(sample::SALES, FailedRefresh::evicted());
    let second = stepped(&room, &json!({"retryCount": 1}), 3).await;
    assert_eq!((&second["status"], &second["numberOfAttempts"]), (&json!("Completed"), &json!(1)));
    let attempts = second["refreshAttempts"].as_array().unwrap();
    assert_eq!((attempts.len(), attempts[1].get("serviceExceptionJson")), (2, None));
    assert!(attempts[0]["serviceExceptionJson"].as_str().unwrap().contains("0xC11C0020"));

    for _ in 0..2 {
        room.power_bi.fail_next_refresh(sample::SALES, FailedRefresh::evicted());
    }
    let failed = stepped(&room, &json!({"retryCount": 1}), 3).await;
    assert_eq!((&failed["status"], &failed["messages"][0]["code"]), (&json!("Failed"), &json!("0xC11C0020")));
    assert!(newest(&room).await["serviceExceptionJson"].as_str().unwrap().contains("evicted"));
    assert_eq!(stepped(&room, &json!({"type": "Full"}), 2).await["status"], "Completed", "none is left over");
}

#[tokio::test]
async fn each_end_is_told_as_the_service_tells_it() {
    let room = Room::start(|_| {}).await;
    for (failure, status, extended, exception) in [
        (FailedRefresh::timed_out(), "Failed", "TimedOut", true),
        (FailedRefresh::capacity_exceeded(), "Failed", "Failed", true),
        (FailedRefresh::disabled(), "Disabled", "Disabled", false),
        (
            FailedRefresh { state: RefreshState::Cancelled, ..FailedRefresh::disabled() },
            "Cancelled",
            "Cancelled",
            false,
        ),
    ] {
        room.power_bi.fail_next_refresh(sample::SALES, failure);
        let ended = stepped(&room, &json!({"type": "Full"}), 2).await;
        assert_eq!((&ended["status"], &ended["extendedStatus"]), (&json!(status), &json!(extended)));
        assert_eq!(ended.get("messages").is_some(), exception, "{extended}");
        let entry = newest(&room).await;
        assert_eq!(entry["status"], status);
        assert_eq!(entry.get("serviceExceptionJson").is_some(), exception, "{extended}");
    }
}

#[tokio::test]
async fn fields_that_the_service_does_not_know_are_refused() {
    let room = Room::start(|_| {}).await;
    for body in [
        json!({"type": "add"}),
        json!({"type": "everything"}),
        json!({"commitMode": "sometimes"}),
        json!({"maxParallelism": 0}),
        json!({"maxParallelism": "many"}),
        json!({"retryCount": -1}),
        json!({"timeout": "5 hours"}),
        json!({"timeout": "01:60:00"}),
        json!({"timeout": "00:00:00"}),
        json!({"timeout": "24:00:01"}),
        json!({"objects": [{"partition": "P"}]}),
        json!({"objects": [{"table": ""}]}),
        json!({"applyRefreshPolicy": 1}),
        json!({"effectiveDate": "someday"}),
        json!({"notifyOption": "Shout"}),
    ] {
        assert_eq!(room.send("POST", &sales(), Some(&body)).await.status, 400, "{body}");
    }
    let every = json!({
        "type": "dataOnly", "commitMode": "partialBatch", "maxParallelism": 3, "retryCount": 2, "timeout": "24:00:00",
        "objects": [{"table": "Orders", "partition": "2026"}], "applyRefreshPolicy": false,
        "effectiveDate": "2026-10-31T00:00:00Z",
    });
    // In the documents' small letters, which the contract has as capitals.
    let url = format!("{}/v1.0/myorg/{}", room.power_bi.url(), sales());
    assert_eq!(room.client.send("POST", &url, every.to_string()).await.status, 202);
}

#[tokio::test]
async fn of_a_burst_one_runs_one_waits_and_the_rest_are_never_heard_of_again() {
    let room = Room::start(|_| {}).await;
    room.power_bi.set_overlap(Overlap::DropAllButOne);
    let full = json!({"type": "Full"});
    let mut ids = Vec::new();
    for _ in 0..4 {
        let started = room.send("POST", &sales(), Some(&full)).await;
        assert_eq!(started.status, 202);
        ids.push(started.header("x-ms-request-id").to_owned());
    }
    let state = async |id: &str| {
        let reply = room.send("GET", &format!("{}/{id}", sales()), None).await;
        if reply.status == 404 { Value::Null } else { reply.json()["extendedStatus"].clone() }
    };
    room.power_bi.step();
    assert_eq!((state(&ids[0]).await, state(&ids[1]).await), (json!("InProgress"), json!("NotStarted")));
    assert_eq!((state(&ids[2]).await, state(&ids[3]).await), (Value::Null, Value::Null));
    let history = room.send("GET", &sales(), None).await.json();
    assert_eq!(history["value"].as_array().unwrap().len(), 2);
    assert_eq!(room.power_bi.served.history.of("powerBi", "refreshDropped").len(), 2);
    for _ in 0..3 {
        room.power_bi.step();
    }
    assert_eq!((state(&ids[0]).await, state(&ids[1]).await), (json!("Completed"), json!("Completed")));

    room.power_bi.set_overlap(Overlap::Conflict);
    room.send("POST", &sales(), Some(&full)).await;
    assert_eq!(room.send("POST", &sales(), Some(&full)).await.status, 409);
}

#[tokio::test]
async fn one_that_is_cancelled_lets_the_next_begin() {
    let room = Room::start(|_| {}).await;
    room.power_bi.set_overlap(Overlap::DropAllButOne);
    let full = json!({"type": "Full"});
    let first = room.send("POST", &sales(), Some(&full)).await.header("x-ms-request-id").to_owned();
    room.send("POST", &sales(), Some(&full)).await;
    assert_eq!(room.send("DELETE", &format!("{}/{first}", sales()), None).await.status, 200);
    room.power_bi.step();
    room.power_bi.step();
    assert_eq!(newest(&room).await["status"], "Completed");
    assert_eq!(room.send("DELETE", &format!("{}/{first}", sales()), None).await.status, 400, "it has ended");
}

#[tokio::test]
async fn another_process_steps_refreshes_and_lets_them_fail() {
    let room = Room::start(|options| options.clock = Clock::Auto(Duration::from_hours(1))).await;
    let say = async |path: &str, wish: Value| {
        let url = format!("{}/__stand-in/{path}", room.power_bi.url());
        room.client.send("POST", &url, wish.to_string()).await.status
    };
    assert_eq!(say("clock", json!({})).await, 200);
    assert_eq!(say("settings", json!({"overlap": "conflict"})).await, 200);
    let failure = json!({"state": "timedOut", "code": "0xC112001E", "description": "too long"});
    assert_eq!(say(&format!("datasets/{}/fail", sample::SALES), failure.clone()).await, 200);
    assert_eq!(say("datasets/nowhere/fail", failure).await, 400);
    room.send("POST", &sales(), Some(&json!({"type": "Full"}))).await;
    assert_eq!(room.send("POST", &sales(), Some(&json!({"type": "Full"}))).await.status, 409);
    for _ in 0..2 {
        assert_eq!(say("clock/step", json!({})).await, 200);
    }
    assert_eq!(newest(&room).await["extendedStatus"], "TimedOut");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_longer_than_its_timeout_is_timed_out() {
    let room = Room::start(|options| {
        options.clock = Clock::Auto(Duration::from_mins(1));
        options.time_scale = 60.0;
    })
    .await;
    let ended = async |timeout: &str| {
        let mut watch = room.power_bi.served.history.watch();
        let before = room.power_bi.served.history.of("powerBi", "refreshEnded").len();
        let body = json!({"timeout": timeout, "retryCount": 1});
        room.send("POST", &sales(), Some(&body)).await;
        while room.power_bi.served.history.of("powerBi", "refreshEnded").len() == before {
            watch.changed().await.unwrap();
        }
        let entry = newest(&room).await;
        (entry["extendedStatus"].clone(), entry["refreshAttempts"].as_array().unwrap().len())
    };
    // A minute lasts an hour.
    assert_eq!(ended("00:59:00").await, (json!("TimedOut"), 2));
    assert_eq!(ended("01:01:00").await, (json!("Completed"), 1));
}
