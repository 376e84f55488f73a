//! The durable engine. Knows no HTTP and no neighbour; what a step does lives in `steps`.
//!
//! A run is a log of records; who appends the next number moves it on. Messages wake it, the tick finds what fell asleep
//! for good. The rooms: `record` is the state, `log` reads and appends it, `create` begins a run, `advance` and `step`
//! move it, `children` are runs of its steps, `follow` waits for another run, `watch` lets callers wait, `wake` and `tick`
//! and `nudge` come back to it, `end` tells its end.

mod accept;
mod advance;
mod as_caller;
mod audited;
mod came;
mod cancel;
mod children;
mod create;
mod drive;
mod end;
mod events;
mod fate;
mod follow;
pub mod identity;
mod insist;
mod line;
mod lists;
mod log;
mod notes;
mod nudge;
mod overdue;
mod park;
mod parts;
mod received;
mod record;
mod resolve;
mod retention;
mod retry;
mod scope;
mod sealed;
mod search;
mod send;
mod step;
mod tell;
#[cfg(test)]
mod tests;
mod tick;
mod transitions;
mod view;
mod wake;
mod watch;
mod ways_out;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};
use url::Url;

use crate::clock::Clock;
use crate::failure::{Code, Failure};
use crate::http::{self, Deadline};
use crate::ledger::Ledger;
use crate::operations::{Catalog, Entry, FieldProblem};
use crate::sealing::Sealer;
use crate::service_bus::Messages;
use crate::settings;
use crate::steps::{InQueue, Kinds, Neighbours, WantedRefresh};

use advance::Advance;
use create::NewRun;
use insist::{LAST_WORDS, insist, is_outage};
use record::{Callback, Record, RunState, Transition, Trigger};
use watch::Watched;

pub use create::runnable;
pub use events::{Event, recognise};
pub use follow::upstream_id;
pub use lists::{RunList, RunsFrom, RunsWanted};
pub use park::DeadLetters;
pub use received::Received;
pub use record::Happened;
pub use tell::{Receivers, Telling};
pub use ways_out::Resolution;

/// What the engine stands on.
#[derive(Clone, Debug)]
pub struct Engine {
    pub ledger: Ledger,
    pub neighbours: Neighbours,
    pub messages: Arc<dyn Messages>,
    pub catalog: Arc<Catalog>,
    pub settings: settings::Runs,
    pub queues: settings::ServiceBus,
    pub clock: Clock,
    pub kinds: Arc<dyn Kinds>,
    pub sealer: Sealer,
    pub telling: Telling,
}

/// The engine's ways in; cheap to clone.
#[derive(Clone)]
pub struct Runs(Arc<Engine>, Arc<Watched>);

impl fmt::Debug for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Runs")
    }
}

/// A run that exists.
#[derive(Debug)]
pub struct Begun {
    run: String,
    /// Its lease, when this invocation has it.
    held: Option<Box<Record>>,
}

impl Begun {
    /// A run that began earlier.
    pub fn before(run: &str) -> Self {
        Self { run: run.to_owned(), held: None }
    }

    pub fn run(&self) -> &str {
        &self.run
    }
}

/// Where a caller wants to be told the end.
#[derive(Clone)]
pub struct TellAt {
    /// Checked ([`Runs::may_tell`]). A secret.
    pub url: String,
    /// Our own address, as the caller reached it, without a slash at its end.
    pub base: String,
}

impl fmt::Debug for TellAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TellAt").field("base", &self.base).finish()
    }
}

/// A run as a waiting caller sees it.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    pub run: String,
    pub state: RunEnd,
}

/// Whether and how it ended.
#[derive(Clone, Debug)]
pub enum RunEnd {
    /// Not yet; `state` for the caller.
    Going {
        state: String,
        /// How far its step has come, when that can be told.
        progress: Option<Value>,
    },
    Succeeded {
        output: Value,
    },
    Failed {
        failure: Box<Failure>,
    },
}

/// Event Grid waits 30 s for an answer (learn.microsoft.com/azure/event-grid/delivery-and-retry), then delivers again.
const EVENT_GRIDS_PATIENCE: Duration = Duration::from_secs(25);

impl Runs {
    pub fn new(engine: Engine) -> Self {
        Self(Arc::new(engine), Arc::default())
    }

    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// The request queue. An `Err` makes the host deliver again.
    pub async fn accept(&self, message: Received, deadline: Deadline) -> Result<(), Failure> {
        let own = deadline.less(LAST_WORDS);
        let queue = self.0.queues.request_queue.clone();
        traced(&message, Box::pin(insist(own, || self.0.accept(&message, &queue, own)))).await
    }

