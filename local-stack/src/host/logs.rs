//! The lines that the handlers and the host wrote, in order, and waiting for one of them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The handler's standard output: Information in the real host.
    Output,
    /// The handler's standard error: Error in the real host, Warning when it contains "warn".
    Error,
    /// The host itself.
    Host,
    /// The `Logs` array of an invocation's answer.
    Invocation,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// The function group whose handler wrote it.
    pub group: String,
    pub source: Source,
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            Source::Output => "out",
            Source::Error => "err",
            Source::Host => "host",
            Source::Invocation => "log",
        };
        write!(formatter, "[{} {source}] {}", self.group, self.text)
    }
}

/// A shared list of lines; clones are the same list.
#[derive(Clone, Debug)]
pub struct Logs {
    lines: Arc<Mutex<Vec<Line>>>,
    length: Arc<watch::Sender<usize>>,
    print: bool,
}

impl Logs {
    pub(super) fn new(print: bool) -> Self {
        Self { lines: Arc::default(), length: Arc::new(watch::Sender::new(0)), print }
    }

    pub(super) fn push(&self, group: &str, source: Source, text: impl Into<String>) {
        let line = Line { group: group.to_owned(), source, text: text.into() };
        if self.print {
            eprintln!("{line}");
        }
        let mut lines = self.lock();
        lines.push(line);
        self.length.send_replace(lines.len());
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<Line> {
        self.lock().clone()
    }

    /// The first line that contains `part`, if there is one by now.
    pub fn find(&self, part: &str) -> Option<Line> {
        self.lock().iter().find(|line| line.text.contains(part)).cloned()
    }

    pub fn count(&self, part: &str) -> usize {
        self.lock().iter().filter(|line| line.text.contains(part)).count()
    }

    /// Waits for a line that contains `part`; for ever if none comes, so bound it.
    pub async fn wait_for(&self, part: &str) -> Line {
        let mut length = self.length.subscribe();
        loop {
            if let Some(line) = self.find(part) {
                return line;
            }
            if length.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Changes with every line: for waiting without sleeping.
    pub fn watch(&self) -> watch::Receiver<usize> {
        self.length.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
