//! The next batch of a push: its turn, its sending, and what is left after it.

use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::super::{Neighbours, PartTurn, Sent, to_inputs};
use super::inputs::{Inputs, Phase, Push, Source};
use super::spool::{forget, unspool};
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
use crate::power_bi::{BatchTurn, NextBatch, PowerBiError};

/// When a 429 does not say for how long.
const REFUSED_FOR: Duration = Duration::from_secs(30);

/// The rows of a batch, and a place among the pushes that may be pending.
pub(super) struct BatchInHand {
    text: String,
    _place: OwnedSemaphorePermit,
}

impl Inputs {
    /// The turn of the next batch.
    pub(super) async fn turn(mut self, to: &Neighbours, deadline: Deadline) -> Result<PartTurn, Failure> {
        let changed = self.number(to, deadline).await?;
        let Push { dataset, .. } = &self.push;
        let batch = NextBatch {
            dataset,
            rows: self.of_next(),
            alone: false,
            batches_left: (self.batches.len() - self.next) as u64,
            rows_left: self.rows() - self.pushed(),
            rows_there: self.pushed(),
        };
        match to.power_bi.may_push(&to.ledger, batch, deadline).await? {
            BatchTurn::Now(at) => {
                self.taken_at = Some(at);
                Ok(PartTurn::Now(Some(to_inputs(&self)?)))
            }
            BatchTurn::After(after) => Ok(PartTurn::After(after, if changed { Some(to_inputs(&self)?) } else { None })),
        }
    }

    /// What pushing the next batch needs, had before it is on record as sent.
    pub(super) async fn batch_in_hand(&self, to: &Neighbours, deadline: Deadline) -> Result<BatchInHand, Failure> {
        let text = if let Source::Rows { text, .. } = &self.push.source {
            text.clone()
        } else {
            // That the batch before the last is pushed is on record, since the last one was sent; with `clear` all may be
            // needed again.
            if let Some(old) = self.next.checked_sub(2).filter(|_| !self.push.clear) {
                forget(&to.ledger, &self.spool, old..old + 1, deadline).await;
            }
            unspool(&to.ledger, &self.spool, self.next, deadline).await?.ok_or_else(|| self.gone())?
        };
        to.power_bi.ready(deadline).await?;
        let place = to.power_bi.place_to_push(&self.push.dataset, deadline).await?;
        Ok(BatchInHand { text, _place: place })
    }

    pub(super) async fn push(
        &mut self,
        to: &Neighbours,
        batch: BatchInHand,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let Push { workspace, dataset, table, .. } = &self.push;
        let number = self.numbers.map(|numbers| numbers.next);
        match to.power_bi.push_rows(workspace, dataset, table, &batch.text, number, deadline).await {
            Ok(()) => {
                self.has_come();
                Ok(())
            }
            Err(error) => {
                let refused = match &error {
                    PowerBiError::Refused(refused) if refused.status == 429 => {
                        Some(refused.retry_after.unwrap_or(REFUSED_FOR))
                    }
                    _ => None,
                };
                let failure = Failure::from(error);
                if let Some(after) = refused {
                    to.power_bi.push_refused(&to.ledger, dataset, after, self.taken(), deadline).await;
                } else if failure.effect != Effect::Possible {
                    self.lost(to, deadline).await;
                }
                Err(self.cut_short(failure))
            }
        }
    }

    /// The batch that is next has surely not come: its rows count for nothing.
    pub(super) async fn lost(&self, to: &Neighbours, deadline: Deadline) {
        to.power_bi.push_lost(&to.ledger, &self.push.dataset, self.taken(), deadline).await;
    }

    fn taken(&self) -> (i64, u64) {
        (self.taken_at.unwrap_or_default(), self.of_next())
    }

    pub(super) fn has_come(&mut self) {
        self.next += 1;
        if let Some(numbers) = &mut self.numbers {
            numbers.next += 1;
        }
    }

    /// Starts again from the delete.
    pub(super) fn begin_again(&mut self) {
        self.next = 0;
        self.phase = Phase::Clear;
        self.restarts += 1;
        self.numbers = None;
        self.numbers_asked = false;
    }

    /// What is left, or the end of it.
    pub(super) fn done(&self) -> Result<Sent, Failure> {
        if !self.is_over() {
            return Ok(Sent::Part { inputs: to_inputs(self)?, progress: self.progress() });
        }
        Ok(Sent::Done { upstream_id: self.statement_id.clone(), output: self.output() })
    }

    /// All of it is on record as pushed. Not before: whose worker dies with a batch in doubt needs it again.
    pub(super) async fn put_away(&self, to: &Neighbours, deadline: Deadline) {
        if !matches!(self.push.source, Source::Rows { .. }) {
            let from = if self.push.clear { 0 } else { self.batches.len().saturating_sub(2) };
            forget(&to.ledger, &self.spool, from..self.batches.len(), deadline).await;
        }
        self.let_go(to, deadline).await;
    }

    fn gone(&self) -> Failure {
        let first = self.pushed() + 1;
        let detail = format!("Rows {first} and after are no longer kept in the ledger. Push them again.");
        self.cut_short(Failure::new(Code::Internal, detail))
    }
}
