//! A refresh whose answer was lost, found by what is known of it: its kind, and when it can have begun.

use std::time::Duration;

use jiff::Timestamp;

use super::found::{HISTORY, RefreshId};
use super::wanted::{ENHANCED, STANDARD, WantedRefresh};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::power_bi::PowerBi;

/// Our clock and the service's may differ by this much. Nothing but the time tells ours from the one before it.
const LITTLE_SKEW: Duration = Duration::from_secs(1);

/// The refresh that was asked for at or after `since` and whose answer was lost, if it is in the history. Several that may
/// be it are `outcome-unknown`.
pub async fn find_lost(
    power_bi: &PowerBi,
    wanted: &WantedRefresh,
    since: Timestamp,
    deadline: Deadline,
) -> Result<Option<RefreshId>, Failure> {
    let WantedRefresh { workspace, dataset, request } = wanted;
    let history = power_bi.refreshes(workspace, dataset, HISTORY, deadline).await?;
    let earliest = since - LITTLE_SKEW;
    let kind = if request.is_enhanced() { ENHANCED } else { STANDARD };
    let (mut candidates, mut newest_before) = (Vec::new(), None);
    for entry in history {
        if entry.start_time.is_none_or(|start| start < earliest) {
            newest_before = entry.refresh_id;
            break;
        }
        if entry.refresh_type.as_deref() != Some(kind) {
            continue;
        }
        let Some(id) = entry.refresh_id.clone() else { continue };
        // The history does not say what an enhanced one was asked for.
        let seen = if kind == ENHANCED { power_bi.refresh(workspace, dataset, &id, deadline).await? } else { entry };
        if wanted.may_be(&seen) {
            candidates.push((id, seen.start_time.unwrap_or(since)));
        }
    }
    match candidates.as_slice() {
        [] => Ok(None),
        [(id, _)] if kind == ENHANCED => Ok(Some(RefreshId::Enhanced(id.clone()))),
        [(_, start)] => Ok(Some(RefreshId::StandardSince { since: *start, newest_before })),
        several => Err(several_found(several.len())),
    }
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
