//! Logs as JSON lines on stdout, with the invocation they belong to.
//!
//! Never stderr: the Functions host reads each line there as an error. What may not live here: what is worth logging.

mod audit;
mod lines;
#[cfg(test)]
mod tests;
mod trace;

use std::panic::PanicHookInfo;

use tracing::{Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings;

pub use audit::{AUDIT, Effect, Outcome, Trail};
pub use lines::JsonLines;
pub use trace::{Trace, carried};

/// Starts logging for the whole process, panics included. Called once, by `main`; a second call changes nothing.
pub fn init(settings: &settings::Telemetry) {
    let (filter, problem) = filter(&settings.filter);
    if subscriber(filter, std::io::stdout).try_init().is_err() {
        return;
    }
    std::panic::set_hook(Box::new(log_panic));
    if let Some(problem) = problem {
        tracing::warn!(variable = "CAUSEWAY_LOG", "{problem}");
    }
}

fn subscriber<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = JsonLines::new(writer).with_filter(filter_fn(|metadata| {
        *metadata.level() <= Level::INFO
            || !SPEAK_OF_SECRETS.iter().any(|library| metadata.target().starts_with(library))
    }));
    tracing_subscriber::registry().with(filter).with(lines)
}

/// Libraries whose debug lines show headers and whole URLs; theirs are kept at `info` whatever the filter says.
const SPEAK_OF_SECRETS: &[&str] =
    &["azure", "typespec", "reqwest", "hyper", "h2", "rustls", "object_store", "actix_http"];

/// A plain level is meant for us; of the libraries only what needs attention is shown with it.
fn filter(text: &str) -> (EnvFilter, Option<String>) {
    let directives = if text.contains(['=', ',']) { text.to_owned() } else { format!("warn,causeway={}", text.trim()) };
    // Who did what is told however quiet the rest is.
    let audited = |directives: &str| format!("{directives},{AUDIT}=info");
    match EnvFilter::try_new(audited(&directives)) {
        Ok(filter) => (filter, None),
        Err(error) => (
            EnvFilter::new(audited("warn,causeway=info")),
            Some(format!("CAUSEWAY_LOG must be a level (error, warn, info, debug, trace) or target=level,…: {error}")),
        ),
    }
}

/// One line with the place; the invocation itself is answered by the layer that catches the panic.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let message = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, panic = message, "a panic was caught; this is a defect");
}
