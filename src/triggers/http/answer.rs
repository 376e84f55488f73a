//! From an answer or a failure to a response.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::super::compression::{PLAIN, stays_plain};
use super::super::layers::{Invocation, log_end};
use super::super::problem::{challenge, media_type, problem};
use super::streamed::Streamed;
use crate::failure::Failure;
use crate::requests::{Answer, AnswerBody, AnswerKind};

/// When a 202 says nothing of its own: the first poll is worth it after this many seconds.
const POLL_AFTER_SECONDS: u64 = 5;

/// The line about it is logged here, or when its stream has ended.
pub(super) fn done(invocation: &Invocation, answer: Answer) -> HttpResponse {
    let mut response = match answer.kind {
        AnswerKind::Done => HttpResponse::Ok(),
        AnswerKind::Started => HttpResponse::Created(),
        AnswerKind::Accepted => HttpResponse::Accepted(),
    };
    common(&mut response, invocation);
    if let Some(location) = answer.location {
        response.insert_header((header::LOCATION, location));
    }
    // The asynchronous pattern of Logic Apps wants it on every 202.
    let default_wait = (answer.kind == AnswerKind::Accepted).then_some(POLL_AFTER_SECONDS);
    if let Some(seconds) = answer.retry_after_seconds.or(default_wait) {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    if let Some(run_id) = answer.run_id {
        response.insert_header(("x-causeway-run-id", run_id));
    }
    if answer.replayed {
        response.insert_header(("x-causeway-replayed", "true"));
    }
    if answer.fell_back {
        response.insert_header(("x-causeway-fallback", "inline"));
    }
    match answer.body {
        AnswerBody::Json(body) => {
            if stays_plain(body.len()) {
                response.insert_header((header::CONTENT_ENCODING, PLAIN));
            }
            let response = response.content_type("application/json").body(body);
            log_end(invocation, response.status().as_u16(), None);
            response
        }
        AnswerBody::Stream(mut stream) => {
            for (name, value) in std::mem::take(&mut stream.headers) {
                response.insert_header((name, value));
            }
            response.content_type(stream.content_type).body(Streamed::new(stream, invocation.clone()))
        }
    }
}

/// `allow`: the methods that the address takes, on a 405.
pub(super) fn failed(
    invocation: &Invocation,
    request: &HttpRequest,
    failure: &Failure,
    allow: Option<&str>,
) -> HttpResponse {
    let problem = problem(failure, &invocation.id);
    log_end(invocation, problem.status, Some(failure));
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    common(&mut response, invocation);
    if let Some(seconds) = problem.retry_after_seconds {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    if let Some(run_id) = &failure.run_id {
        response.insert_header(("x-causeway-run-id", run_id.as_str()));
    }
    if let Some(challenge) = challenge(failure) {
        response.insert_header((header::WWW_AUTHENTICATE, challenge));
    }
    if let Some(methods) = allow {
        response.insert_header((header::ALLOW, methods));
    }
    response.insert_header((header::CONTENT_ENCODING, PLAIN));
    response.content_type(media_type(accept)).body(problem.body)
}

fn common(response: &mut HttpResponseBuilder, invocation: &Invocation) {
    response.insert_header(("x-request-id", invocation.id.as_str()));
    // Results and the signed links in them belong to one caller and one moment.
    response.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
}
