//! `sql`: one statement. Writes are submitted without waiting and carry their key, so that they can be found again.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    InHand, Kind, Neighbours, Polled, Prepared, Ready, Recovery, Sent, bind_parameters, expression_failed, from_inputs,
    mismatched, to_inputs,
};
use crate::databricks::{
    Disposition, KEY_TAG, Parameter, Statement, SubmitStatement, is_plain_dml, is_surely_a_read, with_key,
};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::{Scope, StepKind, Template};
use crate::rows::{ValueOptions, to_values};

/// A step keeps at most this many rows.
const MAX_ROWS: usize = 1_000;
/// A step keeps at most this many bytes of cells.
const MAX_BYTES: usize = 256 * 1024;
/// How long the submission of a read may wait for its result.
const READ_WAIT: Duration = Duration::from_secs(10);

pub(super) struct Sql;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inputs {
    statement: String,
    parameters: Vec<Parameter>,
    warehouse_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    catalog: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    read: bool,
    idempotent: bool,
    expect_one_row: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decimals_as_number: Option<bool>,
    #[serde(default)]
    bigints_as_string: bool,
}

#[async_trait]
impl Kind for Sql {
    fn prepare(&self, step: &StepKind, scope: &Scope, neighbours: &Neighbours) -> Result<Prepared, Failure> {
        let StepKind::Sql(step) = step else { return Err(mismatched()) };
        let parameters = match &step.parameters {
            Some(template) => template.render(scope).map_err(|error| expression_failed(&error))?,
            None => json!({}),
        };
        let Some(parameters) = parameters.as_object() else { return Err(mismatched()) };
        let warehouse_id = text(step.warehouse.as_ref(), scope)?.or_else(|| neighbours.warehouse_id.clone());
        let read = is_surely_a_read(&step.statement);
        let inputs = Inputs {
            statement: step.statement.clone(),
            parameters: bind_parameters(parameters)?,
            warehouse_id: warehouse_id.ok_or_else(no_warehouse)?,
            catalog: text(step.catalog.as_ref(), scope)?,
            schema: text(step.schema.as_ref(), scope)?,
            read,
            idempotent: step.idempotent,
            expect_one_row: step.expect_one_row,
            decimals_as_number: step.values.decimals_as_number,
            bigints_as_string: step.values.bigints_as_string,
        };
        Ok(Prepared { inputs: to_inputs(&inputs)?, effect: !read })
    }

    async fn make_ready(&self, to: &Neighbours, _: &Value, _: &str, deadline: Deadline) -> Result<Ready, Failure> {
        to.databricks.ready(deadline).await?;
        Ok(Ready::plain())
    }

    async fn send(
        &self,
        to: &Neighbours,
        inputs: &Value,
        _: InHand,
        key: &str,
        deadline: Deadline,
    ) -> Result<Sent, Failure> {
        let inputs: Inputs = from_inputs(inputs)?;
        let submit = SubmitStatement {
            statement: tagged(&inputs, key),
            warehouse_id: inputs.warehouse_id.clone(),
            catalog: inputs.catalog.clone(),
            schema: inputs.schema.clone(),
            parameters: inputs.parameters.clone(),
            row_limit: None,
            byte_limit: None,
            disposition: Disposition::Inline,
            wait: if inputs.read { READ_WAIT } else { Duration::ZERO },
            query_tags: vec![(KEY_TAG.into(), key.into())],
            read: inputs.read,
        };
        let statement = to.databricks.submit(&submit, deadline).await?;
        let upstream_id = statement.statement_id.clone();
        // A write's id must be on record before anything else is tried; polling tells the rest.
        if !inputs.read {
            return Ok(Sent::Submitted { upstream_id });
        }
        match ended(to, &inputs, &statement, deadline).await? {
            Polled::Running => Ok(Sent::Submitted { upstream_id }),
            Polled::Done { output } => Ok(Sent::Done { upstream_id: Some(upstream_id), output }),
        }
    }

