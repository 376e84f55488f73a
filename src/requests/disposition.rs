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
mod tests;
