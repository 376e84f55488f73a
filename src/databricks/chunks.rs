//! A result's chunks, in order, each fetched once and held against what the manifest says.

use tokio::sync::OwnedSemaphorePermit;

use super::{Budget, Databricks, DatabricksError, ResultChunk, Statement};
use crate::http::Deadline;
use crate::rows::ChunkData;

/// One chunk of a result.
#[derive(Debug)]
pub struct Chunk {
    pub chunk_index: u64,
    /// Number of its first row in the whole result.
    pub row_offset: u64,
    pub row_count: u64,
    pub data: ChunkData,
    /// Its share of the budget, given back when the chunk is dropped.
    pub(super) _share: Option<OwnedSemaphorePermit>,
}

/// The chunks that are left.
#[derive(Debug)]
pub struct Chunks {
    databricks: Databricks,
    statement_id: String,
    budget: Budget,
    deadline: Deadline,
    first: Option<ResultChunk>,
    next: Option<u64>,
}

impl Databricks {
    /// The chunks of a statement that has succeeded, from the one with this index on.
    pub fn chunks(&self, statement: &Statement, from: u64, budget: &Budget, deadline: Deadline) -> Chunks {
        let first = statement.chunk.clone().filter(|chunk| chunk.chunk_index == from);
        let none = statement.total_row_count.unwrap_or(0) == 0;
        Chunks {
            databricks: self.clone(),
            statement_id: statement.statement_id.clone(),
            budget: budget.clone(),
            deadline,
            first,
            next: (!none).then_some(from),
        }
    }
}

impl Chunks {
    /// The next chunk; `None` after the last, once every row of the manifest has come.
    pub async fn next(&mut self) -> Result<Option<Chunk>, DatabricksError> {
        let Some(index) = self.next.take() else { return Ok(None) };
        let chunk = match self.first.take() {
            Some(first) => first,
            None => self.databricks.chunk(&self.statement_id, index, self.deadline).await?,
        };
        self.next = chunk.next_chunk_index;
        let text = serde_json::to_vec(&chunk.rows).unwrap_or_default();
        let share = self.budget.take(text.len() as u64).await;
        Ok(Some(Chunk {
            chunk_index: chunk.chunk_index,
            row_offset: chunk.row_offset,
            row_count: chunk.rows.len() as u64,
            data: ChunkData::json_array(text.into()),
            _share: share,
        }))
    }
}
