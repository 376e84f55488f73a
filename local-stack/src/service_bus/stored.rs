//! A queue and its dead-letter queue, and how time changes them. Who holds what is `shelf`'s, waiting is `queue`'s.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::shelf::Shelf;
use super::{Message, NewMessage, QueueOptions};

/// Something worth recording.
#[derive(Debug)]
pub(super) enum Event {
    DeadLettered { sequence_number: i64, message_id: Option<String>, reason: String },
    Expired { sequence_number: i64 },
}

#[derive(Debug)]
pub(super) struct Store {
    pub(super) active: Shelf,
    pub(super) dead: Shelf,
    scheduled: BTreeMap<(Timestamp, i64), Message>,
    last_sequence_number: i64,
    /// Ids of the last while, oldest first, where the queue looks for duplicates.
    seen: VecDeque<(Timestamp, String)>,
    seen_ids: HashSet<String>,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            active: Shelf::default(),
            dead: Shelf::default(),
            scheduled: BTreeMap::new(),
            last_sequence_number: 0,
            seen: VecDeque::new(),
            seen_ids: HashSet::new(),
        }
    }

    /// Accepts a message; `None` for a duplicate.
    pub(super) fn accept(&mut self, new: NewMessage, options: &QueueOptions, now: Timestamp) -> Option<i64> {
        if let (Some(window), Some(id)) = (options.duplicate_detection, &new.properties.message_id) {
            while self.seen.front().is_some_and(|(at, _)| after(*at, window) <= now) {
                self.seen.pop_front().map(|(_, id)| self.seen_ids.remove(&id));
            }
            if !self.seen_ids.insert(id.clone()) {
                return None;
            }
            self.seen.push_back((now, id.clone()));
        }
        let sequence_number = self.next_sequence_number();
        let scheduled = new.properties.scheduled_enqueue_time.filter(|at| *at > now);
        let enqueued_time = scheduled.unwrap_or(now);
        let lifetime = match (new.properties.time_to_live, options.default_time_to_live) {
            (Some(own), Some(default)) => Some(own.min(default)),
            (own, default) => own.or(default),
        };
        let message = Message {
            sequence_number,
            body: new.body,
            properties: new.properties,
            application_properties: new.application_properties,
            enqueued_time,
            expires_at: lifetime.map_or(Timestamp::MAX, |lifetime| after(enqueued_time, lifetime)),
            delivery_count: 0,
        };
        match scheduled {
            Some(at) => {
                self.scheduled.insert((at, sequence_number), message);
            }
            None => self.active.put(message),
        }
        Some(sequence_number)
    }

    /// Brings everything up to `now`: scheduled messages, lost locks, worn-out and expired messages.
    pub(super) fn advance(&mut self, options: &QueueOptions, now: Timestamp) -> Vec<Event> {
        while let Some(entry) = self.scheduled.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let mut message = entry.remove();
            // A scheduled message gets a new sequence number when it is enqueued
            // (learn.microsoft.com/azure/service-bus-messaging/message-sequencing).
            message.sequence_number = self.next_sequence_number();
            self.active.put(message);
        }
        self.active.unlock_until(now);
        self.dead.unlock_until(now);
        // Neither time nor deliveries end one of these.
        self.dead.returned();

        let mut events = Vec::new();
        let returned = self.active.returned().into_iter();
        let worn: Vec<i64> = returned
            .filter(|message| message.delivery_count >= options.max_delivery_count)
            .map(|message| message.sequence_number)
            .collect();
        for message in worn.into_iter().filter_map(|key| self.active.remove(key)).collect::<Vec<_>>() {
            let deliveries = options.max_delivery_count;
            let description = format!("Message could not be consumed after {deliveries} delivery attempts.");
            events.push(self.bury(message, "MaxDeliveryCountExceeded", &description));
        }
        for key in self.active.expired(now) {
            let Some(message) = self.active.remove(key) else { continue };
            events.push(if options.dead_letter_on_expiration {
                self.bury(message, "TTLExpiredException", "The message expired and was dead lettered.")
            } else {
                Event::Expired { sequence_number: key }
            });
        }
        events
    }

    /// Puts a message into the dead-letter queue, where neither time nor deliveries end it.
    pub(super) fn bury(&mut self, mut message: Message, reason: &str, description: &str) -> Event {
        message.application_properties.insert("DeadLetterReason".into(), Value::from(reason));
        message.application_properties.insert("DeadLetterErrorDescription".into(), Value::from(description));
        message.expires_at = Timestamp::MAX;
        let event = Event::DeadLettered {
            sequence_number: message.sequence_number,
            message_id: message.properties.message_id.clone(),
            reason: reason.to_owned(),
        };
        self.dead.put(message);
        event
    }

    pub(super) fn scheduled(&self) -> impl Iterator<Item = &Message> {
        self.scheduled.values()
    }

    /// When time alone will change something next.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        let due = self.scheduled.keys().next().map(|(at, _)| *at);
        [due, self.active.next_change(), self.dead.next_change()].into_iter().flatten().min()
    }

    fn next_sequence_number(&mut self) -> i64 {
        self.last_sequence_number += 1;
        self.last_sequence_number
    }
}

/// `at + duration`, no later than the end of time.
pub(super) fn after(at: Timestamp, duration: Duration) -> Timestamp {
    at.saturating_add(jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX))
        .unwrap_or(Timestamp::MAX)
}
