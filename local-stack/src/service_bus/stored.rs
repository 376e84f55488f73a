//! What a queue and its dead-letter queue hold, and how time changes it. Locking and waiting are `queue`'s.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::{Delivery, Message, NewMessage, QueueOptions};

/// A message and who holds it.
#[derive(Debug)]
struct Stored {
    message: Message,
    lock: Option<(Uuid, Timestamp)>,
}

/// The active messages of a queue, or the dead ones.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// By sequence number, which is the order of delivery.
    messages: BTreeMap<i64, Stored>,
}

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
    seen: VecDeque<(Timestamp, String)>,
}

impl Shelf {
    fn put(&mut self, message: Message) {
        self.messages.insert(message.sequence_number, Stored { message, lock: None });
    }

    /// Locks the first message that nobody holds.
    pub(super) fn lock_next(&mut self, now: Timestamp, duration: Duration) -> Option<Delivery> {
        let stored = self.messages.values_mut().find(|stored| stored.lock.is_none())?;
        let (lock_token, locked_until) = (Uuid::new_v4(), after(now, duration));
        stored.lock = Some((lock_token, locked_until));
        stored.message.delivery_count += 1;
        Some(Delivery { message: stored.message.clone(), lock_token, locked_until })
    }

    pub(super) fn renew(&mut self, token: Uuid, until: Timestamp) -> Option<()> {
        let stored = self.messages.get_mut(&self.locked(token)?)?;
        stored.lock = Some((token, until));
        Some(())
    }

    pub(super) fn take(&mut self, token: Uuid) -> Option<Message> {
        let key = self.locked(token)?;
        self.messages.remove(&key).map(|stored| stored.message)
    }

    pub(super) fn unlock(&mut self, token: Uuid) -> Option<()> {
        let key = self.locked(token)?;
        self.messages.get_mut(&key)?.lock = None;
        Some(())
    }

    fn locked(&self, token: Uuid) -> Option<i64> {
        self.messages.iter().find(|(_, stored)| stored.lock.is_some_and(|(held, _)| held == token)).map(|(key, _)| *key)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Message> {
        self.messages.values().map(|stored| &stored.message)
    }

    pub(super) fn drain(&mut self) -> Vec<Message> {
        let free: Vec<i64> =
            self.messages.iter().filter(|(_, stored)| stored.lock.is_none()).map(|(key, _)| *key).collect();
        free.iter().filter_map(|key| self.messages.remove(key)).map(|stored| stored.message).collect()
    }

    fn expire_locks(&mut self, now: Timestamp) {
        for stored in self.messages.values_mut() {
            if stored.lock.is_some_and(|(_, until)| until <= now) {
                stored.lock = None;
            }
        }
    }

    fn next_unlock(&self) -> Option<Timestamp> {
        self.messages.values().filter_map(|stored| stored.lock.map(|(_, until)| until)).min()
    }
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            active: Shelf::default(),
            dead: Shelf::default(),
            scheduled: BTreeMap::new(),
            last_sequence_number: 0,
            seen: VecDeque::new(),
        }
    }

    /// Accepts a message; `None` for a duplicate.
    pub(super) fn accept(&mut self, new: NewMessage, options: &QueueOptions, now: Timestamp) -> Option<i64> {
        if let (Some(window), Some(id)) = (options.duplicate_detection, &new.properties.message_id) {
            while self.seen.front().is_some_and(|(at, _)| after(*at, window) <= now) {
                self.seen.pop_front();
            }
            if self.seen.iter().any(|(_, seen)| seen == id) {
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
        self.active.expire_locks(now);
        self.dead.expire_locks(now);

        let mut events = Vec::new();
        let free = self.active.messages.iter().filter(|(_, stored)| stored.lock.is_none());
        let (worn, expired): (Vec<_>, Vec<_>) = free
            .filter(|(_, stored)| {
                stored.message.delivery_count >= options.max_delivery_count || stored.message.expires_at <= now
            })
            .map(|(key, stored)| (*key, stored.message.delivery_count >= options.max_delivery_count))
            .partition(|(_, worn)| *worn);
        for (key, _) in worn {
            if let Some(stored) = self.active.messages.remove(&key) {
                let description =
                    format!("Message could not be consumed after {} delivery attempts.", options.max_delivery_count);
                events.push(self.bury(stored.message, "MaxDeliveryCountExceeded", &description));
            }
        }
        for (key, _) in expired {
            match self.active.messages.remove(&key) {
                Some(stored) if options.dead_letter_on_expiration => {
                    events.push(self.bury(
                        stored.message,
                        "TTLExpiredException",
                        "The message expired and was dead lettered.",
                    ));
                }
                Some(_) => events.push(Event::Expired { sequence_number: key }),
                None => {}
            }
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
        let expiry = self.active.all().map(|message| message.expires_at).filter(|at| *at < Timestamp::MAX).min();
        let due = self.scheduled.keys().next().map(|(at, _)| *at);
        [due, self.active.next_unlock(), self.dead.next_unlock(), expiry].into_iter().flatten().min()
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
