//! The one place where a failure becomes a status and a body. The table of all codes is `table.rs`, the page made of
//! it `page.rs`. What may not live here: deciding whether an effect happened.

mod page;
mod table;

use serde_json::{Map, Value, json};

use crate::failure::{Code, Effect, Failure};

pub use page::page;
pub(super) use table::row;

/// A failure, ready to be sent.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// Always there on 429 and 503, so that callers never retry at once.
    pub(super) retry_after_seconds: Option<u64>,
}

/// The status of work that has ended for good with a code that would invite its caller again.
const SETTLED: u16 = 422;

/// Seconds that a caller is asked to wait when nobody knows better.
const RETRY_AFTER_SECONDS: u64 = 10;

/// The code that the caller gets. Flows, and the host's proxy, send a POST again after 408, 429 and 5xx; once an
/// effect may have happened none of these may be answered.
pub(super) fn effective(failure: &Failure) -> Code {
    if failure.effect == Effect::Possible && invites_again(row(failure.code).status) {
        Code::OutcomeUnknown
    } else {
        failure.code
    }
}

/// What flows, and the host's proxy, send a POST again on.
fn invites_again(status: u16) -> bool {
    status == 408 || status == 429 || status >= 500
}

/// The body of a problem, for whoever is told of it elsewhere than in an answer.
pub fn body(failure: &Failure, request_id: &str) -> Vec<u8> {
    problem(failure, request_id).body
}

/// Members of RFC 9457, then ours. `message` repeats `detail` because flows show `message`.
pub(super) fn problem(failure: &Failure, request_id: &str) -> Problem {
    let code = effective(failure);
    let row = row(code);
    // Work that has ended for good is no passing trouble of ours, whatever ended it.
    let status = if failure.settled && invites_again(row.status) { SETTLED } else { row.status };
    let detail = if code == failure.code {
        failure.detail.clone()
    } else {
        format!("{} It may have happened or not: look before you send it again.", failure.detail)
    };
    let retry_after_seconds = match status {
        429 | 503 => Some(failure.retry_after_seconds.unwrap_or(RETRY_AFTER_SECONDS)),
        _ if failure.settled || code == Code::OutcomeUnknown => None,
        _ => failure.retry_after_seconds,
    };
    let mut body = Map::new();
    body.insert("type".into(), format!("urn:causeway:error:{code}").into());
    body.insert("title".into(), row.title.into());
    body.insert("status".into(), status.into());
    body.insert("detail".into(), detail.clone().into());
    body.insert("message".into(), detail.into());
    body.insert("code".into(), code.as_str().into());
    body.insert("requestId".into(), request_id.into());
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.into(), value);
        }
    };
    put("runId", failure.run_id.clone().map(Value::from));
    put("step", failure.step.clone().map(Value::from));
    put("upstream", failure.upstream.as_ref().map(|upstream| json!(upstream)));
    put("sqlState", failure.sql_state.clone().map(Value::from));
    put("errorClass", failure.error_class.clone().map(Value::from));
    put("retryAfterSeconds", retry_after_seconds.map(Value::from));
    put("place", failure.place.clone().map(Value::from));
    put("failedRowCount", failure.failed_rows.as_ref().map(|rows| Value::from(rows.count)));
    put("failedRows", failure.failed_rows.as_ref().map(|rows| json!(rows.first)));
    put("failedTaskCount", failure.failed_tasks.as_ref().map(|tasks| Value::from(tasks.count)));
    put("failedTasks", failure.failed_tasks.as_ref().map(|tasks| json!(tasks.first)));
    put("failedItemCount", failure.failed_items.as_ref().map(|items| Value::from(items.count)));
    put("failedItems", failure.failed_items.as_ref().map(|items| json!(items.first)));
    put("claims", failure.claims_challenge.clone().map(Value::from));
    Problem { status, body: Value::Object(body).to_string().into_bytes(), retry_after_seconds }
}

