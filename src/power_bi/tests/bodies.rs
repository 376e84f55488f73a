//! What a refresh is asked for, as it is sent and as it is refused.

use serde_json::{Value, json};

use crate::failure::{Code, Failure};
use crate::power_bi::refresh_body::RefreshBody;
use crate::power_bi::{RefreshObject, RefreshRequest};

fn request(value: Value) -> RefreshRequest {
    serde_json::from_value(value).expect("a request")
}

fn body(value: Value) -> Result<Value, Failure> {
    RefreshBody::of(&request(value)).map(|body| serde_json::to_value(&body).expect("JSON"))
}

#[test]
fn a_standard_refresh_has_no_field_at_all() {
    assert!(!request(json!({})).is_enhanced());
    assert_eq!(body(json!({})).expect("it may be sent"), json!({}));
}

#[test]
fn words_go_out_in_the_spelling_of_the_api() {
    let sent = body(json!({"type": "dataonly", "commitMode": "PARTIALBATCH", "applyRefreshPolicy": false})).unwrap();
    assert_eq!(sent, json!({"type": "DataOnly", "commitMode": "PartialBatch", "applyRefreshPolicy": false}));
}

#[test]
fn every_field_is_named_as_the_api_names_it() {
    let mut asked = request(json!({
        "type": "full", "commitMode": "transactional", "maxParallelism": 2, "retryCount": 0, "timeout": "24:00:00",
        "applyRefreshPolicy": true,
    }));
    asked.objects = vec![
        RefreshObject { table: "Sales".to_owned(), partition: Some("2026".to_owned()) },
        RefreshObject { table: "Days".to_owned(), partition: None },
    ];
    let sent = serde_json::to_value(RefreshBody::of(&asked).unwrap()).unwrap();
    assert_eq!(
        sent,
        json!({
            "type": "Full", "commitMode": "Transactional", "maxParallelism": 2, "retryCount": 0, "timeout": "24:00:00",
            "applyRefreshPolicy": true, "objects": [{"table": "Sales", "partition": "2026"}, {"table": "Days"}],
        })
    );
}

#[test]
fn what_cannot_work_is_refused_with_its_place() {
    for (asked, place) in [
        (json!({"type": "add"}), "type"),
        (json!({"commitMode": "sometimes"}), "commitMode"),
        (json!({"commitMode": "partialBatch", "applyRefreshPolicy": true}), "applyRefreshPolicy"),
        (json!({"commitMode": "partialBatch"}), "applyRefreshPolicy"),
        (json!({"maxParallelism": 0}), "maxParallelism"),
        (json!({"effectiveDate": "31.10.2026"}), "effectiveDate"),
        (json!({"effectiveDate": "2026-10-31", "applyRefreshPolicy": false}), "effectiveDate"),
        (json!({"timeout": "12:00:00", "retryCount": 2}), "retryCount"),
        (json!({"timeout": "00:00:01", "retryCount": 4_294_967_295_u32}), "retryCount"),
        (json!({"objects": [{"table": " "}]}), "objects"),
        (json!({"objects": [{"table": "Sales", "partition": ""}]}), "objects"),
    ] {
        let failure = body(asked.clone()).expect_err("it cannot work");
        assert_eq!((failure.code, failure.place.as_deref()), (Code::BodyInvalid, Some(place)), "{asked}");
    }
}

#[test]
fn what_just_fits_is_sent() {
    for good in [
        json!({"timeout": "08:00:00", "retryCount": 2}),
        json!({"retryCount": 30}),
        json!({"effectiveDate": "2026-10-31"}),
        json!({"effectiveDate": "2026-10-31T00:00:00Z", "applyRefreshPolicy": true}),
    ] {
        assert_eq!(body(good.clone()).expect("it may be sent"), good);
    }
}

#[test]
fn a_timeout_is_a_time_of_at_most_a_day() {
    for good in ["00:00:01", "05:00:00", "23:59:59", "24:00:00"] {
        assert!(body(json!({"timeout": good})).is_ok(), "{good}");
    }
    for bad in ["", "5", "05:00", "5:00:00", "00:60:00", "00:00:60", "24:00:01", "99:00:00", "00:00:00", "-1:00:00"] {
        let failure = body(json!({"timeout": bad})).expect_err(bad);
        assert_eq!(failure.place.as_deref(), Some("timeout"));
    }
}
