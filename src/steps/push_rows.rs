//! `push_rows`: rows into a table of a push dataset, batch by batch. After an ambiguous batch only a human can tell.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Kind, Neighbours, Polled, Prepared, Recovery, Sent, expression_failed, from_inputs, mismatched, to_inputs,
};
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
use crate::operations::{Scope, StepKind};
use crate::power_bi::{PowerBi, batches};

pub(super) struct PushRows;

#[derive(Debug, Serialize, Deserialize)]
struct Inputs {
    workspace: String,
    dataset: String,
    table: String,
    rows: Vec<Map<String, Value>>,
}

#[async_trait]
impl Kind for PushRows {
    fn prepare(&self, step: &StepKind, scope: &Scope, _neighbours: &Neighbours) -> Result<Prepared, Failure> {
        let StepKind::PushRows(step) = step else { return Err(mismatched()) };
        let rows = step.rows.render(scope).map_err(|error| expression_failed(&error))?;
        let inputs = Inputs {
            workspace: step.workspace.render_text(scope).map_err(|error| expression_failed(&error))?,
            dataset: step.dataset.render_text(scope).map_err(|error| expression_failed(&error))?,
            table: step.table.render_text(scope).map_err(|error| expression_failed(&error))?,
            rows: Vec::deserialize(&rows)
                .map_err(|_| Failure::new(Code::RowsInvalid, "`rows` is a list of objects, one a row.").at("rows"))?,
        };
        Ok(Prepared { inputs: to_inputs(&inputs)?, effect: true })
    }

    async fn send(&self, to: &Neighbours, inputs: &Value, _key: &str, deadline: Deadline) -> Result<Sent, Failure> {
        let Inputs { workspace, dataset, table, rows } = from_inputs(inputs)?;
        let output = push(&to.power_bi, &workspace, &dataset, &table, &rows, deadline).await?;
        Ok(Sent::Done { upstream_id: None, output })
    }

    fn recovery(&self, inputs: &Value) -> Recovery {
        match from_inputs::<Inputs>(inputs) {
            Ok(inputs) if inputs.rows.is_empty() => Recovery::SendAgain,
            _ => Recovery::Unknown,
        }
    }

    async fn poll(&self, _: &Neighbours, _: &Value, _: &str, _: Deadline) -> Result<Polled, Failure> {
        Err(mismatched())
    }

    async fn cancel(&self, _: &Neighbours, _: &Value, _: &str, _: Deadline) -> Result<(), Failure> {
        Ok(())
    }
}

/// Pushes all rows; the answer is `{rowsPushed, batches}`. A failure after the first batch tells how far it came.
pub async fn push(
    power_bi: &PowerBi,
    workspace: &str,
    dataset: &str,
    table: &str,
    rows: &[Map<String, Value>],
    deadline: Deadline,
) -> Result<Value, Failure> {
    let (mut pushed, mut count) = (0, 0);
    for batch in batches(rows) {
        if let Err(error) = power_bi.push_rows(workspace, dataset, table, batch, deadline).await {
            return Err(cut_short(Failure::from(error), pushed, batch.len(), rows.len()));
        }
        pushed += batch.len();
        count += 1;
    }
    Ok(json!({"rowsPushed": pushed, "batches": count}))
}

fn cut_short(failure: Failure, pushed: usize, batch: usize, all: usize) -> Failure {
    if failure.effect == Effect::Possible {
        let detail = format!(
            "Rows {} to {} of {all} may or may not be in the table, since Power BI's answer was lost; the {pushed} \
             before them are. Look at the table, then push what is missing.",
            pushed + 1,
            pushed + batch
        );
        let cause = failure.chain();
        return Failure { code: Code::OutcomeUnknown, detail, ..failure }.caused_by(cause);
    }
    if pushed == 0 {
        return failure;
    }
    // What is pushed stays pushed: the failure as a whole is no longer without effect.
    let detail = format!("{} The first {pushed} of {all} rows are in the table.", failure.detail);
    Failure { detail, ..failure }.effect_possible()
}
