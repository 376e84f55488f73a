//! The simulated neighbour's own book: what really happened there, whatever anybody was told.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::kinds::Class;

/// Something that has happened, once.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) id: String,
    pub(super) run: String,
    pub(super) step: String,
    /// The key it came under.
    pub(super) key: String,
    pub(super) part: u64,
    pub(super) began: Timestamp,
    pub(super) ends: Timestamp,
    /// From then on its history shows it.
    pub(super) shows: Timestamp,
    pub(super) class: Class,
    pub(super) succeeds: bool,
    pub(super) canceled: bool,
    /// The secret that it came with.
    pub(super) pin: Option<String>,
}

/// Something that was sent, whether or not it came.
#[derive(Debug, Clone)]
pub(super) struct Sending {
    pub(super) run: String,
    pub(super) step: String,
    pub(super) key: String,
    pub(super) left: Timestamp,
}

impl Work {
    fn in_parts(&self) -> bool {
        matches!(self.class, Class::Parts | Class::Unnumbered)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Neighbour {
    pub(super) works: Vec<Work>,
    pub(super) sendings: Vec<Sending>,
    /// What was refused, or failed by itself: by run and step.
    pub(super) failures: BTreeSet<(String, String)>,
    /// With which secret it was asked for what: by run and step.
    pub(super) given: BTreeSet<(String, String, Option<String>)>,
}

impl Neighbour {
    pub(super) fn under(&self, key: &str, part: u64) -> Option<&Work> {
        self.works.iter().find(|work| work.key == key && work.part == part)
    }

    /// Whether this came, for whoever looks. A part may have come under the key of an earlier attempt.
    pub(super) fn has_happened(&self, run: &str, step: &str, key: &str, part: u64) -> bool {
        self.effects(run, step).any(|work| work.part == part && (work.key == key || work.in_parts()))
    }

    pub(super) fn by_id(&mut self, id: &str) -> Option<&mut Work> {
        self.works.iter_mut().find(|work| work.id == id)
    }

    /// What a run's step did for good: failed work, and what was stopped before its end, aside.
    pub(super) fn effects<'a>(&'a self, run: &'a str, step: &'a str) -> impl Iterator<Item = &'a Work> {
        self.works.iter().filter(move |work| work.run == run && work.step == step && work.succeeds && !work.canceled)
    }
}
