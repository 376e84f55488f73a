//! W3C trace context (w3.org/TR/trace-context): read from whoever calls, carried by the task, written to whoever is called
//! and into every line of the log. No exporter lives here: the host collects our lines, and a query joins them.

use std::fmt;

use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use uuid::Uuid;

tokio::task_local! {
    static CURRENT: Trace;
}

/// The longest `tracestate` that is carried on; the standard asks for no more.
const MAX_STATE: usize = 512;

/// One span of a trace.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Trace {
    /// 32 hex digits.
    id: String,
    /// 16 hex digits.
    span: String,
    flags: u8,
    state: Option<String>,
}

/// As it is kept and sent.
#[derive(Clone, Serialize, Deserialize)]
struct Written {
    traceparent: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tracestate: Option<String>,
}

impl Trace {
    /// Somebody else's span, when `traceparent` is one; a `tracestate` that is none is left out.
    pub fn read(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let traceparent = traceparent.trim();
        let mut parts = traceparent.split('-');
        let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // A later version may have more parts; this one has not.
        let known = version != "ff" && (version != "00" || parts.next().is_none());
        let right = known
            && is_hex(version, 2)
            && is_hex(flags, 2)
            && [(trace_id, 32), (span_id, 16)].iter().all(|(id, length)| is_hex(id, *length) && !is_zero(id));
        if !right {
            return None;
        }
        let state = tracestate.map(str::trim).filter(|state| {
            (1..=MAX_STATE).contains(&state.len()) && state.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        });
        Some(Self {
            id: trace_id.to_owned(),
            span: span_id.to_owned(),
            flags: u8::from_str_radix(flags, 16).ok()? & 1,
            state: state.map(str::to_owned),
        })
    }

    /// A trace of its own, for what nobody called.
    pub fn begin() -> Self {
        Self::of(&Uuid::new_v4().simple().to_string())
    }

    /// The trace whose id is `id`, 32 hex digits as a run's id has; another one when it is none.
    pub fn of(id: &str) -> Self {
        if !is_hex(id, 32) || is_zero(id) {
            return Self::begin();
        }
        Self { id: id.to_owned(), span: draw_span(), flags: 1, state: None }
    }

    /// The next span of the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span: draw_span(), ..self.clone() }
    }

    pub fn trace_id(&self) -> &str {
        &self.id
    }

    pub fn span_id(&self) -> &str {
        &self.span
    }

    /// `00-{trace}-{span}-{flags}`.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.id, self.span, self.flags)
    }

    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The span that this task is in.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Runs `future` in this span. Lines logged within carry `traceId`, `spanId` and, when it is told, `run`.
    ///
    /// On the heap: it stands around whole runs.
    pub fn within<F: Future>(self, run: Option<&str>, future: F) -> impl Future<Output = F::Output> + use<F> {
        let (trace, span) = (&self.id, &self.span);
        // At level error, so that no filter drops it.
        let span = if let Some(run) = run {
            tracing::error_span!("run", run, traceId = trace, spanId = span)
        } else {
            tracing::error_span!("trace", traceId = trace, spanId = span)
        };
        CURRENT.scope(self, Box::pin(future)).instrument(span)
    }

    /// Runs `future` in this span, whose lines carry the ids already.
    pub fn carry<F: Future>(self, future: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self, future)
    }
}

/// A future for a task of its own, in the span of the one that makes it.
pub fn carried<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let trace = Trace::current();
    async move {
        match trace {
            Some(trace) => trace.carry(future).await,
            None => future.await,
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.traceparent())
    }
}

impl From<Trace> for Written {
    fn from(trace: Trace) -> Self {
        Self { traceparent: trace.traceparent(), tracestate: trace.state }
    }
}

impl TryFrom<Written> for Trace {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        Self::read(&written.traceparent, written.tracestate.as_deref()).ok_or_else(|| "not a traceparent".to_owned())
    }
}

/// Never zero: a UUID's second half begins with its variant.
fn draw_span() -> String {
    format!("{:016x}", Uuid::new_v4().as_u64_pair().1)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ONE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[rstest]
    #[case(ONE, true)]
    #[case("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true)]
    #[case("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes", true)]
    #[case("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", false)]
    #[case("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false)]
    #[case("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false)]
    #[case("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false)]
    #[case("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false)]
    #[case("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", false)]
    #[case("|a.b.c.", false)]
    fn a_traceparent_is_what_the_standard_says(#[case] text: &str, #[case] right: bool) {
        assert_eq!(Trace::read(text, None).is_some(), right);
    }

    #[test]
    fn a_child_keeps_its_trace_and_its_state_and_is_read_again_as_it_was_kept() {
        let theirs = Trace::read(ONE, Some("vendor=1")).unwrap();
        let ours = theirs.child();
        assert_eq!(ours.trace_id(), theirs.trace_id());
        assert_ne!(ours.span_id(), theirs.span_id());
        assert_eq!(ours.tracestate(), Some("vendor=1"));
        let kept = serde_json::to_string(&ours).unwrap();
        assert_eq!(serde_json::from_str::<Trace>(&kept).unwrap(), ours);
        assert_eq!(Trace::read(ONE, Some(&"x".repeat(513))).unwrap().tracestate(), None);
    }

    #[test]
    fn a_run_s_id_is_a_trace_s_id() {
        assert_eq!(Trace::of("4bf92f3577b34da6a3ce929d0e0e4736").trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(Trace::of("no id").trace_id().len(), 32);
    }

    #[tokio::test]
    async fn a_task_of_its_own_is_in_the_span_that_made_it() {
        assert!(Trace::current().is_none());
        let trace = Trace::begin();
        let there = async { tokio::spawn(carried(async { Trace::current() })).await.unwrap() };
        assert_eq!(trace.clone().within(None, there).await, Some(trace));
    }
}
