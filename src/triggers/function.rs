//! The words of the table `FUNCTIONS`: what a function is, what wakes it, what it is handed. No behaviour.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::failure::Failure;
use crate::http::Deadline;
use crate::requests::{Answer, BodyStream, Call};
use crate::runs::Received;

/// What a handler gives back: a future that may outlive the connection it came from.
pub type Answering<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

/// One function of the app: a folder in `function-definitions/`.
#[derive(Debug)]
pub struct Function<W: 'static> {
    pub name: &'static str,
    pub trigger: Trigger<W>,
}

/// What wakes it.
#[derive(Debug)]
pub enum Trigger<W: 'static> {
    /// Calls below `/api/{area}`.
    Http { level: AuthLevel, routes: &'static [Route<W>] },
    /// A message; `queue` is written as in function.json.
    Message { queue: &'static str, handle: fn(Arc<W>, Received, Deadline) -> Answering<()> },
    /// A message of a topic's subscription, both written as in function.json; off unless the package turns it on.
    Subscription {
        topic: &'static str,
        subscription: &'static str,
        handle: fn(Arc<W>, Received, Deadline) -> Answering<()>,
    },
    /// An event of Event Grid: its JSON, as the host has it.
    Event { handle: fn(Arc<W>, Bytes, Deadline) -> Answering<()> },
    /// A schedule, six-field NCRONTAB.
    Timer { schedule: &'static str, handle: fn(Arc<W>, Deadline) -> Answering<()> },
}

/// Who may call: anybody, or whom the host's keys or Entra's tokens let in (`CAUSEWAY_AUTH`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthLevel {
    Anonymous,
    Function,
}

impl AuthLevel {
    /// As function.json spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Function => "function",
        }
    }
}

/// Which method, and with it what a route takes and what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET: no effect, always safe to send again.
    Get,
    /// POST that starts work: needs a body (`{}` at least), takes `waitSeconds` and `mode`.
    Start,
    /// POST that needs no body, such as `/cancel`.
    Act,
    /// POST whose work is done when it is answered, such as making a dataset: needs a body.
    Make,
    /// POST that only asks, such as a query: no effect, always safe to send again.
    Ask,
    /// PUT: the same however often it is sent.
    Put,
    /// DELETE.
    Delete,
}

impl Verb {
    pub const fn method(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Start | Self::Act | Self::Make | Self::Ask => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Whether a side effect may have happened once its handler was started.
    pub const fn may_have_effect(self) -> bool {
        !matches!(self, Self::Get | Self::Ask)
    }
}

/// One call of the HTTP surface.
#[derive(Debug)]
pub struct Route<W: 'static> {
    pub verb: Verb,
    /// `/api/sql/statements/{id}`: what stands in braces is handed to the handler, decoded.
    pub path: &'static str,
    pub handle: Handle<W>,
}

/// How a route is answered.
#[derive(Debug)]
pub enum Handle<W: 'static> {
    /// With the rooms below, once they are warm.
    Work(fn(Hit<W>) -> Answering<Answer>),
    /// The same, with the body as it comes; `Hit::body` is empty.
    Streamed(fn(Hit<W>, BodyStream) -> Answering<Answer>),
    /// At once, whatever state the process is in.
    Alone(fn() -> Answer),
}

/// A call on its way into a handler.
#[derive(Debug)]
pub struct Hit<W> {
    pub work: Arc<W>,
    pub call: Call,
    /// What stood in the braces of the path, decoded, in order. As many as the path has braces.
    pub parts: Vec<String>,
    pub body: Bytes,
}

impl<W> Hit<W> {
    /// The nth part; empty when the path has no such brace, which the test of the table excludes.
    pub fn part(&self, index: usize) -> &str {
        self.parts.get(index).map_or("", String::as_str)
    }
}

pub(super) const fn http<W>(name: &'static str, level: AuthLevel, routes: &'static [Route<W>]) -> Function<W> {
    Function { name, trigger: Trigger::Http { level, routes } }
}

pub(super) const fn message<W>(
    name: &'static str,
    queue: &'static str,
    handle: fn(Arc<W>, Received, Deadline) -> Answering<()>,
) -> Function<W> {
    Function { name, trigger: Trigger::Message { queue, handle } }
}

pub(super) const fn subscription<W>(
    name: &'static str,
    topic: &'static str,
    subscription: &'static str,
    handle: fn(Arc<W>, Received, Deadline) -> Answering<()>,
) -> Function<W> {
    Function { name, trigger: Trigger::Subscription { topic, subscription, handle } }
}

pub(super) const fn event<W>(name: &'static str, handle: fn(Arc<W>, Bytes, Deadline) -> Answering<()>) -> Function<W> {
    Function { name, trigger: Trigger::Event { handle } }
}

pub(super) const fn timer<W>(
    name: &'static str,
    schedule: &'static str,
    handle: fn(Arc<W>, Deadline) -> Answering<()>,
) -> Function<W> {
    Function { name, trigger: Trigger::Timer { schedule, handle } }
}

pub(super) const fn get<W>(path: &'static str, handle: fn(Hit<W>) -> Answering<Answer>) -> Route<W> {
    Route { verb: Verb::Get, path, handle: Handle::Work(handle) }
}

pub(super) const fn get_alone<W>(path: &'static str, handle: fn() -> Answer) -> Route<W> {
    Route { verb: Verb::Get, path, handle: Handle::Alone(handle) }
}

pub(super) const fn start<W>(path: &'static str, handle: fn(Hit<W>) -> Answering<Answer>) -> Route<W> {
    Route { verb: Verb::Start, path, handle: Handle::Work(handle) }
}

pub(super) const fn start_streamed<W>(
    path: &'static str,
    handle: fn(Hit<W>, BodyStream) -> Answering<Answer>,
) -> Route<W> {
    Route { verb: Verb::Start, path, handle: Handle::Streamed(handle) }
}

pub(super) const fn act<W>(path: &'static str, handle: fn(Hit<W>) -> Answering<Answer>) -> Route<W> {
    Route { verb: Verb::Act, path, handle: Handle::Work(handle) }
}

pub(super) const fn make<W>(path: &'static str, handle: fn(Hit<W>) -> Answering<Answer>) -> Route<W> {
    Route { verb: Verb::Make, path, handle: Handle::Work(handle) }
}

pub(super) const fn ask<W>(path: &'static str, handle: fn(Hit<W>) -> Answering<Answer>) -> Route<W> {
    Route { verb: Verb::Ask, path, handle: Handle::Work(handle) }
}

pub(super) const fn put<W>(path: &'static str, handle: fn(Hit<W>) -> Answering<Answer>) -> Route<W> {
    Route { verb: Verb::Put, path, handle: Handle::Work(handle) }
}

pub(super) const fn delete<W>(path: &'static str, handle: fn(Hit<W>) -> Answering<Answer>) -> Route<W> {
    Route { verb: Verb::Delete, path, handle: Handle::Work(handle) }
}
