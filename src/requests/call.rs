//! What a call brings and what it gets, free of any web framework.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use url::Url;

use crate::entra::User;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::settings::Rights;
use crate::telemetry::Trail;

/// How the caller wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Wait this long for the end, then 202 (`waitSeconds`; `None` is the default of the call).
    Wait(Option<Duration>),
    /// 201 at once (`mode=start`).
    Start,
}

/// One call, as the trigger decoded it.
#[derive(Clone, Debug)]
pub struct Call {
    /// By when something must be answered.
    pub deadline: Deadline,
    /// By when an answer that is streamed must have ended.
    pub stream_deadline: Deadline,
    /// A streamed answer is cut when its caller takes nothing for this long.
    pub stream_pause: Duration,
    pub presence: Presence,
    pub mode: Mode,
    /// `Idempotency-Key`, when sent.
    pub idempotency_key: Option<String>,
    /// `X-Azure-Functions-InvocationId`: the same when the host sends a call again.
    pub invocation_id: String,
    /// Who calls, for claims and runs: the object id, else `keys`.
    pub caller: String,
    /// Who that is, when the call came with a validated Entra token.
    pub user: Option<Arc<User>>,
    /// What the caller may do: all of it with a key.
    pub rights: Arc<Rights>,
    /// Scheme and host that the caller used, from the forwarded headers.
    pub forwarded_base: Option<Url>,
    /// What the audit will tell of the call.
    pub trail: Trail,
    /// Whole query, decoded, in order.
    pub query: Vec<(String, String)>,
}

/// Whether the caller is still there; cheap to clone.
#[derive(Clone, Debug)]
pub struct Presence(watch::Receiver<()>);

/// Keeps a caller present until it is dropped.
#[derive(Debug)]
pub struct Present(#[allow(dead_code, reason = "that it lives is what it says")] watch::Sender<()>);

impl Presence {
    pub fn new() -> (Self, Present) {
        let (present, presence) = watch::channel(());
        (Self(presence), Present(present))
    }

    /// Waits until nobody is there to be answered.
    pub async fn gone(&self) {
        let mut presence = self.0.clone();
        while presence.changed().await.is_ok() {}
    }
}

/// A body on its way in, piece by piece, for calls that take more than memory holds.
#[derive(Debug)]
pub struct BodyStream {
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// The pieces, decompressed; `None` is the end of a body that came whole. A channel that closes before was cut: its
    /// connection is gone, and nobody was left to say so.
    pub pieces: mpsc::Receiver<Result<Option<Bytes>, Failure>>,
}

impl BodyStream {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let cut = || Err(Failure::new(Code::BodyMalformed, "The body ended too soon."));
        self.pieces.recv().await.unwrap_or_else(cut)
    }
}

/// Which success it is; the trigger knows the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// 200
    Done,
    /// 201, with `location`
    Started,
    /// 202, with `location` and `retry_after_seconds`
    Accepted,
}

/// What stands in an answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// Whole.
    Json(Vec<u8>),
    /// As it comes.
    Stream(AnswerStream),
}

/// Rows on their way to the caller.
#[derive(Debug)]
pub struct AnswerStream {
    pub content_type: &'static str,
    /// Headers of its own, such as `x-causeway-row-count`.
    pub headers: Vec<(&'static str, String)>,
    /// Ends with [`Part::End`], or was cut and must not look complete. Dropping it stops the work behind it.
    pub parts: mpsc::Receiver<Result<Part, Failure>>,
    /// Rows handed over so far, for the log.
    pub rows: Arc<AtomicU64>,
}

/// What a stream consists of.
#[derive(Debug)]
pub enum Part {
    Piece(Bytes),
    /// Everything has come.
    End,
}

/// What the caller gets.
#[derive(Debug)]
pub struct Answer {
    pub kind: AnswerKind,
    pub body: AnswerBody,
    pub location: Option<String>,
    pub retry_after_seconds: Option<u64>,
    /// Header `x-causeway-run-id`.
    pub run_id: Option<String>,
    /// Header `x-causeway-replayed: true`.
    pub replayed: bool,
    /// Header `x-causeway-fallback: inline`: the links to the result could not be used, and it came another way.
    pub fell_back: bool,
}

impl Call {
    /// The first value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A whole number of the query. Digits only: `parse` alone would take `+5`.
    pub fn whole<T>(&self, name: &str, range: RangeInclusive<T>) -> Result<Option<T>, Failure>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(text) = self.query(name) else { return Ok(None) };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<T>() {
            Ok(number) if digits && range.contains(&number) => Ok(Some(number)),
            _ => {
                let detail = format!("`{name}` is a whole number from {} to {}.", range.start(), range.end());
                Err(Failure::new(Code::QueryInvalid, detail).at(format!("query.{name}")))
            }
        }
    }
}

impl Answer {
    /// Says that it took several tries: `tries` in a JSON object, `x-causeway-tries` before a stream.
    #[must_use]
    pub fn after(mut self, tries: u32) -> Self {
        if tries > 1 {
            match &mut self.body {
                AnswerBody::Json(body) => add_member(body, "tries", tries),
                AnswerBody::Stream(stream) => stream.headers.push(("x-causeway-tries", tries.to_string())),
            }
        }
        self
    }

    /// Says how far the work has come, in a JSON object.
    #[must_use]
    pub fn with_progress(mut self, progress: Option<Value>) -> Self {
        if let (AnswerBody::Json(body), Some(progress)) = (&mut self.body, progress) {
            add_member(body, "progress", progress);
        }
        self
    }

    pub fn done(body: Vec<u8>) -> Self {
        Self::of(AnswerBody::Json(body))
    }

    pub fn of(body: AnswerBody) -> Self {
        Self {
            kind: AnswerKind::Done,
            body,
            location: None,
            retry_after_seconds: None,
            run_id: None,
            replayed: false,
            fell_back: false,
        }
    }
}

/// One more member at the end of a JSON object that has some; of anything else nothing.
fn add_member(body: &mut Vec<u8>, name: &str, value: impl Display) {
    if body.ends_with(b"}") {
        body.pop();
        body.extend_from_slice(format!(",\"{name}\":{value}}}").as_bytes());
    }
}
