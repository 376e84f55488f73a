//! Sending and scheduling messages over the Service Bus REST API. Receiving is the host's work, the parking queue's aside.

mod probe;
mod receive;
mod rest;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::failure::Failure;
use crate::http::Deadline;

pub use receive::{Locked, Resent};
pub use rest::{DIAGNOSTIC_ID, ServiceBus};

/// The largest body that can be sent, in bytes: a message of the Standard tier is at most 256 KiB, its properties included
/// (learn.microsoft.com, "Service Bus quotas"). Who adds properties leaves room for them.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// One message to send.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub body: Bytes,
    /// Default `application/json`.
    pub content_type: Option<String>,
    /// Every message gets a fresh MessageId; duplicate detection would swallow a repeated one.
    pub correlation_id: Option<String>,
    pub session_id: Option<String>,
    pub subject: Option<String>,
    /// Not visible before this moment (`ScheduledEnqueueTimeUtc`).
    pub scheduled: Option<Timestamp>,
    /// Application properties that are texts.
    pub properties: Vec<(String, String)>,
    /// Others: texts, numbers and booleans, which keep their type.
    pub values: Vec<(String, serde_json::Value)>,
}

/// Where messages go. A trait, so that the engine can be simulated.
#[async_trait]
pub trait Messages: Send + Sync + std::fmt::Debug {
    /// Has a token in hand, so that the next sending is that call alone.
    async fn ready(&self, _deadline: Deadline) -> Result<(), Failure> {
        Ok(())
    }

    /// Sends to a queue or topic by its name.
    async fn send(&self, entity: &str, message: Message, deadline: Deadline) -> Result<(), Failure>;
}
