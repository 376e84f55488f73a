//! One refresh of a dataset at a time: who starts one holds the dataset's slot while it looks whether any runs, ours or
//! another's, and until its own can be seen. Power BI refuses a second one at best; of a burst it drops some in silence.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::found::{HISTORY, RefreshId, running};
use super::lost::Looked;
use super::queue::RefreshQueue;
use super::wanted::WantedRefresh;
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
use crate::ledger::{Held, LedgerError, Slot, segment};
use crate::steps::Neighbours;

/// The slot outlasts the sending by this much, for a refresh to show in the history that could not be seen at once.
const UNTIL_SEEN: Duration = Duration::from_secs(10);
/// Looks for a refresh that was just accepted, and the pause between them.
const LOOKS: u32 = 4;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// How soon a dataset that is being refreshed is tried again: a tenth of the time that its refresh has taken so far,
/// within these.
const SOONEST: Duration = Duration::from_secs(2);
const LATEST: Duration = Duration::from_mins(1);

/// What came of asking for the dataset.
#[derive(Debug)]
pub enum Turn {
    Started(RefreshId),
    /// It is another's turn; nothing was sent.
    Busy(Busy),
}

/// When to ask again, and why.
#[derive(Debug)]
pub struct Busy {
    pub(super) after: Duration,
    pub(super) because: Box<Failure>,
}

/// The dataset, held for a refresh of ours: nothing runs.
#[derive(Debug)]
pub(super) struct Free {
    held: Held,
    looked: Looked,
    /// The run that has left the queue for it.
    run: Option<String>,
}

/// What came of asking whether the dataset is free.
pub(super) enum Asked {
    Free(Free),
    Busy(Busy),
}

/// Starts a refresh unless one runs or waits. A refresh that began before has not seen the caller's data, so it is never
/// joined: who finds the dataset busy goes into the queue.
pub async fn start_refresh(
    to: &Neighbours,
    wanted: &WantedRefresh,
    by: &str,
    deadline: Deadline,
) -> Result<Turn, Failure> {
    match ask(to, wanted, by, None, deadline).await? {
        Asked::Free(free) => free.start(to, wanted, deadline).await,
        Asked::Busy(busy) => Ok(Turn::Busy(busy)),
    }
}

/// Asks for the dataset and holds it, for as long as asking and then sending may take. One that waits in the queue as this
/// run has left it then; another goes behind those that wait.
pub(super) async fn ask(
    to: &Neighbours,
    wanted: &WantedRefresh,
    by: &str,
    run: Option<&str>,
    deadline: Deadline,
) -> Result<Asked, Failure> {
    wanted.request.check()?;
    if run.is_none() && !RefreshQueue::of(&to.ledger, wanted).is_empty(deadline).await? {
        return Ok(Asked::Busy(busy(None, to)));
    }
    // For asking, and then for sending.
    let (name, hold) = (slot(wanted), deadline.remaining() * 2 + UNTIL_SEEN);
    let Some(held) = Slot::take(&to.ledger, &name, by, hold, deadline).await? else {
        return Ok(Asked::Busy(busy(None, to)));
    };
    let looked = match look(to, wanted, run, deadline).await {
        Ok(Ok(looked)) => looked,
        Ok(Err(busy)) => {
            free(&name, held.release(deadline).await);
            return Ok(Asked::Busy(busy));
        }
        Err(failure) => {
            free(&name, held.release(deadline).await);
            return Err(failure);
        }
    };
    Ok(match held.note(json!(looked), hold, deadline).await? {
        Some(held) => Asked::Free(Free { held, looked, run: run.map(str::to_owned) }),
        None => Asked::Busy(busy(None, to)),
    })
}

