//! A whole result, written piece by piece in the form that the caller asked for.

use serde::{Deserialize, Serialize};

use super::arrow_out::ArrowOut;
use super::cells::Cells;
use super::chunk::ChunkRows;
use super::csv::push_head;
use super::json_out::JsonRow;
use super::layout::Layout;
use super::resolve::Rules;
use super::{Column, Shape, ValueOptions};
use crate::failure::Failure;

/// `format` of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One array, of objects or of arrays.
    #[default]
    Json,
    /// One object or array a line.
    Ndjson,
    /// RFC 4180 with a head, lines ended by LF.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
}

impl Format {
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub format: Format,
    pub shape: Shape,
    pub values: ValueOptions,
}

/// How much is written at a time.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// Stop once at least so many bytes were appended.
    pub bytes: usize,
    /// Never more rows than this.
    pub rows: u64,
}

/// Writes one result: `begin`, `write` for each piece of each chunk, `end`.
///
/// Chunks may come in either form. `shape` has no meaning for CSV and Arrow.
#[derive(Debug)]
pub struct RowWriter {
    layout: Layout,
    output: Output,
    json: JsonRow,
    arrow: ArrowOut,
    scratch: Vec<u8>,
    rows: u64,
}

impl RowWriter {
    pub fn new(columns: &[Column], output: Output) -> Result<Self, Failure> {
        let layout = Layout::new(columns);
        let json = JsonRow::new(&layout.names, output.shape);
        Ok(Self { layout, output, json, arrow: ArrowOut::default(), scratch: Vec::new(), rows: 0 })
    }

    /// `[`, the head of CSV. An Arrow stream begins with its first batch, which tells the schema.
    pub fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self.output.format {
            Format::Json => out.push(b'['),
            Format::Csv => push_head(out, &self.layout.names),
            Format::Ndjson | Format::Arrow => {}
        }
        Ok(())
    }

    /// Appends rows of the chunk until the piece is full or the chunk has none left; how many rows. 0 only when the
    /// chunk is used up (or the piece has room for no row).
    pub fn write(&mut self, out: &mut Vec<u8>, chunk: &mut ChunkRows, piece: Piece) -> Result<u64, Failure> {
        let start = out.len();
        let end = start.saturating_add(piece.bytes);
        let mut written = 0;
        while written < piece.rows && out.len() < end {
            let binary = chunk.binary();
            let Some(next) = chunk.next(&self.layout, self.rows)? else { break };
            let most = usize::try_from(piece.rows - written).unwrap_or(usize::MAX).min(next.to - next.from);
            let count = if self.output.format == Format::Arrow {
                let room = end - out.len();
                self.arrow.write(out, &self.layout, next.columns, next.from, most, room)?
            } else {
                let cells = self.layout.cells(next.columns, Rules { options: self.output.values, binary })?;
                self.lines(out, &cells, next.from, most, end)
            };
            chunk.took(count);
            self.rows += count as u64;
            written += count as u64;
        }
        Ok(written)
    }

    /// `]`, the end of an Arrow stream.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self.output.format {
            Format::Json => out.push(b']'),
            Format::Arrow => self.arrow.end(out, &self.layout)?,
            Format::Ndjson | Format::Csv => {}
        }
        Ok(())
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows as text, up to `most` of them and until `out` has reached `end`; how many.
    fn lines(&mut self, out: &mut Vec<u8>, cells: &[Cells], from: usize, most: usize, end: usize) -> usize {
        let mut count = 0;
        while count < most && out.len() < end {
            let row = from + count;
            match self.output.format {
                Format::Json => {
                    if self.rows > 0 || count > 0 {
                        out.push(b',');
                    }
                    self.json.write(out, cells, row);
                }
                Format::Ndjson => {
                    self.json.write(out, cells, row);
                    out.push(b'\n');
                }
                Format::Csv | Format::Arrow => {
                    for (index, cells) in cells.iter().enumerate() {
                        if index > 0 {
                            out.push(b',');
                        }
                        cells.write_csv(out, &mut self.scratch, row);
                    }
                    // Readers skip an empty line, and the row would be lost.
                    if let [only] = cells
                        && only.is_null(row)
                    {
                        out.extend_from_slice(b"\"\"");
                    }
                    out.push(b'\n');
                }
            }
            count += 1;
        }
        count
    }
}
