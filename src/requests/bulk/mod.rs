//! Rows into a table of the lakehouse, any number in one call: read as they come, checked against Unity Catalog, kept in
//! the ledger batch by batch, and then written by a run, which no lost connection can stop or double.

mod asked;
mod batch;
mod column;
mod intake;
mod row;
mod statement;
mod value;

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::answers::done;
use super::claim::{Claimant, Claimed};
use super::{Answer, BodyStream, Call, Mode, Requests, guard};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::write_rows;
use crate::runs::Begun;
use crate::runs::identity::{self, Digest};
use crate::steps::Recovery;
use crate::steps::write_rows::{Upload, forget};
use asked::Asked;
use intake::{Intake, TakenIn};

/// For rows that are not to be written after all.
const TO_FORGET: Duration = Duration::from_secs(20);

impl Requests {
    /// `POST /api/sql/catalogs/{c}/schemas/{s}/tables/{t}/rows`.
    pub async fn write_rows(&self, call: &Call, place: [&str; 3], mut body: BodyStream) -> Result<Answer, Failure> {
        guard::writes_allowed(&self.0.sql)?;
        let _place = self.0.sql_places.take()?;
        let wait = super::wait_of(call)?;
        let asked = Asked::of(call)?;
        let signer = self.signer(call.deadline).await?;
        let mut digest = Digest::default();
        let asked_for = ["write", "keys", "warehouseId"].map(|name| call.query(name).unwrap_or(""));
        let target = [&place[..], &asked_for].concat();
        digest.update(identity::hash(&target).as_bytes());
        let taken = self.take_in(call, place, asked, &mut body, &mut digest).await?;
        if let Some(TakenIn { upload, batches }) = &taken
            && batches.is_empty()
        {
            return Ok(done(&nothing(upload)));
        }
        let spool = taken.as_ref().map(|taken| (taken.upload.spool.clone(), taken.batches.len()));
        let wanted = taken.map(|taken| (digest.finish(), json!({"upload": taken.upload, "batches": taken.batches})));
        let claimant =
            Claimant { call, route: "table-rows", target: "", body: &Bytes::new(), recovery: |_| Recovery::SendAgain };
        let claimed = self.claim_digest(&claimant, wanted).await;
        // An earlier sending has the work, with rows of its own; ours are in nobody's hands.
        let idle = match &claimed {
            Ok(Claimed::Before(_)) => true,
            Err(failure) => failure.code == Code::IdempotencyKeyReused,
            Ok(Claimed::Ours(_)) => false,
        };
        if idle && let Some((spool, batches)) = spool {
            forget(&self.0.ledger, &spool, batches, Deadline::after(TO_FORGET)).await;
        }
        let mut begun = None;
        let effected = match claimed? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let run = identity::run_id(&["http", &ours.key]);
                let sent = self.begin_writing(call, &run, &ours.inputs).await;
                let sent = sent.map(|created| begun = Some(created)).map(|()| json!(run));
                self.had(ours, call, sent).await?
            }
        };
        let begun = begun.unwrap_or_else(|| Begun::before(effected.upstream.as_str().unwrap_or_default()));
        let answer = self.follow_run(call, begun, wait, &signer).await?;
        Ok(Answer { replayed: effected.replayed, ..answer })
    }

    /// The run has the rows before the caller is answered.
    async fn begin_writing(&self, call: &Call, run: &str, inputs: &Value) -> Result<Begun, Failure> {
        let batches: Vec<(u64, u64)> = super::from_value(&inputs["batches"])?;
        let parameters = inputs["upload"].as_object().cloned().unwrap_or_default();
        let hold = call.mode != Mode::Start;
        self.0.runs.begin(&write_rows::entry(&batches), run, parameters, &call.caller, hold, call.deadline).await
    }

    /// Reads the whole body; `None` when it is empty, as it is when the host's proxy sends a call again.
    async fn take_in(
        &self,
        call: &Call,
        place: [&str; 3],
        asked: Asked,
        body: &mut BodyStream,
        digest: &mut Digest,
    ) -> Result<Option<TakenIn>, Failure> {
        let lines = super::body::is_lines(body.content_type.as_deref());
        let mut first = Bytes::new();
        while first.trim_ascii().is_empty() {
            let Some(piece) = body.next().await? else { return Ok(None) };
            first = piece;
        }
        let [c, s, t] = place;
        let table = self.0.neighbours.databricks.table(c, s, t, call.deadline).await?;
        let mut intake = Intake::new(&self.0.ledger, place, table, asked, lines, call.deadline);
        let read = async {
            let mut next = Some(first);
            while let Some(piece) = next {
                digest.update(&piece);
                intake.take(&piece).await?;
                next = body.next().await?;
            }
            intake.end().await
        };
        match read.await {
            Ok(taken) => Ok(Some(taken)),
            Err(failure) => {
                intake.forget().await;
                Err(failure)
            }
        }
    }
}

/// No rows, and so no run.
fn nothing(upload: &Upload) -> Value {
    json!({
        "runId": null, "state": "succeeded", "table": upload.table, "mode": upload.mode, "rows": 0, "superseded": 0,
        "batches": 0, "inserted": 0, "updated": 0, "deleted": 0,
    })
}
