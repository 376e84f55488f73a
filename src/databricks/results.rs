//! What a statement's end means, and few rows gathered from its chunks.

use super::cells::cells;
use super::conflict::is_conflict;
use super::hints::Hint;
use super::statement::{Row, Statement, StatementFailure, StatementState};
use super::{Budget, Chunks, Databricks, DatabricksError};
use crate::failure::{Code, Failure, Upstream};
use crate::http::Deadline;
use crate::rows::{Column, ValueOptions, unique_names};

/// What Databricks says when an INLINE result has more than 25 MiB.
const TOO_LARGE: &str = "Inline byte limit exceeded";

/// Error codes of a service that is down for a while (Databricks SDK, ServiceErrorCode).
const OUT_OF_SERVICE: [&str; 3] =
    ["TEMPORARILY_UNAVAILABLE", "WORKSPACE_TEMPORARILY_UNAVAILABLE", "SERVICE_UNDER_MAINTENANCE"];

impl Statement {
    /// A count that a write tells of itself, such as `num_affected_rows` (Delta: INSERT, UPDATE, DELETE and MERGE answer
    /// one row of them).
    pub fn counted(&self, name: &str) -> Option<u64> {
        let index = self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))?;
        let rows = self.chunk.as_ref()?.rows().ok()?;
        rows.first()?.get(index)?.as_deref()?.parse().ok()
    }

    /// Nothing more will happen to it. A state that is not known is taken for one on the way.
    pub fn has_ended(&self) -> bool {
        use StatementState::{Canceled, Closed, Failed, Succeeded};
        matches!(self.state, Succeeded | Failed | Canceled | Closed)
    }

    /// Success, also when `CLOSED` came with its result; a failure with SQLSTATE and error class; or not ended yet.
    pub fn outcome(&self) -> Result<Option<()>, Failure> {
        match self.state {
            StatementState::Succeeded => Ok(Some(())),
            StatementState::Closed if self.has_result => Ok(Some(())),
            StatementState::Closed => Err(Self::ended(
                Code::ResultExpired,
                format!(
                    "Statement {} has run and its result is gone. To have the rows of a read, run it again; a write has \
                     been done.",
                    self.statement_id
                ),
            )),
            StatementState::Canceled => {
                Err(Self::ended(Code::StatementCanceled, format!("Statement {} was canceled.", self.statement_id)))
            }
            StatementState::Failed => Err(self.failed()),
            StatementState::Pending | StatementState::Running | StatementState::Other(_) => Ok(None),
        }
    }

    /// The columns with their conversions, and names of which no two are the same.
    pub fn typed_columns(&self, options: ValueOptions) -> Vec<Column> {
        let names = unique_names(self.columns.iter().map(|column| column.name.as_str()));
        names
            .into_iter()
            .zip(&self.columns)
            .map(|(name, column)| {
                let (type_name, type_text) = (column.type_name.as_str(), column.type_text.as_str());
                Column::new(name, type_name, type_text, column.precision, column.scale, options)
            })
            .collect()
    }

    fn ended(code: Code, detail: String) -> Failure {
        Failure::new(code, detail)
    }

    fn failed(&self) -> Failure {
        let unknown = StatementFailure {
            error_code: "UNKNOWN".to_owned(),
            message: String::new(),
            sql_state: None,
            error_class: None,
        };
        let why = self.failure.as_ref().unwrap_or(&unknown);
        let hint = Hint::of(why);
        let mut failure = if why.message.contains(TOO_LARGE) {
            Self::ended(
                Code::ResultTooLarge,
                "The result has more than 25 MiB, which is the most that Databricks gives back in one answer. Ask for \
                 fewer rows or columns, or set a row limit."
                    .to_owned(),
            )
        } else if is_conflict(why) {
            Self::ended(
                Code::WriteConflict,
                format!(
                    "Another write to the same table came first, so this one was not committed and nothing of it was \
                     written (of a script, what stands before it was). Run it again with a new Idempotency-Key. {}",
                    first_line(&why.message)
                ),
            )
        } else if OUT_OF_SERVICE.contains(&why.error_code.as_str()) {
            Self::ended(
                Code::WarehouseUnavailable,
                format!("The warehouse could not run the statement now; try again later. {}", first_line(&why.message)),
            )
        } else {
            let said = format!("The statement failed: {}", hint.placed_in(&first_line(&why.message)));
            let mut failure = Self::ended(Code::StatementFailed, hint.added_to(&said));
            failure.place = hint.place;
            failure
        };
        failure.sql_state.clone_from(&why.sql_state);
        failure.error_class.clone_from(&why.error_class);
        let cause = format!("statement {}: {}", self.statement_id, why.message);
        failure.caused_by(cause).from_upstream(Upstream {
            service: "databricks".to_owned(),
            status: None,
            code: Some(why.error_code.clone()),
            request_id: None,
        })
    }
}

