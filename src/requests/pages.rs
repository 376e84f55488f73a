//! Pages of rows: at most 10,000 rows or 8 MiB, then `nextLink`, which a follower can use without a key.

use serde_json::{Value, json};

use super::statements::state_name;
use super::token::Target;
use super::values::Values;
use super::{Answer, Call, Requests};
use crate::databricks::{ResultChunk, Statement};
use crate::failure::{Code, Failure};
use crate::rows::{Column, Shape, write_rows};

const MAX_ROWS: usize = 10_000;
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Rows written as JSON, and where to go on.
struct Page {
    rows: Vec<u8>,
    returned: usize,
    /// Chunk, and rows of it that have been returned.
    next: Option<(u64, usize)>,
}

impl Requests {
    /// The first page of a statement that has succeeded.
    pub(super) async fn result(&self, call: &Call, statement: &Statement, values: Values) -> Result<Answer, Failure> {
        self.page(call, statement, 0, 0, values).await
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
        self.page(call, &statement, chunk, skip, values).await
    }

    async fn page(
        &self,
        call: &Call,
        statement: &Statement,
        chunk: u64,
        skip: usize,
        values: Values,
    ) -> Result<Answer, Failure> {
        let columns = statement.typed_columns(values.options());
        let page = self.collect(call, statement, &columns, chunk, skip, values).await?;
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
            "rowCount": statement.total_row_count.unwrap_or(page.returned as u64),
            "returnedRows": page.returned,
            "truncated": statement.truncated,
        });
        if let Some(link) = next_link {
            head["nextLink"] = Value::String(link);
        }
        // The rows are text already: they are put in where the head's closing brace stands.
        let mut body = head.to_string().into_bytes();
        body.pop();
        body.extend_from_slice(b",\"rows\":[");
        body.extend_from_slice(&page.rows);
        body.extend_from_slice(b"]}");
        Ok(Answer::done(body))
    }

    async fn collect(
        &self,
        call: &Call,
        statement: &Statement,
        columns: &[Column],
        chunk: u64,
        skip: usize,
        values: Values,
    ) -> Result<Page, Failure> {
        let mut page = Page { rows: Vec::new(), returned: 0, next: None };
        let mut index = Some(chunk);
        let mut skip = skip;
        let mut held = statement.chunk.clone();
        let mut offset = None;
        while let Some(wanted) = index {
            let current = match held.take().filter(|held| held.chunk_index == wanted) {
                Some(first) => first,
                None if statement.total_row_count == Some(0) => break,
                None => self.0.neighbours.databricks.chunk(&statement.statement_id, wanted, call.deadline).await?,
            };
            in_order(&current, wanted, offset)?;
            let rows = current.rows()?;
            offset = Some(current.row_offset.unwrap_or_default() + rows.len() as u64);
            let rest = rows.get(skip..).unwrap_or_default();
            let taken = take(&mut page, columns, rest, values)?;
            if taken < rest.len() {
                page.next = Some((wanted, skip + taken));
                return Ok(page);
            }
            skip = 0;
            index = current.next_chunk_index;
            if let Some(next) = index.filter(|_| page.returned >= MAX_ROWS || page.rows.len() >= MAX_BYTES) {
                page.next = Some((next, 0));
                return Ok(page);
            }
        }
        complete(statement, offset.unwrap_or(0))?;
        Ok(page)
    }
}

/// Writes rows until the page is full; how many.
fn take(page: &mut Page, columns: &[Column], rows: &[Vec<Option<String>>], values: Values) -> Result<usize, Failure> {
    let mut taken = 0;
    for batch in rows.chunks(256) {
        let batch = &batch[..batch.len().min(MAX_ROWS - page.returned)];
        if batch.is_empty() || page.rows.len() >= MAX_BYTES {
            break;
        }
        if !page.rows.is_empty() {
            page.rows.push(b',');
        }
        write_rows(&mut page.rows, columns, batch, Shape::Objects, values.options())?;
        page.returned += batch.len();
        taken += batch.len();
    }
    Ok(taken)
}

/// A chunk that is missing, repeated or out of order must not pass for a result.
fn in_order(chunk: &ResultChunk, wanted: u64, offset: Option<u64>) -> Result<(), Failure> {
    let right = chunk.chunk_index == wanted && offset.is_none_or(|offset| Some(offset) == chunk.row_offset);
    if right { Ok(()) } else { Err(incomplete("a chunk of it came out of order")) }
}

/// What was read to the end must be all that there is.
fn complete(statement: &Statement, read: u64) -> Result<(), Failure> {
    match statement.total_row_count {
        Some(total) if total != read => Err(incomplete(&format!("it has {total} rows and {read} came"))),
        _ => Ok(()),
    }
}

fn incomplete(why: &str) -> Failure {
    Failure::new(Code::ResultIncomplete, format!("Databricks did not deliver the whole result: {why}. Try again."))
}
