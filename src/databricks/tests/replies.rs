//! Refusals in every shape, and which failure each becomes.

use super::shapes::reply;
use crate::databricks::refusal::{success, token_was_refused};
use crate::databricks::{DatabricksError, Subject};
use crate::failure::{Code, Effect, Failure};
use crate::http::RequestKind;

fn refused(status: u16, headers: &[(&str, &str)], body: &str, kind: RequestKind, subject: &Subject) -> DatabricksError {
    success(reply(status, headers, body.to_owned()), kind, subject).expect_err("no success")
}

fn failure(status: u16, body: &str, kind: RequestKind, subject: &Subject) -> Failure {
    refused(status, &[("x-request-id", "r-1")], body, kind, subject).into()
}

fn submission() -> Subject {
    Subject::Submission { warehouse: "w".to_owned() }
}

#[rstest::rstest]
#[case(401, r#"{"error_code":401,"message":"Credential was not sent."}"#, Code::DatabricksAccessDenied)]
#[case(403, r#"{"error_code":403,"message":"Invalid access token."}"#, Code::DatabricksAccessDenied)]
#[case(403, r#"{"error_code":"PERMISSION_DENIED","message":"No CAN_USE."}"#, Code::DatabricksAccessDenied)]
#[case(
    400,
    r#"{"error_code":"BAD_REQUEST","message":"Parameterized query has too many parameters"}"#,
    Code::DatabricksRefused
)]
#[case(400, r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"The statement field must not exceed a length of 16777216 bytes."}"#, Code::StatementTooLarge)]
#[case(
    400,
    r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"abc is not a valid endpoint id."}"#,
    Code::WarehouseNotFound
)]
#[case(404, r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"gone"}"#, Code::WarehouseNotFound)]
#[case(404, "", Code::WarehouseNotFound)]
#[case(429, "<html>slow down</html>", Code::UpstreamThrottled)]
#[case(503, "TEMPORARILY_UNAVAILABLE: come back", Code::UpstreamUnavailable)]
#[case(500, "{\"error\":\"oops\"}", Code::UpstreamUnavailable)]
#[case(504, "", Code::UpstreamTimeout)]
fn a_refused_submission_becomes(#[case] status: u16, #[case] body: &str, #[case] code: Code) {
    let failure = failure(status, body, RequestKind::StatementWrite, &submission());
    assert_eq!(failure.code, code, "{failure:?}");
    let upstream = failure.upstream.expect("it answered");
    assert_eq!((upstream.status, upstream.request_id.as_deref()), (Some(status), Some("r-1")));
}

#[rstest::rstest]
#[case(Subject::Statement("s".to_owned()), 404, "{}", Code::StatementNotFound)]
#[case(Subject::Rows("s".to_owned()), 404, "{}", Code::ResultExpired)]
#[case(Subject::Rows("s".to_owned()), 410, "", Code::ResultExpired)]
#[case(Subject::Job("7".to_owned()), 400, r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"Job 7 does not exist."}"#, Code::JobNotFound)]
#[case(Subject::Job("7".to_owned()), 400, r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"Bad only."}"#, Code::DatabricksRefused)]
#[case(Subject::JobRun("8".to_owned()), 400, r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"Run 8 does not exist."}"#, Code::JobRunNotFound)]
#[case(Subject::Warehouse("w".to_owned()), 400, r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":""}"#, Code::WarehouseNotFound)]
#[case(Subject::Workspace, 404, "", Code::DatabricksRefused)]
fn not_found_is_about_what_was_asked_for(
    #[case] subject: Subject,
    #[case] status: u16,
    #[case] body: &str,
    #[case] code: Code,
) {
    assert_eq!(failure(status, body, RequestKind::StatementGet, &subject).code, code);
}

