//! A result's chunks, in order and held against the manifest: rows that are missing, repeated or out of order are an
//! error, never a short success. How rows that stand in answers are had is here, how those behind links are is `ahead.rs`.

use bytes::Bytes;

use super::ahead::Ahead;
use super::budget::{Portion, Share};
use super::error::Subject;
use super::{Budget, ChunkInfo, Databricks, DatabricksError, ResultChunk, ResultFormat, Statement};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::rows::{BinaryForm, ChunkData};

/// What an inline chunk is taken to hold until the first one has told (recorded: some MB).
const UNTOLD_INLINE: u64 = 4 * 1024 * 1024;

/// One chunk of a result.
#[derive(Debug)]
pub struct Chunk {
    pub chunk_index: u64,
    /// Number of its first row in the whole result.
    pub row_offset: u64,
    /// As told; of JSON_ARRAY they have been counted, of Arrow whoever reads it counts. A server may deliver more.
    pub row_count: u64,
    pub data: ChunkData,
    /// Its share of the budget, given back when the chunk is dropped.
    pub(super) _share: Share,
}

/// The chunks that are left. Dropped, it stops everything that is being fetched.
#[derive(Debug)]
pub struct Chunks {
    access: Access,
    source: Source,
    count: Count,
    /// The warehouse that ran the statement, when there is a BINARY column whose form in JSON_ARRAY must be known.
    binary: Option<Option<String>>,
    format: ResultFormat,
}

/// What every fetch of one result needs.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) databricks: Databricks,
    pub(super) statement_id: String,
    pub(super) deadline: Deadline,
    pub(super) budget: Budget,
    pub(super) portion: Portion,
}

#[derive(Debug)]
enum Source {
    Inline(Inline),
    Links(Ahead),
    /// What is wrong with the manifest; told to whoever asks first.
    Broken(DatabricksError),
    Over,
}

/// Rows that stand in the answers.
#[derive(Debug)]
struct Inline {
    first: Option<ResultChunk>,
    next: Option<u64>,
    /// Bytes of the chunk before: the next is likely as large.
    guess: u64,
}

/// A chunk that has come, not yet held against the others.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) chunk_index: u64,
    pub(super) row_offset: Option<u64>,
    pub(super) row_count: u64,
    pub(super) body: Bytes,
    pub(super) share: Share,
}

impl Databricks {
    /// The chunks of a statement that has succeeded, from the one with this index on.
    pub fn chunks(&self, statement: &Statement, from: u64, budget: &Budget, deadline: Deadline) -> Chunks {
        let nothing = match statement.total_row_count {
            Some(total) => total == 0,
            None => statement.chunk.is_none() && statement.links.is_empty() && statement.chunks.is_empty(),
        };
        let source = if nothing {
            Source::Over
        } else if statement.format == ResultFormat::ArrowStream || !statement.links.is_empty() {
            Ahead::new(statement, from).map_or_else(Source::Broken, Source::Links)
        } else {
            let first = statement.chunk.clone().filter(|chunk| chunk.chunk_index == from);
            Source::Inline(Inline { first, next: Some(from), guess: UNTOLD_INLINE })
        };
        let has_binary = statement.columns.iter().any(|column| column.type_name == "BINARY");
        Chunks {
            access: Access {
                databricks: self.clone(),
                statement_id: statement.statement_id.clone(),
                deadline,
                budget: budget.clone(),
                portion: budget.portion(),
            },
            source,
            count: Count::new(statement, from),
            binary: has_binary.then(|| statement.warehouse_id.clone()),
            format: statement.format.clone(),
        }
    }
}

impl Chunks {
    /// The next chunk; `None` after the last, once every row of the manifest has come; nothing more after an error.
    ///
    /// Drop the chunk before, or at least don't wait for this one to be rid of it: both count against the budget.
    pub async fn next(&mut self) -> Result<Option<Chunk>, DatabricksError> {
        let next = self.advance().await;
        if !matches!(next, Ok(Some(_))) {
            self.source = Source::Over;
        }
        next
    }

    /// Whether no chunk is left, as far as is known.
    pub(super) fn is_last(&self) -> bool {
        match &self.source {
            Source::Inline(inline) => inline.next.is_none(),
            Source::Links(ahead) => ahead.is_over(),
            Source::Broken(_) => false,
            Source::Over => true,
        }
    }

    async fn advance(&mut self) -> Result<Option<Chunk>, DatabricksError> {
        // Before the chunk is taken: whoever gives up this wait in the middle must not lose it.
        let binary = self.binary_form().await?;
        let arrived = match &mut self.source {
            Source::Over => return Ok(None),
            Source::Inline(inline) => inline.next(&self.access).await?,
            Source::Links(ahead) => ahead.next(&self.access).await?,
            Source::Broken(_) => {
                return match std::mem::replace(&mut self.source, Source::Over) {
                    Source::Broken(error) => Err(error),
                    _ => Ok(None),
                };
            }
        };
        let Some(arrived) = arrived else {
            self.count.finish()?;
            return Ok(None);
        };
        let row_offset = self.count.take(arrived.chunk_index, arrived.row_offset, arrived.row_count)?;
        let data = match self.format {
            ResultFormat::JsonArray => ChunkData::JsonArray { text: arrived.body, binary },
            ResultFormat::ArrowStream => ChunkData::ArrowStream(arrived.body),
            ResultFormat::Other(ref format) => return Err(unreadable(format).into()),
        };
        Ok(Some(Chunk {
            chunk_index: arrived.chunk_index,
            row_offset,
            row_count: arrived.row_count,
            data,
            _share: arrived.share,
        }))
    }

