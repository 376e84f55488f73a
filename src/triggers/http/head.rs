//! How large the head of a call may be. What the server itself refuses before it is a request (128 KiB, 96 headers) gets a
//! bare 431 from it.

use actix_web::HttpRequest;

use super::super::Limits;
use crate::failure::{Code, Failure};

/// Refuses heads that nobody needs.
pub(super) fn check(request: &HttpRequest, limits: &Limits) -> Result<(), Failure> {
    let uri = request.uri();
    let length = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if length > limits.url {
        let detail = format!("The address has {length} characters; at most {} are taken.", limits.url);
        return Err(Failure::new(Code::UrlTooLong, detail));
    }
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers > limits.headers {
        let detail =
            format!("The headers have {} KiB together; at most {} are taken.", headers >> 10, limits.headers >> 10);
        return Err(Failure::new(Code::HeadersTooLarge, detail));
    }
    Ok(())
}
