//! A whole result on its way to the caller, piece by piece and in flat memory. What can fail before the first byte
//! fails as a problem; later the stream is cut. How rows are written is `rows`, how chunks come `databricks`.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tracing::Instrument as _;

use super::call::Part;
use super::pages::incomplete;
use super::{Answer, AnswerBody, AnswerStream, Call, Requests};
use crate::databricks::{Chunk, Chunks, Statement};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::rows::{ChunkData, ChunkRows, Output, Piece, RowWriter};

/// How much is written before it is handed over.
const PIECE: usize = 64 * 1024;
/// A piece is longer only by its last row; rows may be long, and a slow caller takes them in parts.
const LONGEST_PART: usize = 128 * 1024;
/// Pieces that wait for the caller.
const WAITING: usize = 2;
/// When a stream's end may have made room for another.
const ROOM_AFTER: Duration = Duration::from_secs(10);

type Parts = mpsc::Sender<Result<Part, Failure>>;

impl Requests {
    /// The whole result of a statement that has succeeded. Its first piece is there before this returns.
    pub(super) async fn stream(&self, call: &Call, statement: &Statement, output: Output) -> Result<Answer, Failure> {
        let place = Arc::clone(&self.0.streams).try_acquire_owned().map_err(|_| self.too_many())?;
        let deadline = call.stream_deadline;
        let mut source = Source {
            chunks: self.0.neighbours.databricks.chunks(statement, 0, &self.0.budget, deadline),
            writer: RowWriter::new(&statement.typed_columns(output.values), output)?,
            current: None,
            total: statement.total_row_count,
            stands: Stands::Before,
        };
        let first =
            tokio::time::timeout_at(call.deadline.instant(), source.piece()).await.map_err(|_| too_slow())??;
        let (sender, parts) = mpsc::channel(WAITING + 1);
        let rows = Arc::new(AtomicU64::new(source.writer.rows()));
        let pump = Pump {
            statement_id: statement.statement_id.clone(),
            source,
            parts: sender,
            rows: Arc::clone(&rows),
            deadline,
            pause: call.stream_pause,
            _place: place,
        };
        tokio::spawn(pump.run(first).in_current_span());
        let mut headers = vec![("x-causeway-statement-id", statement.statement_id.clone())];
        if let Some(total) = statement.total_row_count {
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

impl Source {
    /// The next piece; `None` after the last.
    async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
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
                self.current = Some(Current { rows: ChunkRows::new(data)?, left: chunk.row_count, _chunk: chunk });
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

    /// The caller was told how many rows there are.
    fn complete(&self) -> Result<(), Failure> {
        let came = self.writer.rows();
        match self.total {
            Some(total) if total != came => Err(incomplete(total, came)),
            _ => Ok(()),
        }
    }
}

/// What goes on behind an answer that has begun.
struct Pump {
    statement_id: String,
    source: Source,
    parts: Parts,
    rows: Arc<AtomicU64>,
    deadline: Deadline,
    pause: Duration,
    _place: OwnedSemaphorePermit,
}

/// Why a stream ends before its end.
enum Cut {
    /// The caller takes no more.
    Gone,
    Failed(Failure),
}

impl Pump {
    async fn run(mut self, first: Option<Bytes>) {
        match self.all(first).await {
            Ok(()) => {
                let _ = self.parts.send(Ok(Part::End)).await;
            }
            Err(Cut::Gone) => {
                let rows = self.source.writer.rows();
                tracing::info!(statement_id = self.statement_id, rows, "the caller has gone; its result is let go");
            }
            Err(Cut::Failed(failure)) => {
                // The body ends without its last chunk. Here the reason; the line about the invocation comes as ever.
                let (code, rows) = (failure.code.as_str(), self.source.writer.rows());
                let error = failure.chain();
                tracing::error!(code, error, statement_id = self.statement_id, rows, "a stream was cut");
                // A caller that takes nothing will not take this either: dropping the channel says it, too.
                let _ = self.parts.try_send(Err(failure));
            }
        }
    }

    async fn all(&mut self, first: Option<Bytes>) -> Result<(), Cut> {
        let mut next = first;
        while let Some(piece) = next {
            self.hand_over(piece).await?;
            next = tokio::select! {
                biased;
                () = self.parts.closed() => return Err(Cut::Gone),
                () = tokio::time::sleep_until(self.deadline.instant()) => return Err(Cut::Failed(too_slow())),
                piece = self.source.piece() => piece.map_err(Cut::Failed)?,
            };
        }
        Ok(())
    }

    async fn hand_over(&mut self, mut piece: Bytes) -> Result<(), Cut> {
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(LONGEST_PART));
            let until = self.deadline.within(self.pause).instant();
            match tokio::time::timeout_at(until, self.parts.reserve()).await {
                Ok(Ok(place)) => place.send(Ok(Part::Piece(part))),
                Ok(Err(_)) => return Err(Cut::Gone),
                Err(_) if self.deadline.has_passed() => return Err(Cut::Failed(too_slow())),
                Err(_) => return Err(Cut::Failed(stalled(self.pause))),
            }
        }
        self.rows.store(self.source.writer.rows(), Ordering::Relaxed);
        Ok(())
    }
}

pub(super) fn cut_chunk(missing: u64) -> Failure {
    Failure::new(
        Code::ResultIncomplete,
        format!("Databricks did not deliver the whole result: {missing} rows of a chunk are missing."),
    )
}

fn too_slow() -> Failure {
    Failure::new(
        Code::DeadlineExceeded,
        "The result did not come in the time that an answer may take. Ask for fewer rows or columns, or for pages.",
    )
}

fn stalled(pause: Duration) -> Failure {
    Failure::new(Code::DeadlineExceeded, format!("The caller took nothing for {} s.", pause.as_secs()))
}
