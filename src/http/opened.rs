//! Answers that are too large to be held: the head is waited for as any answer is, the body comes piece by piece.

use std::time::Duration;

use bytes::Bytes;

use super::send::{Next, next, no_answer};
use super::transport::{self, Answer};
use super::{Deadline, Http, HttpError, Outbound, Reply, RequestKind};
use crate::failure::{Code, Effect, Failure};

/// Longest pause between two pieces.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// An answer whose head has come.
#[derive(Debug)]
pub enum Opened {
    /// Not a success: whole.
    Refused(Reply),
    /// A success.
    Body(Incoming),
}

/// A body on its way in.
#[derive(Debug)]
pub struct Incoming {
    response: reqwest::Response,
}

impl Http {
    /// Sends `request` as often as `kind` allows until the head of a success has come, or an answer that is none.
    pub async fn open(&self, kind: RequestKind, request: Outbound, deadline: Deadline) -> Result<Opened, HttpError> {
        let allowance = kind.allowance();
        let until = deadline.within(allowance.in_all);
        let mut tries = 0;
        loop {
            tries += 1;
            let limit = allowance.per_try.min(until.remaining());
            let outcome = match transport::head(self.client(), &request, limit).await {
                Ok(response) if response.status().is_success() => return Ok(Opened::Body(Incoming { response })),
                Ok(response) => transport::rest(response, limit, allowance.reply_bytes).await,
                Err(broken) => Err(broken),
            };
            match next(&allowance, &outcome, tries, until.remaining()) {
                Next::Again { after } => tokio::time::sleep(after).await,
                Next::Done => {
                    return match outcome {
                        Ok(Answer { status, headers, body }) => {
                            Ok(Opened::Refused(Reply { status, headers, body, tries }))
                        }
                        // Only reads have bodies that are not held.
                        Err(broken) => Err(no_answer(&request, broken, Effect::None, tries, until.has_passed())),
                    };
                }
            }
        }
    }
}

impl Incoming {
    /// The next piece; `None` once all that was promised has come.
    pub async fn next(&mut self, deadline: Deadline) -> Result<Option<Bytes>, Failure> {
        let cut = || Failure::new(Code::UpstreamUnavailable, "The file broke off on its way. Ask for it again.");
        match tokio::time::timeout_at(deadline.within(LONGEST_PAUSE).instant(), self.response.chunk()).await {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => Err(cut().caused_by(error.without_url())),
            Err(_) => Err(cut().caused_by("no piece came in time")),
        }
    }
}
