//! Results of any size that need no disk and no engine: each chunk is made when it is asked for, or once up front. What
//! stands in a cell is `cell.rs`, how cells become Arrow is `batch.rs`.

mod batch;
mod cell;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use anyhow::bail;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::options::Binary;
use super::rows::{ChunkSize, Content, Format, Rows, lz4};
use super::workspace::lock;
use cell::Column;

/// A statement that is answered with made-up rows: the same ones each time, in each format.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GeneratedReply {
    /// The whole text of the statement.
    pub statement: String,
    pub columns: Vec<GeneratedColumn>,
    pub rows: u64,
    /// The stand-in's own when absent.
    #[serde(default)]
    pub chunk_rows: Option<usize>,
    #[serde(default)]
    pub batch_rows: Option<usize>,
    /// Encodes every chunk once, when it is first asked for in a format, and keeps it in memory.
    #[serde(default)]
    pub pre_encoded: bool,
    /// Gives the bytes of chunk 0 for every full chunk: serving then costs nothing, and the values repeat.
    #[serde(default)]
    pub repeat: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GeneratedColumn {
    pub name: String,
    /// BOOLEAN, INT, BIGINT, DOUBLE, DECIMAL(p,s), STRING, DATE, TIMESTAMP, BINARY.
    #[serde(rename = "type")]
    pub type_text: String,
    /// Whether some cells are NULL.
    #[serde(default)]
    pub nulls: bool,
}

/// How the chunks of a generated statement are made.
#[derive(Debug)]
pub(super) struct Generated {
    columns: Vec<Column>,
    rows: u64,
    chunk_rows: u64,
    batch_rows: u64,
    pre_encoded: bool,
    repeat: bool,
    zone: jiff::tz::TimeZone,
    zone_name: String,
    frame_per_message: bool,
    /// As it was set when the reply was asked for.
    binary: Binary,
    /// By the number of rows: each is laid out once.
    laid_out: Mutex<HashMap<Form, Arc<Rows>>>,
    /// By the first row.
    kept: Mutex<HashMap<Form, Bytes>>,
    /// By first row and number of rows: (bytes before compression, bytes as stored).
    sizes: Mutex<HashMap<(Form, u64), (u64, u64)>>,
}

/// Format, compression, and what tells apart results or chunks of the same.
type Form = (&'static str, bool, u64);

/// What a statement asked of its result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) format: Format,
    pub(super) compressed: bool,
    pub(super) row_limit: Option<u64>,
    pub(super) byte_limit: Option<u64>,
}

/// The generated statements of a workspace, by their text.
#[derive(Debug, Default)]
pub(super) struct AllGenerated(Mutex<HashMap<String, Arc<Generated>>>);

impl AllGenerated {
    pub(super) fn add(
        &self,
        reply: &GeneratedReply,
        options: &super::DatabricksOptions,
        binary: Binary,
    ) -> anyhow::Result<()> {
        let made = Generated {
            columns: reply.columns.iter().map(Column::new).collect::<anyhow::Result<_>>()?,
            rows: reply.rows,
            chunk_rows: reply.chunk_rows.unwrap_or(options.chunk_rows).max(1) as u64,
            batch_rows: reply.batch_rows.unwrap_or(options.batch_rows).max(1) as u64,
            pre_encoded: reply.pre_encoded || reply.repeat,
            repeat: reply.repeat,
            zone: jiff::tz::TimeZone::get(&options.time_zone)?,
            zone_name: options.time_zone.clone(),
            frame_per_message: options.frame_per_message,
            binary,
            laid_out: Mutex::default(),
            kept: Mutex::default(),
            sizes: Mutex::default(),
        };
        if made.columns.is_empty() {
            bail!("a generated result has columns");
        }
        lock(&self.0).insert(reply.statement.clone(), Arc::new(made));
        Ok(())
    }

    pub(super) fn find(&self, statement: &str) -> Option<Arc<Generated>> {
        lock(&self.0).get(statement).cloned()
    }
}

