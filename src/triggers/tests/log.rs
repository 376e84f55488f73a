//! What an invocation leaves in the log.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;
use tokio::runtime::Handle;
use tracing_subscriber::fmt::MakeWriter;

use super::super::Limits;
use super::super::layers::{Invocation, invoke, log_end};
use crate::failure::{Code, Failure, Upstream};
use crate::http::Deadline;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn all(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap();
        bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    fn subscriber(&self, most: tracing::Level) -> impl tracing::Subscriber + Send + Sync + use<> {
        tracing_subscriber::fmt().json().with_max_level(most).with_writer(self.clone()).finish()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn invocation() -> Invocation {
    Invocation {
        id: "inv-1".into(),
        function: "sql",
        method: "POST".into(),
        route: "/api/sql/statements/{id}",
        deadline: Deadline::after(Limits::default().http_deadline),
        arrived: Instant::now(),
        trace: crate::telemetry::Trace::begin(),
        trail: crate::telemetry::Trail::default(),
        caller: None,
        may_have_effect: true,
    }
}

#[test]
fn a_success_is_one_line_with_the_template_of_its_route() {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.subscriber(tracing::Level::INFO), || log_end(&invocation(), 200, None));
    let lines = lines.all();
    assert_eq!(lines.len(), 1);
    let (fields, span) = (&lines[0]["fields"], &lines[0]["span"]);
    assert_eq!((&fields["status"], &fields["method"]), (&200.into(), &"POST".into()));
    assert_eq!(fields["route"], "/api/sql/statements/{id}");
    assert!(fields["duration_ms"].is_u64());
    assert_eq!((&span["invocationId"], &span["function"]), (&"inv-1".into(), &"sql".into()));
}

#[test]
fn a_failure_is_one_line_with_its_code_its_causes_and_its_upstream() {
    let lines = Lines::default();
    let upstream = Upstream { service: "ledger".into(), status: Some(503), code: None, request_id: Some("r".into()) };
    let failure = Failure::new(Code::LedgerUnavailable, "Down.").caused_by("connection reset").from_upstream(upstream);
    // Even where only errors are kept, the line knows its invocation.
    tracing::subscriber::with_default(lines.subscriber(tracing::Level::ERROR), || {
        log_end(&invocation(), 503, Some(&failure));
    });
    let line = &lines.all()[0];
    assert_eq!((&line["level"], &line["span"]["invocationId"]), (&"ERROR".into(), &"inv-1".into()));
    let fields = &line["fields"];
    assert_eq!((&fields["code"], &fields["status"]), (&"ledger-unavailable".into(), &503.into()));
    assert_eq!(fields["error"], "Down.: connection reset");
    assert_eq!((&fields["upstream_service"], &fields["upstream_status"]), (&"ledger".into(), &503.into()));
    assert_eq!((&fields["upstream_request_id"], &fields["run_id"]), (&"r".into(), &Value::Null));
}

#[tokio::test]
async fn what_a_handler_logs_carries_the_invocation_id() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.subscriber(tracing::Level::INFO));
    let handler = async {
        tracing::warn!("from within");
        Ok(())
    };
    invoke(&invocation(), &Limits::default(), &Handle::current(), handler).await.unwrap();
    let line = &lines.all()[0];
    assert_eq!((&line["fields"]["message"], &line["span"]["invocationId"]), (&"from within".into(), &"inv-1".into()));
}
