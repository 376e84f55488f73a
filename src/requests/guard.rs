//! What callers of the function `sql` may run, and how many of them at once. A guard-rail; the boundary is what our
//! principal is granted in Unity Catalog.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::databricks::{Reading, is_a_script, reading};
use crate::failure::{Code, Failure};
use crate::settings::{Sql, SqlMode};

/// When a call for which there is no place may come again.
const COME_AGAIN: Duration = Duration::from_secs(2);

/// Places for calls that run statements. Nobody queues: a waiting call would only run out of time here.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Semaphore>);

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))))
    }

    /// A place until it is dropped. To be had before anything is claimed or sent.
    pub(super) fn take(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            Failure::new(
                Code::TooManyCalls,
                "As many SQL calls as CAUSEWAY_SQL_CONCURRENCY allows are under way. Nothing was sent; call again.",
            )
            .retry_after(COME_AGAIN)
        })
    }
}

/// Refuses every statement when `CAUSEWAY_SQL_MODE` is `off`.
pub(super) fn open(sql: &Sql) -> Result<(), Failure> {
    if sql.mode == SqlMode::Off {
        return Err(Failure::new(
            Code::StatementNotAllowed,
            "Statements are switched off here (CAUSEWAY_SQL_MODE=off). Declared operations still run theirs.",
        ));
    }
    Ok(())
}

/// Refuses what `CAUSEWAY_SQL_MODE` does not allow.
pub(super) fn allowed(statement: &str, sql: &Sql) -> Result<(), Failure> {
    open(sql)?;
    #[allow(clippy::match_same_arms)] // read from top to bottom
    let refused = match (reading(statement), sql.mode) {
        (Reading::Read, _) => None,
        (Reading::Empty, _) => {
            return Err(Failure::new(Code::BodyInvalid, "`statement` holds nothing but comments.").at("statement"));
        }
        (Reading::Several, SqlMode::ReadWrite) if is_a_script(statement) => None,
        (Reading::Several, _) => {
            Some("One call runs one statement. Send each statement in a call of its own.".to_owned())
        }
        (_, SqlMode::ReadWrite) => None,
        (Reading::Writes(word), _) => Some(written(&word)),
        (Reading::ReachesOut(name), _) => {
            Some(format!("{name} acts outside of the query, which only reads may not. {}", how()))
        }
        (Reading::Unreadable(place), _) => Some(format!(
            "The statement has {} at line {}, column {}, so that it cannot be told from a write. Write it otherwise. {}",
            place.what,
            place.line,
            place.column,
            how()
        )),
        (Reading::Unbalanced, _) => {
            Some(format!("The statement's parentheses do not match, so that it cannot be told from a write. {}", how()))
        }
    };
    match refused {
        Some(detail) => Err(Failure::new(Code::StatementNotAllowed, detail).at("statement")),
        None => Ok(()),
    }
}

/// Why this word is refused, and what to do instead.
fn written(word: &str) -> String {
    let instead = match word {
        "USE" => "Send `catalog` and `schema` with the statement instead.",
        "SET" | "RESET" | "DECLARE" => {
            "Every call stands alone, so nothing could be set for a later one; send `parameters` instead."
        }
        "CALL" | "EXECUTE" | "BEGIN" => "What it runs cannot be seen from here.",
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "INTO" | "OVERWRITE" | "CREATE" | "DROP" | "ALTER" | "TRUNCATE" => {
            "If it is a name, put it in backticks."
        }
        _ => "Reads begin with SELECT, WITH, VALUES, TABLE, FROM, SHOW, DESCRIBE or EXPLAIN.",
    };
    format!("Only reads are allowed here, and {word} is none. {instead} {}", how())
}

fn how() -> &'static str {
    "Writes belong into a declared operation, or CAUSEWAY_SQL_MODE must be read_write."
}

/// Refuses every write unless `CAUSEWAY_SQL_MODE` allows them.
pub(super) fn writes_allowed(sql: &Sql) -> Result<(), Failure> {
    let is = match sql.mode {
        SqlMode::ReadWrite => return Ok(()),
        SqlMode::ReadOnly => "read_only",
        SqlMode::Off => "off",
    };
    let detail = format!("CAUSEWAY_SQL_MODE is {is}: callers of `sql` may not write rows.");
    Err(Failure::new(Code::StatementNotAllowed, detail))
}

#[cfg(test)]
mod tests;
