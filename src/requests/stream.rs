//! A whole result on its way to the caller, piece by piece and in flat memory. What can fail before the first byte
//! fails as a problem; later the stream is cut. How rows are written is `rows`, how chunks come `databricks`.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::pages::incomplete;
use super::pump::{Pieces, Pump, too_slow};
use super::{Answer, AnswerBody, AnswerStream, Call, Requests};
use crate::databricks::{Chunk, Chunks, Statement};
use crate::failure::{Code, Failure};
use crate::rows::{ChunkData, ChunkRows, Output, Piece, RowWriter};
use crate::telemetry::carried;

/// How much is written before it is handed over.
const PIECE: usize = 64 * 1024;
/// Pieces that wait for the caller.
const WAITING: usize = 2;
/// When a stream's end may have made room for another.
const ROOM_AFTER: Duration = Duration::from_secs(10);

impl Requests {
    /// The whole result of a statement that has succeeded. Its first piece is there before this returns.
    pub(super) async fn stream(&self, call: &Call, statement: &Statement, output: Output) -> Result<Answer, Failure> {
        let place = Arc::clone(&self.0.streams).try_acquire_owned().map_err(|_| self.too_many())?;
        let deadline = call.stream_deadline;
        let chunks = self.0.neighbours.databricks.chunks(statement, 0, &self.0.budget, deadline);
        let total = chunks.total();
        let mut source = Source {
            chunks,
            writer: RowWriter::new(&statement.typed_columns(output.values), output)?,
            current: None,
            total,
            stands: Stands::Before,
        };
        let first = tokio::time::timeout_at(call.deadline.instant(), source.next()).await.map_err(|_| too_slow())??;
        let (sender, parts) = mpsc::channel(WAITING + 1);
        let rows = Arc::<AtomicU64>::default();
        let pump = Pump {
            of: statement.statement_id.clone(),
            source,
            parts: sender,
            rows: Arc::clone(&rows),
            deadline,
            pause: call.stream_pause,
        };
        let place_kept = async move {
            pump.run(first).await;
            drop(place);
        };
        tokio::spawn(carried(place_kept).in_current_span());
        let mut headers = vec![("x-causeway-statement-id", statement.statement_id.clone())];
        if let Some(total) = total {
            headers.push(("x-causeway-row-count", total.to_string()));
        }
        if statement.truncated {
            headers.push(("x-causeway-truncated", "true".to_owned()));
        }
        let content_type = output.format.content_type();
        Ok(Answer::of(AnswerBody::Stream(AnswerStream { content_type, headers, parts, rows })))
    }

    fn too_many(&self) -> Failure {
        let most = self.0.sql.streams;
        Failure::new(Code::TooManyCalls, format!("{most} results are being streamed already. Try again later."))
            .retry_after(ROOM_AFTER)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Before,
    Within,
    Behind,
}

/// A result, chunk by chunk, becoming pieces.
struct Source {
    chunks: Chunks,
    writer: RowWriter,
    current: Option<Current>,
    /// Rows that the manifest promises.
    total: Option<u64>,
    stands: Stands,
}

/// What is left of the chunk at hand.
struct Current {
    rows: ChunkRows,
    /// Rows of it that belong to the result: a chunk of Arrow may hold more than it says.
    left: u64,
    /// Holds its share of the budget.
    _chunk: Chunk,
}

impl Pieces for Source {
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let mut out = Vec::with_capacity(PIECE + PIECE / 4);
        match self.stands {
            Stands::Before => self.writer.begin(&mut out)?,
            Stands::Within => {}
            Stands::Behind => return Ok(None),
        }
        self.stands = Stands::Within;
        while out.len() < PIECE {
            let Some(current) = &mut self.current else {
                let Some(mut chunk) = self.chunks.next().await? else {
                    self.complete()?;
                    self.writer.end(&mut out)?;
                    self.stands = Stands::Behind;
                    break;
                };
                let data = mem::replace(&mut chunk.data, ChunkData::json_array(Bytes::new()));
                self.current = Some(Current {
                    rows: ChunkRows::new(data)?.at_row(chunk.row_offset),
                    left: chunk.row_count,
                    _chunk: chunk,
                });
                continue;
            };
            let room = Piece { bytes: PIECE - out.len(), rows: current.left };
            let written = self.writer.write(&mut out, &mut current.rows, room)?;
            current.left = current.left.saturating_sub(written);
            if current.left == 0 {
                self.current = None;
            } else if written == 0 {
                return Err(cut_chunk(current.left));
            }
        }
        Ok(Some(out.into()))
    }

    fn rows(&self) -> u64 {
        self.writer.rows()
    }
}

impl Source {
    /// The caller was told how many rows there are.
    fn complete(&self) -> Result<(), Failure> {
        let came = self.writer.rows();
        match self.total {
            Some(total) if total != came => Err(incomplete(total, came)),
            _ => Ok(()),
        }
    }
}

pub(super) fn cut_chunk(missing: u64) -> Failure {
    Failure::new(
        Code::ResultIncomplete,
        format!("Databricks did not deliver the whole result: {missing} rows of a chunk are missing."),
    )
}
