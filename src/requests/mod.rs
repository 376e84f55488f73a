//! The direct work of one HTTP call: claim, send, wait, hand over. Knows no actix-web and no status code.

mod answers;
mod body;
mod bulk;
mod call;
mod callbacks;
mod claim;
mod dax;
mod derived;
mod disposition;
mod exports;
mod filter;
mod follow;
mod guard;
mod job_definition;
mod job_lists;
mod job_names;
mod job_repairs;
mod job_run_body;
mod job_runs;
mod job_starts;
mod lists;
mod operations;
mod owners;
mod pages;
mod power_bi_lists;
mod pump;
mod push_datasets;
mod raw;
mod raw_body;
mod reads;
mod ready;
mod refreshes;
mod rows;
mod run_as;
mod runs;
mod statement_body;
mod statements;
mod status;
mod stream;
mod token;
mod upkeep;
mod values;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore};

use crate::databricks::Budget;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::key_vault::Secrets;
use crate::ledger::Ledger;
use crate::runs::Runs;
use crate::settings;
use crate::steps::Neighbours;

pub use token::StatusToken;

pub use call::{Answer, AnswerBody, AnswerKind, AnswerStream, BodyStream, Call, Mode, Part, Presence, Present};
pub use run_as::Exchanges;

/// Waited for when a call does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(90);
/// The longest wait that is granted: Power Automate gives up after 120 s.
const LONGEST_WAIT: Duration = Duration::from_secs(105);
/// Kept back from a call's deadline, to answer. The deadline of a young process is sooner, and its waits with it.
const TO_ANSWER: Duration = Duration::from_secs(5);

/// Everything an HTTP function can ask for; cheap to clone.
#[derive(Clone)]
pub struct Requests(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    neighbours: Neighbours,
    ledger: Ledger,
    secrets: Arc<dyn Secrets>,
    runs: Runs,
    settings: settings::Requests,
    sql: settings::Sql,
    /// What all streams of this process hold in memory together.
    budget: Budget,
    /// Calls of the function `sql` at once.
    sql_places: guard::Places,
    /// A permit for each result that may be streamed at once.
    streams: Arc<Semaphore>,
    waiting: reads::Waiters,
    links: Arc<disposition::Links>,
    runs_settings: settings::Runs,
    seen: Arc<Mutex<Option<ready::Seen>>>,
    exchanges: Option<Exchanges>,
    /// The object id of the user in whose name all neighbours are called.
    acting_for: Option<String>,
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Requests")
    }
}

impl Requests {
    pub fn new(
        neighbours: Neighbours,
        ledger: Ledger,
        secrets: Arc<dyn Secrets>,
        runs: Runs,
        settings: settings::Requests,
        sql: settings::Sql,
        runs_settings: settings::Runs,
    ) -> Self {
        let budget = Budget::new(sql.result_budget);
        let sql_places = guard::Places::new(sql.concurrency);
        let streams = Arc::new(Semaphore::new(sql.streams));
        Self(Arc::new(Inner {
            neighbours,
            ledger,
            secrets,
            runs,
            settings,
            sql,
            budget,
            sql_places,
            streams,
            waiting: reads::Waiters::default(),
            links: Arc::default(),
            runs_settings,
            seen: Arc::default(),
            exchanges: None,
            acting_for: None,
        }))
    }
}

/// Until when this call may wait for its work.
fn wait_of(call: &Call) -> Result<Deadline, Failure> {
    let wanted = match call.mode {
        Mode::Start => Duration::ZERO,
        Mode::Wait(wanted) => wanted.unwrap_or(DEFAULT_WAIT),
    };
    if wanted > LONGEST_WAIT {
        return Err(Failure::new(Code::QueryInvalid, "`waitSeconds` is at most 105.").at("waitSeconds"));
    }
    Ok(call.deadline.less(TO_ANSWER).within(wanted))
}

/// A deadline for one look, which may come a little after the wait is over.
fn looking(wait: Deadline) -> Deadline {
    Deadline::after(wait.remaining() + TO_ANSWER)
}

/// A neighbour that is away for a while: what it owns goes on, and can be looked at later.
fn is_transient(failure: &Failure) -> bool {
    failure.is_away() || matches!(failure.code, Code::UpstreamReplyInvalid | Code::DeadlineExceeded)
}

fn to_value<T: Serialize>(value: &T) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::new(Code::Internal, "Not JSON.").caused_by(error))
}

fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| Failure::new(Code::Internal, "A claim cannot be read.").caused_by(error))
}

#[cfg(test)]
fn _futures_can_move_between_threads(requests: &Requests, call: &Call) {
    fn is_send<T: Send>(_: T) {}
    is_send(requests.submit_statement(call, bytes::Bytes::new()));
    is_send(requests.start_job_run(call, "1", bytes::Bytes::new()));
    is_send(requests.repair_job_run(call, "1", bytes::Bytes::new()));
    is_send(requests.cancel_job_run(call, "1"));
    is_send(requests.list_job_runs(call, "1"));
    is_send(requests.start_refresh(call, "w", "d", bytes::Bytes::new()));
    is_send(requests.run_operation(call, "o", bytes::Bytes::new()));
    is_send(requests.cancel_run(call, "r"));
    is_send(requests.retry_run(call, "r"));
    is_send(requests.resolve_run(call, "r", bytes::Bytes::new()));
    is_send(requests.list_runs(call));
    is_send(requests.status(call, "t"));
}