    /// A topic's subscription: the same wire as the request queue.
    pub async fn accept_from_topic(&self, message: Received, deadline: Deadline) -> Result<(), Failure> {
        let own = deadline.less(LAST_WORDS);
        let subscription = self.0.queues.subscription();
        traced(&message, Box::pin(insist(own, || self.0.accept(&message, &subscription, own)))).await
    }

    /// An event of Event Grid, in the bytes that the host gave us. An `Err` makes Event Grid deliver it again.
    pub async fn accept_event(&self, event: Bytes, deadline: Deadline) -> Result<(), Failure> {
        let own = deadline.less(LAST_WORDS).within(EVENT_GRIDS_PATIENCE);
        let message = Received { body: event, content_type: Some("application/json".into()), ..Received::default() };
        // Should it have to wait, or be replayed, the request queue takes it in the same form.
        let queue = self.0.queues.request_queue.clone();
        insist(own, || async { self.0.accept_events(&message, events::expect(&message), &queue, own).await }).await
    }

    /// The work queue: advance one run.
    pub async fn work(&self, message: Received, deadline: Deadline) -> Result<(), Failure> {
        let own = deadline.less(LAST_WORDS);
        let tries = AtomicU32::new(message.delivery_count.unwrap_or(1).saturating_sub(1));
        let work = insist(own, || self.0.work(&message, tries.fetch_add(1, Ordering::Relaxed) > 0, own));
        traced(&message, Box::pin(work)).await
    }

    /// A dead-letter queue: park with exact bytes, properties and the reason.
    pub async fn park_dead_letter(
        &self,
        message: Received,
        of: DeadLetters,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let own = deadline.less(LAST_WORDS);
        insist(own, || self.0.park_dead_letter(&message, of, own)).await
    }

    /// The timer: start what is due, and every fifth minute nudge what is stale.
    pub async fn tick(&self, deadline: Deadline) -> Result<(), Failure> {
        let now = self.0.clock.now();
        let started = self.0.tick(now, deadline.less(LAST_WORDS)).await;
        // A schedule that cannot be served keeps no run asleep. Timers may fire a little early.
        if ((now + tick::EARLY).as_second() / 60) % 5 == 0 {
            self.0.nudge(now, deadline.less(LAST_WORDS)).await?;
        }
        // In a minute of its own: it may wait, and what keeps it keeps nothing else.
        if ((now + tick::EARLY).as_second() / 60) % 5 == 2
            && let Err(failure) = self.0.forget_old(now, deadline.less(LAST_WORDS)).await
        {
            tracing::error!(error = failure.chain(), "what is old was not forgotten");
        }
        started
    }

    /// Creates a run for an HTTP call, or finds the one that stands under this id.
    ///
    /// With `hold` the caller advances it with [`Runs::carry_on`]; else its first message has been sent.
    pub async fn begin(
        &self,
        entry: &Entry,
        run: &str,
        parameters: Map<String, Value>,
        caller: &str,
        hold: bool,
        deadline: Deadline,
    ) -> Result<Begun, Failure> {
        let new = NewRun { run: run.to_owned(), parameters, caller: caller.to_owned(), trigger: Trigger::Http };
        let (record, ours) = self.0.create(entry, &new, hold, deadline).await?;
        Ok(Begun { run: run.to_owned(), held: (hold && ours).then(|| Box::new(record)) })
    }

    /// Whether the end of work may be told at this address.
    pub fn may_tell(&self, url: &str) -> Result<(), Failure> {
        self.0.telling.outside.read(url).map(|_| ()).map_err(|why| http::not_allowed(&why).at("callbackUrl"))
    }

