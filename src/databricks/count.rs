//! The rows of a result, counted as its chunks come and held against the manifest. How chunks come is `chunks.rs`.

use super::{ChunkInfo, DatabricksError, Statement};

/// What has come so far. That indexes of chunks are neither unique nor without gaps has been seen (arrowbricks,
/// AGENTS.md), so rows are counted, not chunks.
#[derive(Debug)]
pub(super) struct Count {
    statement_id: String,
    /// Number of the row that is due.
    due: u64,
    pub(super) total: Option<u64>,
}

impl Count {
    /// Of a reading that begins with this chunk, or with the first one.
    pub(super) fn new(statement: &Statement, first: Option<&ChunkInfo>) -> Self {
        let due = first.and_then(|chunk| chunk.row_offset).unwrap_or(0);
        // What a total means after Databricks has cut the result is documented nowhere; its list of chunks is plain.
        let total = if statement.truncated { listed_rows(&statement.chunks) } else { statement.total_row_count };
        Self::of(&statement.statement_id, due, total)
    }

    pub(super) fn of(statement_id: &str, due: u64, total: Option<u64>) -> Self {
        Self { statement_id: statement_id.to_owned(), due, total }
    }

    /// Takes a chunk in; the number of its first row.
    pub(super) fn take(&mut self, index: u64, offset: Option<u64>, rows: u64) -> Result<u64, DatabricksError> {
        let offset = offset.unwrap_or(self.due);
        if self.due != offset {
            return Err(self.incomplete(format!("chunk {index} begins at row {offset} where {} is due", self.due)));
        }
        if rows == 0 {
            return Err(self.incomplete(format!("chunk {index} has no rows")));
        }
        let due = offset.saturating_add(rows);
        if let Some(total) = self.total.filter(|total| due > *total) {
            return Err(self.incomplete(format!("{due} rows came and there are {total}")));
        }
        self.due = due;
        Ok(offset)
    }

    pub(super) fn finish(&self) -> Result<(), DatabricksError> {
        match self.total {
            Some(total) if total != self.due => {
                Err(self.incomplete(format!("{} rows came and there are {total}", self.due)))
            }
            _ => Ok(()),
        }
    }

    fn incomplete(&self, what: String) -> DatabricksError {
        DatabricksError::Incomplete { statement_id: self.statement_id.clone(), what }
    }
}

/// Rows of all chunks that the manifest lists, when it lists them.
fn listed_rows(chunks: &[ChunkInfo]) -> Option<u64> {
    let mut rows = (!chunks.is_empty()).then_some(0_u64)?;
    for chunk in chunks {
        rows = rows.saturating_add(chunk.row_count?);
    }
    Some(rows)
}
