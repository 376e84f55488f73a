//! Runs, as HTTP calls see them: one with its steps, lists, and what people may do to one.

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answers::done;
use super::claim::{Claimant, Claimed};
use super::token::Target;
use super::{Answer, Call, Mode, Requests, TO_ANSWER};
use crate::failure::{Code, Failure};
use crate::runs::{Begun, Happened, Resolution, RunsFrom, RunsWanted};
use crate::steps::Recovery;

/// Runs of a page when the call does not say (`top`), and at most.
const DEFAULT_TOP: usize = 100;
const MOST_TOP: usize = 1_000;
const STATES: [&str; 5] = ["running", "waiting", "succeeded", "failed", "cancelled"];
/// Where a retry is claimed.
const RETRIES: &str = "run-retries";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolveBody {
    step: String,
    outcome: Happened,
    #[serde(default)]
    output: Value,
}

impl Requests {
    /// `GET /api/runs/{id}`: always 200 with the state, the steps with their tries and upstream ids.
    pub async fn get_run(&self, call: &Call, id: &str) -> Result<Answer, Failure> {
        let view = self.0.runs.view(run_id(id)?, call.deadline).await?;
        only_its_callers(&view, call, id)?;
        Ok(Answer { run_id: Some(id.to_owned()), ..done(&view) })
    }

    /// `GET /api/runs`.
    pub async fn list_runs(&self, call: &Call) -> Result<Answer, Failure> {
        let wanted = RunsWanted {
            operation: call.query("operation").map(operation).transpose()?,
            state: call.query("state").map(state).transpose()?,
            from: moment(call, "from")?,
            to: moment(call, "to")?,
            top: call.whole("top", 1..=MOST_TOP)?.unwrap_or(DEFAULT_TOP),
        };
        self.run_list(call, wanted, None).await
    }

    /// One page, from there on.
    pub(super) async fn run_list(
        &self,
        call: &Call,
        wanted: RunsWanted,
        from: Option<RunsFrom>,
    ) -> Result<Answer, Failure> {
        let page = self.0.runs.list(&wanted, from.as_ref(), call.deadline).await?;
        self.listed(call, page.value, page.next.map(|from| Target::Runs { wanted, from })).await
    }

    /// `POST /api/runs/{id}/cancel`: 200 with the run as it stands, after `waitSeconds` or its end.
    pub async fn cancel_run(&self, call: &Call, id: &str) -> Result<Answer, Failure> {
        only_its_callers(&self.0.runs.view(run_id(id)?, call.deadline).await?, call, id)?;
        self.0.runs.cancel(run_id(id)?, &call.caller, call.deadline).await?;
        if let Mode::Wait(Some(wanted)) = call.mode {
            let wait = call.deadline.less(TO_ANSWER).within(wanted);
            self.0.runs.follow(id, wait, call.deadline).await?;
        }
        self.get_run(call, id).await
    }

    /// `POST /api/runs/{id}/retry`: opens it again and answers as its operation does.
    pub async fn retry_run(&self, call: &Call, id: &str) -> Result<Answer, Failure> {
        let (id, wait) = (run_id(id)?, super::wait_of(call)?);
        let current = match call.query("definition") {
            None | Some("pinned") => false,
            Some("current") => true,
            Some(_) => {
                let detail = "`definition` is pinned (the one that the run began with) or current.";
                return Err(Failure::new(Code::QueryInvalid, detail).at("query.definition"));
            }
        };
        let signer = self.signer(call.deadline).await?;
        // The call has no body to speak of: what it says stands in its query.
        let body = Bytes::from_static(if current { b"current" } else { b"pinned" });
        let claimant = Claimant { call, route: RETRIES, target: id, body: &body, recovery: |_| Recovery::SendAgain };
        let mut begun = None;
        let effected = match self.claim_retry(&claimant, id, current).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let after = ours.inputs["after"].as_u64().unwrap_or_default();
                let hold = call.mode != Mode::Start;
                let sent = self.0.runs.retry(id, after, current, hold, call.deadline).await;
                let sent = sent.map(|opened| begun = Some(opened)).map(|()| json!(id));
                self.had(ours, call, sent).await?
            }
        };
        let begun = begun.unwrap_or_else(|| Begun::before(id));
        let answer = self.follow_run(call, begun, wait, &signer).await?;
        Ok(Answer { replayed: effected.replayed, ..answer })
    }

    /// The record that the retry follows is claimed with it: sent again, the same call opens nothing twice.
    async fn claim_retry(&self, claimant: &Claimant<'_>, id: &str, current: bool) -> Result<Claimed, Failure> {
        match self.claim(claimant, None).await {
            Err(failure) if failure.code == Code::BodyMissing => {}
            before => return before,
        }
        let after = self.0.runs.retryable(id, current, claimant.call.deadline).await?;
        self.claim(claimant, Some(json!({"after": after}))).await
    }

    /// `POST /api/runs/{id}/resolve`: 200 with the run.
    pub async fn resolve_run(&self, call: &Call, id: &str, body: Bytes) -> Result<Answer, Failure> {
        let id = run_id(id)?;
        let ResolveBody { step, outcome, output } = super::body::read(&body)?;
        if !output.is_null() && outcome == Happened::DidNotHappen {
            let detail = "What did not happen gave no `output`.";
            return Err(Failure::new(Code::BodyInvalid, detail).at("output"));
        }
        let what = Resolution { step, outcome, output };
        only_its_callers(&self.0.runs.view(id, call.deadline).await?, call, id)?;
        let view = self.0.runs.resolve(id, what, &call.caller, call.deadline).await?;
        Ok(Answer { run_id: Some(id.to_owned()), ..done(&view) })
    }
}

/// A run that acted as its caller gave what that user may see: nobody else is told of it.
fn only_its_callers(view: &Value, call: &Call, id: &str) -> Result<(), Failure> {
    let owner = view.get("caller").and_then(Value::as_str);
    let caller = call.user.as_ref().map(|user| user.object_id.as_str());
    match owner {
        Some(owner) if caller != Some(owner) => {
            Err(Failure::new(Code::RunNotFound, format!("There is no run \"{id}\".")))
        }
        _ => Ok(()),
    }
}

fn run_id(id: &str) -> Result<&str, Failure> {
    let valid = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if valid { Ok(id) } else { Err(Failure::new(Code::RunNotFound, "A run's id is 32 hex digits; this is none.")) }
}

fn operation(name: &str) -> Result<String, Failure> {
    let valid = name.len() <= 63 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if valid && !name.is_empty() {
        return Ok(name.to_owned());
    }
    Err(Failure::new(Code::QueryInvalid, "`operation` is the name of an operation.").at("query.operation"))
}

fn state(text: &str) -> Result<String, Failure> {
    if STATES.contains(&text) {
        return Ok(text.to_owned());
    }
    let detail = format!("`state` is one of: {}.", STATES.join(", "));
    Err(Failure::new(Code::QueryInvalid, detail).at("query.state"))
}

/// A time, or a date, which is its midnight in UTC.
fn moment(call: &Call, name: &str) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = call.query(name) else { return Ok(None) };
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|moment| moment.timestamp());
    let read = text.parse::<Timestamp>().ok().or_else(|| text.parse::<Date>().ok().and_then(midnight));
    read.map(Some).ok_or_else(|| {
        let detail = format!("`{name}` is a time such as 2026-10-05T12:00:00Z, or a date.");
        Failure::new(Code::QueryInvalid, detail).at(format!("query.{name}"))
    })
}
