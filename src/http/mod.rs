//! The only way out: one transport, one table of request kinds, one retry rule, one place that redacts.
//!
//! Callers say *what kind* of request they make ([`RequestKind`]) and *by when* ([`Deadline`]); how often it may be
//! tried stands in the table. What may not live here: anything about a particular neighbour.

mod addresses;
mod deadline;
mod guarded;
mod hosts;
mod kind;
mod opened;
mod outbound;
mod scrub;
mod send;
#[cfg(test)]
mod tests;
mod transport;

pub use deadline::Deadline;
pub use guarded::{Guarded, not_allowed};
pub use hosts::NotAllowed;
pub use kind::{Category, RequestKind};
pub use opened::{Incoming, Opened};
pub use outbound::{HttpError, Outbound, Reply};
pub use scrub::{HIDDEN, Scrub};
pub use send::Http;
pub use transport::{Known, MAX_REPLY_BYTES, USER_AGENT};
