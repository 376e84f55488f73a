//! A road whose handlers die: a run is asked for, its handler is killed in one of its calls, and what the ledger said of the
//! run at that moment is kept.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use causeway::runs::identity::run_id;
use local_stack::core::{Crash, Moment};
use serde_json::Value;

use super::cases::Case;
use crate::declared::Declared;
use crate::messages::{body, said};

/// Longer than a dead worker's lease and the longest search of a neighbour's history, some five minutes.
const PATIENCE: Duration = Duration::from_mins(12);

/// How the handlers of one run died.
#[derive(Clone, Debug, Default)]
pub(super) struct Death {
    /// The calls that they died in.
    pub(super) calls: Vec<String>,
    pub(super) deaths: usize,
    /// Deaths while the newest record said that the step's effect was about to be sent.
    pub(super) doubts: usize,
    /// The newest record when the last one died.
    seq: Option<u64>,
}

/// A road, and how the handlers of each run on it died, by note.
pub(super) struct Doomed {
    pub(super) case: &'static Case,
    road: Declared,
    crash: Crash,
    deaths: Mutex<BTreeMap<String, Death>>,
    /// Whose calls are counted now.
    current: Mutex<String>,
}

impl Deref for Doomed {
    type Target = Declared;

    fn deref(&self) -> &Declared {
        &self.road
    }
}

fn run_of(note: &str) -> String {
    run_id(&["queue", "causeway-requests", note])
}

/// Whether each run is printed with the call that its handler died in.
pub(super) fn wants_to_tell() -> bool {
    std::env::var_os("CAUSEWAY_CRASH_TOLD").is_some()
}

impl Doomed {
    pub(super) async fn start(case: &'static Case) -> Self {
        // A dead worker's lease ends with its deadline, five seconds before this, and half a minute. Shorter, a busy machine
        // would not answer within a send window, which nobody who looks at the run can tell from a death.
        let settings = [("CAUSEWAY_MESSAGE_SECONDS", "22"), ("CAUSEWAY_SEND_WINDOW_SECONDS", "10")];
        let road = Declared::with(case.files, &settings, |options| {
            // The third crash within it would stop the host, and what that held stays locked for a minute.
            options.error_window = Duration::ZERO;
            options.databricks.engine = case.engine;
        })
        .await;
        road.let_jobs_go();
        // A write whose answer was lost is found by its key.
        road.stack.databricks.set_history_lag(Duration::ZERO);
        (case.prepare)(&road);
        let crash = Crash::default();
        road.stack.history.count_in(&crash);
        Self { case, road, crash, deaths: Mutex::default(), current: Mutex::default() }
    }

    /// Kills the handler whenever a call wants it, until `work` is done.
    pub(super) async fn while_killing<T>(&self, work: impl Future<Output = T>) -> T {
        let killing = async {
            loop {
                self.crash.wanted().await;
                self.note_death();
                self.host().kill_handler(None).await;
                self.crash.killed();
            }
        };
        tokio::select! {
            done = work => done,
            () = killing => unreachable!("a killer never rests"),
        }
    }

    /// The calls of a run that nothing happens to.
    pub(super) async fn recorded(&self) -> Vec<String> {
        self.die_at("whole", None).await;
        let ended = self.ended("whole").await;
        assert_eq!(ended["state"], "succeeded", "{ended:#}\n{}", self.last_lines());
        assert_eq!((self.case.done)(self, "whole"), self.case.times);
        let calls = self.crash.calls();
        assert!(calls.len() >= 10, "{}: {calls:#?}", self.case.name);
        if wants_to_tell() {
            println!("{}: {calls:#?}", self.case.name);
        }
        calls
    }

