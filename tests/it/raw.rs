//! Raw calls of Power BI, from outside.

use local_stack::core::{Action, Fault};
use local_stack::power_bi::sample;
use serde_json::{Value, json};

use crate::road::Road;

const RAW: &str = "/api/power-bi-raw";

fn status(status: u16, headers: &[(&str, &str)]) -> Action {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Action::Status { status, headers, body: String::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_call_goes_through_and_its_answer_comes_back() {
    let road = Road::start().await;
    let groups = road.post(RAW, &json!({"method": "GET", "path": "/groups", "query": {"$top": 1}})).await.expect(200);
    assert_eq!((groups.at("/status"), groups.at("/body/value/0/id")), (&json!(200), &json!(sample::WORKSPACE)));
    assert!(groups.at("/headers/requestid").is_string());
    let rows =
        format!("/v1.0/myorg/groups/{}/datasets/{}/tables/DailySales/rows", sample::WORKSPACE, sample::SALES_LIVE);
    let push = json!({"method": "POST", "path": rows, "data": {"rows": [{"orders": 1}]}});
    let pushed = road.post_keyed(RAW, "k", &push).await.expect(200);
    assert_eq!((pushed.at("/status"), pushed.at("/body")), (&json!(200), &Value::Null));
    assert!(road.post_keyed(RAW, "k", &push).await.expect(200).replayed());
    assert_eq!(road.stack.power_bi.rows(sample::SALES_LIVE, "DailySales").len(), 1);
    let text = road.post(RAW, &json!({"method": "get", "path": "groups", "responseType": "text"})).await.expect(200);
    assert!(text.at("/body").as_str().unwrap().contains(sample::WORKSPACE));
    let binary =
        road.post(RAW, &json!({"method": "GET", "path": "groups", "responseType": "binary"})).await.expect(200);
    assert!(binary.at("/body").as_str().unwrap().starts_with("eyJ"), "base64 of JSON");
    let denied = road
        .post(RAW, &json!({"method": "GET", "path": format!("/groups/{}/datasets", sample::FOREIGN_WORKSPACE)}))
        .await;
    denied.problem(424, "power-bi-access-denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_sent_again_only_as_its_caller_says() {
    let road = Road::start().await;
    let sent = |road: &Road| {
        road.effects("powerBi", "exchange")
            .iter()
            .filter(|exchange| exchange["path"].as_str().unwrap().contains("raw=1"))
            .count()
    };
    let get = |retry: Value| json!({"method": "GET", "path": "/groups", "query": {"raw": 1}, "retry": retry});
    road.stack.power_bi.served.faults.add(Fault::once("GET", "/groups", status(500, &[])));
    road.post(RAW, &get(json!({}))).await.problem(503, "upstream-unavailable");
    let before = sent(&road);
    road.stack.power_bi.served.faults.add(Fault::once("GET", "/groups", status(500, &[])));
    road.post(RAW, &get(json!({"max": 2, "delayMs": 10, "exponential": true}))).await.expect(200);
    assert_eq!(sent(&road) - before, 1, "the second was served");
    road.stack.power_bi.served.faults.add(Fault::once("GET", "/groups", status(400, &[])));
    road.post(RAW, &get(json!({"max": 1}))).await.problem(422, "power-bi-refused");
    road.stack.power_bi.served.faults.add(Fault::once("GET", "/groups", status(400, &[])));
    road.post(RAW, &get(json!({"max": 1, "onAllErrors": true}))).await.expect(200);
    // What may have happened is not told as a passing trouble.
    road.stack.power_bi.served.faults.add(Fault::once("DELETE", "/rows", Action::CutAfterCommit));
    let path = format!("/groups/{}/datasets/{}/tables/DailySales/rows", sample::WORKSPACE, sample::SALES_LIVE);
    road.post(RAW, &json!({"method": "DELETE", "path": path})).await.problem(409, "outcome-unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_never_leaves_power_bi_and_a_body_is_checked() {
    let road = Road::start().await;
    for path in ["https://evil.example/x", "//evil.example/x", "/../x", "/%2e%2e/x", "/a%2fb", "/a?b=c", ""] {
        let refused = road.post(RAW, &json!({"method": "GET", "path": path})).await.problem(400, "body-invalid");
        assert_eq!(refused.at("/place"), "path", "{path}");
    }
    let stolen = json!({"method": "GET", "path": "/groups", "headers": {"Authorization": "Bearer x"}});
    road.post(RAW, &stolen).await.problem(400, "body-invalid");
    road.call("POST", RAW, None, &[]).await.problem(400, "body-missing");
    assert!(
        road.effects("powerBi", "exchange").iter().all(|exchange| exchange["path"].as_str().unwrap().contains("top=1"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn debugging_logs_the_call_without_its_secrets() {
    let road = Road::start().await;
    let body = json!({
        "method": "POST", "path": "/nowhere", "data": {"password": "hunter2"}, "query": {"token": "hunter3"},
        "headers": {"X-Secret": "hunter4"}, "debug": true,
    });
    road.post(RAW, &body).await.problem(422, "power-bi-refused");
    let line =
        road.logged("what was called", |line| line.to_string().contains("raw call of Power BI")).await.to_string();
    assert!(line.contains("/nowhere") && line.contains("x-secret"), "{line}");
    assert!(!line.contains("hunter"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_off_unless_the_operator_turns_it_on() {
    let road = Road::with(|options| {
        options.extra_environment.insert("CAUSEWAY_POWER_BI_RAW".into(), "false".into());
    })
    .await;
    let refused = road.post(RAW, &json!({"method": "GET", "path": "/groups"})).await.problem(403, "raw-not-allowed");
    refused.saying(&["CAUSEWAY_POWER_BI_RAW"]);
}
