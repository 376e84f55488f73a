//! The client against a server: addresses, bodies, tokens, states.

use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{DATASET, GROUP, REFRESH, answers, at, client, json_reply, soon};
use crate::failure::{Code, Effect, Failure};
use crate::power_bi::{RefreshObject, RefreshRequest, RefreshState};

#[path = "../../../tests/conformance/power_bi_swagger.rs"]
#[allow(dead_code)]
mod power_bi_swagger;

fn tables() -> RefreshRequest {
    let objects = vec![RefreshObject { table: "Sales".to_owned(), partition: None }];
    RefreshRequest { kind: Some("full".to_owned()), objects, ..RefreshRequest::default() }
}

pub(super) async fn received(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.expect("recorded")
}

/// Holds everything that was sent against Microsoft's contract.
pub(super) async fn keeps_the_contract(server: &MockServer) {
    for sent in received(server).await {
        let body: Option<Value> = (!sent.body.is_empty()).then(|| sent.body_json().expect("JSON"));
        let checked = power_bi_swagger::check_request(sent.method.as_str(), sent.url.path(), body.as_ref());
        assert_eq!(checked, Ok(()), "{} {}", sent.method, sent.url);
    }
}

#[tokio::test]
async fn an_enhanced_refresh_is_known_by_the_end_of_its_location() {
    let server = MockServer::start().await;
    let location = format!("https://api.powerbi.com{}?x=1", at(&format!("/refreshes/{REFRESH}")));
    let reply = ResponseTemplate::new(202).insert_header("location", location).insert_header("requestid", GROUP);
    answers(&server, "POST", &at("/refreshes"), reply).await;
    let started = client(&server).start_refresh(GROUP, DATASET, &tables(), soon()).await.expect("accepted");
    assert_eq!(started.refresh_id.as_deref(), Some(REFRESH));
    let sent = &received(&server).await[0];
    assert_eq!(sent.headers["authorization"], "Bearer token-1");
    assert_eq!(sent.body_json::<Value>().unwrap(), json!({"type": "Full", "objects": [{"table": "Sales"}]}));
    keeps_the_contract(&server).await;
}

#[tokio::test]
async fn without_a_location_the_header_names_the_refresh_and_without_both_the_outcome_is_open() {
    let server = MockServer::start().await;
    let reply = ResponseTemplate::new(202).insert_header("x-ms-request-id", REFRESH);
    Mock::given(path(at("/refreshes"))).respond_with(reply).up_to_n_times(1).mount(&server).await;
    answers(&server, "POST", &at("/refreshes"), ResponseTemplate::new(202)).await;
    let started = client(&server).start_refresh(GROUP, DATASET, &tables(), soon()).await.expect("accepted");
    assert_eq!(started.refresh_id.as_deref(), Some(REFRESH));
    let error = client(&server).start_refresh(GROUP, DATASET, &tables(), soon()).await.expect_err("no id");
    assert_eq!(error.effect(), Effect::Possible);
    assert_eq!(Failure::from(error).code, Code::UpstreamReplyInvalid);
}

#[tokio::test]
async fn a_standard_refresh_sends_an_empty_object_and_has_no_id() {
    let server = MockServer::start().await;
    let reply = ResponseTemplate::new(202).insert_header("requestid", REFRESH);
    answers(&server, "POST", &format!("/v1.0/myorg/datasets/{DATASET}/refreshes"), reply).await;
    let started = client(&server).start_refresh("me", DATASET, &RefreshRequest::default(), soon()).await;
    assert_eq!(started.expect("accepted").refresh_id, None);
    assert_eq!(received(&server).await[0].body, b"{}");
}

#[tokio::test]
async fn a_wrong_id_or_a_bad_combination_is_never_sent() {
    let server = MockServer::start().await;
    let client = client(&server);
    let none = RefreshRequest::default();
    let bad = RefreshRequest { max_parallelism: Some(0), ..RefreshRequest::default() };
    let start = async |w: &str, d: &str, asked: &RefreshRequest| {
        Failure::from(client.start_refresh(w, d, asked, soon()).await.expect_err("refused")).code
    };
    assert_eq!(start("Sales team", DATASET, &none).await, Code::WorkspaceNotFound);
    assert_eq!(start(&GROUP.replace('-', ""), DATASET, &none).await, Code::WorkspaceNotFound);
    assert_eq!(start(GROUP, "me", &none).await, Code::DatasetNotFound);
    assert_eq!(start(GROUP, DATASET, &bad).await, Code::BodyInvalid);
    for id in ["..", "", "a/b", "since:2026"] {
        let error = client.refresh(GROUP, DATASET, id, soon()).await.expect_err("no id");
        assert_eq!(Failure::from(error).code, Code::RefreshNotFound, "{id}");
    }
    for table in ["", ".", ".."] {
        let error = client.delete_rows(GROUP, DATASET, table, soon()).await.expect_err("no table");
        assert_eq!(Failure::from(error).code, Code::DatasetNotFound, "{table}");
    }
    assert_eq!(received(&server).await.len(), 0);
}

