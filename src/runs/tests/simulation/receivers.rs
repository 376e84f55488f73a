//! Those who want to be told the end of a run: they answer late or not at all, refuse, put off, or are gone.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::vault::signature_of;
use super::world::World;
use crate::failure::{Code, Failure};
use crate::http::{Deadline, NotAllowed, Outbound, Reply};
use crate::runs::Receivers;

/// As the request kind has it.
const PATIENCE: Duration = Duration::from_secs(20);
/// What was sent may come so late.
const LATEST: Duration = Duration::from_secs(35);

/// Something that has come to a receiver.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) url: String,
    pub(super) run: String,
    pub(super) state: String,
    pub(super) signature: String,
    pub(super) body: Bytes,
    pub(super) left: Timestamp,
    pub(super) came: Timestamp,
    /// Whether its sender heard of it or not.
    pub(super) answer: u16,
}

impl Told {
    /// Nothing more is to come.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.answer, 200..=299 | 404 | 410)
    }
}

/// Where the end of this run is to be told.
pub(super) fn address_of(run: &str) -> String {
    format!("https://prod-1.logic.azure.com/workflows/{run}?sig={}", signature_of(run))
}

/// A failure as receivers read it.
pub(super) fn problem(failure: &Failure, run: &str) -> Vec<u8> {
    json!({"code": failure.code, "detail": failure.detail, "run": run}).to_string().into_bytes()
}

#[derive(Debug)]
pub(super) struct Outside(pub(super) Arc<World>);

#[async_trait]
impl Receivers for Outside {
    fn read(&self, text: &str) -> Result<Url, NotAllowed> {
        Url::parse(text).map_err(|_| NotAllowed::Malformed)
    }

    async fn deliver(&self, request: Outbound, deadline: Deadline) -> Result<Option<Reply>, Failure> {
        let world = self.0.clone();
        let header = |name: &str| {
            let found = request.headers.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let answer = if world.goes_wrong(world.plan.receiver_refuses) {
            world.draw(|dice| *dice.one_of(&[302, 400, 401, 404, 410, 429, 500, 503]))
        } else {
            200
        };
        let told = Told {
            url: request.url.to_string(),
            run: header("causeway-run-id"),
            state: header("x-causeway-state"),
            signature: header("x-causeway-signature"),
            body: request.body.clone().unwrap_or_default(),
            left: world.now(),
            came: world.now(),
            answer,
        };
        let lost = world.goes_wrong(world.plan.answer_lost);
        let arrives = !lost || world.draw(|dice| dice.chance(600));
        let (there, back) = (world.delay(LATEST), world.delay(LATEST));
        let at = world.clone();
        let answered = world.call(there, back, async move {
            if arrives {
                at.note(|| format!("told: {} {}: {}", told.run, told.state, told.answer));
                at.told.lock().unwrap().push(Told { came: at.now(), ..told });
            }
        });
        match tokio::time::timeout_at(deadline.within(PATIENCE).instant(), answered).await {
            Ok(Ok(())) if !lost => {}
            _ => return Err(Failure::new(Code::UpstreamTimeout, "no answer of the receiver")),
        }
        let puts_off = matches!(answer, 429 | 503) && world.draw(|dice| dice.chance(500));
        let asked = puts_off.then(|| ("retry-after".to_owned(), world.draw(|dice| dice.below(300)).to_string()));
        let headers = asked.into_iter().collect();
        Ok((answer != 200).then(|| Reply { status: answer, headers, body: Bytes::new(), tries: 1 }))
    }
}

/// What the receiver makes of a body.
pub(super) fn read(told: &Told) -> Value {
    serde_json::from_slice(&told.body).unwrap_or_default()
}
