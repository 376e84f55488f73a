//! Rows of push datasets, in batches that the service takes.

use serde_json::{Map, Value};

use super::{PowerBi, PowerBiError};
use crate::http::Deadline;

/// The service takes no more in one request.
pub const MAX_ROWS_PER_BATCH: usize = 10_000;

/// Splits rows into batches of at most 10,000 rows and 15 MiB of JSON each.
pub fn batches(_rows: &[Map<String, Value>]) -> Vec<&[Map<String, Value>]> {
    unimplemented!()
}

impl PowerBi {
    /// One batch.
    pub async fn push_rows(
        &self,
        _workspace: &str,
        _dataset: &str,
        _table: &str,
        _rows: &[Map<String, Value>],
        _deadline: Deadline,
    ) -> Result<(), PowerBiError> {
        unimplemented!()
    }
}
