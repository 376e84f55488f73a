//! What `pump.rs` promises.

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
        of: "s".into(),
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
