//! What a store's error was on the wire. Only single objects have errors of their own kind there: a list or a delete
//! that Blob refused is a plain error with the answer inside (tried with `object_store` 0.14).

use std::error::Error as StdError;

use object_store::Error;

/// Whether the store took the token for no good, or saw no right in it.
pub(super) fn is_about_the_token(error: &Error) -> bool {
    matches!(error, Error::Unauthenticated { .. } | Error::PermissionDenied { .. })
        || matches!(status(error), Some(401 | 403))
}

/// Whether what was asked for is not there: an entry, or for a list the whole container.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) || status(error) == Some(404)
}

/// How the library begins what it says of an answer that is no success. Its types are private, so the words are all
/// there is; the tests over Blob fail when they change.
const ANSWERED: &str = "Server returned non-2xx status code: ";

/// The status of the answer, if there was one.
fn status(error: &Error) -> Option<u16> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(answer) = cause.to_string().strip_prefix(ANSWERED) {
            return answer.get(..3)?.parse().ok();
        }
        next = cause.source();
    }
    None
}
