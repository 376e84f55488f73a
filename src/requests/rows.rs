//! Rows of push datasets: the whole push is one claim.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answers::done;
use super::claim::{Claimant, Claimed};
use super::{Answer, Call, Mode, Requests};
use crate::failure::{Code, Failure};
use crate::steps::{Recovery, push_rows};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    rows: Vec<Map<String, Value>>,
}

impl Requests {
    /// `POST …/tables/{t}/rows`: `{rows}` in, `{rowsPushed, batches}` out.
    pub async fn push_rows(&self, call: &Call, w: &str, d: &str, t: &str, body: Bytes) -> Result<Answer, Failure> {
        if call.mode == Mode::Start {
            return Err(Failure::new(
                Code::QueryInvalid,
                "`mode=start` is not there for rows yet: leave it out, or push them with an operation.",
            )
            .at("mode"));
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
}