/// The media type of a problem: flows cannot read any but `application/json`, so the registered one is sent only to
/// a caller that names it.
pub(super) fn media_type(accept: Option<&str>) -> &'static str {
    const REGISTERED: &str = "application/problem+json";
    let named = accept.is_some_and(|accept| {
        accept.split(',').any(|range| {
            let mut pieces = range.split(';').map(str::trim);
            let is_it = pieces.next().is_some_and(|media| media.eq_ignore_ascii_case(REGISTERED));
            // `q=0` names it to refuse it.
            is_it && !pieces.any(|piece| piece.replace(' ', "").trim_end_matches(['0', '.']).eq_ignore_ascii_case("q="))
        })
    });
    if named { REGISTERED } else { "application/json" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Upstream;

    fn told(failure: &Failure) -> Value {
        serde_json::from_slice(&problem(failure, "r-1").body).unwrap()
    }

    #[test]
    fn every_code_has_a_row_that_says_who_does_what() {
        for code in Code::ALL {
            let row = row(*code);
            assert!((400..=504).contains(&row.status), "{code}: {}", row.status);
            for text in [row.title, row.maker, row.operator] {
                assert!(text.len() > 5 && !text.contains('|'), "{code}: {text:?}");
            }
            assert!(!row.title.ends_with('.'), "{code}: a title is no sentence");
            assert!(row.maker.ends_with('.') && row.operator.ends_with('.'), "{code}: advice is sentences");
        }
    }

    #[test]
    fn work_that_failed_for_good_never_invites_its_caller_to_send_it_again() {
        for code in Code::ALL {
            let problem = problem(&Failure::new(*code, "d").settled(), "r-1");
            assert!(!invites_again(problem.status), "{code}: {}", problem.status);
            assert_eq!(problem.retry_after_seconds, None, "{code}");
        }
    }

    #[test]
    fn a_failure_becomes_all_members() {
        let failure = Failure::new(Code::StatementFailed, "No such table.")
            .from_upstream(Upstream { service: "databricks".into(), status: Some(200), code: None, request_id: None })
            .in_run("run-1")
            .in_step("load")
            .at("statement");
        let failure = Failure { sql_state: Some("42P01".into()), error_class: Some("TABLE".into()), ..failure };
        assert_eq!(
            told(&failure),
            json!({
                "type": "urn:causeway:error:statement-failed", "title": "The SQL statement failed", "status": 422,
                "detail": "No such table.", "message": "No such table.", "code": "statement-failed",
                "requestId": "r-1", "runId": "run-1", "step": "load",
                "upstream": { "service": "databricks", "status": 200 },
                "sqlState": "42P01", "errorClass": "TABLE", "place": "statement"
            })
        );
    }

    #[test]
    fn after_a_possible_effect_no_status_invites_to_send_again() {
        for code in Code::ALL {
            let problem = problem(&Failure::new(*code, "Lost.").effect_possible(), "r");
            assert!(problem.status != 408 && problem.status != 429 && problem.status < 500, "{code}");
        }
        let lost = told(&Failure::new(Code::UpstreamTimeout, "No reply came.").effect_possible());
        assert_eq!((&lost["status"], &lost["code"]), (&json!(409), &json!("outcome-unknown")));
    }

    #[test]
    fn a_429_and_a_503_always_say_when() {
        for code in Code::ALL {
            let problem = problem(&Failure::new(*code, "x"), "r");
            assert_eq!(problem.retry_after_seconds.is_some(), matches!(problem.status, 429 | 503), "{code}");
        }
        let failure = Failure { retry_after_seconds: Some(3), ..Failure::new(Code::UpstreamThrottled, "x") };
        assert_eq!(told(&failure)["retryAfterSeconds"], 3);
    }

    #[test]
    fn problem_json_is_sent_only_to_those_who_name_it() {
        assert_eq!(media_type(None), "application/json");
        assert_eq!(media_type(Some("*/*")), "application/json");
        assert_eq!(media_type(Some("application/json, application/problem+json;q=0.0")), "application/json");
        assert_eq!(media_type(Some("text/html, Application/Problem+JSON;q=0.9")), "application/problem+json");
    }
}
