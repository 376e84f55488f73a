//! Raw calls of Power BI: what its caller describes is sent, as often as its caller says. Off unless a setting turns it on.
//! How the body is read is `raw_body.rs`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::answers::done;
use super::claim::{Claimant, Claimed};
use super::raw_body::{Body, ResponseType, Retry};
use super::{Answer, Call, Requests, TO_ANSWER};
use crate::failure::{Code, Effect, Failure};
use crate::http::{Deadline, Reply};
use crate::power_bi::{RawCall, raw_refusal};
use crate::steps::Recovery;

/// What a claim keeps of an answer; a longer one is not told again.
const MOST_KEPT: usize = 64 * 1024;
/// Headers of the connection or of nobody's business.
const NOT_SHOWN: [&str; 6] =
    ["connection", "transfer-encoding", "content-encoding", "content-length", "set-cookie", "keep-alive"];

/// A call that is about to be sent.
struct Wanted {
    call: RawCall,
    timeout: Duration,
    retry: Retry,
    response: ResponseType,
    debug: bool,
}

impl Requests {
    /// `POST /api/power-bi-raw`.
    pub async fn raw_power_bi(&self, call: &Call, body: Bytes) -> Result<Answer, Failure> {
        if !self.0.settings.power_bi_raw {
            let detail = "Raw calls are switched off here. The operator turns them on with CAUSEWAY_POWER_BI_RAW=true.";
            return Err(Failure::new(Code::RawNotAllowed, detail));
        }
        let mut wanted = if body.is_empty() { None } else { Some(self.wanted_raw(&body)?) };
        if let Some(wanted) = wanted.as_ref().filter(|wanted| wanted.call.method == "GET") {
            return Ok(done(&self.send_raw(wanted, call.deadline.less(TO_ANSWER)).await?));
        }
        let claimant = Claimant { call, route: "raw", target: "", body: &body, recovery: |_| Recovery::Unknown };
        // Nothing of the call is kept: what it was is in the claim's digest.
        let effected = match self.claim(&claimant, wanted.as_ref().map(|_| Value::Null)).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let Some(wanted) = wanted.take() else { return Err(super::body::missing()) };
                let sent = self.send_raw(&wanted, call.deadline.less(TO_ANSWER)).await;
                let mut whole = None;
                let kept = sent.map(|answer| {
                    let kept = kept(&answer);
                    whole = Some(answer);
                    kept
                });
                self.had(ours, call, kept).await?;
                return Ok(done(&whole.unwrap_or_default()));
            }
        };
        Ok(Answer { replayed: effected.replayed, ..done(&effected.upstream) })
    }

    fn wanted_raw(&self, body: &[u8]) -> Result<Wanted, Failure> {
        let body: Body = super::body::read(body)?;
        let (method, query) = (body.method()?, body.query()?);
        let url = self.0.neighbours.power_bi.raw_address(&body.path, &query)?;
        let (headers, content) = body.content()?;
        Ok(Wanted {
            call: RawCall { method, url, headers, body: content },
            timeout: body.timeout()?,
            retry: body.retry()?,
            response: body.response_type,
            debug: body.debug,
        })
    }

    /// Sends until it succeeds or its caller's patience ends.
    async fn send_raw(&self, wanted: &Wanted, deadline: Deadline) -> Result<Value, Failure> {
        let mut effect = Effect::None;
        let mut tries = 0;
        loop {
            tries += 1;
            let sent = self.0.neighbours.power_bi.raw(&wanted.call, deadline.within(wanted.timeout)).await;
            let (failure, again, asked) = match sent {
                Ok(reply) if reply.status < 400 => {
                    log(wanted, tries, Some(reply.status));
                    return Ok(answer(&reply, wanted.response));
                }
                Ok(reply) => {
                    log(wanted, tries, Some(reply.status));
                    let again = wanted.retry.on_all_errors || reply.status == 429 || reply.status >= 500;
                    (raw_refusal(&reply, wanted.call.method), again, reply.retry_after())
                }
                Err(error) => {
                    log(wanted, tries, None);
                    (Failure::from(error), true, None)
                }
            };
            // Sticks: what one try may have done, no later try can undo.
            if failure.effect == Effect::Possible {
                effect = Effect::Possible;
            }
            let pause = wanted.retry.pause(tries).max(asked.unwrap_or_default());
            if !again || tries > wanted.retry.max || deadline.remaining() <= pause {
                return Err(Failure { effect, ..failure });
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// What the caller asked to see in the log. Bodies, and values of headers, may be secrets.
fn log(wanted: &Wanted, tries: u32, status: Option<u16>) {
    if wanted.debug {
        let names: Vec<&str> = wanted.call.headers.iter().map(|(name, _)| name.as_str()).collect();
        let (path, headers) = (wanted.call.url.path(), names.join(", "));
        let query: Vec<String> = wanted.call.url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        let (query, bytes) = (query.join(", "), wanted.call.body.as_ref().map_or(0, Bytes::len));
        tracing::info!(method = wanted.call.method, path, query, headers, bytes, tries, status, "raw call of Power BI");
    }
}

fn answer(reply: &Reply, response: ResponseType) -> Value {
    let text = || Value::from(String::from_utf8_lossy(&reply.body));
    let body = match response {
        _ if reply.body.is_empty() => Value::Null,
        ResponseType::Json => serde_json::from_slice(&reply.body).unwrap_or_else(|_| text()),
        ResponseType::Text => text(),
        ResponseType::Binary => BASE64.encode(&reply.body).into(),
    };
    let shown = reply.headers.iter().filter(|(name, _)| !NOT_SHOWN.contains(&name.as_str()));
    let headers: Map<String, Value> = shown.map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    json!({"status": reply.status, "headers": headers, "body": body})
}

fn kept(answer: &Value) -> Value {
    let mut kept = answer.clone();
    if kept.to_string().len() > MOST_KEPT {
        kept["body"] = Value::Null;
        kept["bodyOmitted"] = true.into();
    }
    kept
}
