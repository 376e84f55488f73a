//! Answers of work that is not finished: where to look, and when; and of lists that go on.

use serde_json::{Value, json};

use super::token::{Signer, Target};
use super::{Answer, AnswerKind, Call, Requests};
use crate::failure::Failure;

/// How soon a caller should look again.
const LOOK_AGAIN_SECONDS: u64 = 5;

/// Work that somebody else owns now.
#[derive(Debug)]
pub(super) struct Going<'a> {
    /// The neighbour's or the run's id; `null` while it has none.
    pub id: Value,
    pub state: &'a str,
    /// Path of the resource itself, which `mode=start` points at.
    pub resource: String,
    pub target: Target,
    pub replayed: bool,
}

impl Requests {
    /// 202 with the status URL, or 201 with the resource when `started`.
    pub(super) fn going(
        &self,
        call: &Call,
        signer: &Signer,
        going: Going<'_>,
        started: bool,
    ) -> Result<Answer, Failure> {
        let Going { id, state, resource, target, replayed } = going;
        let status_url = self.url(call, &format!("/api/status/{}", signer.sign(&target)?));
        let body = json!({"id": id, "state": state, "statusUrl": status_url});
        let (kind, location) =
            if started { (AnswerKind::Started, self.url(call, &resource)) } else { (AnswerKind::Accepted, status_url) };
        Ok(Answer {
            kind,
            location: Some(location),
            retry_after_seconds: (!started).then_some(LOOK_AGAIN_SECONDS),
            replayed,
            ..Answer::done(body.to_string().into_bytes())
        })
    }

    /// A page of a list: `{value, nextLink?}`. Whoever follows the link needs no key.
    pub(super) async fn listed(&self, call: &Call, value: Vec<Value>, next: Option<Target>) -> Result<Answer, Failure> {
        let mut body = json!({"value": value});
        if let Some(next) = next {
            let token = self.signer(call.deadline).await?.sign(&next)?;
            body["nextLink"] = self.url(call, &format!("/api/status/{token}")).into();
        }
        Ok(done(&body))
    }

    /// The address that callers use, without a slash at its end; `/` when it is not known.
    pub fn base(&self, call: &Call) -> String {
        Some(self.url(call, "")).filter(|base| !base.is_empty()).unwrap_or_else(|| "/".to_owned())
    }

    /// An absolute URL as the caller can reach it: the configured base, else the host that was called.
    pub(super) fn url(&self, call: &Call, path: &str) -> String {
        let base = self.0.settings.public_base_url.as_ref().or(call.forwarded_base.as_ref());
        base.map_or_else(|| path.to_owned(), |base| format!("{}{path}", base.as_str().trim_end_matches('/')))
    }
}

/// A JSON answer that is complete.
pub(super) fn done(value: &Value) -> Answer {
    Answer::done(value.to_string().into_bytes())
}
