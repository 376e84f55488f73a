//! Rows of push datasets. A push that is waited for is one claim; with `mode=start` it is a run of one step.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answers::done;
use super::claim::{Claimant, Claimed};
use super::operations::going;
use super::{Answer, Call, Mode, Requests};
use crate::failure::{Code, Failure};
use crate::operations::{Definition, Entry};
use crate::runs::identity;
use crate::steps::{Recovery, push_rows};

/// What a run keeps of its parameters; longer pushes are waited for, or come from SQL in an operation.
const MOST_TO_START: usize = 512 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    rows: Vec<Map<String, Value>>,
}

impl Requests {
    /// `POST …/tables/{t}/rows`: `{rows}` in, `{rowsPushed, batches}` out.
    pub async fn push_rows(&self, call: &Call, w: &str, d: &str, t: &str, body: Bytes) -> Result<Answer, Failure> {
        if call.mode == Mode::Start {
            return self.start_push(call, w, d, t, body).await;
        }
        let target = format!("{w}/{d}/{t}");
        let claimant = Claimant { call, route: "rows", target: &target, body: &body, recovery: |_| Recovery::Unknown };
        // The rows themselves are not kept: what they were is in the claim's digest.
        let mut rows = Vec::new();
        let inputs = super::body::inputs(&body, |body: Body| {
            rows = body.rows;
            Ok(Value::Null)
        })?;
        let effected = match self.claim(&claimant, inputs).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let sent = push_rows(&self.0.neighbours.power_bi, w, d, t, &rows, call.deadline).await;
                self.had(ours, call, sent).await?
            }
        };
        Ok(Answer { replayed: effected.replayed, ..done(&effected.upstream) })
    }

    /// The run has the rows before the caller is answered.
    async fn start_push(&self, call: &Call, w: &str, d: &str, t: &str, body: Bytes) -> Result<Answer, Failure> {
        if body.len() > MOST_TO_START {
            let detail = format!(
                "`mode=start` takes at most {} KB of rows. Leave it out, or send them in several calls.",
                MOST_TO_START / 1024
            );
            return Err(Failure::new(Code::BodyTooLarge, detail));
        }
        let entry = one_step()?;
        let signer = self.signer(call.deadline).await?;
        // Unlike a push that is waited for: its claim holds a run, which the other could not answer with.
        let target = format!("start {w}/{d}/{t}");
        let claimant =
            Claimant { call, route: "rows", target: &target, body: &body, recovery: |_| Recovery::SendAgain };
        let inputs = super::body::inputs(&body, |body: Body| {
            Ok(json!({"workspace": w, "dataset": d, "table": t, "rows": body.rows}))
        })?;
        let effected = match self.claim(&claimant, inputs).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let run = identity::run_id(&["http", &ours.key]);
                let parameters = ours.inputs.as_object().cloned().unwrap_or_default();
                let begun = self.0.runs.begin(entry, &run, parameters, &call.caller, false, call.deadline).await;
                self.had(ours, call, begun.map(|begun| json!(begun.run()))).await?
            }
        };
        let run = effected.upstream.as_str().unwrap_or_default();
        let answer = self.going(call, &signer, going(run, "running"), true)?;
        Ok(Answer { run_id: Some(run.to_owned()), replayed: effected.replayed, ..answer })
    }
}

/// The operation of one step that a started push is.
fn one_step() -> Result<&'static Entry, Failure> {
    const YAML: &str = r#"
summary: Push rows
description: Rows that a caller handed over with mode=start.
parameters:
  workspace: { type: string, required: true }
  dataset: { type: string, required: true }
  table: { type: string, required: true }
  rows: { type: array, required: true }
steps:
  - id: push
    push_rows:
      workspace: "{{ parameters.workspace }}"
      dataset: "{{ parameters.dataset }}"
      table: "{{ parameters.table }}"
      rows: "{{ parameters.rows }}"
output: { rowsPushed: "{{ steps.push.rowsPushed }}", batches: "{{ steps.push.batches }}" }
"#;
    static ENTRY: OnceLock<Entry> = OnceLock::new();
    let entry = ENTRY.get_or_init(|| {
        let definition = Definition { name: "push-rows".into(), yaml: YAML.into(), files: BTreeMap::new() };
        let operation = definition.parse(&BTreeMap::new()).map(Arc::new);
        Entry { definition, operation }
    });
    match &entry.operation {
        Ok(_) => Ok(entry),
        Err(problems) => Err(Failure::new(Code::Internal, "Rows cannot be pushed by a run. See the log.")
            .caused_by(problems.first().map(ToString::to_string).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests;
