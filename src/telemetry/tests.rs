//! What a line looks like.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{filter, subscriber};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lines(filter_text: &str, log: impl FnOnce()) -> Vec<Value> {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = subscriber(filter(filter_text).0, move || writer.clone());
    tracing::subscriber::with_default(subscriber, log);
    let bytes = kept.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn span_fields_stand_at_the_top_of_each_line_in_camel_case() {
    let lines = lines("info", || {
        let span =
            tracing::info_span!("invocation", invocation_id = "i-1", function = "sql", run_id = tracing::field::Empty);
        let _entered = span.enter();
        span.record("run_id", "r-1");
        tracing::info!(duration_ms = 12_u64, "said\nwith a line break");
    });
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!(line["invocationId"], "i-1");
    assert_eq!(line["function"], "sql");
    assert_eq!(line["runId"], "r-1");
    assert_eq!(line["durationMs"], 12);
    assert_eq!(line["message"], "said\nwith a line break");
    assert_eq!(line["level"], "INFO");
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn a_plain_level_is_ours_alone() {
    let lines = lines("debug", || {
        tracing::debug!("ours");
        tracing::debug!(target: "some_library", "theirs");
        tracing::warn!(target: "some_library", "their warning");
    });
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["ours", "their warning"]);
}

#[test]
fn a_wrong_filter_is_told_and_info_is_used() {
    let (filter, problem) = filter("causeway=loud");
    assert!(problem.unwrap().contains("CAUSEWAY_LOG"));
    assert!(filter.to_string().contains("causeway=info"));
}

#[test]
fn a_library_that_speaks_of_secrets_is_kept_at_info_whatever_the_filter_says() {
    let lines = lines("trace", || {
        tracing::trace!(target: "causeway::http", "ours");
    });
    assert_eq!(lines.len(), 1);
    let lines = self::lines("trace,h2=trace", || {
        tracing::debug!(target: "h2::codec", "authorization: Bearer x");
        tracing::info!(target: "h2::codec", "harmless");
    });
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["message"], "harmless");
}