    /// Seals what a caller handed over, for `place`.
    pub fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    /// Creates a run whose end is told at `to`, or finds the one that stands under this id. Its first message has been sent.
    pub async fn begin_telling(
        &self,
        entry: &Entry,
        run: &str,
        parameters: Map<String, Value>,
        caller: &str,
        to: &TellAt,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let host = Url::parse(&to.url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        let url = self.0.sealer.seal(&tell::callback_place(run), &Value::from(to.url.as_str()), deadline).await?;
        let trigger = Trigger::Webhook(Callback { url, host, base: to.base.clone() });
        let new = NewRun { run: run.to_owned(), parameters, caller: caller.to_owned(), trigger };
        self.0.create(entry, &new, false, deadline).await.map(|_| ())
    }

    /// Nobody wants to be told the end of this run any more; once is as good as twice.
    pub async fn unsubscribe(&self, run: &str, deadline: Deadline) -> Result<(), Failure> {
        self.0.unsubscribe(run, deadline).await
    }

    /// Advances a run that this invocation holds, or watches one that another moves, until `patience` ends.
    pub async fn carry_on(&self, begun: Begun, patience: Deadline, deadline: Deadline) -> Result<RunOutcome, Failure> {
        let Some(record) = begun.held else { return self.follow(&begun.run, patience, deadline).await };
        let lease_until = record.lease_until;
        match Box::pin(self.0.advance(*record, true, patience, deadline)).await {
            Ok(Advance::AtRest(record)) => Ok(outcome(&record)),
            // It may wake and end while the caller still waits.
            Ok(Advance::Waiting | Advance::Busy(_) | Advance::Overtaken) => {
                self.follow(&begun.run, patience, deadline).await
            }
            // The run stands and will go on, so the caller must not be told to begin it again.
            Err(failure) => {
                tracing::error!(run = begun.run, error = failure.chain(), "a run could not be advanced");
                if let Err(failure) = self.0.wake_anew(&begun.run, lease_until, deadline).await {
                    tracing::error!(run = begun.run, error = failure.chain(), "left to be nudged");
                }
                Ok(RunOutcome { run: begun.run, state: RunEnd::Going { state: "running".into(), progress: None } })
            }
        }
    }

    /// Where a run stands now.
    pub async fn look(&self, run: &str, deadline: Deadline) -> Result<RunOutcome, Failure> {
        let newest = self.0.newest(run, deadline).await?.ok_or_else(|| not_found(run))?;
        Ok(outcome(&newest))
    }

    /// Joins the refresh of this kind that waits for its dataset, or queues one: a run, which [`Runs::follow`] watches.
    pub async fn queue_refresh(
        &self,
        wanted: &WantedRefresh,
        caller: &str,
        deadline: Deadline,
    ) -> Result<InQueue, Failure> {
        self.0.queue_refresh(wanted, caller, deadline).await
    }

    /// The run with its steps, as JSON.
    pub async fn view(&self, run: &str, deadline: Deadline) -> Result<Value, Failure> {
        let newest = self.0.newest(run, deadline).await?.ok_or_else(|| not_found(run))?;
        if newest.transition == Transition::Forgotten {
            return Err(forgotten(run));
        }
        let pinned = self.0.pinned_of(&newest, deadline).await?;
        Ok(view::view(&pinned, &newest))
    }

    /// Runs that nudging does not help.
    pub async fn stalled(&self, deadline: Deadline) -> Result<Vec<String>, Failure> {
        self.0.stalled(deadline).await
    }
}

fn not_found(run: &str) -> Failure {
    let run: String = run.chars().take(64).collect();
    Failure::new(Code::RunNotFound, format!("There is no run \"{run}\"."))
}

fn forgotten(run: &str) -> Failure {
    Failure::new(Code::RunForgotten, "The run is over and so old that what it did is no longer kept.").in_run(run)
}

fn outcome(record: &Record) -> RunOutcome {
    let state = match (record.state, &record.error) {
        _ if record.transition == Transition::Forgotten => RunEnd::Failed { failure: Box::new(forgotten(&record.run)) },
        (RunState::Succeeded, _) => RunEnd::Succeeded { output: record.output.clone().unwrap_or(Value::Null) },
        (RunState::Failed | RunState::Cancelled, Some(error)) => RunEnd::Failed { failure: Box::new(error.clone()) },
        (RunState::Failed | RunState::Cancelled, None) => RunEnd::Failed {
            failure: Box::new(Failure::new(Code::Internal, "The run failed and did not say why.").in_run(&record.run)),
        },
        (RunState::Waiting, _) => RunEnd::Going { state: "waiting".into(), progress: progress(record) },
        (RunState::Running, _) => RunEnd::Going { state: "running".into(), progress: progress(record) },
    };
    RunOutcome { run: record.run.clone(), state }
}

/// Of the step that the run is at.
fn progress(record: &Record) -> Option<Value> {
    record.steps.iter().rev().find(|step| step.started_at.is_some()).and_then(|step| step.progress.clone())
}

/// All problems of the parameters in one failure; `within` is where they stand in what was sent, such as `parameters.`.
pub fn parameters_invalid(problems: &[FieldProblem], within: &str) -> Failure {
    let each: Vec<String> =
        problems.iter().map(|problem| format!("{within}{}: {}", problem.place, problem.message)).collect();
    let failure = Failure::new(Code::ParametersInvalid, each.join("; "));
    match problems.first() {
        Some(first) => failure.at(format!("{within}{}", first.place)),
        None => failure,
    }
}

/// In the trace that the message brings, when it brings one: the host's own has perhaps begun with its delivery.
async fn traced<T>(message: &Received, handled: impl Future<Output = T>) -> T {
    match message.trace() {
        Some(theirs) => theirs.child().within(None, handled).await,
        None => handled.await,
    }
}
