//! The timer trigger: fires by the schedule or on request, one run at a time, and remembers when.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::definition::{Function, Trigger};
use super::envelope::{self, ScheduleStatus};
use super::group::Group;
use super::schedule::Schedule;
use super::{Context, Outcome, Timers, invocation};

/// The longest sleep: the wall clock may be set meanwhile, and the real host sleeps in pieces too.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// What the storage account keeps of monitored timers, so that a host knows what it has missed; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct TimerStatus(Arc<std::sync::Mutex<BTreeMap<String, ScheduleStatus>>>);

impl TimerStatus {
    /// Says when the function ran last and was to run next. A next time in the past makes the host fire once, past
    /// due, when it starts.
    pub fn set(&self, function: &str, last: Timestamp, next: Timestamp) {
        self.put(function, ScheduleStatus { last: Some(last), next: Some(next), last_updated: last });
    }

    fn put(&self, function: &str, status: ScheduleStatus) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(function.to_owned(), status);
    }

    fn get(&self, function: &str) -> Option<ScheduleStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(function).copied()
    }
}

pub(super) async fn run(context: Arc<Context>, group: Arc<Group>, function: Function) {
    let Trigger::Timer { schedule, run_on_startup, .. } = &function.trigger else { return };
    if context.options.timers == Timers::OnRequest {
        return;
    }
    let now = Timestamp::now();
    let status = context.options.timer_status.get(&function.name);
    let missed =
        is_monitored(&function.trigger, now) && status.and_then(|status| status.next).is_some_and(|next| next < now);
    if missed || *run_on_startup {
        fire(&context, &group, &function, now, missed).await;
    }
    let mut after = Timestamp::now();
    while let Some(next) = schedule.next(after) {
        loop {
            let wait = Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or_default();
            if wait.is_zero() {
                break;
            }
            tokio::time::sleep(wait.min(LONGEST_SLEEP)).await;
        }
        fire(&context, &group, &function, next, false).await;
        // Occurrences that went by during a long run come as one, at once (TimerListener).
        let now = Timestamp::now();
        let last_missed = schedule.next(next).filter(|missed| *missed < now);
        after = match last_missed {
            Some(missed) if is_monitored(&function.trigger, now) => {
                fire(&context, &group, &function, missed, false).await;
                Timestamp::now()
            }
            _ => now.max(next),
        };
    }
}

/// Runs the function now; waits for a run in progress.
pub(super) async fn fire(
    context: &Context,
    group: &Group,
    function: &Function,
    due: Timestamp,
    is_past_due: bool,
) -> Outcome {
    let Trigger::Timer { schedule, .. } = &function.trigger else {
        return Outcome::Failed(format!("{} is not a timer function", function.name));
    };
    let Some(singleton) = context.timers.get(&function.name) else {
        return Outcome::Failed(format!("{} has no timer", function.name));
    };
    let _running = singleton.lock().await;
    let known = context.options.timer_status.get(&function.name);
    let status = is_monitored(&function.trigger, due).then(|| known.unwrap_or_else(|| first(schedule, due)));
    let envelope = envelope::timer(&function.name, &function.binding, status.as_ref(), is_past_due);
    let mut detail = invocation::detail("timer");
    detail["isPastDue"] = is_past_due.into();
    let outcome = invocation::run(context, group, function, &envelope, detail).await;
    if status.is_some() {
        let status = ScheduleStatus { last: Some(due), next: schedule.next(due), last_updated: Timestamp::now() };
        context.options.timer_status.put(&function.name, status);
    }
    outcome
}

fn first(schedule: &Schedule, due: Timestamp) -> ScheduleStatus {
    ScheduleStatus { last: None, next: schedule.next(due), last_updated: due }
}

fn is_monitored(trigger: &Trigger, at: Timestamp) -> bool {
    matches!(trigger, Trigger::Timer { schedule, use_monitor: true, .. } if schedule.is_monitored(at))
}
