//! What a caller is told whose claim stands in the way, or whose effect nobody can be sure of.

use super::Call;
use crate::failure::{Code, Failure};

pub(super) fn reused() -> Failure {
    Failure::new(
        Code::IdempotencyKeyReused,
        "This Idempotency-Key was used for another call. Give each piece of work a key of its own.",
    )
}

pub(super) fn unknown_before() -> Failure {
    Failure::new(
        Code::OutcomeUnknown,
        "This call was sent before and its answer was lost: the work may or may not have happened. Look at the target, \
         then call again with a new Idempotency-Key if it is missing.",
    )
    .effect_possible()
}

/// The effect may have happened, and under the same key it can happen only once.
pub(super) fn send_again(failure: Failure, call: &Call) -> Failure {
    if call.idempotency_key.is_none() {
        return unknown(failure);
    }
    let detail = format!(
        "The work may or may not have begun: {} Send the same call again with the same Idempotency-Key: it begins once.",
        failure.detail
    );
    Failure { code: Code::OutcomeUnknown, detail, ..failure }
}

/// The effect may have happened, so the answer is not one that callers send again on.
pub(super) fn unknown(failure: Failure) -> Failure {
    if failure.code == Code::OutcomeUnknown {
        return failure;
    }
    let detail = format!(
        "The work may or may not have happened: {} Look at the target before you send it again with a new \
         Idempotency-Key.",
        failure.detail
    );
    Failure { code: Code::OutcomeUnknown, detail, ..failure }
}
