//! Pages of rows: at most 10,000 rows or 8 MiB, then `nextLink`, which a follower can use without a key.

use serde_json::{Value, json};

use super::statements::state_name;
use super::stream::cut_chunk;
use super::token::Target;
use super::values::Values;
use super::{Answer, Call, Requests};
use crate::databricks::Statement;
use crate::failure::{Code, Failure};
use crate::rows::{ChunkRows, Column, Format, Output, Piece, RowWriter};

const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Rows written as a JSON array, and the row to go on with.
struct Page {
    rows: Vec<u8>,
    returned: u64,
    next: Option<u64>,
    /// Rows of the whole result, when they are known.
    total: Option<u64>,
}

impl Requests {
    /// What a statement that has succeeded answers: its first page, or the whole as a stream.
    pub(super) async fn result(&self, call: &Call, statement: &Statement, values: Values) -> Result<Answer, Failure> {
        self.result_from(call, statement, values, 0).await
    }

    /// The same, a page from that row on.
    pub(super) async fn result_from(
        &self,
        call: &Call,
        statement: &Statement,
        values: Values,
        row: u64,
    ) -> Result<Answer, Failure> {
        let answer = match values.streamed() {
            Some(output) => self.stream(call, statement, output).await,
            None => self.page(call, statement, row, values).await,
        };
        answer.inspect_err(|failure| self.learn(failure))
    }

    /// Statements that are sent from now on do without links.
    fn learn(&self, failure: &Failure) {
        if failure.code == Code::StorageBlocked {
            self.0.links.block(&failure.detail);
        }
    }

    /// The page of a `nextLink`.
    pub(super) async fn rows_page(&self, call: &Call, id: &str, row: u64, values: Values) -> Result<Answer, Failure> {
        let statement = self.0.neighbours.databricks.statement(id, call.deadline).await?;
        if statement.outcome()?.is_none() {
            return Err(Failure::new(Code::ResultExpired, "The statement's result is not there any more."));
        }
        self.page(call, &statement, row, values).await.inspect_err(|failure| self.learn(failure))
    }

    async fn page(&self, call: &Call, statement: &Statement, from: u64, values: Values) -> Result<Answer, Failure> {
        let columns = statement.typed_columns(values.options());
        let page = self.collect(call, statement, &columns, from, values).await?;
        let id = &statement.statement_id;
        let next_link = match page.next {
            Some(row) if self.is_acting() => Some(self.url(call, &values.path_of_rows(id, row))),
            Some(row) => {
                let target = Target::Rows { id: id.clone(), row, q: values };
                let token = self.signer(call.deadline).await?.sign(&target)?;
                Some(self.url(call, &format!("/api/status/{token}")))
            }
            None => None,
        };
        let mut head = json!({
            "statementId": id,
            "state": state_name(statement),
            "columns": columns,
            "rowCount": page.total.unwrap_or(page.returned),
            "returnedRows": page.returned,
            "truncated": statement.truncated,
        });
        if let Some(link) = next_link {
            head["nextLink"] = Value::String(link);
        }
        // The rows are text already: they are put in where the head's closing brace stands.
        let mut body = head.to_string().into_bytes();
        body.pop();
        body.extend_from_slice(format!(",\"{}\":", values.rows_name()).as_bytes());
        body.extend_from_slice(&page.rows);
        body.push(b'}');
        Ok(Answer::done(body))
    }

    async fn collect(
        &self,
        call: &Call,
        statement: &Statement,
        columns: &[Column],
        from: u64,
        values: Values,
    ) -> Result<Page, Failure> {
        let output = Output { format: Format::Json, shape: values.shape(), values: values.options() };
        let most = values.page_rows() as u64;
        let mut writer = RowWriter::new(columns, output)?;
        let mut page = Page { rows: Vec::new(), returned: 0, next: None, total: None };
        writer.begin(&mut page.rows)?;
        let chunks = self.0.neighbours.databricks.chunks(statement, from, &self.0.budget, call.deadline);
        page.total = chunks.total();
        let mut chunks = chunks.up_to(from.saturating_add(most));
        // The row that is due.
        let mut next = from;
        while let Some(chunk) = chunks.next().await? {
            let skip = next.saturating_sub(chunk.row_offset);
            let mut rows = ChunkRows::new(chunk.data)?.at_row(chunk.row_offset);
            rows.skip(skip)?;
            let left = chunk.row_count.saturating_sub(skip);
            let room = Piece {
                bytes: MAX_BYTES.saturating_sub(page.rows.len()).max(1),
                // A chunk of Arrow may hold more rows than it says, which do not belong to the result.
                rows: left.min(most - writer.rows()),
            };
            let written = writer.write(&mut page.rows, &mut rows, room)?;
            next += written;
            let full = writer.rows() >= most || page.rows.len() >= MAX_BYTES;
            if written < left && !full {
                return Err(cut_chunk(left - written));
            }
            if full {
                let more = written < left || page.total.map_or(!chunks.is_last(), |total| next < total);
                page.next = more.then_some(next);
                break;
            }
        }
        writer.end(&mut page.rows)?;
        page.returned = writer.rows();
        match page.total {
            Some(total) if page.next.is_none() && next != total => Err(incomplete(total, next)),
            _ => Ok(page),
        }
    }
}

/// What was read to the end must be all that there is.
pub(super) fn incomplete(total: u64, came: u64) -> Failure {
    Failure::new(
        Code::ResultIncomplete,
        format!("Databricks did not deliver the whole result: it has {total} rows and {came} came. Try again."),
    )
}