#[tokio::test]
async fn a_bad_token_is_a_403_and_is_replaced_once() {
    let server = MockServer::start().await;
    let refused = ResponseTemplate::new(403).insert_header("x-powerbi-error-info", "TokenExpired");
    let old = Mock::given(header("authorization", "Bearer token-1")).respond_with(refused);
    old.expect(1).mount(&server).await;
    let new = Mock::given(header("authorization", "Bearer token-2")).respond_with(ResponseTemplate::new(202));
    new.expect(1).mount(&server).await;
    client(&server).start_refresh(GROUP, DATASET, &RefreshRequest::default(), soon()).await.expect("accepted");
}

#[tokio::test]
async fn a_missing_right_is_a_401_and_costs_no_token() {
    let server = MockServer::start().await;
    let body = json!({"error": {"code": "GroupNotAccessible", "pbi.error": {"code": "GroupNotAccessible"}}});
    answers(&server, "GET", &at("/refreshes"), json_reply(401, &body)).await;
    let error = client(&server).refreshes(GROUP, DATASET, 1, soon()).await.expect_err("denied");
    assert_eq!(Failure::from(error).code, Code::PowerBiAccessDenied);
    assert_eq!(received(&server).await.len(), 1);
}

#[tokio::test]
async fn the_history_is_newest_first() {
    let server = MockServer::start().await;
    let entry = |day: u8| json!({"requestId": format!("r{day}"), "status": "Completed", "startTime": format!("2026-01-0{day}T00:00:00Z")});
    answers(&server, "GET", &at("/refreshes"), json_reply(200, &json!({"value": [entry(2), entry(3), entry(1)]})))
        .await;
    let found = client(&server).refreshes(GROUP, DATASET, 7, soon()).await.expect("a history");
    let ids: Vec<_> = found.iter().filter_map(|refresh| refresh.refresh_id.as_deref()).collect();
    assert_eq!(ids, ["r3", "r2", "r1"]);
    assert_eq!(received(&server).await[0].url.query(), Some("%24top=7"));
    keeps_the_contract(&server).await;
}

#[tokio::test]
async fn a_refresh_that_goes_on_is_a_202_with_a_body() {
    let server = MockServer::start().await;
    let body = json!({"startTime": "2021-12-14T03:46:04.833", "status": "Unknown", "extendedStatus": "NotStarted"});
    answers(&server, "GET", &at(&format!("/refreshes/{REFRESH}")), json_reply(202, &body)).await;
    let refresh = client(&server).refresh(GROUP, DATASET, REFRESH, soon()).await.expect("it is known");
    assert_eq!(refresh.state, RefreshState::InProgress);
    assert_eq!(refresh.refresh_id.as_deref(), Some(REFRESH));
    assert_eq!(refresh.refresh_type.as_deref(), Some("ViaEnhancedApi"));
    keeps_the_contract(&server).await;
}

/// What a cancel ends as when the service refuses it and `look` is what the refresh then shows.
async fn refused_cancel(look: ResponseTemplate) -> Result<(), Failure> {
    let server = MockServer::start().await;
    let refusal = json!({"error": {"code": "InvalidRequest", "message": "no"}});
    answers(&server, "DELETE", &at(&format!("/refreshes/{REFRESH}")), json_reply(400, &refusal)).await;
    answers(&server, "GET", &at(&format!("/refreshes/{REFRESH}")), look).await;
    let cancelled = client(&server).cancel_refresh(GROUP, DATASET, REFRESH, soon()).await.map_err(Failure::from);
    keeps_the_contract(&server).await;
    cancelled
}

#[tokio::test]
async fn a_cancel_tells_why_it_could_not_be() {
    let ended = refused_cancel(json_reply(200, &json!({"status": "Completed"}))).await.expect_err("it had ended");
    assert_eq!(ended.code, Code::NotCancellable);
    assert!(ended.detail.contains("ended already"), "{}", ended.detail);
    let body = json!({"error": {"code": "InvalidRequest", "message": "The refresh is not an enhanced refresh."}});
    let standard = refused_cancel(json_reply(400, &body)).await.expect_err("it is a standard one");
    assert_eq!(standard.code, Code::NotCancellable);
    assert!(standard.detail.contains("standard"), "{}", standard.detail);
    let going = refused_cancel(json_reply(202, &json!({"status": "Unknown"}))).await.expect_err("refused");
    assert_eq!(going.code, Code::NotCancellable);
    assert!(going.detail.contains("says: no"), "{}", going.detail);
}