    fn recovery(&self, inputs: &Value) -> Recovery {
        match from_inputs::<Inputs>(inputs) {
            Ok(inputs) if inputs.read => Recovery::SendAgain,
            // It may still run: a second one beside it would do no harm in the end, and may fail, or wait for, the first.
            Ok(inputs) if inputs.idempotent => Recovery::LookUpFirst,
            Ok(_) => Recovery::LookUp,
            Err(_) => Recovery::Unknown,
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

    /// Also what was found in the history after its hour, and of which nothing else is known, where running it twice does no
    /// harm.
    fn may_run_again(&self, inputs: &Value, failure: &Failure) -> bool {
        from_inputs::<Inputs>(inputs).is_ok_and(|inputs| match failure.code {
            Code::WriteConflict => is_plain_dml(&inputs.statement),
            Code::StatementNotFound | Code::ResultExpired => inputs.idempotent && !inputs.read,
            _ => false,
        })
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
        ended(at, &inputs, &statement, deadline).await
    }

    async fn cancel(
        &self,
        at: &Neighbours,
        _inputs: &Value,
        upstream_id: &str,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        Ok(at.databricks.cancel_statement(upstream_id, deadline).await?)
    }
}

/// The statement with its key in front, where the query history shows it.
fn tagged(inputs: &Inputs, key: &str) -> String {
    if inputs.read { inputs.statement.clone() } else { with_key(&inputs.statement, key) }
}

fn text(template: Option<&Template>, scope: &Scope) -> Result<Option<String>, Failure> {
    template.map(|template| template.render_text(scope)).transpose().map_err(|error| expression_failed(&error))
}

/// Refuses a statement that may write where only a read has a place.
pub(super) fn surely_read(statement: &str, place: &str) -> Result<(), Failure> {
    if is_surely_a_read(statement) {
        return Ok(());
    }
    let detail = "The statement is not surely one that only reads. Begin it with SELECT, WITH, VALUES, TABLE, SHOW or \
                  DESCRIBE; writes are `sql` steps of their own.";
    Err(Failure::new(Code::StatementNotAllowed, detail).at(place))
}

pub(super) fn no_warehouse() -> Failure {
    Failure::new(
        Code::WarehouseMissing,
        "No warehouse is named: give the step a `warehouse`, or set CAUSEWAY_DATABRICKS_WAREHOUSE_ID.",
    )
}

async fn ended(at: &Neighbours, inputs: &Inputs, statement: &Statement, deadline: Deadline) -> Result<Polled, Failure> {
    match statement.outcome() {
        Ok(Some(())) => {}
        Ok(None) => return Ok(Polled::Running),
        Err(failure) => return Err(at.databricks.with_near_names(failure, statement, deadline).await),
    }
    let (cells, cut) = at.databricks.rows(statement, MAX_ROWS, MAX_BYTES, deadline).await?;
    if cut {
        return Err(Failure::new(
            Code::OutputTooLarge,
            format!(
                "The statement gave more than a step keeps ({MAX_ROWS} rows, {} KB). Aggregate in SQL.",
                MAX_BYTES / 1024
            ),
        ));
    }
    let options =
        ValueOptions { decimals_as_number: inputs.decimals_as_number, bigints_as_string: inputs.bigints_as_string };
    let columns = statement.typed_columns(options);
    let rows = to_values(&columns, &cells, options)?;
    if inputs.expect_one_row && rows.len() != 1 {
        return Err(Failure::new(
            Code::AssertionFailed,
            format!("The step expects one row and the statement gave {}.", rows.len()),
        ));
    }
    let output = json!({
        "statementId": statement.statement_id,
        "row": rows.first(),
        "rowCount": rows.len(),
        "truncated": statement.truncated,
        "rows": rows,
    });
    Ok(Polled::Done { output })
}