#[rstest::rstest]
#[case(400, None, RequestKind::StatementWrite, Effect::None)]
#[case(429, None, RequestKind::StatementWrite, Effect::None)]
#[case(500, None, RequestKind::StatementWrite, Effect::Possible)]
#[case(504, None, RequestKind::StatementWrite, Effect::Possible)]
#[case(503, None, RequestKind::StatementWrite, Effect::Possible)]
#[case(503, Some("1"), RequestKind::StatementWrite, Effect::None)]
#[case(500, None, RequestKind::StatementRead, Effect::None)]
#[case(500, None, RequestKind::JobRunNow, Effect::Possible)]
fn the_effect_of_a_refusal(
    #[case] status: u16,
    #[case] after: Option<&str>,
    #[case] kind: RequestKind,
    #[case] effect: Effect,
) {
    let headers: Vec<(&str, &str)> = after.map(|after| ("retry-after", after)).into_iter().collect();
    let error = refused(status, &headers, "", kind, &submission());
    assert_eq!(error.effect(), effect);
    assert_eq!(Failure::from(error).effect, effect);
}

#[test]
fn a_429_tells_when_to_come_back() {
    let error = refused(429, &[("retry-after", "7")], "", RequestKind::StatementGet, &Subject::Workspace);
    assert_eq!(Failure::from(error).retry_after_seconds, Some(7));
}

#[rstest::rstest]
#[case(r#"{"error_code":"BAD_REQUEST","message":"first"}"#, Some("BAD_REQUEST"), "first")]
#[case(r#"{"error_code":400,"message":"second"}"#, Some("400"), "second")]
#[case(r#"{"error":"third"}"#, None, "third")]
#[case(r#"{"error":"invalid_client","error_description":"fourth"}"#, None, "fourth")]
#[case(r#"{"detail":"fifth","status":"404","scimType":"sensitive"}"#, Some("sensitive"), "fifth")]
#[case("A_CODE: sixth", Some("A_CODE"), "sixth")]
#[case("words: seventh", None, "words: seventh")]
#[case("<html><head><title>Error 400</title></head><body><pre>\neighth\n</pre></body></html>", None, "eighth")]
#[case("<html><title>ninth</title></html>", None, "ninth")]
#[case("", None, "status 400, without a reason")]
#[case("{\"cut", None, "status 400, without a reason")]
fn every_shape_of_body_gives_its_message(#[case] body: &str, #[case] code: Option<&str>, #[case] message: &str) {
    match refused(400, &[], body, RequestKind::StatementGet, &Subject::Workspace) {
        DatabricksError::Refused(refused) => {
            assert_eq!((refused.error_code.as_deref(), refused.message.as_str()), (code, message));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_login_page_over_private_link_is_told_apart() {
    let page = [("content-type", "text/html; charset=utf-8")];
    let body = "<a href='/login.html?error=private-link-validation-error'>";
    let seen = refused(200, &page, body, RequestKind::StatementGet, &Subject::Workspace);
    assert!(matches!(seen, DatabricksError::PrivateLink));
    let location = [("location", "https://x/login.html?error=private-link-validation-error:1")];
    let moved = refused(303, &location, "", RequestKind::StatementGet, &Subject::Workspace);
    assert_eq!(Failure::from(moved).code, Code::DatabricksAccessDenied);
    let other = refused(200, &page, "<html>welcome</html>", RequestKind::StatementGet, &Subject::Workspace);
    assert_eq!(Failure::from(other).code, Code::UpstreamReplyInvalid);
}

#[test]
fn a_new_token_is_worth_a_try_unless_a_right_is_missing() {
    let ask = |status, body: &str| token_was_refused(&reply(status, &[], body.to_owned()));
    assert!(ask(401, ""));
    assert!(ask(403, r#"{"error_code":403,"message":"Invalid access token."}"#));
    assert!(ask(403, r#"{"error_code":"PERMISSION_DENIED","message":"Invalid Token"}"#));
    assert!(!ask(403, r#"{"error_code":"PERMISSION_DENIED","message":"User has no CAN_USE"}"#));
    assert!(!ask(400, ""));
}