#[tokio::test]
async fn cancelling_twice_is_a_success() {
    refused_cancel(json_reply(200, &json!({"status": "Cancelled"}))).await.expect("it is cancelled");
}

#[tokio::test]
async fn the_name_of_a_table_is_one_segment_whatever_is_in_it() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    Mock::given(method("DELETE")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let table = "Sales/2026 ü?#%2F";
    client(&server).push_rows(GROUP, DATASET, table, r#"[{"a":1}]"#, Some(7), soon()).await.expect("pushed");
    client(&server).delete_rows(GROUP, DATASET, table, soon()).await.expect("deleted");
    let sent = received(&server).await;
    assert_eq!(sent[0].url.path(), at("/tables/Sales%2F2026%20%C3%BC%3F%23%252F/rows"));
    assert_eq!(sent[0].body, br#"{"rows":[{"a":1}]}"#);
    assert_eq!(sent[0].headers["x-powerbi-pushdata-sequencenumber"], "7");
    assert_eq!(sent[1].url.path(), sent[0].url.path());
    keeps_the_contract(&server).await;
}

#[tokio::test]
async fn a_push_that_may_have_happened_is_not_sent_again() {
    let server = MockServer::start().await;
    answers(&server, "POST", &at("/tables/Sales/rows"), ResponseTemplate::new(500)).await;
    let error = client(&server).push_rows(GROUP, DATASET, "Sales", "[]", None, soon()).await.expect_err("a fault");
    assert_eq!(error.effect(), Effect::Possible);
    assert_eq!(received(&server).await.len(), 1);
}

#[tokio::test]
async fn the_probe_asks_for_one_workspace() {
    let server = MockServer::start().await;
    answers(&server, "GET", "/v1.0/myorg/groups", json_reply(200, &json!({"value": []}))).await;
    client(&server).probe(soon()).await.expect("it answers");
    assert_eq!(received(&server).await[0].url.query(), Some("%24top=1"));
    keeps_the_contract(&server).await;
}

#[tokio::test]
async fn sequence_numbers_are_read_in_both_forms_and_may_be_absent() {
    for (reply, expected) in [
        (
            json_reply(
                200,
                &json!({"value": [{"clientId": "a", "sequenceNumber": 7}, {"clientId": "b", "sequenceNumber": 3}]}),
            ),
            Some(vec![7, 3]),
        ),
        (json_reply(200, &json!({"value": [12]})), Some(vec![12])),
        (json_reply(200, &json!({"value": []})), Some(vec![])),
        (json_reply(200, &json!({"value": [{"other": 1}]})), None),
        (json_reply(200, &json!({})), None),
        (json_reply(404, &json!({"error": {"code": "NotFound"}})), None),
        (ResponseTemplate::new(405), None),
    ] {
        let server = MockServer::start().await;
        answers(&server, "GET", &at("/tables/Sales/sequenceNumbers"), reply).await;
        assert_eq!(client(&server).sequence_numbers(GROUP, DATASET, "Sales", soon()).await.expect("told"), expected);
    }
}

#[tokio::test]
async fn a_push_table_without_columns_is_told_and_remembered_for_a_while() {
    let server = MockServer::start().await;
    answers(&server, "GET", &at("/tables"), json_reply(200, &json!({"value": [{"name": "Sales"}]}))).await;
    let client = client(&server);
    let told = client.push_table(GROUP, DATASET, "Sales", false, soon()).await.expect("it is there");
    assert!(told.columns.is_empty() && told.fresh && !told.has_sequence_numbers);
    let known = client.push_table(GROUP, DATASET, "Sales", false, soon()).await.expect("known");
    assert!(!known.fresh);
    assert_eq!(received(&server).await.len(), 2, "the table and its numbers, once");
    client.push_table(GROUP, DATASET, "Sales", true, soon()).await.expect("asked anew");
    assert_eq!(received(&server).await.len(), 4);
    let missing =
        client.push_table(GROUP, DATASET, "Nope", false, soon()).await.map_err(Failure::from).expect_err("none");
    assert_eq!(missing.code, Code::DatasetNotFound);
}
