//! What a step needs of others before it is sent, had while nothing of it is on record: secrets, tokens, ids, rows. It stays in
//! memory, and cannot be written down.

use std::any::Any;
use std::fmt;

use serde_json::Value;

use super::{Sent, mismatched};
use crate::failure::Failure;

/// What came of getting ready ([`super::Kind::make_ready`]).
#[derive(Debug)]
pub enum Ready {
    Now(InHand),
    /// The same, with inputs that are to go on record: what has been found out is not asked again.
    As(Value, InHand),
    /// It is not its turn: as if sending it had given this. Nothing was sent.
    Not(Box<Sent>),
}

impl Ready {
    /// Nothing is in hand, or needs to be.
    pub fn plain() -> Self {
        Self::Now(InHand::default())
    }

    pub(super) fn with<T: Any + Send>(thing: T) -> Self {
        Self::Now(InHand::of(thing))
    }
}

/// What the kind that made it ready finds again when it sends.
#[derive(Default)]
pub struct InHand(Option<Box<dyn Any + Send>>);

impl InHand {
    pub(super) fn of<T: Any + Send>(thing: T) -> Self {
        Self(Some(Box::new(thing)))
    }

    pub(super) fn take<T: Any>(self) -> Result<T, Failure> {
        self.0.and_then(|thing| thing.downcast().ok()).map(|thing| *thing).ok_or_else(mismatched)
    }
}

/// It may hold secrets.
impl fmt::Debug for InHand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InHand(…)")
    }
}
