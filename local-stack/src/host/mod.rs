//! The stand-in for the Azure Functions host, version 4: it runs the unmodified handler as a child process and is
//! driven by the real `host.json` and `function.json` files. It is no kinder than the real host.

mod logs;
mod options;

use crate::core::History;

pub use logs::Logs;
pub use options::{Groups, HostOptions, Keys, Resend, Timers};

/// Where the host, or one function group of it, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The handler has not answered `GET /` yet, or is being started again.
    Starting,
    /// The handler has answered once. It stays so when the handler exits with 0, as in the real host.
    Running,
    /// Stopped after too many errors; the platform will bring up a new host soon.
    Stopped,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    /// The reason as the host would log it.
    Failed(String),
}

/// One handler process, as it is now.
#[derive(Clone, Debug)]
pub struct ProcessFacts {
    /// `http`, or the name of the function that has the group for itself; `all` when there is one group.
    pub group: String,
    pub state: State,
    /// None between two processes, or after an exit with 0.
    pub pid: Option<u32>,
    /// Where the handler listens.
    pub port: u16,
    /// Processes started for this group so far.
    pub starts: usize,
    /// Hosts brought up for this group so far: 1, and one more after each stop for too many errors.
    pub hosts: usize,
}

/// The running stand-in; handlers are killed when it is dropped.
#[derive(Debug)]
pub struct Host {}

impl Host {
    /// Reads the definitions, starts the front and the handlers, and returns at once; see [`Host::ready`].
    pub async fn start(options: HostOptions, history: History) -> anyhow::Result<Self> {
        let _ = (options, history);
        unimplemented!()
    }

    /// `http://127.0.0.1:port`, without a trailing slash.
    pub fn url(&self) -> String {
        unimplemented!()
    }

    pub fn keys(&self) -> Keys {
        unimplemented!()
    }

    /// Everything that the handlers and the host itself have written.
    pub fn logs(&self) -> Logs {
        unimplemented!()
    }

    /// Names of the functions that were indexed, sorted.
    pub fn functions(&self) -> Vec<String> {
        unimplemented!()
    }

    /// Waits until every handler is ready; an error when one is not within its initialization timeout.
    pub async fn ready(&self) -> anyhow::Result<()> {
        unimplemented!()
    }

    pub fn processes(&self) -> Vec<ProcessFacts> {
        unimplemented!()
    }

    /// `Running` when every group is, else the worst.
    pub fn state(&self) -> State {
        unimplemented!()
    }

    /// Processes started again, over all groups.
    pub fn restarts(&self) -> usize {
        unimplemented!()
    }

    /// SIGKILL to the handlers of `group`, or of all groups; returns when they are gone. They are started again as
    /// after any crash.
    pub async fn kill_handler(&self, group: Option<&str>) {
        let _ = group;
        unimplemented!()
    }

    /// Runs a timer function now and says how it ended. Waits for a run in progress: timers are singletons.
    pub async fn fire_timer(&self, function: &str, is_past_due: bool) -> anyhow::Result<Outcome> {
        let _ = (function, is_past_due);
        unimplemented!()
    }

    /// Kills the handlers and waits until they are gone.
    pub async fn stop(self) {
        unimplemented!()
    }
}
