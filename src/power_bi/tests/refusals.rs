//! Refusals in the service's shapes, and the failure that each becomes.

use serde_json::{Value, json};

use super::{DATASET, GROUP, REFRESH};
use crate::failure::{Code, Effect, Failure};
use crate::http::{Reply, RequestKind};
use crate::power_bi::refusal::success;
use crate::power_bi::{Item, Place, PowerBiError, Subject};

fn place() -> Place {
    Place { workspace: GROUP.to_owned(), dataset: DATASET.to_owned() }
}

fn start(enhanced: bool) -> (RequestKind, Subject) {
    (RequestKind::RefreshStart, Subject::Start { place: place(), enhanced })
}

fn look() -> (RequestKind, Subject) {
    (RequestKind::RefreshGet, Subject::Refresh { place: place(), id: REFRESH.to_owned() })
}

fn push() -> (RequestKind, Subject) {
    (RequestKind::RowsPush, Subject::Rows { place: place(), table: "Sales".to_owned() })
}

fn failure((kind, subject): (RequestKind, Subject), status: u16, headers: &[(&str, &str)], body: &Value) -> Failure {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let reply = Reply { status, headers, body: body.into(), tries: 1 };
    let error: PowerBiError = success(reply, kind, &subject).expect_err("a refusal");
    error.into()
}

