//! The retry rule: what may be tried again, after which pause, and when it is time to give up.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use super::kind::Allowance;
use super::transport::{self, Answer, Broken, Known};
use super::{Category, Deadline, HttpError, Outbound, Reply, RequestKind};
use crate::failure::{Effect, Failure};

/// The transport and the retry rule; cheap to clone.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
}

impl Http {
    /// One for the process: it holds the pool of connections.
    pub fn new() -> Result<Self, Failure> {
        Ok(Self { client: transport::client()? })
    }

    /// Over a client made otherwise.
    pub(super) fn over(client: reqwest::Client) -> Self {
        Self { client }
    }

    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// The transport itself, for the SDKs that take one (`entra/`, `key_vault/`, `ledger/`), which hand it on unnamed.
    pub(crate) fn transport(&self) -> reqwest::Client {
        self.client.clone()
    }

    /// Sends `request` as often as `kind` allows before `deadline`.
    ///
    /// Any HTTP status is an `Ok`; 429 and 503 come back only when the allowance is used up, or when the neighbour asks
    /// for a pause that does not fit it.
    pub async fn send(&self, kind: RequestKind, request: Outbound, deadline: Deadline) -> Result<Reply, HttpError> {
        let allowance = kind.allowance();
        let until = deadline.within(allowance.in_all);
        // Sticks: what one try may have done, no later try can undo.
        let mut effect = Effect::None;
        let mut tries = 0;
        loop {
            tries += 1;
            let limit = allowance.per_try.min(until.remaining());
            let outcome = self.once(&request, limit, allowance.reply_bytes, tries).await;
            if let Err(broken) = &outcome
                && broken.known != Known::NeverSent
                && allowance.category != Category::Read
            {
                effect = Effect::Possible;
            }
            match next(&allowance, &outcome, tries, until.remaining()) {
                Next::Again { after } => tokio::time::sleep(after).await,
                Next::Done => {
                    return match outcome {
                        Ok(Answer { status, headers, body }) => Ok(Reply { status, headers, body, tries }),
                        Err(broken) => Err(no_answer(&request, broken, effect, tries, until.has_passed())),
                    };
                }
            }
        }
    }

    async fn once(&self, request: &Outbound, limit: Duration, most: usize, number: u32) -> Result<Answer, Broken> {
        let started = Instant::now();
        let outcome = if limit.is_zero() {
            Err(Broken::before_sending())
        } else {
            match transport::build(request) {
                Ok(built) => transport::exchange(&self.client, built, limit, most).await,
                Err(broken) => Err(broken),
            }
        };
        let (host, path) = shown(request);
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let method = request.method;
        match &outcome {
            Ok(answer) => {
                tracing::debug!(
                    method,
                    host,
                    path,
                    status = answer.status,
                    tries = number,
                    duration_ms,
                    "neighbour answered"
                );
            }
            Err(broken) => tracing::debug!(
                method,
                host,
                path,
                tries = number,
                duration_ms,
                never_sent = broken.known == Known::NeverSent,
                error = &*broken.source as &(dyn std::error::Error + 'static),
                "neighbour gave no answer"
            ),
        }
        outcome
    }
}

/// What to do after a try.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Again { after: Duration },
    Done,
}

/// The whole rule. `left` is the time until the allowance or the deadline ends.
pub(super) fn next(allowance: &Allowance, outcome: &Result<Answer, Broken>, tries: u32, left: Duration) -> Next {
    let repeatable = allowance.category != Category::Execute;
    let asked = match outcome {
        Ok(answer) => header(&answer.headers, "retry-after").and_then(retry_after),
        Err(_) => None,
    };
    let again = match outcome {
        Err(broken) => match broken.known {
            Known::NeverSent => broken.transient,
            Known::Ambiguous | Known::Cut => repeatable,
            Known::TooLarge => false,
        },
        Ok(answer) => match answer.status {
            429 => allowance.throttled_blindly || asked.is_some(),
            503 => repeatable || asked.is_some(),
            500 | 502 | 504 => repeatable,
            _ => false,
        },
    };
    let after = asked.map_or_else(|| growing(tries), politely);
    if again && tries < allowance.tries && after < left { Next::Again { after } } else { Next::Done }
}

/// What was asked for, and at most a quarter second more, so that not all come back at once.
pub(super) fn politely(asked: Duration) -> Duration {
    asked + (asked / 10).clamp(Duration::from_millis(20), Duration::from_millis(250)).mul_f64(chance())
}

/// 200 ms, doubled for each try up to 8 s, of which a random half.
fn growing(tries: u32) -> Duration {
    let full = Duration::from_millis(200).saturating_mul(1 << (tries - 1).min(6)).min(Duration::from_secs(8));
    full / 2 + (full / 2).mul_f64(chance())
}

/// From 0 up to 1.
fn chance() -> f64 {
    let byte = Uuid::new_v4().as_bytes()[0];
    f64::from(byte) / 256.0
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Reads `Retry-After`: whole seconds, or an HTTP date (RFC 9110, section 10.2.3); a date gone by means now.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    let wait = moment.duration_since(Timestamp::now());
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}

/// What becomes of the last try.
pub(super) fn no_answer(request: &Outbound, broken: Broken, effect: Effect, tries: u32, late: bool) -> HttpError {
    HttpError {
        method: request.method,
        target: target(request),
        tries,
        effect,
        timed_out: broken.timed_out || late,
        known: broken.known,
        source: Some(broken.source),
    }
}

/// Host and path for errors and logs: never the query, and nothing of a URL that is itself a secret.
fn shown(request: &Outbound) -> (&str, &str) {
    if request.sensitive {
        ("REDACTED", "REDACTED")
    } else {
        (request.url.host_str().unwrap_or(""), request.url.path())
    }
}

fn target(request: &Outbound) -> String {
    let (host, path) = shown(request);
    if request.sensitive { host.to_owned() } else { format!("{host}{path}") }
}
