//! What actix's own compression is told: gzip for callers of `/api` who ask for it, and nothing else. Left alone it would
//! answer 406 to a caller who refuses everything, choose deflate, and compress what the host asks of us.
//!
//! It flushes when the rows pause, so that the first of them are not held back.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, AcceptEncoding, ContentEncoding, Encoding, Header as _, HeaderValue};
use actix_web::middleware::Next;

/// A body below this is not worth a header.
const WORTH: u64 = 1024;

/// Put on a response that is to stay as it is; gone before it is sent.
pub(super) const PLAIN: HeaderValue = HeaderValue::from_static("identity");

/// Whether a body of this length stays as it is.
pub(super) fn stays_plain(length: usize) -> bool {
    (length as u64) < WORTH
}

pub(crate) async fn only_gzip(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let gzip = request.path().starts_with("/api/") && takes_gzip(&request);
    let headers = request.headers_mut();
    headers.remove(header::ACCEPT_ENCODING);
    if gzip {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    if headers.get(header::CONTENT_ENCODING) == Some(&PLAIN) {
        headers.remove(header::CONTENT_ENCODING);
    }
    Ok(response)
}

/// Named, not with `q=0`, and not liked less than the plain form.
fn takes_gzip(request: &ServiceRequest) -> bool {
    if !request.headers().contains_key(header::ACCEPT_ENCODING) {
        return false;
    }
    let known = [Encoding::gzip(), Encoding::identity()];
    AcceptEncoding::parse(request)
        .is_ok_and(|accepted| accepted.negotiate(known.iter()) == Some(Encoding::Known(ContentEncoding::Gzip)))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::asked("gzip", true)]
    #[case::among_others("deflate, gzip;q=0.8, br", true)]
    #[case::as_flows_do("gzip, deflate", true)]
    #[case::anything_will_do("*", false)]
    #[case::plain("identity", false)]
    #[case::refused("gzip;q=0", false)]
    #[case::refused_by_name("*, gzip;q=0", false)]
    #[case::plain_is_liked_more("gzip;q=0.2, identity;q=0.9", false)]
    #[case::something_else("br", false)]
    #[case::nothing_at_all("*;q=0", false)]
    #[case::empty("", false)]
    #[case::nonsense(";;;=q", false)]
    fn gzip_is_sent_to_those_who_take_it(#[case] accepts: &str, #[case] expected: bool) {
        let request = TestRequest::default().insert_header((header::ACCEPT_ENCODING, accepts)).to_srv_request();
        assert_eq!(takes_gzip(&request), expected, "{accepts}");
    }

    #[test]
    fn a_caller_who_says_nothing_gets_it_plain() {
        assert!(!takes_gzip(&TestRequest::default().to_srv_request()));
    }
}
