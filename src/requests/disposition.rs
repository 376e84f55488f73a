//! How a statement's result is to come, decided before it is sent (docs/decisions/0009): no statement runs twice to
//! find out. What is done when the decision proves wrong is `reads.rs`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::databricks::{Disposition, is_surely_a_read, is_surely_small_read};
use crate::settings::{ResultDisposition, Sql};

/// Rows that surely fit in an answer.
const FEW: u64 = 1_000;
/// What an answer holds at most (Databricks SDK, execute_statement).
const MOST_INLINE: u64 = 25 * 1024 * 1024;
/// How long links are not tried again after they could not be used.
const BLOCKED_FOR: Duration = Duration::from_mins(10);

/// The disposition of a statement. `asked` is what its caller wants, `None` to have it decided.
pub(super) fn of(
    statement: &str,
    asked: Option<Disposition>,
    row_limit: Option<u64>,
    byte_limit: Option<u64>,
    sql: &Sql,
    links: &Links,
) -> Disposition {
    let set = match sql.disposition {
        ResultDisposition::ExternalLinks => Some(Disposition::ExternalLinks),
        ResultDisposition::Inline => Some(Disposition::Inline),
        ResultDisposition::Auto => None,
    };
    asked.or(set).unwrap_or_else(|| {
        let few = least(row_limit, sql.max_rows).is_some_and(|rows| rows <= FEW);
        let fits = least(byte_limit, sql.max_bytes).is_some_and(|bytes| bytes <= MOST_INLINE);
        // What a write answers is a row of counts.
        let small = few || fits || !is_surely_a_read(statement) || is_surely_small_read(statement);
        if small || links.blocked().is_some() { Disposition::Inline } else { Disposition::ExternalLinks }
    })
}

/// Whether Causeway chose, and may choose again when it was wrong.
pub(super) fn is_ours(asked: Option<Disposition>, sql: &Sql) -> bool {
    asked.is_none() && sql.disposition == ResultDisposition::Auto
}

fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// Whether links to results can be used from here, as far as this process has seen.
#[derive(Debug, Default)]
pub(super) struct Links(Mutex<Option<(Instant, String)>>);

impl Links {
    /// They could not, for this reason.
    pub(super) fn block(&self, why: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now() + BLOCKED_FOR, why.to_owned()));
    }

    /// Why they are not to be used now.
    pub(super) fn blocked(&self) -> Option<String> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().filter(|(until, _)| Instant::now() < *until).map(|(_, why)| why.clone())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::Disposition::{ExternalLinks, Inline};
    use super::*;
    use crate::settings::SqlMode;

    const LARGE: &str = "SELECT * FROM t";

    fn sql(disposition: ResultDisposition) -> Sql {
        Sql {
            mode: SqlMode::ReadWrite,
            disposition,
            max_rows: None,
            max_bytes: None,
            concurrency: 1,
            streams: 1,
            result_budget: 1,
        }
    }

    #[rstest]
    #[case::any_read(LARGE, None, None, ExternalLinks)]
    #[case::a_small_read("SELECT 1", None, None, Inline)]
    #[case::a_write("INSERT INTO t SELECT * FROM u", None, None, Inline)]
    #[case::few_rows(LARGE, Some(1_000), None, Inline)]
    #[case::more_rows(LARGE, Some(1_001), None, ExternalLinks)]
    #[case::few_bytes(LARGE, None, Some(25 << 20), Inline)]
    #[case::more_bytes(LARGE, None, Some((25 << 20) + 1), ExternalLinks)]
    fn auto_goes_by_what_is_sure(
        #[case] statement: &str,
        #[case] rows: Option<u64>,
        #[case] bytes: Option<u64>,
        #[case] expected: Disposition,
    ) {
        let links = Links::default();
        assert_eq!(of(statement, None, rows, bytes, &sql(ResultDisposition::Auto), &links), expected);
    }

    #[test]
    fn the_caller_goes_before_the_setting_and_the_setting_before_auto() {
        let links = Links::default();
        for (set, other) in [(ResultDisposition::Inline, ExternalLinks), (ResultDisposition::ExternalLinks, Inline)] {
            assert_eq!(of(LARGE, Some(other), None, None, &sql(set), &links), other);
            assert_ne!(of("SELECT 1", None, None, None, &sql(set), &links), other);
        }
        let ceiling = Sql { max_rows: Some(500), ..sql(ResultDisposition::Auto) };
        assert_eq!(of(LARGE, None, Some(100_000), None, &ceiling, &links), Inline);
    }

    #[tokio::test(start_paused = true)]
    async fn blocked_links_are_tried_again_after_ten_minutes() {
        let links = Links::default();
        let auto = sql(ResultDisposition::Auto);
        links.block("No way to the storage account.");
        assert_eq!(of(LARGE, None, None, None, &auto, &links), Inline);
        assert_eq!(of(LARGE, Some(ExternalLinks), None, None, &auto, &links), ExternalLinks);
        tokio::time::advance(BLOCKED_FOR).await;
        assert_eq!(of(LARGE, None, None, None, &auto, &links), ExternalLinks);
    }
}
