//! `causeway serve`: listen, start the log, warm up in the background, and end with a code that the host understands.
//!
//! The host restarts a handler that ends with any code but 0; one that ends with 0 it leaves dead, and every later
//! invocation fails. So no way out of here is 0 (Azure/azure-functions-host, `WorkerProcess.cs`).

use std::io;

use tokio::sync::oneshot;

use super::FAILED;
use crate::app::{self, App};
use crate::settings::{Reading, Variables};
use crate::telemetry;
use crate::triggers::{FUNCTIONS, Limits};

/// 128 + the signal's number, as shells say it.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

/// Serves until a signal. The exit code is never 0.
pub(super) async fn serve(variables: &dyn Variables) -> u8 {
    let reading = Reading::from(variables);
    // Before the log, before any client: the host is asking already.
    let app = match App::bind(reading.host.port) {
        Ok(app) => app,
        Err(error) => return failed("could not listen", &error),
    };
    telemetry::init(&reading.telemetry);
    tracing::info!(port = app.port(), version = env!("CARGO_PKG_VERSION"), "listening");
    match until_signal(app, reading).await {
        Ok(code) => code,
        Err(error) => failed("could not serve", &error),
    }
}

/// stdout, where the host reads it as a plain line; stderr, so that it is kept as the reason of the exit.
fn failed(what: &str, error: &io::Error) -> u8 {
    tracing::error!(%error, what, "the server has ended");
    eprintln!("causeway: {what}: {error}");
    FAILED
}

async fn until_signal(app: App, reading: Reading) -> io::Result<u8> {
    let mut signals = Signals::listen()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let limits = Limits {
        message_deadline: reading
            .settings
            .as_ref()
            .map_or(Limits::default().message_deadline, |settings| settings.runs.message_deadline),
        ..Limits::default()
    };
    let server =
        app.serve(FUNCTIONS, limits, async { app::warm_up(reading).inspect(|work| work.callers.prepare()) }, async {
            let _ = stopped.await;
        })?;
    tokio::pin!(server);
    let code = tokio::select! {
        ended = &mut server => return ended.and(Err(io::Error::other("the server ended by itself"))),
        code = signals.next() => code,
    };
    tracing::info!(code, "asked to end; finishing what is in flight");
    // The other end is gone only when the server is.
    let _ = stop.send(());
    tokio::select! {
        _ = &mut server => {},
        // Asked again: whoever asks twice does not want to wait.
        _ = signals.next() => {},
    }
    Ok(code)
}

/// The signals that ask us to end. The Functions host sends none, it kills; containers and people do.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The exit code that the next signal asks for.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.terminate.recv() => TERMINATED,
            _ = self.interrupt.recv() => INTERRUPTED,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> u8 {
        let _ = tokio::signal::ctrl_c().await;
        INTERRUPTED
    }
}
