//! A result: what its chunks hold, as cells of JSON text or as the bytes that the storage account keeps. How it looks on
//! the wire is in `view.rs`.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::generated::Generated;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    JsonArray,
    ArrowStream,
    Csv,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::JsonArray => "JSON_ARRAY",
            Self::ArrowStream => "ARROW_STREAM",
            Self::Csv => "CSV",
        }
    }
}

#[derive(Debug)]
pub(super) struct Rows {
    /// None for a statement that has no columns, such as DDL.
    pub(super) columns: Option<Vec<Value>>,
    pub(super) format: Format,
    /// Whether what is stored is compressed.
    pub(super) compressed: bool,
    pub(super) chunks: Vec<ChunkSize>,
    pub(super) content: Content,
    pub(super) row_count: u64,
    pub(super) truncated: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ChunkSize {
    pub(super) row_offset: u64,
    pub(super) rows: u64,
    /// Before compression.
    pub(super) bytes: u64,
    /// As stored.
    pub(super) stored: u64,
}

#[derive(Debug)]
pub(super) enum Content {
    /// `data_array` of each chunk.
    Cells(Vec<Box<RawValue>>),
    /// As stored.
    Stored(Vec<Bytes>),
    /// Made when it is asked for.
    Generated(Arc<Generated>),
}

impl Rows {
    /// A result of cells; `chunks` is (rows, `data_array`).
    pub(super) fn of_cells(columns: Option<Vec<Value>>, chunks: Vec<(u64, Box<RawValue>)>, truncated: bool) -> Self {
        let bytes = chunks.iter().map(|(rows, cells)| (*rows, cells.get().len(), cells.get().len()));
        let sizes = sizes(bytes);
        Self {
            columns,
            format: Format::JsonArray,
            compressed: false,
            row_count: sizes.iter().map(|chunk| chunk.rows).sum(),
            chunks: sizes,
            content: Content::Cells(chunks.into_iter().map(|(_, cells)| cells).collect()),
            truncated,
        }
    }

    /// A result as it is stored; `chunks` is (rows, bytes before compression, stored).
    pub(super) fn of_stored(
        columns: Option<Vec<Value>>,
        format: Format,
        compressed: bool,
        chunks: Vec<(u64, usize, Bytes)>,
        truncated: bool,
    ) -> Self {
        let sizes = sizes(chunks.iter().map(|(rows, bytes, stored)| (*rows, *bytes, stored.len())));
        Self {
            columns,
            format,
            compressed,
            row_count: sizes.iter().map(|chunk| chunk.rows).sum(),
            chunks: sizes,
            content: Content::Stored(chunks.into_iter().map(|(_, _, stored)| stored).collect()),
            truncated,
        }
    }

    /// The same rows in the storage account: cells become files of JSON or CSV.
    pub(super) fn stored_as(self, format: Format, compressed: bool) -> serde_json::Result<Self> {
        if format == Format::JsonArray && !compressed {
            return Ok(self);
        }
        let Content::Cells(cells) = &self.content else { return Ok(self) };
        let titles = self.columns.iter().flatten().filter_map(|column| column["name"].as_str());
        let header: Vec<Option<String>> = titles.map(|title| Some(title.to_owned())).collect();
        let mut chunks = Vec::new();
        for (index, (size, cells)) in self.chunks.iter().zip(cells).enumerate() {
            let whole = match format {
                Format::Csv => {
                    let rows: Vec<Vec<Option<String>>> = serde_json::from_str(cells.get())?;
                    csv_lines((index == 0).then(|| header.clone()).into_iter().chain(rows))
                }
                _ => cells.get().to_owned(),
            };
            let stored = if compressed { lz4(&[whole.as_bytes()]) } else { Bytes::from(whole.clone()) };
            chunks.push((size.rows, whole.len(), stored));
        }
        Ok(Self::of_stored(self.columns, format, compressed, chunks, self.truncated))
    }

    /// `data_array` of a chunk.
    pub(super) fn cells(&self, index: usize) -> Option<Cow<'_, RawValue>> {
        match &self.content {
            Content::Cells(cells) => cells.get(index).map(|cells| Cow::Borrowed(&**cells)),
            Content::Stored(_) => None,
            Content::Generated(made) => made.cells(self.chunks.get(index)?).map(Cow::Owned),
        }
    }

    /// What the storage account keeps of a chunk.
    pub(super) fn stored(&self, index: usize) -> Option<Bytes> {
        match &self.content {
            Content::Cells(cells) => cells.get(index).map(|cells| Bytes::copy_from_slice(cells.get().as_bytes())),
            Content::Stored(stored) => stored.get(index).cloned(),
            Content::Generated(made) => Some(made.stored(self.chunks.get(index)?, self.format, self.compressed)),
        }
    }
}

/// Chunks one behind the other: each is (rows, bytes before compression, bytes as stored).
fn sizes(chunks: impl Iterator<Item = (u64, usize, usize)>) -> Vec<ChunkSize> {
    let mut row_offset = 0;
    chunks
        .map(|(rows, bytes, stored)| {
            let size = ChunkSize { row_offset, rows, bytes: bytes as u64, stored: stored as u64 };
            row_offset += rows;
            size
        })
        .collect()
}

/// An LZ4 frame for each part, one behind the other.
pub(super) fn lz4(parts: &[&[u8]]) -> Bytes {
    let mut frames = Vec::new();
    for part in parts {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(&mut frames);
        // Writing into memory does not fail.
        let _ = encoder.write_all(part);
        let _ = encoder.finish();
    }
    Bytes::from(frames)
}

/// Lines of CSV: NULL is the bare text `null` (SDK, execute_statement). Quoted by RFC 4180; the service's own quoting is
/// not documented.
pub(super) fn csv_lines(rows: impl Iterator<Item = Vec<Option<String>>>) -> String {
    let mut text = String::new();
    for row in rows {
        for (index, cell) in row.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            match cell {
                None => text.push_str("null"),
                Some(cell) if cell.contains([',', '"', '\n', '\r']) => {
                    text.push('"');
                    text.push_str(&cell.replace('"', "\"\""));
                    text.push('"');
                }
                Some(cell) => text.push_str(cell),
            }
        }
        text.push_str("\r\n");
    }
    text
}
