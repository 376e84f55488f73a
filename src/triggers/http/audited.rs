//! How a call ended, told to the audit: also of one that was cut off, and of one whose caller has gone. Looks of which no
//! neighbour heard are not told.

use crate::failure::{Effect, Failure};
use crate::requests::{Answer, AnswerBody, AnswerKind};
use crate::telemetry::{Outcome, Trail};
use crate::triggers::problem::effective;

/// Awaits the handler. An answer that is streamed is told of when its stream has ended.
pub(super) async fn audited(
    (trail, acts): (Trail, bool),
    handler: impl Future<Output = Result<Answer, Failure>>,
) -> Result<Answer, Failure> {
    let mut told = Told { trail, acts, ended: false };
    let answered = handler.await;
    told.ended = true;
    match &answered {
        Ok(Answer { body: AnswerBody::Stream(_), .. }) => {}
        Ok(answer) => {
            if let Some(run) = &answer.run_id {
                told.trail.handed_to(run);
            }
            let outcome = if answer.kind == AnswerKind::Done { Outcome::Done } else { Outcome::Accepted };
            told.tell(outcome, None);
        }
        Err(failure) => {
            if let Some(run) = &failure.run_id {
                told.trail.handed_to(run);
            }
            let outcome = if failure.effect == Effect::Possible { Outcome::Unknown } else { Outcome::Refused };
            told.tell(outcome, Some(effective(failure).as_str()));
        }
    }
    answered
}

/// Tells also when the handler is dropped before its end: cut off, or in a panic.
struct Told {
    trail: Trail,
    acts: bool,
    ended: bool,
}

impl Told {
    fn tell(&self, outcome: Outcome, code: Option<&str>) {
        if self.acts || self.trail.has_reached() {
            self.trail.end(outcome, code);
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if !self.ended {
            self.tell(Outcome::Unknown, None);
        }
    }
}
