//! Refreshes as they are read. The bodies are the examples of Microsoft's swagger, or made after them.

use serde_json::{Value, json};

use crate::power_bi::wire::RefreshBody;
use crate::power_bi::{Refresh, RefreshState};

fn read(body: Value) -> Refresh {
    serde_json::from_value::<RefreshBody>(body).expect("a refresh").into()
}

#[test]
fn unknown_means_that_it_goes_on() {
    let refresh = read(json!({
        "refreshType": "ViaApi", "startTime": "2017-06-13T09:25:43.153Z", "status": "Unknown", "requestId": "9399bb89",
    }));
    assert_eq!(refresh.state, RefreshState::InProgress);
    assert_eq!(refresh.refresh_id.as_deref(), Some("9399bb89"));
    assert_eq!(refresh.refresh_type.as_deref(), Some("ViaApi"));
    assert_eq!(refresh.start_time, Some("2017-06-13T09:25:43.153Z".parse().unwrap()));
    assert_eq!(refresh.end_time, None);
}

#[test]
fn times_without_a_zone_are_in_utc() {
    let refresh = read(json!({"startTime": "2021-12-14T03:46:04.833", "endTime": "2021-12-10T08:40:43.87+01:00"}));
    assert_eq!(refresh.start_time, Some("2021-12-14T03:46:04.833Z".parse().unwrap()));
    assert_eq!(refresh.end_time, Some("2021-12-10T07:40:43.87Z".parse().unwrap()));
    assert_eq!(read(json!({"startTime": "soon"})).start_time, None);
}

#[test]
fn the_extended_status_counts_where_it_says_something() {
    let state = |status: &str, extended: &str| read(json!({"status": status, "extendedStatus": extended})).state;
    assert_eq!(state("Unknown", "NotStarted"), RefreshState::InProgress);
    assert_eq!(state("Unknown", "InProgress"), RefreshState::InProgress);
    assert_eq!(state("Unknown", "Cancelled"), RefreshState::Cancelled);
    assert_eq!(state("Failed", "TimedOut"), RefreshState::Failed);
    // An attempt failed, and the next one is under way.
    assert_eq!(state("Failed", "InProgress"), RefreshState::InProgress);
    assert_eq!(state("Disabled", "Disabled"), RefreshState::Disabled);
    assert_eq!(state("Completed", "Unknown"), RefreshState::Completed);
}

#[test]
fn a_word_nobody_knows_never_passes_for_a_success() {
    assert_eq!(read(json!({"status": "Paused"})).state, RefreshState::InProgress);
    let ended = read(json!({"status": "Evicted", "endTime": "2026-01-01T00:00:00Z"}));
    assert_eq!(ended.state, RefreshState::Failed);
    assert_eq!(ended.messages, ["The refresh ended as Evicted."]);
}

#[test]
fn the_reason_of_a_failure_is_json_inside_a_text() {
    let messages = |text: &str| read(json!({"status": "Failed", "serviceExceptionJson": text})).messages;
    assert_eq!(
        messages("{\"errorCode\":\"ModelRefreshFailed_CredentialsNotSpecified\"}"),
        ["ModelRefreshFailed_CredentialsNotSpecified"]
    );
    assert_eq!(messages("{\"errorCode\":\"A\",\"errorDescription\":\"no such table\"}"), ["A: no such table"]);
    assert_eq!(messages("it broke"), ["it broke"]);
}

#[test]
fn messages_of_the_details_are_passed_on_and_warnings_marked() {
    let refresh = read(json!({
        "status": "Failed", "extendedStatus": "TimedOut",
        "messages": [
            {"code": "0xC11C0020", "message": "evicted", "type": "Error"},
            {"message": "slow", "type": "Warning"},
            {"code": 17, "type": "Error"},
        ],
    }));
    assert_eq!(refresh.messages, ["0xC11C0020: evicted", "Warning: slow", "17", "The refresh took too long."]);
}

#[test]
fn the_last_attempt_speaks_when_nothing_else_does() {
    let attempt = |text: &str| json!({"attemptId": 1, "serviceExceptionJson": text, "type": "Data"});
    let attempts =
        json!([attempt("{\"errorCode\":\"First\"}"), attempt("{\"errorCode\":\"Second\"}"), {"attemptId": 3}]);
    let failed = read(json!({"status": "Failed", "refreshAttempts": attempts}));
    assert_eq!(failed.messages, ["Second"]);
    let completed = read(json!({"status": "Completed", "refreshAttempts": attempts}));
    assert_eq!(completed.messages, Vec::<String>::new());
}

#[test]
fn attempts_and_objects_are_passed_on() {
    let refresh = read(json!({
        "status": "Failed", "type": "Full", "commitMode": "PartialBatch",
        "objects": [{"table": "Days", "partition": "D-1", "status": "Completed"}, {"table": "Sales", "status": "Failed"}],
        "refreshAttempts": [{
            "attemptId": 1, "type": "Data", "startTime": "2021-12-10T08:39:28.517",
            "serviceExceptionJson": "{\"errorCode\":\"First\"}",
        }],
    }));
    assert_eq!((refresh.kind.as_deref(), refresh.commit_mode.as_deref()), (Some("Full"), Some("PartialBatch")));
    let [days, sales] = refresh.objects.as_slice() else { panic!("{:?}", refresh.objects) };
    assert_eq!((days.partition.as_deref(), sales.status.as_deref()), (Some("D-1"), Some("Failed")));
    let [attempt] = refresh.attempts.as_slice() else { panic!("{:?}", refresh.attempts) };
    assert_eq!((attempt.attempt, attempt.error.as_deref()), (Some(1), Some("First")));
    assert_eq!(attempt.start_time, Some("2021-12-10T08:39:28.517Z".parse().unwrap()));
}
