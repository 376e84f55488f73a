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

/// Where a page begins: a chunk, and rows of it that have been returned.
type Place = (u64, usize);

/// Rows written as a JSON array, and where to go on.
struct Page {
    rows: Vec<u8>,
    returned: u64,
    next: Option<Place>,
}

impl Requests {
    /// What a statement that has succeeded answers: its first page, or the whole as a stream.
    pub(super) async fn result(&self, call: &Call, statement: &Statement, values: Values) -> Result<Answer, Failure> {
        match values.streamed() {
            Some(output) => self.stream(call, statement, output).await,
            None => self.page(call, statement, (0, 0), values).await,
        }
    }

    /// The page of a `nextLink`.
    pub(super) async fn rows_page(
        &self,
        call: &Call,
        id: &str,
        chunk: u64,
        skip: usize,
        values: Values,
    ) -> Result<Answer, Failure> {
        let statement = self.0.neighbours.databricks.statement(id, call.deadline).await?;
        if statement.outcome()?.is_none() {
            return Err(Failure::new(Code::ResultExpired, "The statement's result is not there any more."));
        }
        self.page(call, &statement, (chunk, skip), values).await
    }

    async fn page(&self, call: &Call, statement: &Statement, from: Place, values: Values) -> Result<Answer, Failure> {
        let columns = statement.typed_columns(values.options());
        let page = self.collect(call, statement, &columns, from, values).await?;
        let id = &statement.statement_id;
        let next_link = match page.next {
            Some((chunk, skip)) => {
                let target = Target::Rows { id: id.clone(), chunk, skip, q: values };
                let token = self.signer(call.deadline).await?.sign(&target)?;
                Some(self.url(call, &format!("/api/status/{token}")))
            }
            None => None,
        };
        let mut head = json!({
            "statementId": id,
            "state": state_name(statement),
            "columns": columns,
            "rowCount": statement.total_row_count.unwrap_or(page.returned),
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
        (first, skip): Place,
        values: Values,
    ) -> Result<Page, Failure> {
        let output = Output { format: Format::Json, shape: values.shape(), values: values.options() };
        let most = values.page_rows() as u64;
        let mut writer = RowWriter::new(columns, output)?;
        let mut page = Page { rows: Vec::new(), returned: 0, next: None };
        writer.begin(&mut page.rows)?;
        let mut chunks = self.0.neighbours.databricks.chunks(statement, first, &self.0.budget, call.deadline);
        let total = statement.total_row_count.unwrap_or(0);
        let (mut skip, mut behind) = (skip as u64, 0);
        while let Some(chunk) = chunks.next().await? {
            let mut rows = ChunkRows::new(chunk.data)?.at_row(chunk.row_offset);
            rows.skip(skip)?;
            let left = chunk.row_count.saturating_sub(skip);
            let room = Piece {
                bytes: MAX_BYTES.saturating_sub(page.rows.len()).max(1),
                // A chunk of Arrow may hold more rows than it says, which do not belong to the result.
                rows: left.min(most - writer.rows()),
            };
            let written = writer.write(&mut page.rows, &mut rows, room)?;
            let taken = skip + written;
            behind = chunk.row_offset.saturating_add(chunk.row_count);
            let full = writer.rows() >= most || page.rows.len() >= MAX_BYTES;
            if written < left && !full {
                return Err(cut_chunk(left - written));
            }
            page.next = match taken {
                _ if taken < chunk.row_count => Some((chunk.chunk_index, to_usize(taken))),
                _ if full && behind < total => Some((chunk.chunk_index + 1, 0)),
                _ => None,
            };
            if page.next.is_some() || full {
                break;
            }
            skip = 0;
        }
        writer.end(&mut page.rows)?;
        page.returned = writer.rows();
        if page.next.is_none() && behind != total {
            return Err(incomplete(total, behind));
        }
        Ok(page)
    }
}

fn to_usize(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

/// What was read to the end must be all that there is.
pub(super) fn incomplete(total: u64, came: u64) -> Failure {
    Failure::new(
        Code::ResultIncomplete,
        format!("Databricks did not deliver the whole result: it has {total} rows and {came} came. Try again."),
    )
}
