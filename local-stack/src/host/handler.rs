//! The handler as a child process: its environment, its lines, its readiness. When it is started and stopped is
//! `group`'s business.

use std::process::Stdio;
use std::time::Duration;

use http::Request;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use uuid::Uuid;

use super::logs::{Logs, Source};
use super::{Context, bodies};

/// How often the host asks whether the handler listens (WorkerConstants).
const READINESS_INTERVAL: Duration = Duration::from_millis(25);

/// A free port on loopback that is not `previous`.
pub(super) async fn free_port(previous: u16) -> std::io::Result<u16> {
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?.port();
        if port != previous {
            return Ok(port);
        }
    }
}

/// Starts the unmodified handler. It is killed when the child is dropped.
pub(super) fn spawn(context: &Context, group: &str, port: u16) -> std::io::Result<Child> {
    let options = &context.options;
    let worker = Uuid::new_v4().to_string();
    let directory = context.host_json.working_directory.as_ref().map_or_else(
        || options.root.clone(),
        |directory| options.root.join(directory), // an absolute one stays as it is
    );
    let mut command = Command::new(&options.handler);
    if !options.inherit_environment {
        command.env_clear();
    }
    command
        .args(context.host_json.arguments.iter().map(|argument| expand(argument, context)))
        .current_dir(directory)
        .envs(&options.environment)
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", &worker)
        .env("FUNCTIONS_HTTPWORKER_PORT", port.to_string())
        .env("FUNCTIONS_HTTPWORKER_ID", &worker)
        .env("FUNCTIONS_APP_ROOT_PATH", &options.root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    if let Some(output) = child.stdout.take() {
        tokio::spawn(collect(output, context.logs.clone(), group.to_owned(), Source::Output));
    }
    if let Some(errors) = child.stderr.take() {
        let source = if context.host_json.errors_only_on_stderr { Source::Error } else { Source::Output };
        tokio::spawn(collect(errors, context.logs.clone(), group.to_owned(), source));
    }
    Ok(child)
}

/// `%NAME%` from the environment; what is not set goes away.
fn expand(argument: &str, context: &Context) -> String {
    let mut expanded = String::new();
    for (index, piece) in argument.split('%').enumerate() {
        if index % 2 == 0 {
            expanded.push_str(piece);
        } else if let Some(value) = context.options.environment.get(piece) {
            expanded.push_str(value);
        }
    }
    expanded
}

async fn collect(stream: impl AsyncRead + Unpin, logs: Logs, group: String, source: Source) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    // By bytes: a handler that prints no UTF-8 must not silence its later lines.
    while stream.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        logs.push(&group, source, String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
        line.clear();
    }
}

/// Waits until `GET /` gets any answer; false when none came within the initialization timeout.
pub(super) async fn ready(context: &Context, port: u16) -> bool {
    let deadline = Instant::now() + context.host_json.initialization_timeout;
    // A handler that accepts and stays silent is waited for as long as the host's client would.
    let patience = context.function_timeout() + Duration::from_mins(1);
    while Instant::now() < deadline {
        let request = Request::get(format!("http://127.0.0.1:{port}/")).body(bodies::empty());
        let Ok(request) = request else { return false };
        match tokio::time::timeout(patience, context.client.request(request)).await {
            Ok(Ok(_)) => return true,
            Ok(Err(_)) => tokio::time::sleep(READINESS_INTERVAL).await,
            Err(_) => return false,
        }
    }
    false
}
