//! The one Python worker that runs SQL for every Databricks stand-in of this process. It is owned by plain threads,
//! so that it outlives any tokio runtime. What is asked of it, and how replies look, stands in `engine/worker.py`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use anyhow::{Context, anyhow};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::python;

const REQUIREMENTS: &str = include_str!("../../engine/requirements.txt");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/engine");

static SHARED: Mutex<Option<Arc<Engine>>> = Mutex::new(None);

/// Why a statement or script did not succeed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EngineFailure {
    pub(super) message: String,
    pub(super) sql_state: Option<String>,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Answer {
    Done(Box<RawValue>),
    Failed(EngineFailure),
    Canceled,
}

/// Rows as the worker made them: each chunk is JSON text already, or an Arrow stream in a file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Table {
    /// None for a statement that has no columns, such as DDL.
    pub(super) columns: Option<Vec<Value>>,
    pub(super) chunks: Vec<Chunk>,
    pub(super) truncated: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    pub(super) rows: u64,
    pub(super) data: Option<Box<RawValue>>,
    /// Of the stream before it was compressed.
    pub(super) bytes: Option<u64>,
    pub(super) file: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Line {
    id: u64,
    ok: Option<Box<RawValue>>,
    failed: Option<EngineFailure>,
    #[serde(default)]
    canceled: bool,
}

type Pending = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>>;

#[derive(Debug)]
pub(super) struct Engine {
    lines: mpsc::Sender<String>,
    /// None once the worker is gone.
    pending: Pending,
    next: AtomicU64,
}

/// A request that is under way. Dropped before its answer, it is canceled: nobody would hear of its effects.
#[derive(Debug)]
pub(super) struct Call {
    number: u64,
    answer: oneshot::Receiver<Answer>,
    answered: bool,
    lines: mpsc::Sender<String>,
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.answered {
            self.cancel();
        }
    }
}

impl Call {
    pub(super) async fn answer(&mut self) -> Answer {
        let answer = (&mut self.answer).await;
        self.answered = true;
        answer.unwrap_or_else(|_| {
            let message = "The SQL engine of the local stack stopped.".into();
            Answer::Failed(EngineFailure { message, sql_state: None })
        })
    }

    /// Interrupts it; it may still finish.
    pub(super) fn cancel(&self) {
        let _ = self.lines.send(json!({"op": "cancel", "target": self.number}).to_string());
    }
}

impl Engine {
    /// The worker of this process; starts it, and installs what it needs, when there is none. Blocks.
    pub(super) fn shared(data: &Path, progress: &dyn Fn(&str)) -> anyhow::Result<Arc<Self>> {
        let mut shared = lock(&SHARED);
        if let Some(engine) = shared.as_ref().filter(|engine| lock(&engine.pending).is_some()) {
            return Ok(engine.clone());
        }
        let environment = python::environment(data, "sql-engine", REQUIREMENTS, progress)?;
        let engine = Arc::new(Self::start(&environment)?);
        *shared = Some(engine.clone());
        Ok(engine)
    }

    fn start(environment: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(python::interpreter(environment))
            .arg("-u")
            .arg(Path::new(FOLDER).join("worker.py"))
            // Nothing is written beside the sources.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the SQL engine could not be started")?;
        let (stdin, stdout) = pipes(&mut child)?;
        let pending: Pending = Arc::new(Mutex::new(Some(HashMap::new())));
        let (ready, is_ready) = mpsc::channel();
        let (lines, to_write) = mpsc::channel::<String>();
        let replies = pending.clone();
        std::thread::Builder::new().name("sql-engine-replies".into()).spawn(move || {
            read(stdout, &replies, &ready);
            // Whoever still waits is told by its dropped sender.
            lock(&replies).take();
            let _ = child.wait();
        })?;
        std::thread::Builder::new().name("sql-engine-requests".into()).spawn(move || write(stdin, &to_write))?;
        is_ready.recv().map_err(|_| anyhow!("the SQL engine stopped before it was ready; see its words above"))?;
        Ok(Self { lines, pending, next: AtomicU64::new(1) })
    }

    /// Sends a request of the form that `engine/worker.py` documents.
    pub(super) fn call(&self, operation: &str, mut request: Value) -> Call {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        if let Some(pending) = lock(&self.pending).as_mut() {
            pending.insert(number, sender);
        }
        request["id"] = number.into();
        request["op"] = operation.into();
        let _ = self.lines.send(request.to_string());
        Call { number, answer, answered: false, lines: self.lines.clone() }
    }

    /// Forgets a lakehouse.
    pub(super) fn close(&self, lakehouse: &str) {
        let _ = self.lines.send(json!({"op": "close", "lakehouse": lakehouse}).to_string());
    }
}

fn pipes(child: &mut Child) -> anyhow::Result<(ChildStdin, ChildStdout)> {
    let stdin = child.stdin.take().context("the SQL engine has no stdin")?;
    let stdout = child.stdout.take().context("the SQL engine has no stdout")?;
    Ok((stdin, stdout))
}

fn read(stdout: ChildStdout, pending: &Pending, ready: &mpsc::Sender<()>) {
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { return };
        let line: Line = match serde_json::from_str(&line) {
            Ok(line) => line,
            Err(error) => {
                eprintln!("the SQL engine said something that is no reply: {error}");
                return;
            }
        };
        if line.id == 0 {
            let _ = ready.send(());
            continue;
        }
        let Some(waiting) = lock(pending).as_mut().and_then(|pending| pending.remove(&line.id)) else { continue };
        let answer = match (line.ok, line.failed) {
            (Some(ok), _) => Answer::Done(ok),
            (None, Some(failure)) => Answer::Failed(failure),
            (None, None) if line.canceled => Answer::Canceled,
            (None, None) => continue,
        };
        let _ = waiting.send(answer);
    }
}

fn write(mut stdin: ChildStdin, lines: &mpsc::Receiver<String>) {
    while let Ok(mut line) = lines.recv() {
        line.push('\n');
        if stdin.write_all(line.as_bytes()).is_err() {
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
