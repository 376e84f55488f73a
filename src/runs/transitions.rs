//! The state machine as data: which transition may follow which state, what it may do to steps, and what it does to lease,
//! wake-up and send window. Pure. `docs/runs.md` shows the same table; a test holds both equal.

use jiff::Timestamp;

use super::follow::followed;
use super::record::{Record, RunState, StepState, Transition};

/// What a transition does to one of a run's moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Keeps,
    Sets,
    Clears,
    /// Sets it, keeps it or clears it.
    May,
}

/// One row of the table.
#[derive(Debug)]
pub(super) struct Rule {
    pub transition: Transition,
    /// When it is written, for people.
    pub when: &'static str,
    /// What it may follow; empty for the first record.
    pub from: &'static [RunState],
    /// What the run is then; empty when that does not change.
    pub to: &'static [RunState],
    /// How steps may change: from any of these to any of those. A new attempt counts as pending.
    pub steps: &'static [(&'static [StepState], &'static [StepState])],
    pub lease_until: Then,
    pub wake_at: Then,
    pub send_before: Then,
}

use RunState::{Cancelled, Failed, Running, Succeeded, Waiting};
use StepState as S;
use Then::{Clears, Keeps, May, Sets};

const AT_REST: &[RunState] = &[Succeeded, Failed, Cancelled];
const LEFT_OUT: (&[S], &[S]) = (&[S::Pending], &[S::Skipped]);

/// The whole machine, in the order of a run's life.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule {
        transition: Transition::Created,
        when: "the run exists (record 0). Over HTTP it is the caller's own lease as well",
        from: &[], to: &[Running], steps: &[],
        lease_until: May, wake_at: Clears, send_before: Clears,
    },
    Rule {
        transition: Transition::Leased,
        when: "a worker takes the run, before it does anything",
        from: &[Running, Waiting], to: &[Running], steps: &[],
        lease_until: Sets, wake_at: Clears, send_before: Keeps,
    },
    Rule {
        transition: Transition::Started,
        when: "a step's effect is *about to be* sent",
        from: &[Running], to: &[Running],
        steps: &[(&[S::Pending, S::Ready], &[S::Started]), LEFT_OUT],
        lease_until: Keeps, wake_at: Keeps, send_before: Sets,
    },
    Rule {
        transition: Transition::Submitted,
        when: "the neighbour has it, under `upstreamId`; or a run is to do it, which the step follows from `pending`",
        from: &[Running], to: &[Running],
        steps: &[(&[S::Pending, S::Started], &[S::Submitted]), LEFT_OUT],
        lease_until: Keeps, wake_at: Keeps, send_before: Clears,
    },
    Rule {
        transition: Transition::Progressed,
        when: "a part of a step is done, and the next waits for its turn in the same invocation",
        from: &[Running], to: &[Running],
        steps: &[(&[S::Pending, S::Started], &[S::Ready]), LEFT_OUT],
        lease_until: Keeps, wake_at: Keeps, send_before: Clears,
    },
    Rule {
        transition: Transition::Waiting,
        when: "the run sleeps until `wakeAt`; its message has been sent",
        from: &[Running, Waiting], to: &[Waiting],
        steps: &[(&[S::Pending], &[S::Submitted, S::Ready]), (&[S::Started], &[S::Pending, S::Ready]), LEFT_OUT],
        lease_until: Clears, wake_at: Sets, send_before: May,
    },
    Rule {
        transition: Transition::StepEnded,
        when: "a step ended, well or badly; its output is kept",
        from: &[Running], to: &[Running],
        steps: &[
            (&[S::Pending, S::Started, S::Ready, S::Submitted], &[S::Succeeded, S::Failed, S::Unknown]),
            LEFT_OUT,
        ],
        lease_until: Keeps, wake_at: Keeps, send_before: Clears,
    },
    Rule {
        transition: Transition::Nudged,
        when: "the tick found it silent for too long",
        from: &[Running, Waiting], to: &[], steps: &[],
        lease_until: Keeps, wake_at: Keeps, send_before: Keeps,
    },
    Rule {
        transition: Transition::Ended,
        when: "the last step ended, the first failed, or somebody asked for the end",
        from: &[Running], to: AT_REST,
        steps: &[(&[S::Pending, S::Started], &[S::Ready]), LEFT_OUT],
        lease_until: Clears, wake_at: Clears, send_before: Clears,
    },
    Rule {
        transition: Transition::Untold,
        when: "its end was not accepted where it is to be told, and is told again at `wakeAt`",
        from: AT_REST, to: &[], steps: &[],
        lease_until: Keeps, wake_at: Sets, send_before: Keeps,
    },
    Rule {
        transition: Transition::Answered,
        when: "its end was told to whoever waits",
        from: AT_REST, to: &[], steps: &[],
        lease_until: Keeps, wake_at: Keeps, send_before: Keeps,
    },
    Rule {
        transition: Transition::Resolved,
        when: "somebody said whether a step that was in doubt had happened",
        from: &[Failed, Cancelled], to: &[],
        steps: &[(&[S::Unknown], &[S::Succeeded, S::Failed])],
        lease_until: Keeps, wake_at: Keeps, send_before: Keeps,
    },
    Rule {
        transition: Transition::Retried,
        when: "somebody opened it again: what failed is done anew, and what is in parts goes on",
        from: &[Failed, Cancelled], to: &[Running],
        steps: &[(&[S::Pending], &[S::Ready]), (&[S::Unknown], &[S::Submitted])],
        lease_until: May, wake_at: Clears, send_before: Clears,
    },
    Rule {
        transition: Transition::Forgotten,
        when: "it is old; what it did and gave is deleted",
        from: AT_REST, to: &[], steps: &[],
        lease_until: Clears, wake_at: Clears, send_before: Clears,
    },
];

