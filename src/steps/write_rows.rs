//! `write_rows`: one batch of rows that a caller handed over, from where the ledger keeps it into a table. The rows were
//! checked before the run began; what the batch says to Databricks was fixed then, too.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::sql::no_warehouse;
use super::{
    InHand, Kind, Neighbours, Polled, Prepared, Ready, Recovery, Sent, from_inputs, is_end_of_work, mismatched,
    to_inputs,
};
use crate::databricks::{Disposition, KEY_TAG, Parameter, Statement, SubmitStatement, with_key};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::{Ledger, Put, draw_writer, entry_path};
use crate::operations::{Scope, StepKind};

/// The parameter that carries the rows as JSON text.
pub const ROWS_PARAMETER: &str = "rows";

/// What becomes of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WriteMode {
    Insert,
    Upsert,
    Delete,
}

/// Rows that were handed over, as the run's parameters have them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Where the ledger keeps the batches: `spool/{spool}/{batch}`.
    pub spool: String,
    pub table: String,
    pub mode: WriteMode,
    /// `None` is the app's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse_id: Option<String>,
    pub rows: u64,
    /// Rows that a later one with the same key stands for.
    pub superseded: u64,
}

/// One batch in the ledger.
#[derive(Debug, Serialize, Deserialize)]
struct Spooled<'a> {
    writer: String,
    #[serde(borrow)]
    statement: std::borrow::Cow<'a, str>,
    /// An array of objects; the text is sent as it stands here.
    #[serde(borrow)]
    rows: &'a RawValue,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inputs {
    upload: Upload,
    run_id: String,
    batch: usize,
    batches: usize,
    first: u64,
    last: u64,
    warehouse_id: String,
    /// What the batches before it did.
    before: Written,
}

/// Rows as Databricks counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    batches: usize,
    inserted: u64,
    updated: u64,
    deleted: u64,
}

