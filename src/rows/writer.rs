//! A whole result, written piece by piece in the form that the caller asked for.

use serde::{Deserialize, Serialize};

use super::chunk::ChunkRows;
use super::{Column, Shape, ValueOptions, write_rows};
use crate::failure::{Code, Failure};

/// `format` of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One array.
    #[default]
    Json,
    /// One value a line.
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
#[derive(Debug)]
pub struct RowWriter {
    columns: Vec<Column>,
    output: Output,
    rows: u64,
}

impl RowWriter {
    pub fn new(columns: &[Column], output: Output) -> Result<Self, Failure> {
        Ok(Self { columns: columns.to_vec(), output, rows: 0 })
    }

    /// `[`, the head of CSV, the schema of Arrow.
    pub fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.output.format == Format::Json {
            out.push(b'[');
        }
        Ok(())
    }

    /// Appends rows of the chunk until the piece is full or the chunk has none left; how many rows. 0 only when the
    /// chunk is used up (or the piece has room for no row).
    pub fn write(&mut self, out: &mut Vec<u8>, chunk: &mut ChunkRows, piece: Piece) -> Result<u64, Failure> {
        let start = out.len();
        let mut written = 0;
        while written < piece.rows && out.len() - start < piece.bytes {
            let Some(row) = chunk.rows.pop_front() else { break };
            match self.output.format {
                Format::Json if self.rows > 0 => out.push(b','),
                Format::Json | Format::Ndjson => {}
                Format::Csv | Format::Arrow => return Err(Failure::new(Code::Internal, "Not written yet.")),
            }
            write_rows(out, &self.columns, &[row], self.output.shape, self.output.values)?;
            if self.output.format == Format::Ndjson {
                out.push(b'\n');
            }
            self.rows += 1;
            written += 1;
        }
        Ok(written)
    }

    /// `]`, the end of an Arrow stream.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.output.format == Format::Json {
            out.push(b']');
        }
        Ok(())
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}
