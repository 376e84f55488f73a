//! What is looked after in Power BI, from outside: queries, parameters, owner, schedule, dataflows, exports.

use std::time::Duration;

use local_stack::core::{Action, Fault};
use local_stack::power_bi::{CannedQuery, Clock, FailedExport, Limits, sample};
use serde_json::{Value, json};

use crate::road::Road;

fn of(dataset: &str, rest: &str) -> String {
    format!("/api/power-bi/workspaces/{}/datasets/{dataset}/{rest}", sample::WORKSPACE)
}

fn exports(report: &str) -> String {
    format!("/api/power-bi/workspaces/{}/reports/{report}/exports", sample::WORKSPACE)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_answers_rows_under_short_or_full_names() {
    let road = Road::start().await;
    let rows = json!([{"customer_id": 1, "name": "Ä"}, {"customer_id": 2, "name": null}]);
    road.stack.power_bi.set_rows(sample::SALES, "Customers", rows.as_array().unwrap());
    let path = of(sample::SALES, "query");
    let short = road.post(&path, &json!({"query": "EVALUATE 'Customers'"})).await.expect(200);
    assert_eq!((short.at("/rowCount"), short.at("/rows")), (&json!(2), &rows));
    assert_eq!(short.at("/columns/1"), &json!({"name": "name", "source": "Customers[name]"}));
    let full = road.post(&path, &json!({"query": "EVALUATE Customers", "names": "full", "includeNulls": false})).await;
    assert_eq!(full.expect(200).at("/rows/1"), &json!({"Customers[customer_id]": 2}));
    let counted = road.post(&path, &json!({"query": "EVALUATE ROW(\"n\", COUNTROWS('Customers'))"})).await.expect(200);
    assert_eq!(counted.at("/rows"), &json!([{"n": 2}]));
    let wrong = road.post(&path, &json!({"query": "EVALUATE Nowhere"})).await.problem(422, "query-failed");
    wrong.saying(&["Nowhere"]);
    let two = road.post(&path, &json!({"query": "EVALUATE Customers EVALUATE Orders"})).await;
    two.problem(422, "query-failed").saying(&["EVALUATE"]);
    road.post(&path, &json!({"query": " "})).await.problem(400, "body-invalid");
    road.post(&path, &json!({"query": "EVALUATE T", "mode": 1})).await.problem(400, "body-invalid");
    road.stack.power_bi.set_row_level_security(sample::SALES, true);
    let denied = road.post(&path, &json!({"query": "EVALUATE Customers"})).await.problem(424, "power-bi-access-denied");
    denied.saying(&["row-level security"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_was_cut_is_an_error() {
    let road = Road::start().await;
    road.stack.power_bi.set_limits(Limits { rows_per_query: 2, ..Limits::default() });
    let rows: Vec<_> = (0..3).map(|n| json!({"[n]": n}).as_object().unwrap().clone()).collect();
    let canned = |name: &str, rows| CannedQuery { query_contains: name.into(), rows, error: None };
    road.stack.power_bi.answer_query(canned("Three", rows.clone()));
    road.stack.power_bi.answer_query(canned("Two", rows[..2].to_vec()));
    let path = of(sample::SALES, "query");
    road.post(&path, &json!({"query": "EVALUATE Two"})).await.expect(200);
    let cut = road.post(&path, &json!({"query": "EVALUATE Three"})).await.problem(422, "result-too-large");
    cut.saying(&["100,000 rows"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_read_and_changed_by_their_owner() {
    let road = Road::start().await;
    let path = of(sample::SALES, "parameters");
    let before = road.get(&path).await.expect(200);
    assert_eq!(
        before.at("/value/2"),
        &json!({"name": "MaxId", "type": "Number", "isRequired": true, "currentValue": "77"})
    );
    let put = |body: Value| road.call("PUT", &path, Some(body.to_string()), &[]);
    let changed =
        put(json!({"parameters": {"MaxId": 5678.25, "FilterBlanks": false, "ServerName": "x"}})).await.expect(200);
    assert_eq!(changed.at("/updated"), &json!(["FilterBlanks", "MaxId", "ServerName"]));
    let after = road.get(&path).await.expect(200);
    let value = |name: &str| {
        let all = after.at("/value").as_array().unwrap();
        all.iter().find(|parameter| parameter["name"] == name).unwrap()["currentValue"].clone()
    };
    assert_eq!([value("MaxId"), value("FilterBlanks"), value("ServerName")], ["5678.25", "FALSE", "x"]);
    put(json!({"parameters": {"Nope": "1"}})).await.problem(422, "power-bi-refused").saying(&["Nope"]);
    put(json!({"parameters": {}})).await.problem(400, "body-invalid");
    put(json!({"parameters": {"MaxId": [1]}})).await.problem(400, "body-invalid").saying(&["MaxId"]);
    road.stack.power_bi.set_owned(sample::SALES, false);
    let denied = put(json!({"parameters": {"MaxId": 1}})).await.problem(424, "power-bi-access-denied");
    denied.saying(&["take-over"]);
    road.call("POST", &of(sample::SALES, "take-over"), None, &[]).await.expect(200);
    put(json!({"parameters": {"MaxId": 1}})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_read_changed_and_switched_off() {
    let road = Road::start().await;
    let path = of(sample::SALES, "refresh-schedule");
    let put = |body: Value| road.call("PUT", &path, Some(body.to_string()), &[]);
    let days = json!({"enabled": true, "days": ["monday", "FRIDAY"], "times": ["07:00", "16:30"], "localTimeZoneId": "UTC", "notifyOption": "NoNotification"});
    put(days).await.expect(200);
    let seen = road.get(&path).await.expect(200);
    assert_eq!((seen.at("/days"), seen.at("/times")), (&json!(["Monday", "Friday"]), &json!(["07:00", "16:30"])));
    put(json!({"enabled": false})).await.expect(200);
    assert_eq!(road.get(&path).await.expect(200).at("/enabled"), false);
    for (body, place) in [
        (json!({}), "enabled"),
        (json!({"enabled": false, "days": ["Monday"]}), "enabled"),
        (json!({"days": []}), "days"),
        (json!({"days": ["Montag"]}), "days"),
        (json!({"times": ["07:15"]}), "times"),
        (json!({"times": ["24:00"]}), "times"),
        (json!({"notifyOption": "Always"}), "notifyOption"),
    ] {
        let refused = put(body).await.problem(400, "body-invalid");
        assert_eq!(refused.at("/place"), place);
    }
    assert_eq!(road.effects("powerBi", "scheduleUpdated").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataflow_is_refreshed_once_for_each_key() {
    let road = Road::start().await;
    let all = road.get(&format!("/api/power-bi/workspaces/{}/dataflows", sample::WORKSPACE)).await.expect(200);
    assert_eq!(
        all.at("/value/0"),
        &json!({"id": sample::CUSTOMERS_FLOW, "name": "Customers", "configuredBy": "maker@contoso.example"})
    );
    let path = format!("/api/power-bi/workspaces/{}/dataflows/{}/refreshes", sample::WORKSPACE, sample::CUSTOMERS_FLOW);
    road.post_keyed(&path, "k", &json!({"process": "full"})).await.expect(200);
    assert!(road.post_keyed(&path, "k", &json!({"process": "full"})).await.expect(200).replayed());
    assert_eq!(road.effects("powerBi", "dataflowRefresh").len(), 1);
    assert!(road.get(&path).await.expect(200).at("/value/0/status").is_string());
    road.stack.power_bi.served.faults.add(Fault::once("POST", "/refreshes", Action::CutAfterCommit));
    road.post_keyed(&path, "lost", &json!({})).await.problem(409, "outcome-unknown");
    let nowhere = path.replace(sample::CUSTOMERS_FLOW, sample::SALES);
    road.post(&nowhere, &json!({})).await.problem(404, "dataflow-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_exported_and_its_file_is_fetched_without_a_key() {
    let road = Road::with(|options| options.power_bi_clock = Clock::Auto(Duration::from_millis(50))).await;
    let file: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    road.stack.power_bi.set_export_file(file.clone());
    let done = road.post(&exports(sample::SALES_OVERVIEW), &json!({"format": "pdf"})).await.expect(200);
    assert_eq!((done.at("/state"), done.at("/fileName")), (&json!("succeeded"), &json!("Sales Overview.pdf")));
    let fetched = road.open("GET", done.at("/fileUrl").as_str().unwrap(), None, &[]).await;
    assert_eq!(
        (fetched.status().as_u16(), &fetched.headers()["content-type"]),
        (200, &"application/pdf".parse().unwrap())
    );
    let name = fetched.headers()["content-disposition"].to_str().unwrap();
    assert!(name.starts_with("attachment; filename=\"Sales Overview.pdf\""), "{name}");
    assert!(fetched.bytes().await.unwrap() == file, "the file is not the file");
    let id = done.at("/exportId").as_str().unwrap();
    let keyed = road.open("GET", &format!("{}/{id}/file", exports(sample::SALES_OVERVIEW)), None, &[]).await;
    assert!(keyed.bytes().await.unwrap() == file);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_goes_on_is_followed_and_one_that_fails_says_whether_to_try_again() {
    let road = Road::with(|options| options.power_bi_clock = Clock::Stepped).await;
    let path = exports(sample::SALES_OVERVIEW);
    let going = road.post_keyed(&format!("{path}?waitSeconds=0"), "k", &json!({"format": "PPTX"})).await;
    let status = going.accepted();
    let id = going.at("/id").as_str().unwrap().to_owned();
    assert_eq!(road.get(&format!("{path}/{id}")).await.expect(200).at("/exportId"), &json!(id));
    road.get(&format!("{path}/{id}/file")).await.problem(404, "export-not-found");
    road.stack.power_bi.step();
    road.stack.power_bi.step();
    assert_eq!(road.follow(&status).await.expect(200).at("/fileName"), "Sales Overview.pptx");
    let again = road.post_keyed(&format!("{path}?waitSeconds=0"), "k", &json!({"format": "PPTX"})).await.expect(200);
    assert!(again.replayed());
    for (retry, says) in [(Some(30), "again in 30 s"), (None, "will fail again")] {
        road.stack.power_bi.fail_next_export(FailedExport { retry_after_seconds: retry });
        let going = road.post(&format!("{path}?waitSeconds=0"), &json!({"format": "PNG"})).await;
        let status = going.accepted();
        road.stack.power_bi.step();
        road.stack.power_bi.step();
        road.follow(&status).await.problem(422, "export-failed").saying(&[says]);
        let id = going.at("/id").as_str().unwrap();
        assert_eq!(road.get(&format!("{path}/{id}")).await.expect(200).at("/error/code"), "export-failed");
    }
    road.post(&path, &json!({"format": "GIF"})).await.problem(400, "body-invalid");
    road.post(&path, &json!({"format": "PDF", "powerBIReportConfiguration": {}, "paginatedReportConfiguration": {}}))
        .await
        .problem(400, "body-invalid");
    road.post(&exports(sample::SALES), &json!({"format": "PDF"})).await.problem(404, "report-not-found");
}
