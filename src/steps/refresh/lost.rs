//! A refresh whose answer was lost, found by what its sender wrote into the dataset's slot right before it sent, and by its
//! kind.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::found::{CLOCK_SKEW, HISTORY, RefreshId};
use super::turn::slot;
use super::wanted::{ENHANCED, STANDARD, WantedRefresh};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::{Ledger, Note, Slot};
use crate::power_bi::{PowerBi, Refresh};

/// Our clock and the service's may differ by this much, where nothing but the time tells ours from the one before it.
const LITTLE_SKEW: Duration = Duration::from_secs(1);

/// What a sender saw when it looked, with the slot in its hands: its own refresh is the next one.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Looked {
    pub(super) at: Timestamp,
    /// The newest one of the history.
    pub(super) newest: Option<String>,
}

/// What is known of a sending.
#[derive(Debug, PartialEq, Eq)]
enum Sending {
    /// It came no further than to the slot.
    Never,
    /// It is newer than `after`, and no newer than what the next sender saw, if there was one.
    Between { after: Looked, before: Option<Looked> },
    /// The slot has been used so often since then that its note is gone.
    Forgotten,
}

/// The refresh that `by` asked for at or after `since` and whose answer was lost, if it is in the history. Several that may
/// be it are `outcome-unknown`.
pub async fn find_lost(
    ledger: &Ledger,
    power_bi: &PowerBi,
    wanted: &WantedRefresh,
    by: &str,
    since: Timestamp,
    deadline: Deadline,
) -> Result<Option<RefreshId>, Failure> {
    let looked = |note: &Note| serde_json::from_value::<Looked>(note.text.clone()).ok();
    let earlier = |note: &Note| looked(note).is_some_and(|looked| looked.at < since - CLOCK_SKEW);
    let name = slot(wanted);
    let found = Slot::notes(ledger, &name, |note| note.by == by || earlier(note), deadline).await?;
    let sending = match found {
        (mut notes, _) if notes.last().is_some_and(|note| note.by == by) => {
            let after = notes.pop().as_ref().and_then(looked);
            let before = notes.last().and_then(looked);
            after.map_or(Sending::Forgotten, |after| Sending::Between { after, before })
        }
        (notes, whole) if whole || notes.last().is_some_and(earlier) => Sending::Never,
        _ => Sending::Forgotten,
    };
    if sending == Sending::Never {
        return Ok(None);
    }
    let history = power_bi.refreshes(&wanted.workspace, &wanted.dataset, HISTORY, deadline).await?;
    let range = range(&history, &sending, since);
    let kind = if wanted.request.is_enhanced() { ENHANCED } else { STANDARD };
    let of_kind = range.filter(|place| history[*place].refresh_type.as_deref() == Some(kind));
    let mut candidates = Vec::new();
    for place in of_kind {
        if may_be(power_bi, wanted, &history[place], deadline).await? {
            candidates.push(place);
        }
    }
    match (candidates.as_slice(), &sending) {
        ([], _) => Ok(None),
        // The oldest comes last: whoever else began one did so after it, and was not seen by us.
        ([.., place], Sending::Between { .. }) | ([place], _) => Ok(id_of(&history, *place)),
        (several, _) => Err(several_found(several.len())),
    }
}

/// The places of a history, which has the newest first, at which the refresh may stand.
fn range(history: &[Refresh], sending: &Sending, since: Timestamp) -> std::ops::Range<usize> {
    let place = |id: &str| history.iter().position(|entry| entry.refresh_id.as_deref() == Some(id));
    let older = |earliest: Timestamp| {
        let older = |entry: &Refresh| entry.start_time.is_none_or(|start| start < earliest);
        history.iter().position(older).unwrap_or(history.len())
    };
    let Sending::Between { after, before } = sending else { return 0..older(since - LITTLE_SKEW) };
    // One that is no longer in the history stands behind all of it.
    let end = after.newest.as_deref().and_then(place).unwrap_or_else(|| older(after.at - CLOCK_SKEW));
    let begin = match before {
        None => 0,
        Some(Looked { newest: None, .. }) => end,
        Some(Looked { newest: Some(id), .. }) => place(id).unwrap_or(end),
    };
    begin.min(end)..end
}

async fn may_be(
    power_bi: &PowerBi,
    wanted: &WantedRefresh,
    seen: &Refresh,
    deadline: Deadline,
) -> Result<bool, Failure> {
    match &seen.refresh_id {
        // The history does not say what an enhanced one was asked for.
        Some(id) if wanted.request.is_enhanced() => {
            let details = power_bi.refresh(&wanted.workspace, &wanted.dataset, id, deadline).await?;
            Ok(wanted.may_be(&details))
        }
        id => Ok(id.is_some() && wanted.may_be(seen)),
    }
}

fn id_of(history: &[Refresh], place: usize) -> Option<RefreshId> {
    let found = &history[place];
    if found.refresh_type.as_deref() == Some(ENHANCED) {
        return found.refresh_id.clone().map(RefreshId::Enhanced);
    }
    let newest_before = history.get(place + 1).and_then(|before| before.refresh_id.clone());
    found.start_time.map(|since| RefreshId::StandardSince { since, newest_before })
}

fn several_found(count: usize) -> Failure {
    Failure::new(
        Code::OutcomeUnknown,
        format!(
            "Power BI's answer to the start of the refresh was lost, and {count} refreshes in the dataset's history may be \
             it. Look there; if none of them will do, start another."
        ),
    )
    .effect_possible()
}

#[cfg(test)]
mod tests;
