//! Pieces to the caller, one at a time and no more than it takes: the part of a stream that goes on behind its answer. What
//! is in the pieces is `stream.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::call::Part;
use crate::failure::{Code, Failure};
use crate::http::Deadline;

/// Rows may be long, and a slow caller takes them in parts.
const LONGEST_PART: usize = 128 * 1024;

/// What goes on behind an answer that has begun.
pub(super) struct Pump<S> {
    /// Whose pieces they are, such as a statement's id.
    pub of: String,
    pub source: S,
    pub parts: mpsc::Sender<Result<Part, Failure>>,
    /// Rows handed over so far.
    pub rows: Arc<AtomicU64>,
    /// By when the stream must have ended.
    pub deadline: Deadline,
    /// Cut when the caller takes nothing for this long.
    pub pause: Duration,
}

/// Where the pieces come from.
pub(super) trait Pieces {
    /// The next; `None` after the last, once everything was there that was promised.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Failure>> + Send;

    /// Rows in the pieces so far.
    fn rows(&self) -> u64;
}

/// Why a stream ends before its end.
enum Cut {
    /// The caller takes no more.
    Gone,
    Failed(Failure),
}

impl<S: Pieces + Send> Pump<S> {
    pub(super) async fn run(mut self, first: Option<Bytes>) {
        match self.all(first).await {
            Ok(()) => {
                let _ = self.parts.send(Ok(Part::End)).await;
            }
            Err(Cut::Gone) => {
                let rows = self.source.rows();
                tracing::info!(of = self.of, rows, "the caller has gone; its result is let go");
            }
            Err(Cut::Failed(failure)) => {
                // The body ends without its last chunk. Here the reason; the line about the invocation comes as ever.
                let (code, rows) = (failure.code.as_str(), self.source.rows());
                let error = failure.chain();
                tracing::error!(code, error, of = self.of, rows, "a stream was cut");
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
                piece = self.source.next() => piece.map_err(Cut::Failed)?,
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
        self.rows.store(self.source.rows(), Ordering::Relaxed);
        Ok(())
    }
}

pub(super) fn too_slow() -> Failure {
    Failure::new(
        Code::DeadlineExceeded,
        "The result did not come in the time that an answer may take. Ask for fewer rows or columns, or for pages.",
    )
}

fn stalled(pause: Duration) -> Failure {
    Failure::new(Code::DeadlineExceeded, format!("The caller took nothing for {} s.", pause.as_secs()))
}

#[cfg(test)]
mod tests;
