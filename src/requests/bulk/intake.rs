//! A body of rows on its way in: each row is checked as it comes, and each batch is kept in the ledger as it fills. What
//! is in memory does not grow with the body.

use bytes::Bytes;
use uuid::Uuid;

use super::asked::Asked;
use super::batch::{Batch, Batches, MOST_BYTES};
use super::row::Rules;
use super::statement::statement;
use crate::databricks::TableInfo;
use crate::failure::{Code, FailedRow, Failure};
use crate::http::Deadline;
use crate::ledger::Ledger;
use crate::rows::given::{Faults, Part, Splitter};
use crate::steps::write_rows::{Upload, forget, spool};

/// Steps of one run; its record, written anew at each, must stay small.
const MOST_BATCHES: usize = 1_000;
/// Bytes of rows that came before it was said what to do with them.
const MOST_HELD: usize = 4 << 20;

/// The rows of one call.
pub(super) struct Intake<'a> {
    ledger: &'a Ledger,
    place: [&'a str; 3],
    table: TableInfo,
    asked: Asked,
    splitter: Splitter,
    /// Known once the mode is.
    rules: Option<Rules>,
    held: Vec<Bytes>,
    held_bytes: usize,
    rows: u64,
    faults: Faults,
    batches: Batches,
    spool: String,
    kept: Vec<(u64, u64)>,
    deadline: Deadline,
}

/// What was taken in, whole.
#[derive(Debug)]
pub(super) struct TakenIn {
    pub upload: Upload,
    /// The first and last row of each batch.
    pub batches: Vec<(u64, u64)>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(
        ledger: &'a Ledger,
        place: [&'a str; 3],
        table: TableInfo,
        asked: Asked,
        lines: bool,
        deadline: Deadline,
    ) -> Self {
        Self {
            ledger,
            place,
            table,
            asked,
            splitter: Splitter::new(lines),
            rules: None,
            held: Vec::new(),
            held_bytes: 0,
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
    pub(super) async fn end(&mut self) -> Result<TakenIn, Failure> {
        self.splitter.end();
        self.parts().await?;
        if !self.splitter.has_rows() {
            return Err(Failure::new(Code::BodyInvalid, "The body has no `rows`.").at("rows"));
        }
        self.set_rules()?;
        for row in std::mem::take(&mut self.held) {
            self.row(&row).await?;
        }
        if !self.faults.is_empty() {
            return Err(std::mem::take(&mut self.faults).failure(self.rows, "written"));
        }
        for batch in self.batches.end() {
            self.keep(&batch).await?;
        }
        let upload = Upload {
            spool: self.spool.clone(),
            table: self.table.full_name.clone(),
            mode: self.rules()?.mode,
            warehouse_id: self.asked.warehouse.clone(),
            rows: self.rows,
            superseded: self.batches.superseded,
        };
        Ok(TakenIn { upload, batches: self.kept.clone() })
    }

    /// Nothing of it will be written.
    pub(super) async fn forget(self) {
        forget(self.ledger, &self.spool, self.kept.len(), Deadline::after(super::TO_FORGET)).await;
    }

    async fn parts(&mut self) -> Result<(), Failure> {
        while let Some(part) = self.splitter.next()? {
            match part {
                Part::Member(name, value) => self.asked.member(&name, &value)?,
                Part::Row(row) if self.rules.is_none() && self.asked.mode.is_none() => {
                    self.held_bytes += row.len();
                    self.held.push(row);
                    if self.held_bytes > MOST_HELD {
                        let detail = "Put `mode` and `keys` before `rows`: these are too many rows to hold until it is \
                                      known what to do with them.";
                        return Err(Failure::new(Code::BodyInvalid, detail).at("mode"));
                    }
                }
                Part::Row(row) => {
                    self.set_rules()?;
                    self.row(&row).await?;
                }
            }
        }
        Ok(())
    }

    fn set_rules(&mut self) -> Result<(), Failure> {
        if self.rules.is_none() {
            let mode = self.asked.mode.ok_or_else(|| {
                let detail = "It is not said what to do with the rows: `mode` in the body, or `write` in the query, is \
                              insert, upsert or delete.";
                Failure::new(Code::BodyInvalid, detail).at("mode")
            })?;
            self.rules = Some(Rules::new(&self.table, mode, self.asked.keys.as_deref())?);
            self.asked.fix();
        }
        Ok(())
    }

    fn rules(&self) -> Result<&Rules, Failure> {
        self.rules.as_ref().ok_or_else(|| Failure::new(Code::Internal, "Rows were read before their rules."))
    }

    async fn row(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.rows += 1;
        match self.rules()?.read(self.rows, bytes) {
            Ok(row) if row.text.len() + 2 > MOST_BYTES => {
                let message = format!("has {} bytes; one row has at most {}", row.text.len(), MOST_BYTES - 2);
                self.faults.add(vec![FailedRow { row: self.rows, column: None, message }]);
            }
            // One fault, and nothing will be written: the rest is only looked at.
            Ok(_) if !self.faults.is_empty() => {}
            Ok(row) => {
                for batch in self.batches.add(row) {
                    self.keep(&batch).await?;
                }
            }
            Err(faults) => {
                self.faults.add(faults);
                self.batches = Batches::default();
            }
        }
        Ok(())
    }

    async fn keep(&mut self, batch: &Batch) -> Result<(), Failure> {
        if self.kept.len() == MOST_BATCHES {
            let detail = format!(
                "The rows make more than {MOST_BATCHES} batches. Send them in several calls; rows with the same columns \
                 share a batch."
            );
            return Err(Failure::new(Code::BodyTooLarge, detail));
        }
        let statement = statement(self.place, self.rules()?, &batch.columns);
        // Counted before it is kept, so that it is also forgotten when nobody knows whether it was.
        self.kept.push(batch.rows);
        let number = self.kept.len() - 1;
        spool(self.ledger, &self.spool, number, &statement, &batch.text, self.deadline).await
    }
}