    async fn binary_form(&self) -> Result<BinaryForm, Failure> {
        match &self.binary {
            Some(warehouse) if self.format == ResultFormat::JsonArray && !matches!(self.source, Source::Over) => {
                self.access.databricks.binary_form(warehouse.as_deref(), self.access.deadline).await
            }
            _ => Ok(BinaryForm::default()),
        }
    }
}

impl Inline {
    async fn next(&mut self, access: &Access) -> Result<Option<Arrived>, DatabricksError> {
        let Some(index) = self.next else { return Ok(None) };
        let known = self.first.as_ref().map(|first| first.text.len() as u64);
        let mut share = access.share(known.unwrap_or(self.guess)).await?;
        let chunk = match self.first.take() {
            Some(first) => first,
            None => {
                access.in_time()?;
                access.databricks.chunk(&access.statement_id, index, access.deadline).await?
            }
        };
        self.guess = chunk.text.len() as u64;
        share.fit(&access.budget, self.guess);
        self.next = chunk.next_chunk_index;
        let row_count = chunk.counted(&access.statement_id)?;
        if row_count == 0 && chunk.chunk_index == 0 && self.next.is_none() {
            return Ok(None);
        }
        let ResultChunk { chunk_index, row_offset, text, .. } = chunk;
        Ok(Some(Arrived { chunk_index, row_offset, row_count, body: text, share }))
    }
}

impl Access {
    /// Whether there is time to ask for more.
    pub(super) fn in_time(&self) -> Result<(), Failure> {
        if self.deadline.has_passed() { Err(self.too_late("every row of it had come")) } else { Ok(()) }
    }

    fn too_late(&self, what: &str) -> Failure {
        let subject = Subject::Statement(self.statement_id.clone());
        Failure::new(Code::DeadlineExceeded, format!("The time of the call was over for {subject} before {what}."))
    }

    /// Waits for its turn, as long as the call may.
    pub(super) async fn share(&self, bytes: u64) -> Result<Share, DatabricksError> {
        let share = tokio::time::timeout_at(self.deadline.instant(), self.portion.take(bytes)).await;
        share.ok().flatten().ok_or_else(|| self.too_late("there was memory for its rows beside other results").into())
    }
}

/// The rows that have come, held against the manifest.
#[derive(Debug)]
pub(super) struct Count {
    statement_id: String,
    /// Number of the row that is due; unknown when the reading begins in the middle and the manifest lists no chunks.
    due: Option<u64>,
    total: Option<u64>,
}

impl Count {
    fn new(statement: &Statement, from: u64) -> Self {
        let listed = statement.chunks.iter().find(|chunk| chunk.chunk_index == from);
        let due = if from == 0 { Some(0) } else { listed.and_then(|chunk| chunk.row_offset) };
        // What a total means after Databricks has cut the result is documented nowhere; its list of chunks is plain.
        let total = if statement.truncated { listed_rows(&statement.chunks) } else { statement.total_row_count };
        Self::of(&statement.statement_id, due, total)
    }

    pub(super) fn of(statement_id: &str, due: Option<u64>, total: Option<u64>) -> Self {
        Self { statement_id: statement_id.to_owned(), due, total }
    }

    /// Takes a chunk in; the number of its first row. That indexes are neither unique nor without gaps has been seen
    /// (arrowbricks, AGENTS.md), so rows are counted, not chunks.
    pub(super) fn take(&mut self, index: u64, offset: Option<u64>, rows: u64) -> Result<u64, DatabricksError> {
        let offset = offset.or(self.due).ok_or_else(|| self.incomplete(format!("chunk {index} has no row_offset")))?;
        if self.due.is_some_and(|due| due != offset) {
            let due = self.due.unwrap_or_default();
            return Err(self.incomplete(format!("chunk {index} begins at row {offset} where {due} is due")));
        }
        if rows == 0 {
            return Err(self.incomplete(format!("chunk {index} has no rows")));
        }
        let due = offset.saturating_add(rows);
        if let Some(total) = self.total.filter(|total| due > *total) {
            return Err(self.incomplete(format!("{due} rows came and there are {total}")));
        }
        self.due = Some(due);
        Ok(offset)
    }

    pub(super) fn finish(&self) -> Result<(), DatabricksError> {
        let came = self.due.unwrap_or(0);
        match self.total {
            Some(total) if total != came => Err(self.incomplete(format!("{came} rows came and there are {total}"))),
            _ => Ok(()),
        }
    }

    fn incomplete(&self, what: String) -> DatabricksError {
        DatabricksError::Incomplete { statement_id: self.statement_id.clone(), what }
    }
}

/// Rows of all chunks that the manifest lists, when it lists them.
fn listed_rows(chunks: &[ChunkInfo]) -> Option<u64> {
    if chunks.is_empty() { None } else { chunks.iter().map(|chunk| chunk.row_count).sum() }
}

fn unreadable(format: &str) -> Failure {
    Failure::new(
        Code::UpstreamReplyInvalid,
        format!("The result has the format {format}, which is not read here. Ask for JSON_ARRAY or ARROW_STREAM."),
    )
}
