//! A result's chunks, in order and held against the manifest: rows that are missing, repeated or out of order are an
//! error, never a short success. How rows that stand in answers are had is here, how those behind links are is `ahead.rs`.

use bytes::Bytes;

use super::ahead::Ahead;
use super::budget::{Portion, Share};
use super::count::Count;
use super::subject::Subject;
use super::{Budget, Databricks, DatabricksError, ResultChunk, ResultFormat, Statement};
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
    /// Chunks that end before this row are passed over.
    from_row: u64,
    count: Count,
    /// There is a BINARY column, whose form in JSON_ARRAY must be known.
    has_binary: bool,
    /// The warehouse that ran the statement, when this process submitted it.
    warehouse: Option<String>,
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
    /// The chunks of a statement that has succeeded, from the one with this row on: rows are counted without a gap,
    /// which indexes of chunks are not.
    pub fn chunks(&self, statement: &Statement, from_row: u64, budget: &Budget, deadline: Deadline) -> Chunks {
        let listed = statement.chunks.iter().find(|chunk| chunk.holds(from_row));
        let nothing = match statement.total_row_count {
            Some(total) => total == 0,
            None => statement.chunk.is_none() && statement.links.is_empty() && statement.chunks.is_empty(),
        };
        let source = if nothing {
            Source::Over
        } else if statement.format == ResultFormat::ArrowStream || !statement.links.is_empty() {
            Ahead::new(statement, from_row).map_or_else(Source::Broken, Source::Links)
        } else {
            let next = listed.map_or(0, |chunk| chunk.chunk_index);
            let first = statement.chunk.clone().filter(|first| match (first.row_offset, listed) {
                (Some(offset), Some(listed)) => listed.row_offset == Some(offset),
                _ => first.chunk_index == next,
            });
            Source::Inline(Inline { first, next: Some(next), guess: UNTOLD_INLINE })
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
            from_row,
            count: Count::new(statement, listed),
            has_binary,
            warehouse: statement.warehouse_id.clone(),
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
    pub fn is_last(&self) -> bool {
        match &self.source {
            Source::Inline(inline) => inline.next.is_none(),
            Source::Links(ahead) => ahead.is_over(),
            Source::Broken(_) => false,
            Source::Over => true,
        }
    }

    /// Rows of the whole result, when the manifest tells.
    pub fn total(&self) -> Option<u64> {
        self.count.total
    }

    /// For who surely wants no row from this one on: nothing behind it is read ahead.
    #[must_use]
    pub fn up_to(mut self, row: u64) -> Self {
        // Without a total only what is left tells whether there is more.
        if let (Source::Links(ahead), Some(_)) = (&mut self.source, self.count.total) {
            ahead.stop_at(row);
        }
        self
    }

    async fn advance(&mut self) -> Result<Option<Chunk>, DatabricksError> {
        // Before the chunk is taken: whoever gives up this wait in the middle must not lose it.
        let binary = self.binary_form().await?;
        let (arrived, row_offset) = loop {
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
            if row_offset.saturating_add(arrived.row_count) > self.from_row {
                break (arrived, row_offset);
            }
        };
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
        if self.has_binary && self.format == ResultFormat::JsonArray && !matches!(self.source, Source::Over) {
            return self.access.databricks.binary_form(self.warehouse.as_deref(), self.access.deadline).await;
        }
        Ok(BinaryForm::default())
    }
}

impl Inline {
    async fn next(&mut self, access: &Access) -> Result<Option<Arrived>, DatabricksError> {
        let Some(index) = self.next else { return Ok(None) };
        let known = self.first.as_ref().map(|first| first.text.len() as u64);
        let mut share = access.share(known.unwrap_or(self.guess)).await?;
        let chunk = if let Some(first) = self.first.take() {
            first
        } else {
            access.in_time()?;
            access.databricks.chunk(&access.statement_id, index, access.deadline).await?
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

fn unreadable(format: &str) -> Failure {
    Failure::new(
        Code::UpstreamReplyInvalid,
        format!("The result has the format {format}, which is not read here. Ask for JSON_ARRAY or ARROW_STREAM."),
    )
}