/// The first line that says something, with what it announces, and without the SQLSTATE, which stands in a member of its
/// own. (`Insufficient privileges:`, and which they are on the next line.)
fn first_line(message: &str) -> String {
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let Some(first) = lines.next() else {
        return "Databricks gives no reason.".to_owned();
    };
    let announced = lines.next().filter(|_| first.ends_with(':'));
    let line = announced.map_or_else(|| first.to_owned(), |next| format!("{first} {next}"));
    let Some((before, behind)) = line.split_once("SQLSTATE: ") else { return line };
    let state = behind.bytes().take_while(u8::is_ascii_alphanumeric).count();
    format!("{} {}", before.trim_end(), behind[state..].trim_start()).trim_end().to_owned()
}

/// Rows as they are gathered, up to two limits.
struct Gathered {
    rows: Vec<Row>,
    bytes: usize,
    max_rows: usize,
    max_bytes: usize,
}

impl Gathered {
    fn new(max_rows: usize, max_bytes: usize) -> Self {
        Self { rows: Vec::new(), bytes: 0, max_rows, max_bytes }
    }

    /// Takes rows in; false when there was no room for all of them.
    fn take(&mut self, rows: Vec<Row>) -> bool {
        for row in rows {
            let bytes: usize = row.iter().flatten().map(String::len).sum();
            // One row is always given, however long: a page of none would never end.
            let room = self.rows.is_empty() || self.bytes + bytes <= self.max_bytes;
            if self.rows.len() >= self.max_rows || !room {
                return false;
            }
            self.bytes += bytes;
            self.rows.push(row);
        }
        true
    }

    /// Rows that are worth reading: one more than there is room for tells that some are left out.
    fn room(&self) -> usize {
        self.max_rows.saturating_sub(self.rows.len()).saturating_add(1)
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.max_rows || self.bytes >= self.max_bytes
    }
}

impl Databricks {
    /// Every row up to `max_rows` and `max_bytes` of cell text, following chunks; at least one row, however long.
    /// Complete results are held against `total_row_count`; the flag says whether rows were left out by the two limits.
    ///
    /// [`DatabricksError::Incomplete`] when a chunk is missing, repeated, empty or out of order, or rows are.
    pub async fn rows(
        &self,
        statement: &Statement,
        max_rows: usize,
        max_bytes: usize,
        deadline: Deadline,
    ) -> Result<(Vec<Row>, bool), DatabricksError> {
        // The limits bound what is held: these rows stand outside the budget of the streams.
        let chunks = self.chunks(statement, 0, &Budget::new(usize::MAX), deadline);
        gather(chunks, statement, max_rows, max_bytes).await
    }

    /// The same, taking the first chunk out of the statement, so that its rows are not held twice.
    pub async fn take_rows(
        &self,
        statement: &mut Statement,
        max_rows: usize,
        max_bytes: usize,
        deadline: Deadline,
    ) -> Result<(Vec<Row>, bool), DatabricksError> {
        let chunks = self.chunks(statement, 0, &Budget::new(usize::MAX), deadline);
        statement.chunk = None;
        gather(chunks, statement, max_rows, max_bytes).await
    }
}

async fn gather(
    mut chunks: Chunks,
    statement: &Statement,
    max_rows: usize,
    max_bytes: usize,
) -> Result<(Vec<Row>, bool), DatabricksError> {
    let mut gathered = Gathered::new(max_rows, max_bytes);
    while let Some(chunk) = chunks.next().await? {
        let all_in = gathered.take(cells(chunk, &statement.columns, gathered.room())?);
        if !all_in || (gathered.is_full() && !chunks.is_last()) {
            return Ok((gathered.rows, true));
        }
    }
    Ok((gathered.rows, false))
}

#[cfg(test)]
mod tests;
