//! A body of rows on its way in: each row is checked as it comes, and batches are kept in the ledger as they fill, but
//! for a first one that is small and all there is. What is in memory does not grow with the body.

use uuid::Uuid;

use super::super::disposition::Links;
use super::TO_FORGET;
use super::asked::Asked;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::rows::given::{Faults, Part, Splitter};
use crate::settings::Sql;
use crate::steps::Neighbours;
use crate::steps::push_rows::{Batch, Batches, MOST_BATCHES, Push, Rules, Source, forget, spool};

/// Bytes of rows that a claim and the records of a run may hold; more are kept beside them.
const MOST_HERE: usize = 256 * 1024;

/// The body of one call.
pub(super) struct Intake<'a> {
    to: &'a Neighbours,
    place: [&'a str; 3],
    splitter: Splitter,
    asked: Asked,
    /// Known once there is a row.
    rules: Option<Rules>,
    has_sequence_numbers: bool,
    rows: u64,
    faults: Faults,
    batches: Batches,
    spool: String,
    kept: Vec<u64>,
    deadline: Deadline,
}

/// What was taken in, whole.
#[derive(Debug)]
pub(super) struct TakenIn {
    pub push: Push,
    pub has_sequence_numbers: bool,
}

impl TakenIn {
    /// No rows, and nothing to clear for them.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(&self.push.source, Source::Spool { batches, .. } if batches.is_empty()) && !self.push.clear
    }
}

impl<'a> Intake<'a> {
    pub(super) fn new(to: &'a Neighbours, place: [&'a str; 3], lines: bool, deadline: Deadline) -> Self {
        Self {
            to,
            place,
            splitter: Splitter::new(lines),
            asked: Asked::default(),
            rules: None,
            has_sequence_numbers: false,
            rows: 0,
            faults: Faults::default(),
            batches: Batches::default(),
            spool: Uuid::new_v4().simple().to_string(),
            kept: Vec::new(),
            deadline,
        }
    }

    pub(super) async fn take(&mut self, piece: &[u8]) -> Result<(), Failure> {
        self.splitter.push(piece);
        self.parts().await
    }

    /// The body has ended.
    pub(super) async fn end(&mut self, sql: &Sql, links: &Links) -> Result<TakenIn, Failure> {
        self.splitter.end();
        self.parts().await?;
        let (source, clear) = if self.splitter.has_rows() {
            let clear = self.asked.beside_rows()?;
            (self.rows_end().await?, clear)
        } else {
            let (query, clear) = self.asked.query(sql, links, self.to.warehouse_id.as_deref())?;
            // A table that is not there is told before the statement runs.
            self.look(false).await?;
            (Source::Query(query), clear)
        };
        let [workspace, dataset, table] = self.place.map(str::to_owned);
        let push = Push { workspace, dataset, table, source, clear };
        Ok(TakenIn { push, has_sequence_numbers: self.has_sequence_numbers })
    }

    /// Nothing of it will be pushed.
    pub(super) async fn forget(self) {
        forget(&self.to.ledger, &self.spool, 0..self.kept.len(), Deadline::after(TO_FORGET)).await;
    }

    async fn parts(&mut self) -> Result<(), Failure> {
        while let Some(part) = self.splitter.next()? {
            match part {
                Part::Member(name, value) => self.asked.member(&name, &value)?,
                Part::Row(row) => self.row(&row).await?,
            }
        }
        Ok(())
    }

    async fn row(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.rows += 1;
        let rules = match self.rules.take() {
            Some(rules) => rules,
            None => self.look(false).await?,
        };
        let mut read = rules.read(self.rows, bytes);
        self.rules = Some(rules);
        if read.is_err() && self.rules.as_ref().is_some_and(|rules| rules.may_be_old) {
            // The table may have been changed since.
            let rules = self.look(true).await?;
            read = rules.read(self.rows, bytes);
            self.rules = Some(rules);
        }
        match read {
            Err(faults) => {
                self.faults.add(faults);
                self.batches = Batches::default();
            }
            // One fault, and nothing will be pushed: the rest is only looked at.
            Ok(_) if !self.faults.is_empty() => {}
            Ok(row) => {
                if let Some(batch) = self.batches.add(&row) {
                    self.keep(&batch).await?;
                }
            }
        }
        Ok(())
    }

    async fn look(&mut self, anew: bool) -> Result<Rules, Failure> {
        let [workspace, dataset, table] = self.place;
        let table = self.to.power_bi.push_table(workspace, dataset, table, anew, self.deadline).await?;
        self.has_sequence_numbers = table.has_sequence_numbers;
        Ok(Rules::of(&table))
    }

    async fn rows_end(&mut self) -> Result<Source, Failure> {
        if !self.faults.is_empty() {
            return Err(std::mem::take(&mut self.faults).failure(self.rows, "pushed"));
        }
        if let Some(batch) = self.batches.end() {
            if self.kept.is_empty() && batch.text.len() <= MOST_HERE {
                return Ok(Source::Rows { text: batch.text, count: batch.rows });
            }
            self.keep(&batch).await?;
        }
        Ok(Source::Spool { spool: self.spool.clone(), batches: self.kept.clone() })
    }

    async fn keep(&mut self, batch: &Batch) -> Result<(), Failure> {
        if self.kept.len() == MOST_BATCHES {
            let detail = format!("The rows make more than {MOST_BATCHES} batches, which no push table holds.");
            return Err(Failure::new(Code::BodyTooLarge, detail));
        }
        // Counted before it is kept, so that it is also forgotten when nobody knows whether it was.
        self.kept.push(batch.rows);
        spool(&self.to.ledger, &self.spool, self.kept.len() - 1, batch, self.deadline).await
    }
}
