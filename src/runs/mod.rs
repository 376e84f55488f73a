//! The durable engine. Knows no HTTP and no neighbour; what a step does lives in `steps`.

mod received;

pub use received::Received;

use crate::failure::Failure;
use crate::http::Deadline;

/// The engine's ways in; cheap to clone. An `Err` makes the host deliver again.
#[derive(Clone, Debug)]
pub struct Runs {}

impl Runs {
    /// The request queue: validate, create the run, enqueue its first advance, answer. What can never work is parked.
    pub async fn accept(&self, _message: Received, _deadline: Deadline) -> Result<(), Failure> {
        unimplemented!()
    }

    /// The work queue: advance one run.
    pub async fn work(&self, _message: Received, _deadline: Deadline) -> Result<(), Failure> {
        unimplemented!()
    }

    /// A dead-letter queue: park with exact bytes, properties and the reason. `queue` is where it died.
    pub async fn park_dead_letter(&self, _message: Received, _queue: &str, _deadline: Deadline) -> Result<(), Failure> {
        unimplemented!()
    }

    /// The timer: start what is due, nudge what is stale.
    pub async fn tick(&self, _deadline: Deadline) -> Result<(), Failure> {
        unimplemented!()
    }
}