impl Written {
    fn rows(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

/// Keeps one batch until it is written. `rows` is a JSON array.
pub async fn spool(
    ledger: &Ledger,
    spool: &str,
    batch: usize,
    statement: &str,
    rows: &str,
    deadline: Deadline,
) -> Result<(), Failure> {
    let broken = |error| Failure::new(Code::Internal, "A batch of rows could not be kept.").caused_by(error);
    let rows: &RawValue = serde_json::from_str(rows).map_err(broken)?;
    let spooled = Spooled { writer: draw_writer(), statement: statement.into(), rows };
    let entry = serde_json::to_vec(&spooled).map_err(broken)?;
    match ledger.put(&path(spool, batch), Bytes::from(entry), deadline).await? {
        Put::Written => Ok(()),
        Put::Lost(_) => Err(Failure::new(Code::Internal, "Another batch of rows stands where ours belongs.")),
    }
}

/// Forgets batches that nobody will write. What cannot be deleted now costs space and nothing else.
pub async fn forget(ledger: &Ledger, spool: &str, batches: usize, deadline: Deadline) {
    for batch in 0..batches {
        let path = path(spool, batch);
        if let Err(error) = ledger.delete(&path, deadline).await {
            tracing::warn!(path, %error, "rows stay behind in the ledger");
        }
    }
}

fn path(spool: &str, batch: usize) -> String {
    entry_path(&format!("spool/{spool}"), batch as u64)
}

pub(super) struct WriteRows;

#[async_trait]
impl Kind for WriteRows {
    fn prepare(&self, step: &StepKind, scope: &Scope, neighbours: &Neighbours) -> Result<Prepared, Failure> {
        let StepKind::WriteRows(step) = step else { return Err(mismatched()) };
        let done = scope.steps.values().filter_map(|output| Written::deserialize(output).ok());
        let upload: Upload = from_inputs(&Value::Object(scope.parameters.clone()))?;
        let warehouse_id = upload.warehouse_id.clone().or_else(|| neighbours.warehouse_id.clone());
        let inputs = Inputs {
            upload,
            run_id: scope.run.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
            batch: step.batch,
            batches: step.batches,
            first: step.rows.0,
            last: step.rows.1,
            warehouse_id: warehouse_id.ok_or_else(no_warehouse)?,
            before: done.max_by_key(|written| written.batches).unwrap_or_default(),
        };
        Ok(Prepared { inputs: to_inputs(&inputs)?, effect: true })
    }

    async fn make_ready(&self, to: &Neighbours, inputs: &Value, _: &str, deadline: Deadline) -> Result<Ready, Failure> {
        let inputs: Inputs = from_inputs(inputs)?;
        let entry = to.ledger.get(&path(&inputs.upload.spool, inputs.batch), deadline).await?;
        to.databricks.ready(deadline).await?;
        Ok(Ready::with(entry.ok_or_else(|| inputs.gone())?))
    }

    async fn send(
        &self,
        to: &Neighbours,
        inputs: &Value,
        in_hand: InHand,
        key: &str,
        deadline: Deadline,
    ) -> Result<Sent, Failure> {
        let inputs: Inputs = from_inputs(inputs)?;
        let entry: Bytes = in_hand.take()?;
        let spooled: Spooled<'_> = serde_json::from_slice(&entry).map_err(|error| inputs.gone().caused_by(error))?;
        let submit = SubmitStatement {
            statement: with_key(&spooled.statement, key),
            warehouse_id: inputs.warehouse_id.clone(),
            catalog: None,
            schema: None,
            parameters: vec![Parameter {
                name: ROWS_PARAMETER.into(),
                value: Some(spooled.rows.get().to_owned()),
                type_text: Some("STRING".into()),
            }],
            row_limit: None,
            byte_limit: None,
            disposition: Disposition::Inline,
            wait: Duration::ZERO,
            query_tags: vec![(KEY_TAG.into(), key.into())],
            read: false,
        };
        let statement = to.databricks.submit(&submit, deadline).await.map_err(|error| inputs.failed(error.into()))?;
        Ok(Sent::Submitted { upstream_id: statement.statement_id })
    }

    /// The same rows by their keys give the same table; inserted twice, they are there twice.
    fn recovery(&self, inputs: &Value) -> Recovery {
        match from_inputs::<Inputs>(inputs) {
            Ok(inputs) if inputs.upload.mode != WriteMode::Insert => Recovery::LookUpFirst,
            _ => Recovery::LookUp,
        }
    }

    async fn look_up(
        &self,
        at: &Neighbours,
        inputs: &Value,
        key: &str,
        since: Timestamp,
        deadline: Deadline,
    ) -> Result<Option<String>, Failure> {
        let inputs: Inputs = from_inputs(inputs)?;
        Ok(at.databricks.find_statement(&inputs.warehouse_id, key, since, deadline).await?)
    }

    /// A conflict has written nothing, and the batch is the same whatever came first.
    fn may_run_again(&self, _inputs: &Value, failure: &Failure) -> bool {
        failure.code == Code::WriteConflict
    }

    async fn poll(
        &self,
        at: &Neighbours,
        inputs: &Value,
        upstream_id: &str,
        deadline: Deadline,
    ) -> Result<Polled, Failure> {
        let inputs: Inputs = from_inputs(inputs)?;
        let statement = at.databricks.statement(upstream_id, deadline).await?;
        if statement.outcome().map_err(|failure| inputs.failed(failure))?.is_none() {
            return Ok(Polled::Running);
        }
        let output = inputs.report(&statement);
        // Nobody sends this batch again: its id is on record, and what it did is known.
        let path = path(&inputs.upload.spool, inputs.batch);
        if let Err(error) = at.ledger.delete(&path, deadline).await {
            tracing::warn!(path, %error, "rows stay behind in the ledger");
        }
        Ok(Polled::Done { output })
    }

    async fn cancel(&self, at: &Neighbours, _: &Value, upstream_id: &str, deadline: Deadline) -> Result<(), Failure> {
        Ok(at.databricks.cancel_statement(upstream_id, deadline).await?)
    }
}

impl Inputs {
    /// The whole report so far; after the last batch it is the operation's output.
    fn report(&self, statement: &Statement) -> Value {
        let Written { batches, inserted, updated, deleted } = self.before;
        let own = written(statement, self.upload.mode);
        json!({
            "runId": self.run_id,
            "state": "succeeded",
            "table": self.upload.table,
            "mode": self.upload.mode,
            "rows": self.upload.rows,
            "superseded": self.upload.superseded,
            "batches": batches + 1,
            "inserted": inserted + own.inserted,
            "updated": updated + own.updated,
            "deleted": deleted + own.deleted,
            "statementId": statement.statement_id,
        })
    }

    /// A failure of the batch, with its rows and what stands in the table already.
    fn failed(&self, failure: Failure) -> Failure {
        if !is_end_of_work(&failure) {
            return failure;
        }
        let (own, of, first, last) = (self.batch + 1, self.batches, self.first, self.last);
        if failure.code == Code::ResultExpired {
            // The statement is over and was not looked at in time. Its counts are lost, not its rows.
            let detail = format!(
                "Batch {own} of {of} (rows {first} to {last}) is written, as are those before it; how many rows it changed is \
                 not known any more, and the batches after it were not sent. {}",
                failure.detail
            );
            let cause = failure.chain();
            return Failure { detail, ..failure }.at(format!("rows {first} to {last}")).caused_by(cause);
        }
        let before = match self.before.rows() {
            _ if failure.code == Code::StatementNotFound => "Whether it was written is not known.".to_owned(),
            0 if self.batch == 0 => "Nothing was written.".to_owned(),
            rows => format!("The {} batches before it are written ({rows} rows).", self.batch),
        };
        let detail = format!("Batch {own} of {of} (rows {first} to {last}) failed: {} {before}", failure.detail);
        let cause = failure.chain();
        let place = failure.place.clone().unwrap_or_else(|| format!("rows {first} to {last}"));
        Failure { detail, ..failure }.at(place).caused_by(cause)
    }

    fn gone(&self) -> Failure {
        let (first, last) = (self.first, self.last);
        Failure::new(
            Code::Internal,
            format!("Rows {first} to {last} are no longer kept in the ledger. Send them again."),
        )
    }
}

/// The counts by their names (Delta: INSERT and MERGE answer one row of `num_…_rows`).
fn written(statement: &Statement, mode: WriteMode) -> Written {
    let count = |name: &str| statement.counted(name);
    let affected = |asked: WriteMode| if mode == asked { count("num_affected_rows") } else { None };
    let or_affected = |name: &str, asked| count(name).or_else(|| affected(asked)).unwrap_or_default();
    Written {
        batches: 1,
        inserted: or_affected("num_inserted_rows", WriteMode::Insert),
        updated: count("num_updated_rows").unwrap_or_default(),
        deleted: or_affected("num_deleted_rows", WriteMode::Delete),
    }
}
