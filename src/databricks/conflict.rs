//! Which failures of a statement are write conflicts: another write came first, so nothing of this one was committed, and
//! the same statement may be run again (Delta Lake, concurrency control and its error classes).

use std::time::Duration;

use super::statements::StatementFailure;

/// Tries of one statement in all, the first included.
pub const MOST_TRIES: u32 = 5;

/// The SQLSTATE of every conflict between writes.
const CONFLICT: &str = "2D521";
/// Delta tried its own commit again and again. SQLSTATE 40000 has other classes too.
const GAVE_UP: &str = "DELTA_MAX_COMMIT_RETRIES_EXCEEDED";
/// Conflicts that come again however often the statement is run: the statement itself must change.
const LASTING: [&str; 2] = ["DUPLICATE_ACTIONS", "CHANGE_TYPE_COLUMN"];
/// What older servers write, without SQLSTATE or class.
const LEGACY: [&str; 7] = [
    "ConcurrentAppendException",
    "ConcurrentDeleteReadException",
    "ConcurrentDeleteDeleteException",
    "ConcurrentWriteException",
    "ConcurrentTransactionException",
    "MetadataChangedException",
    "ProtocolChangedException",
];

/// Whether another write came first and the same statement may succeed when it is run again.
pub(super) fn is_conflict(failure: &StatementFailure) -> bool {
    let class = failure.error_class.as_deref().unwrap_or_default();
    if LASTING.iter().any(|lasting| class.contains(lasting)) {
        return false;
    }
    match failure.sql_state.as_deref() {
        Some(state) if state == CONFLICT => true,
        _ if class.starts_with(GAVE_UP) => true,
        // Behind a name of the class, these words may be data.
        _ => class.is_empty() && LEGACY.iter().any(|name| failure.message.contains(name)),
    }
}

/// How long to wait before this try, from 2: half a second, doubled for each, of which up to a half is left to chance, so
/// that those who met do not meet again.
pub fn pause_before(tries: u32) -> Duration {
    let plan = Duration::from_millis(500) * (1 << tries.saturating_sub(2).min(4));
    let chance = u32::from(uuid::Uuid::new_v4().as_bytes()[0]);
    plan.saturating_sub(plan / 2 * chance / 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(sql_state: Option<&str>, error_class: Option<&str>, message: &str) -> StatementFailure {
        StatementFailure {
            error_code: "BAD_REQUEST".into(),
            message: message.into(),
            sql_state: sql_state.map(Into::into),
            error_class: error_class.map(Into::into),
        }
    }

    #[rstest::rstest]
    #[case(Some("2D521"), Some("DELTA_CONCURRENT_APPEND.ROW_LEVEL_CHANGES"), "")]
    #[case(Some("2D521"), Some("DELTA_CONCURRENT_DELETE_READ"), "")]
    #[case(Some("2D521"), Some("DELTA_METADATA_CHANGED"), "")]
    #[case(Some("2D521"), None, "")]
    #[case(Some("40000"), Some("DELTA_MAX_COMMIT_RETRIES_EXCEEDED"), "")]
    #[case(None, None, "io.delta.exceptions.ConcurrentAppendException: Files were added")]
    fn these_may_be_run_again(#[case] state: Option<&str>, #[case] class: Option<&str>, #[case] message: &str) {
        assert!(is_conflict(&failure(state, class, message)));
    }

    #[rstest::rstest]
    #[case(Some("2D521"), Some("DELTA_DUPLICATE_ACTIONS_FOUND"), "")]
    #[case(Some("2D521"), Some("DELTA_CONCURRENT_APPEND.CHANGE_TYPE_COLUMN"), "")]
    #[case(Some("40000"), Some("SOMETHING_ELSE"), "")]
    #[case(Some("21506"), Some("DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE"), "")]
    #[case(Some("42P01"), Some("TABLE_OR_VIEW_NOT_FOUND"), "ConcurrentAppendException was not found")]
    #[case(None, None, "The statement failed")]
    fn these_may_not(#[case] state: Option<&str>, #[case] class: Option<&str>, #[case] message: &str) {
        assert!(!is_conflict(&failure(state, class, message)));
    }

    #[test]
    fn the_pauses_grow_and_differ() {
        for tries in 2..=MOST_TRIES {
            let plan = Duration::from_millis(500 << (tries - 2));
            let pause = pause_before(tries);
            assert!(pause <= plan && pause >= plan / 2, "{pause:?} before try {tries}");
        }
    }
}
