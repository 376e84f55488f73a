//! The rows of one chunk, in the form in which Databricks sent them, decoded a batch at a time.

use arrow_array::ArrayRef;
use bytes::Bytes;

use super::arrow_stream::ArrowStream;
use super::json_rows::JsonRows;
use super::layout::Layout;
use super::typed::Typed;
use crate::failure::{Code, Failure};

/// So many rows of text are made into typed columns at a time, or as many as stand in so many bytes.
const ROWS_AT_A_TIME: usize = 1024;
const BYTES_AT_A_TIME: usize = 1 << 20;

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
    source: Source,
    batch: Option<Batch>,
    /// Number of the chunk's first row in the whole result, where it was told.
    offset: Option<u64>,
    /// Rows taken or left out.
    taken: u64,
}

#[derive(Debug)]
enum Source {
    Json(JsonRows, BinaryForm),
    Arrow(Box<ArrowStream>),
}

/// Rows that have been decoded.
#[derive(Debug)]
struct Batch {
    columns: Vec<ArrayRef>,
    rows: usize,
    /// The first that has not been taken.
    at: usize,
}

/// The rows that are next.
pub(super) struct Next<'a> {
    pub(super) columns: &'a [ArrayRef],
    pub(super) from: usize,
    pub(super) to: usize,
}

impl ChunkRows {
    pub fn new(data: ChunkData) -> Result<Self, Failure> {
        let source = match data {
            ChunkData::JsonArray { text, binary } => Source::Json(JsonRows::new(text)?, binary),
            ChunkData::ArrowStream(bytes) => Source::Arrow(Box::new(ArrowStream::new(bytes))),
        };
        Ok(Self { source, batch: None, offset: None, taken: 0 })
    }

    /// Tells the number of the chunk's first row in the whole result, for failures to name rows by.
    #[must_use]
    pub fn at_row(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// Leaves out the next rows.
    pub fn skip(&mut self, rows: u64) -> Result<(), Failure> {
        let mut left = rows;
        while left > 0 {
            let step = match (&mut self.batch, &mut self.source) {
                (Some(batch), _) if batch.at < batch.rows => {
                    let step = usize::try_from(left).unwrap_or(usize::MAX).min(batch.rows - batch.at);
                    batch.at += step;
                    step as u64
                }
                (_, Source::Json(rows, _)) => match rows.row(|_, _| Ok(()))? {
                    None => break,
                    Some(_) => 1,
                },
                (batch, Source::Arrow(stream)) => match stream.batch()? {
                    None => break,
                    Some(next) => {
                        *batch = Some(Batch { rows: next.num_rows(), columns: next.columns().to_vec(), at: 0 });
                        0
                    }
                },
            };
            self.taken += step;
            left -= step;
        }
        Ok(())
    }

    /// Up to `most` rows of JSON_ARRAY as the cells that came, for expressions.
    pub fn take_cells(&mut self, most: usize) -> Result<Vec<Vec<Option<String>>>, Failure> {
        let Source::Json(source, _) = &mut self.source else {
            return Err(Failure::new(Code::Internal, "Only JSON_ARRAY has cells of text."));
        };
        let mut rows = Vec::new();
        while rows.len() < most {
            let mut cells = Vec::new();
            let row = source.row(|_, cell| {
                cells.push(cell.map(std::borrow::Cow::into_owned));
                Ok(())
            })?;
            if row.is_none() {
                break;
            }
            self.taken += 1;
            rows.push(cells);
        }
        Ok(rows)
    }

    /// Decodes until rows are there; `None` when the chunk is used up. `written` numbers rows where no offset was told.
    pub(super) fn next(&mut self, layout: &Layout, written: u64) -> Result<Option<Next<'_>>, Failure> {
        while self.batch.as_ref().is_none_or(|batch| batch.at == batch.rows) {
            let first = self.offset.map_or(written, |offset| offset + self.taken);
            let batch = match &mut self.source {
                Source::Json(rows, binary) => typed_batch(rows, *binary, layout, first)?,
                Source::Arrow(stream) => stream.batch()?.map(|batch| Batch {
                    rows: batch.num_rows(),
                    columns: batch.columns().to_vec(),
                    at: 0,
                }),
            };
            if batch.is_none() {
                self.batch = None;
                return Ok(None);
            }
            self.batch = batch;
        }
        Ok(self.batch.as_ref().map(|batch| Next { columns: &batch.columns, from: batch.at, to: batch.rows }))
    }

    /// So many of the next rows have been written.
    pub(super) fn took(&mut self, rows: usize) {
        self.taken += rows as u64;
        if let Some(batch) = &mut self.batch {
            batch.at += rows;
        }
    }

    /// How BINARY stands inside JSON text.
    pub(super) fn binary(&self) -> BinaryForm {
        match &self.source {
            Source::Json(_, binary) => *binary,
            Source::Arrow(_) => BinaryForm::default(),
        }
    }
}

fn typed_batch(rows: &mut JsonRows, binary: BinaryForm, layout: &Layout, first: u64) -> Result<Option<Batch>, Failure> {
    let mut columns: Vec<Typed> = layout.kinds.iter().map(|kind| Typed::new(kind, binary)).collect();
    let start = rows.read();
    let mut count = 0;
    while count < ROWS_AT_A_TIME && rows.read() - start < BYTES_AT_A_TIME {
        let number = first + count as u64;
        let cells = rows.row(|index, cell| match columns.get_mut(index) {
            Some(column) => column.push(cell.as_deref()).map_err(|why| layout.malformed(index, number, why)),
            None => Ok(()),
        })?;
        match cells {
            None => break,
            Some(cells) => layout.check_width(cells, number)?,
        }
        count += 1;
    }
    let columns = columns.iter_mut().map(Typed::finish).collect();
    Ok((count > 0).then_some(Batch { columns, rows: count, at: 0 }))
}
