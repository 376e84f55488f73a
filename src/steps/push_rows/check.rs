//! Rows of an earlier step, checked against the push table before any of them is pushed.

use super::super::Neighbours;
use super::batch::{Batch, Batches};
use super::inputs::{Inputs, Source};
use super::rules::Rules;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::rows::given::Faults;

impl Inputs {
    /// Holds rows that were given against the table; one batch stays here, more are kept in the ledger.
    pub(super) async fn check(&mut self, to: &Neighbours, deadline: Deadline) -> Result<(), Failure> {
        let Source::Given(rows) = &self.push.source else { return Ok(()) };
        let rows = rows.clone();
        let Self { push, .. } = self;
        let place = (&push.workspace, &push.dataset, &push.table);
        let known = to.power_bi.push_table(place.0, place.1, place.2, false, deadline).await?;
        let mut rules = Rules::of(&known);
        let (mut batches, mut faults, mut closed) = (Batches::default(), Faults::default(), Vec::new());
        for (row, number) in rows.iter().zip(1..) {
            let bytes = serde_json::to_vec(row)
                .map_err(|error| Failure::new(Code::Internal, "A row could not be written.").caused_by(error))?;
            let mut read = rules.read(number, &bytes);
            if read.is_err() && rules.may_be_old {
                rules = Rules::of(&*to.power_bi.push_table(place.0, place.1, place.2, true, deadline).await?);
                read = rules.read(number, &bytes);
            }
            match read {
                Err(wrong) => faults.add(wrong),
                Ok(row) => closed.extend(batches.add(&row)),
            }
        }
        closed.extend(batches.end());
        if !faults.is_empty() {
            return Err(faults.failure(rows.len() as u64, "pushed"));
        }
        self.batches.clear();
        if let [Batch { rows, text }] = &mut closed[..] {
            self.push.source = Source::Rows { text: std::mem::take(text), count: *rows };
            self.batches.push(*rows);
        } else {
            for batch in &closed {
                self.keep(to, batch, deadline).await?;
            }
            self.push.source = Source::Spool { spool: self.spool.clone(), batches: Vec::new() };
        }
        self.all_kept();
        Ok(())
    }
}
