//! One queue with peek-lock semantics. No protocol here.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Delivery, Message, NewMessage, QueueOptions};
use crate::core::History;

/// The lock has expired, or the message is settled already (`MessageLockLost` in the client libraries).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lock supplied is invalid: it has expired, or the message has been settled")]
pub struct LockLost;

/// One queue; clones are the same queue.
#[derive(Clone, Debug)]
pub struct Queue {
    inner: Arc<()>,
}

impl Queue {
    pub(super) fn new(options: QueueOptions, history: History) -> Self {
        let _ = (options, history);
        Self { inner: Arc::new(()) }
    }

    pub fn name(&self) -> &str {
        let _ = &self.inner;
        unimplemented!()
    }

    pub fn dead_letters(&self) -> Option<&Queue> {
        unimplemented!()
    }

    /// Accepts a message; `None` when duplicate detection dropped it silently. The sequence number otherwise.
    pub fn send(&self, message: NewMessage) -> Option<i64> {
        let _ = message;
        unimplemented!()
    }

    /// Waits for the next message and locks it.
    pub async fn receive(&self) -> Delivery {
        unimplemented!()
    }

    /// Locks the next message if one is available now.
    pub fn try_receive(&self) -> Option<Delivery> {
        unimplemented!()
    }

    /// Extends the lock by the queue's lock duration.
    pub fn renew(&self, lock_token: Uuid) -> Result<Timestamp, LockLost> {
        let _ = lock_token;
        unimplemented!()
    }

    /// Takes the message off the queue.
    pub fn complete(&self, lock_token: Uuid) -> Result<(), LockLost> {
        let _ = lock_token;
        unimplemented!()
    }

    /// Makes the message available again, at once and at its old place.
    pub fn abandon(&self, lock_token: Uuid) -> Result<(), LockLost> {
        let _ = lock_token;
        unimplemented!()
    }

    /// Moves the message to the dead-letter queue.
    pub fn dead_letter(&self, lock_token: Uuid, reason: &str, description: &str) -> Result<(), LockLost> {
        let _ = (lock_token, reason, description);
        unimplemented!()
    }

    /// All messages: available, scheduled and locked; locks nothing.
    pub fn peek(&self) -> Vec<Message> {
        unimplemented!()
    }

    /// Takes all available messages off the queue.
    pub fn drain(&self) -> Vec<Message> {
        unimplemented!()
    }

    /// Waits until `count` messages are in the queue, available, scheduled or locked.
    pub async fn wait_until(&self, count: impl Fn(usize) -> bool) {
        let _ = count;
        unimplemented!()
    }
}