fn said(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

fn entity(code: &str) -> Value {
    json!({"error": {"code": code, "pbi.error": {"code": code, "parameters": {}, "details": [], "exceptionCulprit": 1}}})
}

#[test]
fn each_refusal_of_a_start_has_its_code() {
    let running =
        said("InvalidRequest", "Invalid dataset refresh request. Another refresh request is already executing");
    let day = said("Request Throttled", "Number of refresh requests in last 24 hours exceeded limit");
    let shared =
        said("InvalidRequest", "For Shared capacities, only notifyOption can be specified in the request body.");
    for (enhanced, status, body, code) in [
        (false, 400, &running, Code::RefreshRunning),
        (true, 409, &Value::Null, Code::RefreshRunning),
        (false, 429, &day, Code::RefreshLimit),
        (false, 400, &day, Code::RefreshLimit),
        (true, 400, &shared, Code::PremiumRequired),
        (true, 429, &Value::Null, Code::RefreshThrottled),
        (false, 404, &entity("PowerBIEntityNotFound"), Code::DatasetNotFound),
        (false, 404, &entity("PowerBIGroupNotFound"), Code::WorkspaceNotFound),
        (false, 415, &said("InvalidRequest", "Invalid dataset."), Code::PowerBiRefused),
        (false, 500, &Value::Null, Code::UpstreamUnavailable),
        (false, 504, &Value::Null, Code::UpstreamTimeout),
    ] {
        let failure = failure(start(enhanced), status, &[], body);
        assert_eq!(failure.code, code, "{status} {body}");
        let effect = if status < 500 { Effect::None } else { Effect::Possible };
        assert_eq!(failure.effect, effect, "{status} {body}");
    }
}

#[test]
fn a_workspace_without_our_identity_is_a_401_and_says_what_to_do() {
    let failure = failure(start(false), 401, &[("requestid", "r-1")], &entity("GroupNotAccessible"));
    assert_eq!(failure.code, Code::PowerBiAccessDenied);
    assert!(failure.detail.contains("Contributor") && failure.detail.contains(GROUP), "{}", failure.detail);
    let upstream = failure.upstream.expect("the service's facts");
    assert_eq!((upstream.service.as_str(), upstream.status), ("power-bi", Some(401)));
    assert_eq!(upstream.code.as_deref(), Some("GroupNotAccessible"));
    assert_eq!(upstream.request_id.as_deref(), Some("r-1"));
}

#[test]
fn my_workspace_is_explained_when_it_is_denied() {
    let mine = Place { workspace: "me".to_owned(), dataset: DATASET.to_owned() };
    let subject = (RequestKind::RefreshGet, Subject::History(mine));
    let failure = failure(subject, 403, &[], &said("Forbidden", "API is not accessible for application"));
    assert_eq!(failure.code, Code::PowerBiAccessDenied);
    assert!(failure.detail.contains("My Workspace"), "{}", failure.detail);
}

#[test]
fn throttling_passes_on_how_long_to_wait() {
    let body = json!({"message": "You have exceeded the amount of requests. Retry in 3392 seconds."});
    let failure = failure(push(), 429, &[("retry-after", "3392")], &body);
    assert_eq!(failure.code, Code::UpstreamThrottled);
    assert_eq!(failure.retry_after_seconds, Some(3392));
    assert!(failure.detail.contains("3392"), "{}", failure.detail);
}

#[test]
fn the_header_speaks_when_the_body_is_empty() {
    let failure = failure(push(), 403, &[("x-powerbi-error-info", "InvalidToken")], &Value::Null);
    assert_eq!(failure.code, Code::PowerBiAccessDenied);
    assert!(failure.detail.contains("token"), "{}", failure.detail);
    assert_eq!(failure.upstream.and_then(|upstream| upstream.code).as_deref(), Some("InvalidToken"));
}

#[test]
fn details_hidden_deep_in_the_body_reach_the_maker() {
    let body = json!({"error": {"code": "BadRequest", "message": "general", "pbi.error": {
        "code": "BadRequest", "details": [{"code": "DetailsMessage", "detail": {"type": 1, "value": "column Amount"}}],
    }}});
    let failure = failure(push(), 400, &[], &body);
    assert_eq!(failure.code, Code::RowsInvalid);
    assert!(failure.detail.contains("column Amount") && failure.detail.contains("Sales"), "{}", failure.detail);
}

#[test]
fn what_is_missing_is_named_by_what_was_asked_for() {
    let missing = entity("PowerBIEntityNotFound");
    assert_eq!(failure(look(), 404, &[], &missing).code, Code::RefreshNotFound);
    assert_eq!(failure(push(), 404, &[], &missing).code, Code::DatasetNotFound);
    let standard = said("InvalidRequest", "The refresh is not an enhanced refresh.");
    assert_eq!(failure(look(), 400, &[], &standard).code, Code::RefreshNotFound);
}

#[test]
fn only_a_503_that_says_when_to_come_back_surely_did_nothing() {
    assert_eq!(failure(push(), 503, &[], &Value::Null).effect, Effect::Possible);
    assert_eq!(failure(push(), 503, &[("retry-after", "1")], &Value::Null).effect, Effect::None);
    assert_eq!(failure(look(), 503, &[], &Value::Null).effect, Effect::None);
}

#[test]
fn a_web_page_is_not_shown_to_a_maker() {
    let reply = Reply { status: 502, headers: Vec::new(), body: "<html>secret</html>".into(), tries: 1 };
    let (kind, subject) = push();
    let failure = Failure::from(success(reply, kind, &subject).expect_err("a refusal"));
    assert!(!failure.detail.contains("secret"), "{}", failure.detail);
}

#[test]
fn about_the_token_the_header_has_the_word() {
    let body = said("Forbidden", "");
    for code in ["TokenExpired", "InvalidToken"] {
        let failure = failure(push(), 403, &[("x-powerbi-error-info", code)], &body);
        assert_eq!(failure.upstream.and_then(|upstream| upstream.code).as_deref(), Some(code));
        assert!(failure.detail.contains("token"), "{}", failure.detail);
    }
    // A missing right is a 401, and the header repeats what the body says.
    let denied = failure(push(), 401, &[("x-powerbi-error-info", "GroupNotAccessible")], &entity("GroupNotAccessible"));
    assert!(denied.detail.contains("Contributor"), "{}", denied.detail);
}

#[test]
fn a_policy_that_wants_more_than_a_token_is_named() {
    let wants = "Bearer realm=\"\", error=\"insufficient_claims\", claims=\"eyJ9\"";
    let failure = failure(look(), 401, &[("www-authenticate", wants)], &Value::Null);
    assert_eq!(failure.code, Code::PowerBiAccessDenied);
    assert!(failure.detail.contains("Conditional Access"), "{}", failure.detail);
    assert_eq!(failure.upstream.and_then(|upstream| upstream.code).as_deref(), Some("insufficient_claims"));
}

#[test]
fn of_several_details_the_message_is_told() {
    let body = json!({"error": {"code": "DatasetExecuteQueriesError", "pbi.error": {"details": [
        {"code": "AnalysisServicesErrorCode", "detail": {"type": 1, "value": "3241803789"}},
        {"code": "DetailsMessage", "detail": {"type": 1, "value": "Query (1, 10) Cannot find table 'Nowhere'."}},
    ]}}});
    let query = (RequestKind::DaxQuery, Subject::Item(Item::Query(place())));
    let failure = failure(query, 400, &[], &body);
    assert_eq!(failure.code, Code::QueryFailed);
    assert!(
        failure.detail.contains("Cannot find table") && !failure.detail.contains("3241803789"),
        "{}",
        failure.detail
    );
}

#[test]
fn without_the_right_to_build_a_dataset_seems_not_to_be_there() {
    let query = (RequestKind::DaxQuery, Subject::Item(Item::Query(place())));
    let failure = failure(query, 404, &[], &entity("PowerBIEntityNotFound"));
    assert_eq!(failure.code, Code::DatasetNotFound);
    assert!(failure.detail.contains("Build permission"), "{}", failure.detail);
}

#[test]
fn a_message_with_a_capital_is_read_too() {
    let failure = failure(push(), 400, &[], &json!({"Message": "The request is invalid."}));
    assert!(failure.detail.contains("The request is invalid."), "{}", failure.detail);
}

#[test]
fn a_dataset_of_another_kind_is_no_push_dataset() {
    let tables = (RequestKind::PowerBiGet, Subject::Item(Item::Table { place: place(), table: None }));
    let failure = failure(tables, 404, &[], &said("InvalidDataset", "Dataset x is not Push API dataset."));
    assert_eq!(failure.code, Code::NotPushDataset);
}