impl Free {
    /// Starts it, unless the dataset is another's by now.
    pub(super) async fn start(
        self,
        to: &Neighbours,
        wanted: &WantedRefresh,
        deadline: Deadline,
    ) -> Result<Turn, Failure> {
        let Self { held, looked, run } = self;
        // As a rule it is held for longer than that, and nobody is asked between the record of the intent and the sending.
        let needed = deadline.remaining() + UNTIL_SEEN;
        let held = if held.lasts(needed) { Some(held) } else { held.renew(needed, deadline).await? };
        let Some(held) = held else { return Ok(Turn::Busy(busy(None, to))) };
        let turn = start(to, wanted, looked, run.as_deref(), deadline).await;
        let seen = match &turn {
            Ok((_, seen)) => *seen,
            Err(failure) => failure.effect == Effect::None,
        };
        // What may have begun and cannot be seen yet keeps the dataset a little longer.
        let freed =
            if seen { held.release(deadline).await } else { held.renew(UNTIL_SEEN, deadline).await.map(|_| ()) };
        free(&slot(wanted), freed);
        turn.map(|(turn, _)| turn)
    }
}

/// That none runs, and which was the last that did. Who waits has left the queue by then.
async fn look(
    to: &Neighbours,
    wanted: &WantedRefresh,
    run: Option<&str>,
    deadline: Deadline,
) -> Result<Result<Looked, Busy>, Failure> {
    let history = to.power_bi.refreshes(&wanted.workspace, &wanted.dataset, HISTORY, deadline).await?;
    if let Some(running) = running(&history, to.clock.now()) {
        return Ok(Err(busy(running.start_time, to)));
    }
    if let Some(run) = run {
        RefreshQueue::of(&to.ledger, wanted).leave(run, deadline).await?;
    }
    let newest = history.into_iter().next().and_then(|refresh| refresh.refresh_id);
    Ok(Ok(Looked { at: to.clock.now(), newest }))
}

/// The slot of a dataset.
pub(super) fn slot(wanted: &WantedRefresh) -> String {
    format!("refresh-{}", segment(&wanted.dataset.to_ascii_lowercase()))
}

fn free(name: &str, freed: Result<(), LedgerError>) {
    if let Err(error) = freed {
        tracing::warn!(name, %error, "a dataset's slot is free when its hold ends");
    }
}

/// The turn, and whether the history shows how things stand.
async fn start(
    to: &Neighbours,
    wanted: &WantedRefresh,
    looked: Looked,
    run: Option<&str>,
    deadline: Deadline,
) -> Result<(Turn, bool), Failure> {
    let WantedRefresh { workspace, dataset, request } = wanted;
    let started = to.power_bi.start_refresh(workspace, dataset, request, deadline).await.map_err(Failure::from);
    let id = match started {
        Ok(started) => {
            // Clocks differ: without the one before, a short refresh that ended just now would be taken for ours.
            let standard = RefreshId::StandardSince { since: looked.at, newest_before: looked.newest };
            started.refresh_id.map_or(standard, RefreshId::Enhanced)
        }
        Err(failure) => {
            if failure.effect == Effect::None
                && let Some(run) = run
            {
                RefreshQueue::of(&to.ledger, wanted).back(run, deadline).await?;
            }
            // Somebody else's began since we looked.
            return if failure.code == Code::RefreshRunning {
                Ok((Turn::Busy(busy(None, to)), true))
            } else {
                Err(failure)
            };
        }
    };
    let seen = seen(to, wanted, &id, deadline).await;
    Ok((Turn::Started(id), seen))
}

/// Whether the refresh shows in the history, for whoever looks there next.
async fn seen(to: &Neighbours, wanted: &WantedRefresh, id: &RefreshId, deadline: Deadline) -> bool {
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        match to.power_bi.refreshes(&wanted.workspace, &wanted.dataset, HISTORY, deadline).await {
            Ok(history) => {
                if id.among(history).is_some() {
                    return true;
                }
            }
            Err(error) => {
                tracing::debug!(error = Failure::from(error).chain(), "could not look for the refresh");
                return false;
            }
        }
    }
    false
}

/// How soon to come back to a dataset that is busy, since then if that is known.
pub(super) fn busy(since: Option<Timestamp>, to: &Neighbours) -> Busy {
    let taken = since.map(|since| since.duration_until(to.clock.now()));
    let taken = taken.and_then(|taken: SignedDuration| Duration::try_from(taken).ok()).unwrap_or_default();
    let because = Failure::new(
        Code::RefreshRunning,
        "The dataset is being refreshed already, and Power BI runs one refresh of a dataset at a time.",
    );
    Busy { after: (taken / 10).clamp(SOONEST, LATEST), because: Box::new(because) }
}
