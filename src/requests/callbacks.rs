//! `callbackUrl` in the body of a start: its caller waits for no answer and is told the end at an address of its own. The
//! start answers 201, whose `Location` is the subscription; `DELETE` there, with no key but its token, ends it.

use serde_json::{Value, json};

use super::answers::{Going, done};
use super::claim::{self, Effected};
use super::token::{Signer, Target};
use super::{Answer, AnswerKind, Call, Requests};
use crate::failure::{Code, Failure};
use crate::operations::undeclared;
use crate::runs::{TellAt, identity};
use crate::steps::Followed;

/// The member of a body, and of what a claim keeps of one: there sealed.
pub(super) const CALLBACK_URL: &str = "callbackUrl";

impl Requests {
    /// The address that a body names, if its host may be told anything; null is what flows send for an empty field.
    pub(super) fn callback_url(&self, given: Option<Value>) -> Result<Option<String>, Failure> {
        match given {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(url)) => self.0.runs.may_tell(&url).map(|()| Some(url)),
            Some(_) => Err(Failure::new(Code::BodyInvalid, "`callbackUrl` is a URL, in text.").at(CALLBACK_URL)),
        }
    }

    /// As a claim keeps it: whoever reads the ledger must not be able to speak to the caller.
    pub(super) async fn sealed_callback(&self, call: &Call, log: &str, url: &str) -> Result<Value, Failure> {
        Ok(json!(self.0.runs.sealer().seal(&place(log), &json!(url), call.deadline).await?))
    }

    /// Puts it into what a claim keeps.
    pub(super) async fn with_callback(
        &self,
        call: &Call,
        route: &str,
        inputs: Option<Value>,
        url: Option<String>,
    ) -> Result<Option<Value>, Failure> {
        let (Some(mut inputs), Some(url)) = (inputs.clone(), url) else { return Ok(inputs) };
        inputs[CALLBACK_URL] = self.sealed_callback(call, &claim::log_of(call, route), &url).await?;
        Ok(Some(inputs))
    }

    /// What a claim keeps of it, opened; `None` when its call named no address.
    pub(super) async fn opened_callback(
        &self,
        call: &Call,
        log: &str,
        kept: Option<&Value>,
    ) -> Result<Option<TellAt>, Failure> {
        let Some(sealed) = kept.and_then(Value::as_str) else { return Ok(None) };
        let url = self.0.runs.sealer().open(&place(log), sealed, call.deadline).await?;
        let url = url.as_str().unwrap_or_default().to_owned();
        Ok(Some(TellAt { url, base: self.url(call, "") }))
    }

    /// Follows work that has an owner of its own with a run, which tells its end, and answers. The work has begun: no
    /// failure may invite the caller to begin it again, but with the same key it may.
    pub(super) async fn followed(
        &self,
        call: &Call,
        effected: &Effected,
        followed: &Followed,
        going: Going<'_>,
        signer: &Signer,
    ) -> Result<Answer, Failure> {
        let run = identity::run_id(&["callback", &effected.key()]);
        let begun = async {
            let kept = effected.inputs().get(CALLBACK_URL);
            let Some(to) = self.opened_callback(call, effected.log(), kept).await? else { return Ok(()) };
            let parameters = followed.parameters()?;
            self.0.runs.begin_telling(undeclared::followed(), &run, parameters, &call.caller, &to, call.deadline).await
        };
        begun.await.map_err(Failure::effect_possible)?;
        let replayed = effected.replayed;
        self.subscribed(call, going, &run, replayed, signer)
    }

    /// 201: the end of `run` will be told.
    pub(super) fn subscribed(
        &self,
        call: &Call,
        going: Going<'_>,
        run: &str,
        replayed: bool,
        signer: &Signer,
    ) -> Result<Answer, Failure> {
        let url = |target: &Target| Ok::<_, Failure>(self.url(call, &format!("/api/status/{}", signer.sign(target)?)));
        let Going { id, state, target, .. } = going;
        let location = url(&Target::Callback { run: run.to_owned() })?;
        let body = json!({"id": id, "state": state, "statusUrl": url(&target)?});
        Ok(Answer {
            kind: AnswerKind::Started,
            location: Some(location),
            run_id: Some(run.to_owned()),
            replayed,
            ..Answer::done(body.to_string().into_bytes())
        })
    }

    /// `DELETE` of a subscription. The work itself goes on.
    pub async fn unsubscribe(&self, call: &Call, token: &str) -> Result<Answer, Failure> {
        let Target::Callback { run } = self.open(token, call.deadline).await? else {
            let detail = "This URL is no subscription. Send DELETE to the `Location` of a start with `callbackUrl`.";
            return Err(Failure::new(Code::StatusTokenInvalid, detail));
        };
        self.0.runs.unsubscribe(&run, call.deadline).await?;
        Ok(done(&json!({"runId": run, "state": "unsubscribed"})))
    }
}

/// What a claim keeps besides.
pub(super) fn without_callback(inputs: &Value) -> Value {
    let mut inputs = inputs.clone();
    if let Some(inputs) = inputs.as_object_mut() {
        inputs.remove(CALLBACK_URL);
    }
    inputs
}

fn place(log: &str) -> String {
    format!("{log}/{CALLBACK_URL}")
}
