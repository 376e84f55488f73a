//! `http`: one call of an address outside, behind the guard of `http/`. Secrets are read before it is on record as sent, and are on no
//! record; what comes back is searched for them before it is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    InHand, Kind, Neighbours, Polled, Prepared, Ready, Recovery, Sent, expression_failed, from_inputs, mismatched,
    to_inputs,
};
use crate::failure::{Code, Failure, Upstream};
use crate::http::{Deadline, Outbound, Reply, RequestKind, Scrub, not_allowed};
use crate::operations::{HttpHeader, HttpUrl, Scope, StepKind};

/// Headers of an answer that are kept: what the next step may need, and what support asks for.
const KEPT_HEADERS: [&str; 8] = [
    "content-type",
    "etag",
    "last-modified",
    "location",
    "retry-after",
    "x-request-id",
    "x-ms-request-id",
    "x-ms-workflow-run-id",
];
/// What of a refusal is told, in characters.
const MOST_SAID: usize = 300;
/// When a throttled address names no time.
const THROTTLED: Duration = Duration::from_secs(30);

pub(super) struct HttpCall;

/// A text, or the name of the secret that holds it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Given {
    Text(String),
    Secret(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Inputs {
    url: Given,
    method: String,
    headers: BTreeMap<String, Given>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    idempotent: bool,
    expect: Vec<u16>,
}

#[async_trait]
impl Kind for HttpCall {
    fn prepare(&self, step: &StepKind, scope: &Scope, neighbours: &Neighbours) -> Result<Prepared, Failure> {
        let StepKind::Http(step) = step else { return Err(mismatched()) };
        let url = match &step.url {
            HttpUrl::Secret(name) => Given::Secret(name.clone()),
            HttpUrl::Given(template) => {
                let text = template.render_text(scope).map_err(|error| expression_failed(&error))?;
                neighbours.outside.read(&text).map_err(|why| not_allowed(&why))?;
                Given::Text(text)
            }
        };
        let headers = step.headers.iter().map(|(name, header)| {
            let given = match header {
                HttpHeader::Secret(secret) => Given::Secret(secret.clone()),
                HttpHeader::Given(template) => {
                    Given::Text(template.render_text(scope).map_err(|error| expression_failed(&error))?)
                }
            };
            Ok::<_, Failure>((name.clone(), given))
        });
        let body = step.body.as_ref().map(|body| body.render(scope).map_err(|error| expression_failed(&error)));
        let inputs = Inputs {
            url,
            method: step.method.to_owned(),
            headers: headers.collect::<Result<_, _>>()?,
            body: body.transpose()?,
            idempotent: step.idempotent,
            expect: step.expect.clone(),
        };
        Ok(Prepared { inputs: to_inputs(&inputs)?, effect: !is_read(&inputs.method) })
    }

    async fn make_ready(
        &self,
        to: &Neighbours,
        inputs: &Value,
        key: &str,
        deadline: Deadline,
    ) -> Result<Ready, Failure> {
        Ok(Ready::with(request(to, &from_inputs(inputs)?, key, deadline).await?))
    }

    async fn send(
        &self,
        to: &Neighbours,
        inputs: &Value,
        in_hand: InHand,
        key: &str,
        deadline: Deadline,
    ) -> Result<Sent, Failure> {
        let inputs: Inputs = from_inputs(inputs)?;
        let Made { request, scrub, used } = in_hand.take()?;
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let kind = match inputs.method.as_str() {
            method if is_read(method) => RequestKind::HttpStepRead,
            _ if inputs.idempotent => RequestKind::HttpStepRepeatable,
            _ => RequestKind::HttpStepWrite,
        };
        let sent = to.outside.send(kind, request, "The address that was called", deadline).await;
        let reply = sent.map_err(|failure| scrub.failure(failure))?;
        tracing::info!(host, method = inputs.method, status = reply.status, "an address outside answered");
        if reply.status != 401 || used.is_empty() || inputs.expect.contains(&401) {
            return judged(&inputs, &reply, &scrub);
        }
        // Perhaps a secret was rotated while we believed the old one: whoever tries again has the new one.
        for (name, value) in &used {
            to.secrets.forget(name, value);
        }
        if kind == RequestKind::HttpStepWrite {
            return judged(&inputs, &reply, &scrub);
        }
        let made = self::request(to, &inputs, key, deadline).await?;
        let same = made.used.iter().zip(&used).all(|((_, new), (_, old))| new.expose_secret() == old.expose_secret());
        if same {
            return judged(&inputs, &reply, &scrub);
        }
        let sent = to.outside.send(kind, made.request, "The address that was called", deadline).await;
        judged(&inputs, &sent.map_err(|failure| made.scrub.failure(failure))?, &made.scrub)
    }

    fn recovery(&self, inputs: &Value) -> Recovery {
        let safe = inputs["idempotent"] == true || inputs["method"].as_str().is_some_and(is_read);
        if safe { Recovery::SendAgain } else { Recovery::Unknown }
    }

    async fn poll(&self, _: &Neighbours, _: &Value, _: &str, _: Deadline) -> Result<Polled, Failure> {
        Err(mismatched())
    }

    async fn cancel(&self, _: &Neighbours, _: &Value, _: &str, _: Deadline) -> Result<(), Failure> {
        Ok(())
    }
}

fn is_read(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

/// What is sent, with the secrets in it, and what must not be told of them.
struct Made {
    request: Outbound,
    scrub: Scrub,
    /// The secrets, by name.
    used: Vec<(String, SecretString)>,
}

async fn request(to: &Neighbours, inputs: &Inputs, key: &str, deadline: Deadline) -> Result<Made, Failure> {
    let mut used = Vec::new();
    let mut secrets = Vec::new();
    let url = text(to, &inputs.url, &mut used, deadline).await?;
    // The signature in an address is a secret by itself, whoever wrote it.
    secrets.extend(url.split(['?', '&', '=']).skip(1).filter(|part| part.len() >= 20).map(str::to_owned));
    let read = to.outside.read(&url).map_err(|why| not_allowed(&why))?;
    let method = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|known| *known == inputs.method);
    let mut request = Outbound { method: method.ok_or_else(mismatched)?, sensitive: true, ..Outbound::get(read) };
    for (name, given) in &inputs.headers {
        let value = text(to, given, &mut used, deadline).await?;
        request = request.header(name, value);
    }
    if !is_read(&inputs.method) {
        request = request.header("idempotency-key", key);
    }
    if let Some(body) = &inputs.body {
        request = request.json(body.to_string());
    }
    secrets.extend(used.iter().map(|(_, value)| value.expose_secret().trim().to_owned()));
    Ok(Made { request, scrub: Scrub::texts(secrets), used })
}

async fn text(
    to: &Neighbours,
    given: &Given,
    used: &mut Vec<(String, SecretString)>,
    deadline: Deadline,
) -> Result<String, Failure> {
    match given {
        Given::Text(text) => Ok(text.clone()),
        Given::Secret(name) => {
            let secret = to.secrets.current(name, deadline).await?;
            let text = secret.value.expose_secret().trim().to_owned();
            used.push((name.clone(), secret.value));
            Ok(text)
        }
    }
}

/// What an answer means.
fn judged(inputs: &Inputs, reply: &Reply, scrub: &Scrub) -> Result<Sent, Failure> {
    let status = reply.status;
    let expected = if inputs.expect.is_empty() { reply.is_success() } else { inputs.expect.contains(&status) };
    if expected {
        return Ok(Sent::Done { upstream_id: None, output: output(reply, scrub) });
    }
    let said: String = scrub.text(&String::from_utf8_lossy(&reply.body)).chars().take(MOST_SAID).collect();
    let detail = format!("The address that was called answered {status}: {said}");
    let upstream = Upstream {
        service: "http".into(),
        status: Some(status),
        code: None,
        request_id: reply.header("x-request-id").or(reply.header("x-ms-request-id")).map(str::to_owned),
    };
    let failure = |code| Failure::new(code, detail.trim_end_matches([' ', ':']).to_owned()).from_upstream(upstream);
    match (status, reply.retry_after()) {
        (429, after) => {
            let because = Box::new(failure(Code::UpstreamThrottled));
            Ok(Sent::NotYet { after: after.unwrap_or(THROTTLED), because })
        }
        (503, Some(after)) => Ok(Sent::NotYet { after, because: Box::new(failure(Code::UpstreamUnavailable)) }),
        // Said by somebody in between, who does not know either.
        (502 | 504, _) => Err(failure(Code::UpstreamUnavailable).effect_possible()),
        _ => Err(failure(Code::HttpFailed)),
    }
}

/// `{status, headers, body}`: the body as JSON where it is, else as text.
fn output(reply: &Reply, scrub: &Scrub) -> Value {
    let kept = KEPT_HEADERS.iter().filter_map(|name| Some(((*name).to_owned(), json!(reply.header(name)?))));
    let headers: Map<String, Value> = kept.collect();
    let text = || Value::String(String::from_utf8_lossy(&reply.body).into_owned());
    let body = match reply.body.as_ref() {
        b"" => Value::Null,
        bytes => serde_json::from_slice(bytes).unwrap_or_else(|_| text()),
    };
    scrub.value(json!({"status": reply.status, "headers": headers, "body": body}))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::failure::Effect;

    fn inputs(expect: &[u16]) -> Inputs {
        let url = Given::Text("https://hooks.example.com/".into());
        let (method, headers) = ("POST".into(), BTreeMap::new());
        Inputs { url, method, headers, body: None, idempotent: false, expect: expect.to_vec() }
    }

    fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Reply { status, headers, body: body.to_owned().into(), tries: 1 }
    }

    #[rstest]
    #[case(200, &[], true)]
    #[case(204, &[], true)]
    #[case(302, &[], false)]
    #[case(200, &[201], false)]
    #[case(404, &[404], true)]
    fn a_status_is_a_success_when_it_is_expected(#[case] status: u16, #[case] expect: &[u16], #[case] good: bool) {
        let judged = judged(&inputs(expect), &reply(status, &[], ""), &Scrub::default());
        assert_eq!(matches!(judged, Ok(Sent::Done { .. })), good, "{judged:?}");
    }

    #[test]
    fn a_busy_address_is_called_later_and_a_gateway_that_does_not_know_is_in_doubt() {
        let none = Scrub::default();
        let busy = judged(&inputs(&[]), &reply(503, &[("retry-after", "7")], ""), &none).unwrap();
        assert!(matches!(busy, Sent::NotYet { after, .. } if after == Duration::from_secs(7)));
        let busy = judged(&inputs(&[]), &reply(429, &[], ""), &none).unwrap();
        assert!(matches!(busy, Sent::NotYet { after, .. } if after == THROTTLED));
        let lost = judged(&inputs(&[]), &reply(504, &[], ""), &none).unwrap_err();
        assert_eq!(lost.effect, Effect::Possible);
        let refused = judged(&inputs(&[]), &reply(500, &[], "no"), &none).unwrap_err();
        assert_eq!((refused.code, refused.effect), (Code::HttpFailed, Effect::None));
    }

    #[test]
    fn what_comes_back_is_kept_without_the_secrets_that_were_sent() {
        let scrub = Scrub::texts(["top-secret".to_owned()]);
        let headers =
            [("content-type", "application/json"), ("set-cookie", "a=top-secret"), ("location", "/top-secret")];
        let kept = output(&reply(200, &headers, r#"{"echo": ["Bearer top-secret"]}"#), &scrub);
        let expected = json!({
            "status": 200,
            "headers": {"content-type": "application/json", "location": "/***"},
            "body": {"echo": ["Bearer ***"]},
        });
        assert_eq!(kept, expected);
        let refused = judged(&inputs(&[]), &reply(401, &[], "top-secret is wrong"), &scrub).unwrap_err();
        assert_eq!(refused.detail, "The address that was called answered 401: *** is wrong");
    }
}