/// The row of a transition.
pub(super) fn rule(transition: Transition) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.transition == transition)
}

/// What a run's transitions are held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) seq: u64,
    state: RunState,
    transition: Transition,
    steps: Vec<(String, u32, StepState)>,
    lease_until: Option<Timestamp>,
    wake_at: Option<Timestamp>,
    send_before: Option<Timestamp>,
}

impl Standing {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            seq: record.seq,
            state: record.state,
            transition: record.transition,
            steps: record.steps.iter().map(|step| (step.id.clone(), step.attempt, step.state)).collect(),
            lease_until: record.lease_until,
            wake_at: record.wake_at,
            send_before: record.send_before,
        }
    }

    /// How a step stood.
    pub(super) fn state_of(&self, step: &str) -> Option<StepState> {
        self.steps.iter().find(|(id, ..)| id == step).map(|(.., state)| *state)
    }
}

/// Does to `next` what its transition always does: the state, when there is but one, and what it clears.
pub(super) fn apply(next: &mut Record) {
    let Some(rule) = rule(next.transition) else { return };
    if let [state] = rule.to {
        next.state = *state;
    }
    let moments = [
        (rule.lease_until, &mut next.lease_until),
        (rule.wake_at, &mut next.wake_at),
        (rule.send_before, &mut next.send_before),
    ];
    for (then, moment) in moments {
        // What must be set is set by whoever knows when.
        if matches!(then, Sets | Clears) {
            *moment = None;
        }
    }
}

/// Why `next` must not be written, if so: a bug, told with the names of both.
pub(super) fn fault(next: &Record) -> Option<String> {
    let told = |what: &str| {
        let before = next.stands.as_ref().map(|stands| format!("{:?} in {:?}", stands.transition, stands.state));
        let before = before.unwrap_or_else(|| "nothing".to_owned());
        let when = rule(next.transition).map(|rule| rule.when).unwrap_or_default();
        Some(format!("{:?} in {:?} ({when}) after {before}: {what}", next.transition, next.state))
    };
    let Some(rule) = rule(next.transition) else { return told("the transition has no rule") };
    let Some(stands) = &next.stands else {
        return if rule.from.is_empty() && next.seq == 0 { None } else { told("a first record is `created`") };
    };
    if !rule.from.contains(&stands.state) || stands.transition == Transition::Forgotten {
        return told("it may not follow");
    }
    let state_fits = if rule.to.is_empty() { next.state == stands.state } else { rule.to.contains(&next.state) };
    if !state_fits {
        return told("it does not lead to this state");
    }
    let moments = [
        ("leaseUntil", rule.lease_until, next.lease_until, stands.lease_until),
        ("wakeAt", rule.wake_at, next.wake_at, stands.wake_at),
        ("sendBefore", rule.send_before, next.send_before, stands.send_before),
    ];
    for (name, then, now, before) in moments {
        let fits = match then {
            Keeps => now == before,
            Sets => now.is_some(),
            Clears => now.is_none(),
            May => true,
        };
        if !fits {
            return told(&format!("{name} is not as {then:?} demands"));
        }
    }
    step_fault(rule, next, stands).and_then(|what| told(&what))
}

fn step_fault(rule: &Rule, next: &Record, stands: &Standing) -> Option<String> {
    // A new definition may have other steps, and what is forgotten has none.
    let reshapes = matches!(rule.transition, Transition::Retried | Transition::Forgotten);
    if !reshapes && next.steps.len() != stands.steps.len() {
        return Some("it has other steps".to_owned());
    }
    for step in &next.steps {
        let Some((_, attempt, before)) = stands.steps.iter().find(|(id, ..)| *id == step.id) else {
            if reshapes {
                continue;
            }
            return Some(format!("step {} was not there", step.id));
        };
        let live = matches!(before, S::Pending | S::Started | S::Ready | S::Submitted);
        let before = match step.attempt.cmp(attempt) {
            std::cmp::Ordering::Less => return Some(format!("step {} falls back to an earlier attempt", step.id)),
            std::cmp::Ordering::Equal => *before,
            std::cmp::Ordering::Greater if live || rule.transition == Transition::Retried => S::Pending,
            std::cmp::Ordering::Greater => return Some(format!("step {} begins again after its end", step.id)),
        };
        let moves = |(from, to): &(&[StepState], &[StepState])| from.contains(&before) && to.contains(&step.state);
        let unsent = before == S::Pending && rule.transition == Transition::Submitted && step.state == S::Submitted;
        if unsent && step.upstream_id.as_deref().and_then(followed).is_none() {
            return Some(format!("step {} was submitted before it was started", step.id));
        }
        if before != step.state && !rule.steps.iter().any(moves) {
            return Some(format!("step {} goes from {before:?} to {:?}", step.id, step.state));
        }
    }
    None
}
