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
        let next = if let Some(numbers) = self.numbers {
            Some(numbers.next)
        } else {
            let known = to.power_bi.sequence_numbers(workspace, dataset, table, deadline).await?;
            let gap = i64::try_from(Uuid::new_v4().as_u128() % WIDEST_GAP).unwrap_or_default();
            known.map(|known| known.into_iter().max().unwrap_or_default() + 1 + gap)
        };
        self.numbers_asked = true;
        self.numbers = None;
        if let Some(next) = next {
            let held = Slot::take(&to.ledger, &self.slot(), &self.run_id, LONGEST_HOLD, deadline).await?;
            self.numbers = held.map(|held| Numbers { next, held_until: held.until() });
            if self.numbers.is_none() {
                tracing::info!(run = self.run_id, table, "another push numbers this table; ours goes without numbers");
            }
        }
        Ok(true)
    }

    fn slot(&self) -> String {
        let Push { dataset, table, .. } = &self.push;
        format!("push {} {table}", dataset.to_ascii_lowercase())
    }

    /// Others may number the table.
    pub(super) async fn let_go(&self, to: &Neighbours, deadline: Deadline) {
        if self.numbers.is_some()
            && let Err(error) = Slot::release(&to.ledger, &self.slot(), &self.run_id, deadline).await
        {
            tracing::warn!(run = self.run_id, %error, "a table stays held for numbering a little longer");
        }
    }
}
