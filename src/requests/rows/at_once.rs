//! Few rows, pushed at once within one claim: no run, and no more in the ledger than that.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::claim::Ours;
use super::super::{Call, Mode, Requests, is_transient};
use super::intake::TakenIn;
use crate::failure::{Effect, Failure};
use crate::http::Deadline;
use crate::power_bi::{BatchTurn, NextBatch, PowerBiError};
use crate::steps::push_rows::{Push, Source, in_doubt};

/// When a 429 does not say for how long.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// For telling others of a refusal.
const TO_TELL: Duration = Duration::from_secs(10);

impl Requests {
    /// Whether it is one push of few rows, for which there is room, into a table that has no sequence numbers. With those it can
    /// be told after a lost answer whether the rows have come, which takes a run.
    pub(super) async fn may_go_at_once(&self, call: &Call, taken: &TakenIn) -> Result<bool, Failure> {
        let Source::Rows { count, .. } = &taken.push.source else { return Ok(false) };
        if call.mode == Mode::Start || taken.push.clear || taken.has_sequence_numbers {
            return Ok(false);
        }
        let next = batch(&taken.push.dataset, *count);
        self.0.neighbours.power_bi.has_room(&self.0.ledger, next, call.deadline).await
    }

    /// `None` when Power BI takes nothing now, and has taken nothing.
    pub(super) async fn push_at_once(&self, ours: &Ours, push: &Push) -> Result<Option<Value>, Failure> {
        let Source::Rows { text, count } = &push.source else { return Ok(None) };
        let power_bi = &self.0.neighbours.power_bi;
        let Ok(_place) = power_bi.place_to_push(&push.dataset, ours.window).await else { return Ok(None) };
        let turn = power_bi.may_push(&self.0.ledger, batch(&push.dataset, *count), ours.window).await?;
        let BatchTurn::Now(taken_at) = turn else { return Ok(None) };
        let pushed = power_bi.push_rows(&push.workspace, &push.dataset, &push.table, text, None, ours.window).await;
        let error = match pushed {
            Ok(()) => return Ok(Some(json!({"rowsPushed": count, "batches": 1}))),
            Err(error) => error,
        };
        if let PowerBiError::Refused(refused) = &error
            && refused.status == 429
        {
            let after = refused.retry_after.unwrap_or(REFUSED_FOR);
            let lost = (taken_at, *count);
            power_bi.push_refused(&self.0.ledger, &push.dataset, after, lost, Deadline::after(TO_TELL)).await;
        }
        let failure = Failure::from(error);
        if failure.effect == Effect::Possible {
            let cause = failure.chain();
            return Err(Failure { upstream: failure.upstream, ..in_doubt(push) }.caused_by(cause));
        }
        if is_transient(&failure) {
            tracing::info!(error = failure.chain(), "Power BI takes nothing now; the rows go on as a run");
            return Ok(None);
        }
        Err(failure)
    }
}

/// A push by itself.
fn batch(dataset: &str, rows: u64) -> NextBatch<'_> {
    NextBatch { dataset, rows, alone: true, batches_left: 1, rows_left: rows, rows_there: 0 }
}