    /// Asks for a run of a handler that has done nothing yet, and returns when it has ended or nothing of it is under way
    /// any more after its crash.
    pub(super) async fn die_at(&self, note: &str, at: Option<(usize, Moment)>) {
        let parameters = (self.case.parameters)(self, note);
        self.crash.plan(None);
        self.host().kill_handler(None).await;
        self.host().ready().await.expect("the handler is ready");
        self.deaths().insert(note.to_owned(), Death::default());
        note.clone_into(&mut self.current.lock().expect("nobody panicked"));
        self.crash.plan(at);
        self.ask(note, self.case.name, &parameters);
        let what = format!("{note} neither ends nor crashes");
        self.patiently(note, &what, || {
            let met = at.is_some() && !self.crash.is_to_come() && self.death(note).deaths > 0;
            (met || self.is_told_on_record(note)) && self.is_quiet()
        })
        .await;
    }

    /// The run's last record, once it has ended and that has been told.
    pub(super) async fn ended(&self, note: &str) -> Value {
        self.patiently(note, &format!("{note} has not ended"), || self.is_told_on_record(note)).await;
        let mut record = self.records(&run_of(note)).pop().expect("a record");
        record["pinned"].take();
        record
    }

    pub(super) fn death(&self, note: &str) -> Death {
        self.deaths().get(note).cloned().unwrap_or_default()
    }

    /// Whether the end was told at least once, and each time the same under the same key.
    pub(super) fn is_told(&self, note: &str) -> bool {
        let run = run_of(note);
        let replies = self.queue("causeway-replies").peek();
        let ours: Vec<_> = replies.iter().filter(|reply| said(reply, "causeway-run-id") == run).collect();
        let same =
            |again: &_| (said(again, "causeway-key"), body(again)) == (said(ours[0], "causeway-key"), body(ours[0]));
        !ours.is_empty() && ours.iter().all(|again| same(again))
    }

    /// No run but those that were asked for, no message that nobody could take.
    pub(super) fn nothing_is_left_over(&self) {
        assert_eq!(self.runs().len(), self.deaths().len() * self.case.runs_each, "{:?}", self.runs());
        for queue in ["causeway-requests", "causeway-work"] {
            assert!(self.queue(queue).dead_letters().peek().is_empty(), "dead letters of {queue}");
        }
        assert!(self.queue("causeway-parking").peek().is_empty(), "parked");
    }

    fn host(&self) -> &local_stack::host::Host {
        self.stack.host.as_ref().expect("a host")
    }

    fn deaths(&self) -> MutexGuard<'_, BTreeMap<String, Death>> {
        self.deaths.lock().expect("nobody panicked")
    }

    /// The handler dies now: of every run that it has moved since an earlier one died.
    fn note_death(&self) {
        let call = self.crash.calls().pop().unwrap_or_default();
        let current = self.current.lock().expect("nobody panicked").clone();
        for (note, death) in self.deaths().iter_mut() {
            let newest = self.records(&run_of(note)).pop().unwrap_or_default();
            let seq = newest["seq"].as_u64();
            let moved = death.deaths == 0 || death.seq != seq;
            // What is left to do after the end was told concerns nobody's effect.
            if !moved || (newest["transition"] == "answered" && *note != current) {
                continue;
            }
            let mut steps = newest["steps"].as_array().into_iter().flatten();
            death.doubts += usize::from(steps.any(|step| step["state"] == "started"));
            death.deaths += 1;
            death.calls.push(call.clone());
            death.seq = seq;
        }
    }

    fn is_told_on_record(&self, note: &str) -> bool {
        self.records(&run_of(note)).last().is_some_and(|record| record["transition"] == "answered")
    }

    async fn patiently(&self, note: &str, what: &str, holds: impl Fn() -> bool) {
        let waiting = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let lines = self.last_lines();
            let parked = self.queue("causeway-parking").peek();
            panic!("{what}: {:?} {:#?}\n{parked:?}\n{lines}", self.death(note), self.records(&run_of(note)));
        }
    }

    fn last_lines(&self) -> String {
        let lines = self.host().logs().lines();
        let last: Vec<_> = lines.iter().rev().take(40).rev().map(|line| line.text.clone()).collect();
        last.join("\n")
    }
}
