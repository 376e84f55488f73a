//! The rows of a statement, checked against the push table and kept in the ledger batch by batch. Nothing is pushed and
//! nothing deleted before every row has been read: one that cannot be pushed is named, and the table stays as it is.

use std::time::Duration;

use super::super::Neighbours;
use super::batch::{Batch, Batches};
use super::inputs::{Inputs, Query};
use super::rules::Rules;
use super::spool::spool;
use crate::databricks::{Budget, ColumnInfo, KEY_TAG, Statement, SubmitStatement};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::power_bi::{DataType, PushColumn};
use crate::rows::given::Faults;
use crate::rows::{ChunkRows, Format, Output, Piece, RowWriter, Shape, ValueOptions};

/// How long the submission of a statement may wait for its end.
const SUBMIT_WAIT: Duration = Duration::from_secs(10);
/// How long rows are read before what has been read goes on record.
const AT_ONCE: Duration = Duration::from_secs(15);
/// What is in memory of a result.
const IN_MEMORY: usize = 32 << 20;
/// Rows are written to text so many bytes at a time.
const PIECE: usize = 256 * 1024;
/// Batches of one push: more than a table holds ("Push semantic model limitations": 5,000,000 rows).
pub const MOST_BATCHES: usize = 5_000;

impl Query {
    /// Refuses what Databricks would.
    pub fn check(&self) -> Result<(), Failure> {
        self.submission("").check()
    }

    pub(super) fn submission(&self, key: &str) -> SubmitStatement {
        SubmitStatement {
            statement: self.statement.clone(),
            warehouse_id: self.warehouse_id.clone(),
            catalog: self.catalog.clone(),
            schema: self.schema.clone(),
            parameters: self.parameters.clone(),
            row_limit: self.row_limit,
            byte_limit: self.byte_limit,
            disposition: self.disposition,
            wait: SUBMIT_WAIT,
            query_tags: vec![(KEY_TAG.into(), key.into())],
            read: true,
        }
    }
}

impl Inputs {
    /// Reads on from the row that is due, for a while; whether the end was reached.
    pub(super) async fn read_on(&mut self, to: &Neighbours, deadline: Deadline) -> Result<bool, Failure> {
        let id = self.statement_id.clone().unwrap_or_default();
        let statement = to.databricks.statement(&id, deadline).await?;
        if statement.outcome()?.is_none() {
            return Ok(false);
        }
        if statement.truncated {
            let detail = "The result is cut by a limit of this installation (CAUSEWAY_SQL_MAX_ROWS, CAUSEWAY_SQL_MAX_BYTES), \
                          so nothing was pushed. Ask for less.";
            return Err(Failure::new(Code::ResultTooLarge, detail));
        }
        let table = (&self.push.workspace, &self.push.dataset, &self.push.table);
        let table = to.power_bi.push_table(table.0, table.1, table.2, self.batches.is_empty(), deadline).await?;
        let options = ValueOptions::default();
        let columns = statement.typed_columns(options);
        let result = columns.iter().zip(&statement.columns);
        let result =
            result.map(|(column, info)| PushColumn { name: column.name.clone(), data_type: Some(data_type(info)) });
        let rules = Rules::of_result(&table, result.collect());
        if let Some(column) = columns.iter().find(|column| rules.find(&column.name).is_none()) {
            let (column, table) = (&column.name, &self.push.table);
            let detail = format!(
                "The result has a column {column:?} that table `{table}` does not have, so nothing was pushed. Name it as the \
                 table does (`AS`), or leave it out."
            );
            return Err(Failure::new(Code::RowsInvalid, detail).at(format!("statement, column {column}")));
        }
        let writer =
            RowWriter::new(&columns, Output { format: Format::Ndjson, shape: Shape::Objects, values: options })?;
        self.read_rows(to, &statement, writer, &rules, deadline).await
    }

    async fn read_rows(
        &mut self,
        to: &Neighbours,
        statement: &Statement,
        mut writer: RowWriter,
        rules: &Rules,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        let pause = deadline.within(AT_ONCE);
        let (mut batches, mut faults, mut text) = (Batches::default(), Faults::default(), Vec::new());
        // The row that is due, which is not on record before its batch is kept.
        let mut next = self.rows();
        let mut chunks = to.databricks.chunks(statement, next, &Budget::new(IN_MEMORY), deadline);
        let total = chunks.total();
        while let Some(chunk) = chunks.next().await? {
            let skip = next.saturating_sub(chunk.row_offset);
            let mut left = chunk.row_count.saturating_sub(skip);
            let mut rows = ChunkRows::new(chunk.data)?.at_row(chunk.row_offset);
            rows.skip(skip)?;
            while left > 0 {
                text.clear();
                // A chunk of Arrow may hold more rows than it says, which do not belong to the result.
                let written = writer.write(&mut text, &mut rows, Piece { bytes: PIECE, rows: left })?;
                if written == 0 {
                    return Err(incomplete(next + left, next));
                }
                left -= written;
                for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    next += 1;
                    match rules.read(next, line) {
                        Err(wrong) => faults.add(wrong),
                        // One fault, and nothing will be pushed: the rest is only looked at.
                        Ok(_) if !faults.is_empty() => {}
                        Ok(row) => {
                            if let Some(batch) = batches.add(&row) {
                                self.keep(to, &batch, deadline).await?;
                            }
                        }
                    }
                }
            }
            let due = self.rows();
            if pause.has_passed() && !faults.is_empty() {
                return Err(faults.failure(next, "pushed"));
            }
            if pause.has_passed() && due > 0 && total.is_none_or(|total| next < total) {
                return Ok(false);
            }
        }
        if let Some(total) = total.filter(|total| *total != next) {
            return Err(incomplete(total, next));
        }
        if !faults.is_empty() {
            return Err(faults.failure(next, "pushed"));
        }
        if let Some(batch) = batches.end() {
            self.keep(to, &batch, deadline).await?;
        }
        Ok(true)
    }

    pub(super) async fn keep(&mut self, to: &Neighbours, batch: &Batch, deadline: Deadline) -> Result<(), Failure> {
        if self.batches.len() == MOST_BATCHES {
            let detail =
                format!("The rows make more than {MOST_BATCHES} batches, which no push table holds. Push less.");
            return Err(Failure::new(Code::ResultTooLarge, detail));
        }
        spool(&to.ledger, &self.spool, self.batches.len(), batch, deadline).await?;
        self.batches.push(batch.rows);
        Ok(())
    }
}

/// The type that a result's column has in Power BI, where the table does not tell (reference: BIGINT is Int64, DECIMAL
/// Decimal, and what Power BI has no type for is text).
fn data_type(column: &ColumnInfo) -> DataType {
    match column.type_name.as_str() {
        "BYTE" | "SHORT" | "INT" | "LONG" => DataType::Int64,
        "FLOAT" | "DOUBLE" => DataType::Double,
        "DECIMAL" => DataType::Decimal,
        "BOOLEAN" => DataType::Boolean,
        "DATE" | "TIMESTAMP" | "TIMESTAMP_NTZ" => DataType::Datetime,
        _ => DataType::String,
    }
}

fn incomplete(total: u64, came: u64) -> Failure {
    Failure::new(
        Code::ResultIncomplete,
        format!(
            "Databricks did not deliver the whole result: it has {total} rows and {came} came. Nothing was pushed."
        ),
    )
}
