//! The rows of one chunk, in the form in which Databricks sent them.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::failure::{Code, Failure};

/// How a warehouse writes BINARY in JSON_ARRAY, which the references contradict each other about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BinaryForm {
    #[default]
    Base64,
    Hexadecimal,
}

/// What a chunk's body holds.
#[derive(Clone, Debug)]
pub enum ChunkData {
    /// The text of `data_array`.
    JsonArray { text: Bytes, binary: BinaryForm },
    /// An Arrow IPC stream, as it is or in LZ4 frames, of which there may be several one behind the other.
    ArrowStream(Bytes),
}

impl ChunkData {
    pub fn json_array(text: Bytes) -> Self {
        Self::JsonArray { text, binary: BinaryForm::default() }
    }
}

/// The rows of a chunk that have not been taken yet.
#[derive(Debug)]
pub struct ChunkRows {
    pub(super) rows: VecDeque<Vec<Option<String>>>,
}

impl ChunkRows {
    pub fn new(data: ChunkData) -> Result<Self, Failure> {
        match data {
            ChunkData::JsonArray { text, .. } => {
                serde_json::from_slice(&text).map(|rows| Self { rows }).map_err(|error| {
                    Failure::new(Code::UpstreamReplyInvalid, "Databricks sent a chunk that cannot be read.")
                        .caused_by(error)
                })
            }
            ChunkData::ArrowStream(_) => Err(Failure::new(Code::Internal, "Arrow is not read yet.")),
        }
    }

    /// Leaves out the next rows.
    pub fn skip(&mut self, rows: u64) -> Result<(), Failure> {
        let rows = usize::try_from(rows).unwrap_or(usize::MAX).min(self.rows.len());
        self.rows.drain(..rows);
        Ok(())
    }
}
