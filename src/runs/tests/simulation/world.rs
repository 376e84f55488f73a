//! What all parts of one simulation share: true time and each host's idea of it, chance, the trace, the doubts.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::dice::Dice;
use super::neighbour::Neighbour;
use super::operations::FAILING;
use super::plan::Plan;
use super::receivers::Told;
use crate::clock::Clock;
use crate::http::Deadline;
use crate::ledger::Ledger;

pub(super) const HOSTS: usize = 2;
/// Midnight, before the schedule of `operations`.
pub(super) const BEGINS: &str = "2026-03-01T00:00:00Z";

#[derive(Debug)]
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) neighbour: Mutex<Neighbour>,
    /// What has come to those who want to be told.
    pub(super) told: Mutex<Vec<Told>>,
    /// The ledger as it is: no fault, no delay.
    pub(super) truth: Ledger,
    dice: Mutex<Dice>,
    begun: Instant,
    /// By how many milliseconds each host's clock is off.
    off: [AtomicI64; HOSTS],
    trace: Option<Mutex<Vec<String>>>,
    /// Steps whose answer was lost, or whose worker died or gave up: by run and step.
    doubts: Mutex<BTreeSet<(String, String)>>,
    /// When each entry of the ledger came to stand.
    stood: Mutex<BTreeMap<String, Stood>>,
    /// When somebody first tried to put each entry of a log.
    tried: Mutex<BTreeMap<String, Timestamp>>,
}

/// In which order, and at which true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stood {
    pub(super) order: usize,
    pub(super) at: Timestamp,
}

impl World {
    pub(super) fn new(seed: u64, traced: bool, truth: Ledger) -> Arc<Self> {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice);
        let world = Self {
            plan,
            neighbour: Mutex::default(),
            told: Mutex::default(),
            truth,
            dice: Mutex::new(dice),
            begun: Instant::now(),
            off: Default::default(),
            trace: traced.then(Mutex::default),
            doubts: Mutex::default(),
            stood: Mutex::default(),
            tried: Mutex::default(),
        };
        world.note(|| format!("seed {seed}: {:?}", world.plan));
        Arc::new(world)
    }

    /// The true time.
    pub(super) fn now(&self) -> Timestamp {
        let begins: Timestamp = BEGINS.parse().unwrap();
        begins + self.begun.elapsed()
    }

    pub(super) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What a host takes for the time.
    pub(super) fn clock(self: &Arc<Self>, host: usize) -> Clock {
        let world = self.clone();
        Clock::reading(move || world.now() + SignedDuration::from_millis(world.off[host].load(Ordering::Relaxed)))
    }

    /// The clocks are off, and jump.
    pub(super) async fn wind_clocks(self: Arc<Self>) {
        let most = self.plan.clocks_off;
        for jump in 0..=self.plan.jumps {
            for host in 0..HOSTS {
                let off =
                    self.draw(|dice| i64::try_from(dice.below(2 * most + 1)).unwrap()) - i64::try_from(most).unwrap();
                self.off[host].store(off, Ordering::Relaxed);
                self.note(|| format!("host {host}: the clock is off by {off} ms"));
            }
            if jump < self.plan.jumps {
                let pause = self.draw(|dice| dice.between(1, 240));
                tokio::time::sleep(Duration::from_secs(pause)).await;
            }
        }
    }

    pub(super) fn draw<T>(&self, throw: impl FnOnce(&mut Dice) -> T) -> T {
        throw(&mut self.dice.lock().unwrap())
    }

    /// Whether things still go wrong.
    pub(super) fn stormy(&self) -> bool {
        self.age().as_secs() < self.plan.storm
    }

    /// Whether something that goes wrong so many times in a thousand does so now.
    pub(super) fn goes_wrong(&self, in_a_thousand: u64) -> bool {
        self.stormy() && self.draw(|dice| dice.chance(in_a_thousand))
    }

    /// How long a way takes: mostly no time, at most this.
    pub(super) fn delay(&self, most: Duration) -> Duration {
        if !self.goes_wrong(self.plan.slow) {
            return Duration::ZERO;
        }
        let most = u64::try_from(most.as_millis()).unwrap();
        Duration::from_millis(self.draw(|dice| dice.between(1, most)))
    }

    pub(super) async fn pause(&self, pause: Duration) {
        // Even without a delay others may come in between.
        if pause.is_zero() { tokio::task::yield_now().await } else { tokio::time::sleep(pause).await }
    }

    /// A call over the network: it happens whether or not anybody still waits for its answer.
    pub(super) fn call<T: Send + 'static>(
        self: &Arc<Self>,
        there: Duration,
        back: Duration,
        act: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (answer, answered) = oneshot::channel();
        let world = self.clone();
        tokio::spawn(async move {
            world.pause(there).await;
            let done = act.await;
            world.pause(back).await;
            _ = answer.send(done);
        });
        answered
    }

    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            let line = format!("{:>10.3} {}", self.age().as_secs_f64(), line());
            trace.lock().unwrap().push(line);
        }
    }

    pub(super) fn trace(&self) -> Vec<String> {
        self.trace.as_ref().map(|trace| trace.lock().unwrap().clone()).unwrap_or_default()
    }

    /// Nobody can be sure any more what became of this step.
    pub(super) fn doubt(&self, run: &str, step: &str, why: &str) {
        self.note(|| format!("doubt: {run} {step}: {why}"));
        self.doubts.lock().unwrap().insert((run.to_owned(), step.to_owned()));
    }

    /// The step that the run is at.
    pub(super) fn doubt_current(&self, run: &str, why: &str) {
        let log = format!("runs/{run}");
        let newest = self.truth.newest(&log, Deadline::after(Duration::from_secs(1)));
        let Some(Ok(Some((_, bytes)))) = newest.now_or_never() else { return };
        let record: Value = serde_json::from_slice(&bytes).unwrap();
        let failing = record["error"].is_object();
        let steps = record["steps"].as_array().unwrap().iter();
        let mut open = steps.filter(|step| {
            let of_the_end = step["id"].as_str().unwrap().starts_with(FAILING);
            let open = matches!(step["state"].as_str().unwrap(), "pending" | "started" | "ready" | "submitted");
            open && of_the_end == failing
        });
        let Some(first) = open.next() else { return };
        self.doubt(run, first["id"].as_str().unwrap(), why);
        // It may have been skipped, which is on record only with the one behind it.
        if let Some(second) = open.next().filter(|_| first["state"] == "pending") {
            self.doubt(run, second["id"].as_str().unwrap(), why);
        }
    }

    pub(super) fn stands(&self, path: &str) {
        let mut stood = self.stood.lock().unwrap();
        let entry = Stood { order: stood.len(), at: self.now() };
        stood.insert(path.to_owned(), entry);
    }

    pub(super) fn stood(&self, path: &str) -> Option<Stood> {
        self.stood.lock().unwrap().get(path).copied()
    }

    pub(super) fn tries(&self, path: &str) {
        if path.starts_with("runs/") {
            self.tried.lock().unwrap().entry(path.to_owned()).or_insert_with(|| self.now());
        }
    }

    pub(super) fn tried(&self, path: &str) -> Option<Timestamp> {
        self.tried.lock().unwrap().get(path).copied()
    }

    pub(super) fn is_doubtful(&self, run: &str, step: &str) -> bool {
        self.doubts.lock().unwrap().contains(&(run.to_owned(), step.to_owned()))
    }
}
