//! `/api/connector`: what the API is, for programs.

use super::super::openapi::document;
use super::super::{FUNCTIONS, Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

#[allow(clippy::unused_async)] // the table of functions holds futures
pub(crate) async fn openapi(hit: Hit<Work>) -> Result<Answer, Failure> {
    let server = hit.work.requests.base(&hit.call);
    let document = document(FUNCTIONS, hit.work.requests.catalog(), &server);
    Ok(Answer::done(document.to_string().into_bytes()))
}