impl Generated {
    /// The result as asked for. Blocks while chunks are encoded.
    pub(super) fn result(self: &Arc<Self>, asked: Asked) -> Arc<Rows> {
        let count = self.rows.min(asked.row_limit.unwrap_or(u64::MAX));
        let first = self.measured(asked, 0, count.min(self.chunk_rows));
        let fitting = asked.byte_limit.map_or(u64::MAX, |limit| {
            let per_chunk = u128::from(first.0.max(1));
            u64::try_from(u128::from(limit) * u128::from(self.chunk_rows) / per_chunk).unwrap_or(u64::MAX)
        });
        let count = count.min(fitting);
        let key = (asked.format.name(), asked.compressed, count);
        if let Some(rows) = lock(&self.laid_out).get(&key) {
            return rows.clone();
        }
        let chunks: Vec<ChunkSize> = (0..count.div_ceil(self.chunk_rows))
            .map(|index| {
                let row_offset = index * self.chunk_rows;
                let rows = self.chunk_rows.min(count - row_offset);
                // Each full chunk is about as long as the first, and a manifest must not cost as much as the result.
                let known = rows == self.chunk_rows && (self.repeat || !self.pre_encoded);
                let (bytes, stored) = if known { first } else { self.measured(asked, row_offset, rows) };
                ChunkSize { row_offset, rows, bytes, stored }
            })
            .collect();
        let columns = self.columns.iter().enumerate().map(|(position, column)| column.described(position));
        let rows = Arc::new(Rows {
            columns: Some(columns.collect()),
            format: asked.format,
            compressed: asked.compressed,
            chunks,
            content: Content::Generated(self.clone()),
            row_count: count,
            truncated: count < self.rows,
        });
        lock(&self.laid_out).insert(key, rows.clone());
        rows
    }

    /// (bytes before compression, bytes as stored) of so many rows, encoded once however often they are asked for.
    fn measured(&self, asked: Asked, row_offset: u64, rows: u64) -> (u64, u64) {
        let key = ((asked.format.name(), asked.compressed, row_offset), rows);
        if let Some(sizes) = lock(&self.sizes).get(&key) {
            return *sizes;
        }
        let (whole, stored) = self.encoded(asked.format, asked.compressed, row_offset, rows);
        if self.pre_encoded {
            lock(&self.kept).insert(self.place(asked.format, asked.compressed, row_offset, rows), stored.clone());
        }
        let sizes = (whole, stored.len() as u64);
        lock(&self.sizes).insert(key, sizes);
        sizes
    }

    fn place(&self, format: Format, compressed: bool, row_offset: u64, rows: u64) -> Form {
        let shown = if self.repeat && rows == self.chunk_rows { 0 } else { row_offset };
        (format.name(), compressed, shown)
    }

    pub(super) fn cells(&self, chunk: &ChunkSize) -> Option<Box<RawValue>> {
        to_raw_value(&self.table(chunk.row_offset, chunk.rows)).ok()
    }

    pub(super) fn stored(&self, chunk: &ChunkSize, format: Format, compressed: bool) -> Bytes {
        if self.pre_encoded {
            let place = self.place(format, compressed, chunk.row_offset, chunk.rows);
            if let Some(kept) = lock(&self.kept).get(&place) {
                return kept.clone();
            }
        }
        self.encoded(format, compressed, chunk.row_offset, chunk.rows).1
    }

    fn table(&self, row_offset: u64, rows: u64) -> Vec<Vec<Option<String>>> {
        let texts = |row| {
            self.columns.iter().enumerate().map(move |(at, column)| column.text(at, row, &self.zone, self.binary))
        };
        (row_offset..row_offset + rows).map(|row| texts(row).collect()).collect()
    }

    /// (bytes before compression, as stored)
    fn encoded(&self, format: Format, compressed: bool, row_offset: u64, rows: u64) -> (u64, Bytes) {
        let parts: Vec<Vec<u8>> = match format {
            Format::ArrowStream => {
                batch::messages(&self.columns, row_offset, rows, self.batch_rows, &self.zone_name).unwrap_or_default()
            }
            Format::JsonArray => vec![serde_json::to_vec(&self.table(row_offset, rows)).unwrap_or_default()],
            Format::Csv => {
                let header = (row_offset == 0).then(|| self.columns.iter().map(|one| Some(one.name.clone())).collect());
                let lines = header.into_iter().chain(self.table(row_offset, rows));
                vec![super::rows::csv_lines(lines).into_bytes()]
            }
        };
        let whole = parts.iter().map(|part| part.len() as u64).sum();
        let stored = match (compressed, self.frame_per_message) {
            (true, true) => lz4(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>()),
            (true, false) => lz4(&[&parts.concat()]),
            (false, _) => Bytes::from(parts.concat()),
        };
        (whole, stored)
    }
}

impl Column {
    fn described(&self, position: usize) -> serde_json::Value {
        let mut column = json!({
            "name": self.name, "type_text": self.type_text, "type_name": self.type_name, "position": position,
        });
        if let Some((precision, scale)) = self.decimal() {
            column["type_precision"] = precision.into();
            column["type_scale"] = scale.into();
        }
        column
    }
}
