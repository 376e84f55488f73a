//! Rows into push datasets, any number in one call, or what a statement gives. Rows are checked as they come and nothing is
//! pushed before the last of them has. Few rows are pushed at once, in one claim; all else is a run of one step, which
//! keeps the rows, the dataset's limits and what has come.

mod asked;
mod at_once;
mod intake;

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::answers::done;
use super::claim::{Claimant, Claimed, Ours};
use super::{Answer, BodyStream, Call, Mode, Requests};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::push_rows;
use crate::runs::Begun;
use crate::runs::identity::{self, Digest};
use crate::steps::Recovery;
use crate::steps::push_rows::{Source, forget};
use intake::{Intake, TakenIn};

/// For rows that are not to be pushed after all.
const TO_FORGET: Duration = Duration::from_secs(20);

impl Requests {
    /// `POST …/tables/{t}/rows`: `{rows}` or `{statement, …}` in, `{rowsPushed, batches}` out.
    pub async fn push_rows(&self, call: &Call, place: [&str; 3], mut body: BodyStream) -> Result<Answer, Failure> {
        let wait = super::wait_of(call)?;
        let signer = self.signer(call.deadline).await?;
        let mut digest = Digest::default();
        // Who only starts it is answered otherwise than who waits for it.
        let kind = if call.mode == Mode::Start { "start" } else { "" };
        digest.update(identity::hash(&[kind, place[0], place[1], place[2]]).as_bytes());
        let taken = self.take_rows(call, place, &mut body, &mut digest).await?;
        if taken.as_ref().is_some_and(TakenIn::is_nothing) {
            return Ok(done(&json!({"rowsPushed": 0, "batches": 0})));
        }
        let at_once = match &taken {
            Some(taken) => self.may_go_at_once(call, taken).await?,
            None => false,
        };
        let sent = |taken: &TakenIn| if at_once { Ok(Value::Null) } else { super::to_value(&taken.push) };
        let wanted = taken.as_ref().map(|taken| Ok::<_, Failure>((digest.finish(), sent(taken)?))).transpose()?;
        let body = Bytes::from_static(if taken.is_some() { b"{}" } else { b"" });
        let claimant = Claimant { call, route: "rows", target: "", body: &body, recovery };
        let claimed = self.claim_digest(&claimant, wanted).await;
        // An earlier sending has the work, with rows of its own; ours are in nobody's hands.
        let idle = match &claimed {
            Ok(Claimed::Before(_)) => true,
            Err(failure) => failure.code == Code::IdempotencyKeyReused,
            Ok(Claimed::Ours(_)) => false,
        };
        if idle && let Some(Source::Spool { spool, batches }) = taken.as_ref().map(|taken| &taken.push.source) {
            forget(&self.0.ledger, spool, 0..batches.len(), Deadline::after(TO_FORGET)).await;
        }
        let mut begun = None;
        let effected = match claimed? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let sent = self.send_rows(call, &ours, taken, at_once, &mut begun).await;
                self.had(ours, call, sent).await?
            }
        };
        let replayed = effected.replayed;
        let Some(run) = effected.upstream["run"].as_str() else {
            return Ok(Answer { replayed, ..done(&effected.upstream) });
        };
        let begun = begun.unwrap_or_else(|| Begun::before(run));
        let answer = self.follow_run(call, begun, wait, &signer).await?;
        Ok(Answer { replayed, ..answer })
    }

    /// Reads the whole body; `None` when it is empty, as it is when the host's proxy sends a call again.
    async fn take_rows(
        &self,
        call: &Call,
        place: [&str; 3],
        body: &mut BodyStream,
        digest: &mut Digest,
    ) -> Result<Option<TakenIn>, Failure> {
        let mut first = Bytes::new();
        while first.trim_ascii().is_empty() {
            let Some(piece) = body.next().await? else { return Ok(None) };
            first = piece;
        }
        let lines = super::body::is_lines(body.content_type.as_deref());
        let mut intake = Intake::new(&self.0.neighbours, place, lines, call.deadline);
        let read = async {
            let mut next = Some(first);
            while let Some(piece) = next {
                digest.update(&piece);
                intake.take(&piece).await?;
                next = body.next().await?;
            }
            intake.end(&self.0.sql, &self.0.links).await
        };
        match read.await {
            Ok(taken) => Ok(Some(taken)),
            Err(failure) => {
                intake.forget().await;
                Err(failure)
            }
        }
    }

    /// Pushes the rows, or begins the run that does: what the claim then has.
    async fn send_rows(
        &self,
        call: &Call,
        ours: &Ours,
        taken: Option<TakenIn>,
        at_once: bool,
        begun: &mut Option<Begun>,
    ) -> Result<Value, Failure> {
        let push = match taken {
            // What the claim has is what the run of an earlier sending may have begun with.
            _ if ours.inputs.is_object() => super::from_value(&ours.inputs)?,
            Some(taken) => taken.push,
            None => return Err(super::body::missing()),
        };
        // An earlier sending may have begun a run.
        if at_once
            && ours.is_first()
            && let Some(pushed) = self.push_at_once(ours, &push).await?
        {
            return Ok(pushed);
        }
        let run = identity::run_id(&["http", &ours.key]);
        let parameters = super::to_value(&push)?.as_object().cloned().unwrap_or_default();
        let hold = call.mode != Mode::Start;
        let created =
            self.0.runs.begin(&push_rows::entry(), &run, parameters, &call.caller, hold, call.deadline).await?;
        *begun = Some(created);
        Ok(json!({"run": run}))
    }
}

/// A run is begun again under its id; rows that are pushed at once are in no claim.
fn recovery(inputs: &Value) -> Recovery {
    if inputs.is_null() { Recovery::Unknown } else { Recovery::SendAgain }
}
