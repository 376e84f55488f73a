//! What a statement's end means, and its rows gathered from the chunks and counted.

use super::conflict::is_conflict;
use super::error::Subject;
use super::hints::Hint;
use super::statements::{ResultChunk, Row, Statement, StatementFailure, StatementState};
use super::{Databricks, DatabricksError};
use crate::failure::{Code, Failure, Upstream};
use crate::http::Deadline;
use crate::rows::{Column, ValueOptions, unique_names};

/// What Databricks says when an INLINE result has more than 25 MiB.
const TOO_LARGE: &str = "Inline byte limit exceeded";

/// Error codes of a service that is down for a while (Databricks SDK, ServiceErrorCode).
const OUT_OF_SERVICE: [&str; 3] =
    ["TEMPORARILY_UNAVAILABLE", "WORKSPACE_TEMPORARILY_UNAVAILABLE", "SERVICE_UNDER_MAINTENANCE"];

impl Statement {
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
                    "Statement {} has run and its result is gone. Run it again to have the rows.",
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
            let said = format!("The statement failed: {}", first_line(&why.message));
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

/// The first line that says something, without the SQLSTATE, which stands in a member of its own.
fn first_line(message: &str) -> String {
    let Some(line) = message.lines().map(str::trim).find(|line| !line.is_empty()) else {
        return "Databricks gives no reason.".to_owned();
    };
    let Some((before, behind)) = line.split_once("SQLSTATE: ") else { return line.to_owned() };
    let state = behind.bytes().take_while(u8::is_ascii_alphanumeric).count();
    format!("{} {}", before.trim_end(), behind[state..].trim_start()).trim_end().to_owned()
}

/// Rows as they are gathered, held against what the manifest and the chunks say.
struct Gathered<'a> {
    statement: &'a Statement,
    rows: Vec<Row>,
    bytes: usize,
    max_rows: usize,
    max_bytes: usize,
    /// The limits stopped the reading before the last row.
    stopped: bool,
}

impl Gathered<'_> {
    fn incomplete(&self, what: String) -> DatabricksError {
        DatabricksError::Incomplete { statement_id: self.statement.statement_id.clone(), what }
    }

    /// Takes the chunk in; the index of the next one to ask for, when there is one and there is room.
    fn take(&mut self, chunk: ResultChunk, expected: u64) -> Result<Option<u64>, DatabricksError> {
        let ResultChunk { chunk_index, row_offset, rows, next_chunk_index } = chunk;
        let offset = u64::try_from(self.rows.len()).unwrap_or(u64::MAX);
        if chunk_index != expected {
            return Err(self.incomplete(format!("chunk {chunk_index} came where {expected} was due")));
        }
        if row_offset != offset {
            return Err(self.incomplete(format!("chunk {chunk_index} begins at row {row_offset}, not {offset}")));
        }
        if next_chunk_index.is_some_and(|next| next != expected + 1) {
            return Err(self.incomplete(format!("chunk {chunk_index} is not followed by the next")));
        }
        if rows.is_empty() && (chunk_index > 0 || next_chunk_index.is_some()) {
            return Err(self.incomplete(format!("chunk {chunk_index} has no rows")));
        }
        for row in rows {
            let bytes: usize = row.iter().flatten().map(String::len).sum();
            // One row is always given, however long: a page of none would never end.
            let room = self.rows.is_empty() || self.bytes + bytes <= self.max_bytes;
            if self.rows.len() >= self.max_rows || !room {
                self.stopped = true;
                return Ok(None);
            }
            self.bytes += bytes;
            self.rows.push(row);
        }
        if next_chunk_index.is_some() && (self.rows.len() >= self.max_rows || self.bytes >= self.max_bytes) {
            self.stopped = true;
            return Ok(None);
        }
        Ok(next_chunk_index)
    }

    fn finish(self) -> Result<(Vec<Row>, bool), DatabricksError> {
        let count = u64::try_from(self.rows.len()).unwrap_or(u64::MAX);
        match self.statement.total_row_count {
            Some(total) if !self.stopped && !self.statement.truncated && total != count => {
                Err(self.incomplete(format!("{count} rows came and there are {total}")))
            }
            _ => Ok((self.rows, self.stopped)),
        }
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
        self.gather(statement, statement.chunk.clone(), max_rows, max_bytes, deadline).await
    }

    /// The same, taking the first chunk out of the statement, so that its rows are not held twice.
    pub async fn take_rows(
        &self,
        statement: &mut Statement,
        max_rows: usize,
        max_bytes: usize,
        deadline: Deadline,
    ) -> Result<(Vec<Row>, bool), DatabricksError> {
        let first = statement.chunk.take();
        self.gather(statement, first, max_rows, max_bytes, deadline).await
    }

    async fn gather(
        &self,
        statement: &Statement,
        first: Option<ResultChunk>,
        max_rows: usize,
        max_bytes: usize,
        deadline: Deadline,
    ) -> Result<(Vec<Row>, bool), DatabricksError> {
        let mut gathered = Gathered { statement, rows: Vec::new(), bytes: 0, max_rows, max_bytes, stopped: false };
        let mut chunk = match first {
            Some(first) => first,
            None if statement.total_row_count.unwrap_or(0) == 0 => return Ok((Vec::new(), false)),
            None => self.chunk(&statement.statement_id, 0, deadline).await?,
        };
        let mut expected = 0;
        while let Some(next) = gathered.take(chunk, expected)? {
            if deadline.has_passed() {
                return Err(too_late(&statement.statement_id).into());
            }
            chunk = self.chunk(&statement.statement_id, next, deadline).await?;
            expected = next;
        }
        gathered.finish()
    }
}

fn too_late(id: &str) -> Failure {
    Failure::new(
        Code::DeadlineExceeded,
        format!("The time was over before every row of {} had come.", Subject::Statement(id.to_owned())),
    )
}

#[cfg(test)]
mod tests;
