//! What goes wrong by chance, and the same again from the same seed: whether a call fares badly follows from the seed and
//! from what the call is (service, method, target, body) and how often it has come, and from nothing else. Which call comes
//! when is up to the machine; what becomes of it is not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::shape::shape;
use super::{Action, History};

/// Bytes of a body that the history shows.
const SHOWN: usize = 4_000;

/// How often what goes wrong, as parts of one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Odds {
    /// The work is done and the connection cut before the answer.
    pub lost_reply: f64,
    /// The connection is cut before the work is done.
    pub lost_request: f64,
    /// 429 or 503, one as likely as the other, with `Retry-After: 1`.
    pub busy: f64,
    /// A handler is killed in a call of the ledger, and in a call of anybody else.
    pub killed_in_ledger: f64,
    pub killed_elsewhere: f64,
    /// Kills in all, at most.
    pub most_kills: usize,
    /// A delivered message whose lock is lost at once, so that it is delivered again while it is worked on.
    pub lock_lost: f64,
    /// A message that its receiver completes in vain, so that it comes again when its lock has ended.
    pub completion_lost: f64,
}

/// A plan of faults; cheap to clone.
#[derive(Clone, Debug)]
pub struct Plan(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    seed: String,
    odds: Odds,
    history: History,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How often each call has come.
    seen: HashMap<String, u32>,
    kills: usize,
    killer: Option<mpsc::UnboundedSender<WantedKill>>,
    over: bool,
}

/// What becomes of one call.
#[derive(Debug)]
pub(super) struct Drawn {
    pub(super) action: Action,
    killer: Option<(mpsc::UnboundedSender<WantedKill>, String)>,
}

/// A call during which a handler is to die; the call waits until [`WantedKill::done`].
#[derive(Debug)]
pub struct WantedKill {
    /// Target and body.
    pub text: String,
    done: oneshot::Sender<()>,
}

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    LockLost,
    CompletionLost,
}

/// Where a stand-in finds the plan, once there is one.
#[derive(Clone, Debug, Default)]
pub struct Slot(Arc<Mutex<Option<Plan>>>);

impl Slot {
    /// From now on what happens here is drawn from `plan`.
    pub fn draw_from(&self, plan: &Plan) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan.clone());
    }

    pub(crate) fn plan(&self) -> Option<Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drawn {
    /// Has the handler killed, if that is what was drawn; returns when it is gone.
    pub(super) async fn kill(self) {
        let Some((killer, text)) = self.killer else { return };
        let (done, gone) = oneshot::channel();
        if killer.send(WantedKill { text, done }).is_ok() {
            // An error: nobody kills any more.
            let _ = gone.await;
        }
    }
}

impl WantedKill {
    pub fn done(self) {
        let _ = self.done.send(());
    }
}

impl Plan {
    /// What comes of it is recorded in `history`, as `fault` and `deliveredAgain`.
    pub fn new(seed: &str, odds: Odds, history: History) -> Self {
        Self(Arc::new(Shared { seed: seed.to_owned(), odds, history, state: Mutex::default() }))
    }

    /// The calls during which a handler is to die. Without a listener nobody dies.
    pub fn kills(&self) -> mpsc::UnboundedReceiver<WantedKill> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.state().killer = Some(sender);
        receiver
    }

    /// From now on nothing goes wrong.
    pub fn end(&self) {
        self.state().over = true;
    }

    /// What becomes of this call, counting it.
    pub(super) fn draw(&self, service: &str, method: &str, target: &str, body: &[u8]) -> Option<Drawn> {
        let text = String::from_utf8_lossy(body);
        let (path, odds) = (shape(target), &self.0.odds);
        // An entry of the ledger holds its writer and times; its name says what it is.
        let ledger = service == "blob";
        let identity = format!("{service} {method} {path} {}", if ledger { String::new() } else { shape(&text) });
        let nth = self.count(&identity)?;
        let die = |what: &str| self.die(what, &identity, nth);
        let deadly = if ledger { odds.killed_in_ledger } else { odds.killed_elsewhere };
        let killer = (die("kill") < deadly).then(|| self.killer()).flatten();
        let (what, action) = if killer.is_some() {
            if die("moment") < 0.5 {
                ("killBefore", Action::CutBeforeCommit)
            } else {
                ("killAfter", Action::CutAfterCommit)
            }
        } else {
            let (lost, never) = (odds.lost_reply, odds.lost_reply + odds.lost_request);
            match die("fault") {
                drawn if drawn < lost => ("lostReply", Action::CutAfterCommit),
                drawn if drawn < never => ("lostRequest", Action::CutBeforeCommit),
                drawn if drawn < never + odds.busy => ("busy", busy(die("busy") < 0.5)),
                _ => return None,
            }
        };
        let shown: String = text.chars().take(SHOWN).collect();
        let detail = json!({
            "fault": what, "method": method, "target": path, "nth": nth, "body": if ledger { "" } else { &shown },
        });
        self.0.history.record(service, "fault", detail);
        Some(Drawn { action, killer: killer.map(|killer| (killer, format!("{path}\n{text}"))) })
    }

    /// What becomes of this delivery, counting it.
    pub(crate) fn deliver(&self, queue: &str, message_id: Option<&str>, body: &[u8]) -> Option<Again> {
        let text = String::from_utf8_lossy(body);
        let identity = format!("delivery {queue} {}", shape(&text));
        let nth = self.count(&identity)?;
        let (lost, again) = (self.0.odds.lock_lost, self.0.odds.lock_lost + self.0.odds.completion_lost);
        let (what, how) = match self.die("again", &identity, nth) {
            drawn if drawn < lost => ("lockLost", Again::LockLost),
            drawn if drawn < again => ("completionLost", Again::CompletionLost),
            _ => return None,
        };
        let shown: String = text.chars().take(SHOWN).collect();
        let detail = json!({"again": what, "queue": queue, "messageId": message_id, "nth": nth, "body": shown});
        self.0.history.record("serviceBus", "deliveredAgain", detail);
        Some(how)
    }

    /// How often this has come before; none when nothing goes wrong any more.
    fn count(&self, identity: &str) -> Option<u32> {
        let mut state = self.state();
        if state.over {
            return None;
        }
        let seen = state.seen.entry(identity.to_owned()).or_default();
        *seen += 1;
        Some(*seen - 1)
    }

    fn killer(&self) -> Option<mpsc::UnboundedSender<WantedKill>> {
        let mut state = self.state();
        let killer = state.killer.clone().filter(|_| state.kills < self.0.odds.most_kills)?;
        state.kills += 1;
        Some(killer)
    }

    /// From 0 up to 1, always the same for the same call.
    fn die(&self, what: &str, identity: &str, nth: u32) -> f64 {
        let hash = digest(&SHA256, format!("{}\n{what}\n{nth}\n{identity}", self.0.seed).as_bytes());
        let number = hash.as_ref().iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        f64::from(number) / (f64::from(u32::MAX) + 1.0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn busy(throttled: bool) -> Action {
    Action::Status {
        status: if throttled { 429 } else { 503 },
        headers: vec![("retry-after".into(), "1".into())],
        body: String::new(),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
