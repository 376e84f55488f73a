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
    pub statement_id: String,
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
                tracing::info!(statement_id = self.statement_id, rows, "the caller has gone; its result is let go");
            }
            Err(Cut::Failed(failure)) => {
                // The body ends without its last chunk. Here the reason; the line about the invocation comes as ever.
                let (code, rows) = (failure.code.as_str(), self.source.rows());
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
mod tests {
    use super::*;

    /// So many pieces of one row, then a failure or the end.
    struct Few(u64, u64, Option<Code>);

    impl Pieces for Few {
        async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
            if self.0 < self.1 {
                self.0 += 1;
                return Ok(Some(Bytes::from(vec![0; 64 * 1024])));
            }
            self.2.map_or(Ok(None), |code| Err(Failure::new(code, "On purpose.")))
        }

        fn rows(&self) -> u64 {
            self.0
        }
    }

    type Parts = mpsc::Receiver<Result<Part, Failure>>;

    fn pump(pieces: u64, failure: Option<Code>) -> (Pump<Few>, Parts) {
        let (parts, taken) = mpsc::channel(2);
        let pump = Pump {
            statement_id: "s".into(),
            source: Few(0, pieces, failure),
            parts,
            rows: Arc::default(),
            deadline: Deadline::after(Duration::from_mins(9)),
            pause: Duration::from_mins(1),
        };
        (pump, taken)
    }

    /// Bytes until the end, and how it ended: `None` when the channel closed without a word.
    async fn all(mut parts: Parts) -> (usize, Option<Result<(), Code>>) {
        let mut bytes = 0;
        while let Some(part) = parts.recv().await {
            match part {
                Ok(Part::Piece(piece)) => bytes += piece.len(),
                Ok(Part::End) => return (bytes, Some(Ok(()))),
                Err(failure) => return (bytes, Some(Err(failure.code))),
            }
        }
        (bytes, None)
    }

    #[tokio::test]
    async fn only_what_is_whole_has_an_end() {
        let (whole, parts) = pump(5, None);
        let rows = Arc::clone(&whole.rows);
        let (taken, ()) = tokio::join!(all(parts), whole.run(Some(Bytes::from_static(b"first"))));
        assert_eq!(taken, (5 * 64 * 1024 + 5, Some(Ok(()))));
        assert_eq!(rows.load(Ordering::Relaxed), 5);
        let (cut, parts) = pump(5, Some(Code::ResultIncomplete));
        let ((_, end), ()) = tokio::join!(all(parts), cut.run(Some(Bytes::from_static(b"first"))));
        // Why may be lost with the place in the channel; that it was cut may not.
        assert_ne!(end, Some(Ok(())));
    }

    #[tokio::test]
    async fn a_long_piece_goes_in_parts() {
        let (long, mut parts) = pump(0, None);
        let running = tokio::spawn(long.run(Some(Bytes::from(vec![0; 3 * LONGEST_PART + 1]))));
        for expected in [LONGEST_PART, LONGEST_PART, LONGEST_PART, 1] {
            let Some(Ok(Part::Piece(part))) = parts.recv().await else { panic!("no part") };
            assert_eq!(part.len(), expected);
        }
        running.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_takes_nothing_is_cut_and_one_who_takes_little_is_not() {
        let (stalled, parts) = pump(100, None);
        let began = tokio::time::Instant::now();
        stalled.run(Some(Bytes::from_static(b"first"))).await;
        assert_eq!(began.elapsed(), Duration::from_mins(1));
        assert_eq!(all(parts).await.1, None);

        let (slow, mut parts) = pump(10, None);
        let running = tokio::spawn(slow.run(Some(Bytes::from_static(b"first"))));
        loop {
            tokio::time::sleep(Duration::from_secs(50)).await;
            match parts.recv().await {
                Some(Ok(Part::Piece(_))) => {}
                Some(Ok(Part::End)) => break,
                other => panic!("cut: {other:?}"),
            }
        }
        running.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn no_stream_outlasts_its_deadline() {
        let (slow, mut parts) = pump(1_000, None);
        let began = tokio::time::Instant::now();
        let running = tokio::spawn(slow.run(Some(Bytes::from_static(b"first"))));
        let mut last = None;
        while let Some(part) = parts.recv().await {
            last = Some(part);
            tokio::time::sleep(Duration::from_secs(50)).await;
        }
        running.await.unwrap();
        assert!(!matches!(last, Some(Ok(Part::End))), "{last:?}");
        assert!(began.elapsed() < Duration::from_mins(12), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_caller_who_goes_stops_the_pieces() {
        let (endless, parts) = pump(u64::MAX, None);
        let rows = Arc::clone(&endless.rows);
        drop(parts);
        endless.run(Some(Bytes::from_static(b"first"))).await;
        assert_eq!(rows.load(Ordering::Relaxed), 0);
    }
}
