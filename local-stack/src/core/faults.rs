//! Faults on request: what to do wrong, for which calls, how often. The same for every stand-in, in process
//! ([`Faults::add`]) and over HTTP (`POST /__stand-in/faults`, `DELETE` clears, `GET /__stand-in/history`).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Action {
    /// Answers this instead; the service does nothing.
    Status {
        status: u16,
        #[serde(default)]
        headers: Vec<(String, String)>,
        #[serde(default)]
        body: String,
    },
    /// Does the work, then answers this instead.
    StatusAfterCommit {
        status: u16,
        #[serde(default)]
        headers: Vec<(String, String)>,
        #[serde(default)]
        body: String,
    },
    /// Waits, then goes on as if nothing had been.
    Delay { milliseconds: u64 },
    /// Does the work, then waits before it answers.
    DelayAfterCommit { milliseconds: u64 },
    /// Closes the connection before the work is done.
    CutBeforeCommit,
    /// Does the work and closes the connection without an answer.
    CutAfterCommit,
    /// Does the work and answers its status with an empty body.
    EmptyBody,
    /// Does the work and sends only the first bytes of the body, then closes the connection.
    Truncate { bytes: usize },
    /// Never answers; holds the connection until the caller goes away. The work is not done.
    Hang,
}

/// Which calls, and how many of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// `GET`, `POST`, …; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A part of path and query; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_contains: Option<String>,
    /// A part of the request body; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
    /// Let this many matching calls through first.
    #[serde(default)]
    pub skip: usize,
    /// Then spoil this many; 1 when absent.
    #[serde(default = "one")]
    pub times: usize,
    pub action: Action,
}

fn one() -> usize {
    1
}

impl Fault {
    /// Spoils the next matching call.
    pub fn once(method: &str, path_contains: &str, action: Action) -> Self {
        Self {
            method: Some(method.into()),
            path_contains: Some(path_contains.into()),
            body_contains: None,
            skip: 0,
            times: 1,
            action,
        }
    }

    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    #[must_use]
    pub fn skip(mut self, skip: usize) -> Self {
        self.skip = skip;
        self
    }

    #[must_use]
    pub fn body_contains(mut self, part: &str) -> Self {
        self.body_contains = Some(part.into());
        self
    }

    fn matches(&self, method: &str, target: &str, body: &[u8]) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path_contains.as_deref().is_none_or(|part| target.contains(part))
            && self.body_contains.as_deref().is_none_or(|part| String::from_utf8_lossy(body).contains(part))
    }
}

/// The faults that a stand-in has been asked for.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    faults: Arc<Mutex<Vec<Fault>>>,
}

impl Faults {
    pub fn add(&self, fault: Fault) {
        self.lock().push(fault);
    }

    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The action for this call, counting it.
    pub fn take(&self, method: &str, target: &str, body: &[u8]) -> Option<Action> {
        let mut faults = self.lock();
        let index = faults.iter().position(|fault| fault.times > 0 && fault.matches(method, target, body))?;
        let fault = &mut faults[index];
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.times -= 1;
        let action = fault.action.clone();
        if fault.times == 0 {
            faults.remove(index);
        }
        Some(action)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Action {
    /// The time to wait, for the two delays.
    pub fn delay(&self) -> Option<Duration> {
        match self {
            Self::Delay { milliseconds } | Self::DelayAfterCommit { milliseconds } => {
                Some(Duration::from_millis(*milliseconds))
            }
            _ => None,
        }
    }
}
