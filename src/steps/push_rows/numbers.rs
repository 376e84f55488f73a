//! Numbering the batches of a push, so that a lost answer can be settled. One push at a time numbers a table: the service
//! may drop in silence what comes with a lower number than another.

use jiff::SignedDuration;
use uuid::Uuid;

use super::super::Neighbours;
use super::inputs::{Inputs, Numbers, Push};
use crate::failure::Failure;
use crate::http::Deadline;
use crate::ledger::{LONGEST_HOLD, Slot};

/// When a table is held for numbering, it is held on from here.
const HOLD_ON: SignedDuration = SignedDuration::from_mins(2);
/// Numbers that are left out before a run's first: two runs that began at the same number would take each other's pushes for
/// their own.
const WIDEST_GAP: u128 = 997;

impl Inputs {
    /// Numbers the batches, where the table has sequence numbers and nobody else numbers it; whether that has changed.
    pub(super) async fn number(&mut self, to: &Neighbours, deadline: Deadline) -> Result<bool, Failure> {
        let now = to.clock.now();
        let due = self.numbers.is_some_and(|numbers| now > numbers.held_until - HOLD_ON);
        if self.numbers_asked && !due {
            return Ok(false);
        }
        let Push { workspace, dataset, table, .. } = &self.push;
        let ours = self.numbers.take();
        let known = async || to.power_bi.sequence_numbers(workspace, dataset, table, deadline).await;
        if ours.is_some() || known().await?.is_some() {
            let held = Slot::take(&to.ledger, &self.slot(), &self.run_id, LONGEST_HOLD, deadline).await?;
            if let Some(held) = held {
                // Asked only now: whoever numbered the table until now has moved its numbers on, and what comes with a lower
                // one is dropped.
                let known = known().await;
                if ours.is_none() && !matches!(known, Ok(Some(_))) {
                    self.release(to, deadline).await;
                }
                self.numbers = known?.map(|known| {
                    let highest = known.into_iter().max().unwrap_or_default();
                    let gap = i64::try_from(Uuid::new_v4().as_u128() % WIDEST_GAP).unwrap_or_default();
                    Numbers { next: next_number(ours.map(|ours| ours.next), highest, gap), held_until: held.until() }
                });
            } else {
                tracing::info!(run = self.run_id, table, "another push numbers this table; ours goes without numbers");
            }
        }
        self.numbers_asked = true;
        Ok(true)
    }

    fn slot(&self) -> String {
        let Push { dataset, table, .. } = &self.push;
        format!("push {} {table}", dataset.to_ascii_lowercase())
    }

    /// Others may number the table.
    pub(super) async fn let_go(&self, to: &Neighbours, deadline: Deadline) {
        if self.numbers.is_some() {
            self.release(to, deadline).await;
        }
    }

    async fn release(&self, to: &Neighbours, deadline: Deadline) {
        if let Err(error) = Slot::release(&to.ledger, &self.slot(), &self.run_id, deadline).await {
            tracing::warn!(run = self.run_id, %error, "a table stays held for numbering a little longer");
        }
    }
}

/// Above every number that the service knows; our own goes on where it still is.
fn next_number(ours: Option<i64>, highest: i64, gap: i64) -> i64 {
    match ours {
        Some(ours) if ours > highest => ours,
        // The one before it is then known, as that of a batch of ours would be.
        Some(_) => highest + 1,
        None => highest + 1 + gap,
    }
}

#[cfg(test)]
mod tests {
    use super::next_number;

    #[test]
    fn a_number_is_never_at_or_below_one_that_the_service_knows() {
        assert_eq!(next_number(None, 0, 5), 6);
        assert_eq!(next_number(Some(500), 499, 5), 500);
        assert_eq!(next_number(Some(500), 500, 5), 501);
        assert_eq!(next_number(Some(500), 700, 5), 701);
    }
}
