//! The rows of a `data_array`: counted without being kept, or read as cells for callers that want few of them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserializer;
use serde::de::{IgnoredAny, SeqAccess, Visitor};

use super::{Chunk, ColumnInfo, DatabricksError, ResultChunk, Row};
use crate::failure::{Code, Failure};
use crate::rows::{BinaryForm, ChunkData, ChunkRows};

impl ResultChunk {
    /// Its rows, counted and held against what it says.
    pub(super) fn counted(&self, statement_id: &str) -> Result<u64, DatabricksError> {
        let count = count(&self.text).map_err(unreadable)?;
        match self.row_count.filter(|told| *told != count) {
            Some(told) => Err(DatabricksError::Incomplete {
                statement_id: statement_id.to_owned(),
                what: format!("chunk {} has {count} rows and says {told}", self.chunk_index),
            }),
            None => Ok(count),
        }
    }

    /// Its rows, all in memory.
    pub fn rows(&self) -> Result<Vec<Row>, Failure> {
        serde_json::from_slice(&self.text).map_err(unreadable)
    }
}

/// The first `most` rows of a chunk as `JSON_ARRAY` has them, BINARY always in base64.
pub(super) fn cells(chunk: Chunk, columns: &[ColumnInfo], most: usize) -> Result<Vec<Row>, Failure> {
    let hexadecimal = matches!(&chunk.data, ChunkData::JsonArray { binary: BinaryForm::Hexadecimal, .. });
    let mut rows = ChunkRows::new(chunk.data)?.at_row(chunk.row_offset).take_cells(most)?;
    if hexadecimal {
        let places: Vec<usize> =
            columns.iter().enumerate().filter(|(_, column)| column.type_name == "BINARY").map(|(at, _)| at).collect();
        for row in &mut rows {
            for place in &places {
                if let Some(Some(cell)) = row.get_mut(*place) {
                    *cell = STANDARD.encode(unhex(cell)?);
                }
            }
        }
    }
    Ok(rows)
}

fn unhex(text: &str) -> Result<Vec<u8>, Failure> {
    let odd = || Failure::new(Code::UpstreamReplyInvalid, "Databricks sent a BINARY that is not hexadecimal.");
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or_else(odd);
    let pairs = text.as_bytes().chunks_exact(2);
    if pairs.remainder().is_empty() {
        pairs.map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
    } else {
        Err(odd())
    }
}

/// The rows of an array, none of which is kept.
fn count(text: &[u8]) -> Result<u64, serde_json::Error> {
    struct Rows;

    impl<'de> Visitor<'de> for Rows {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of rows")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<u64, A::Error> {
            let mut count = 0;
            while rows.next_element::<IgnoredAny>()?.is_some() {
                count += 1;
            }
            Ok(count)
        }
    }

    let mut reader = serde_json::Deserializer::from_slice(text);
    let count = reader.deserialize_seq(Rows)?;
    reader.end()?;
    Ok(count)
}

fn unreadable(error: serde_json::Error) -> Failure {
    Failure::new(Code::UpstreamReplyInvalid, "Databricks sent a chunk that cannot be read.").caused_by(error)
}
