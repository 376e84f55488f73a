//! The timer trigger: fires by the schedule or on request, one run at a time, and remembers when.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::definition::{Function, Trigger};
use super::envelope::{self, ScheduleStatus};
use super::group::Group;
use super::schedule::Schedule;
use super::{Context, Outcome, Timers, invocation};

/// The longest sleep: the wall clock may be set meanwhile, and the real host sleeps in pieces too.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// What outlives a host: the lock blob that makes a timer a singleton, and its status.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Option<ScheduleStatus>>);

pub(super) async fn run(context: Arc<Context>, group: Arc<Group>, function: Function) {
    let Trigger::Timer { schedule, run_on_startup, .. } = &function.trigger else { return };
    if context.options.timers == Timers::OnRequest {
        return;
    }
    let now = Timestamp::now();
    let missed = match context.timers.get(&function.name) {
        Some(memory) => memory.0.lock().await.and_then(|status| status.next).is_some_and(|next| next < now),
        None => false,
    };
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
    let Some(memory) = context.timers.get(&function.name) else {
        return Outcome::Failed(format!("{} has no timer", function.name));
    };
    let mut memory = memory.0.lock().await;
    let status = is_monitored(&function.trigger, due).then(|| memory.unwrap_or_else(|| first(schedule, due)));
    let envelope = envelope::timer(&function.name, &function.binding, status.as_ref(), is_past_due);
    let mut detail = invocation::detail("timer");
    detail["isPastDue"] = is_past_due.into();
    let outcome = invocation::run(context, group, function, &envelope, detail).await;
    if status.is_some() {
        *memory = Some(ScheduleStatus { last: Some(due), next: schedule.next(due), last_updated: Timestamp::now() });
    }
    outcome
}

fn first(schedule: &Schedule, due: Timestamp) -> ScheduleStatus {
    ScheduleStatus { last: None, next: schedule.next(due), last_updated: due }
}

fn is_monitored(trigger: &Trigger, at: Timestamp) -> bool {
    matches!(trigger, Trigger::Timer { schedule, use_monitor: true, .. } if schedule.is_monitored(at))
}
