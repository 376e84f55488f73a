//! One queue with peek-lock semantics, and waiting for it. No protocol here.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use super::shelf::Shelf;
use super::stored::{Event, Store, after};
use super::{Delivery, Message, NewMessage, QueueOptions};
use crate::core::plan::Slot;
use crate::core::{Again, History, Plan};

/// The lock has expired, or the message is settled already (`MessageLockLost` in the client libraries).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lock supplied is invalid: it has expired, or the message has been settled")]
pub struct LockLost;

/// One queue, or its dead-letter queue; clones are the same queue.
#[derive(Clone, Debug)]
pub struct Queue {
    shared: Arc<Shared>,
    dead: bool,
}

#[derive(Debug)]
struct Shared {
    options: QueueOptions,
    dead_name: String,
    store: Mutex<Store>,
    changed: Notify,
    history: History,
    clock: Clock,
    /// What goes wrong by chance.
    chance: Slot,
    /// Locks whose message is completed in vain.
    in_vain: Mutex<HashSet<Uuid>>,
}

/// Wall time that moves with tokio's clock, so that tests can step it.
#[derive(Debug)]
struct Clock {
    base: Timestamp,
    start: Instant,
}

impl Clock {
    fn now(&self) -> Timestamp {
        after(self.base, self.start.elapsed())
    }

    fn instant(&self, at: Timestamp) -> Instant {
        let wait = Duration::try_from(at.duration_since(self.base)).unwrap_or_default();
        // A timestamp may lie too far ahead for the timer; an hour on, the caller looks again.
        let soon = self.start.elapsed() + Duration::from_hours(1);
        self.start + wait.min(soon)
    }
}

impl Queue {
    pub(super) fn new(options: QueueOptions, history: History) -> Self {
        let shared = Shared {
            dead_name: format!("{}/$deadletterqueue", options.name),
            options,
            store: Mutex::new(Store::new()),
            changed: Notify::new(),
            history,
            clock: Clock { base: Timestamp::now(), start: Instant::now() },
            chance: Slot::default(),
            in_vain: Mutex::default(),
        };
        Self { shared: Arc::new(shared), dead: false }
    }

    pub fn name(&self) -> &str {
        if self.dead { &self.shared.dead_name } else { &self.shared.options.name }
    }

    pub fn options(&self) -> &QueueOptions {
        &self.shared.options
    }

    /// The dead-letter queue of this queue; of a dead-letter queue, itself.
    #[must_use]
    pub fn dead_letters(&self) -> Self {
        Self { shared: self.shared.clone(), dead: true }
    }

    pub fn is_dead_letters(&self) -> bool {
        self.dead
    }

    /// Accepts a message. The sequence number; `None` when duplicate detection dropped it, of which the real service
    /// tells a sender nothing.
    pub fn send(&self, message: NewMessage) -> Option<i64> {
        let mut detail = json!({
            "queue": self.shared.options.name,
            "messageId": message.properties.message_id,
            "sequenceNumber": Value::Null,
            "body": text(&message.body),
            "correlationId": message.properties.correlation_id,
            "applicationProperties": message.application_properties,
            "scheduledEnqueueTimeUtc": message.properties.scheduled_enqueue_time.map(|at| at.to_string()),
        });
        let sequence_number = {
            let mut store = self.store();
            store.accept(message, &self.shared.options, self.shared.clock.now())
        };
        detail["sequenceNumber"] = sequence_number.into();
        let kind = if sequence_number.is_some() { "message" } else { "duplicate" };
        self.shared.history.record("serviceBus", kind, detail);
        self.shared.changed.notify_waiters();
        sequence_number
    }

    /// Waits for the next message and locks it.
    pub async fn receive(&self) -> Delivery {
        self.wait_for(Self::try_receive).await
    }

    /// Locks the next message if one is available now.
    pub fn try_receive(&self) -> Option<Delivery> {
        let duration = self.shared.options.lock_duration;
        let now = self.shared.clock.now();
        let delivery = self.on_shelf(|shelf| shelf.lock_next(now, duration))?;
        self.by_chance(&delivery, now);
        Some(delivery)
    }

    /// From now on deliveries are repeated as `plan` has it; those of the dead-letter queue are not.
    pub fn draw_from(&self, plan: &Plan) {
        self.shared.chance.draw_from(plan);
    }

    /// What a broker does now and then: "the lock might be lost" before its time, and a settlement may not arrive, which
    /// its receiver is told as a lost lock (learn.microsoft.com/azure/service-bus-messaging, Message transfers, locks, and
    /// settlement).
    fn by_chance(&self, delivery: &Delivery, now: Timestamp) {
        let Some(plan) = self.shared.chance.plan().filter(|_| !self.dead) else { return };
        let message = &delivery.message;
        match plan.deliver(self.name(), message.properties.message_id.as_deref(), &message.body) {
            Some(Again::LockLost) => {
                self.on_shelf(|shelf| shelf.renew(delivery.lock_token, now));
                self.shared.changed.notify_waiters();
            }
            Some(Again::CompletionLost) => _ = self.in_vain().insert(delivery.lock_token),
            None => {}
        }
    }

    fn in_vain(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.shared.in_vain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Extends the lock by the queue's lock duration; until when it holds now.
    pub fn renew(&self, lock_token: Uuid) -> Result<Timestamp, LockLost> {
        let until = after(self.shared.clock.now(), self.shared.options.lock_duration);
        self.on_shelf(|shelf| shelf.renew(lock_token, until)).map(|()| until).ok_or(LockLost)
    }

    /// Takes the message off the queue.
    pub fn complete(&self, lock_token: Uuid) -> Result<(), LockLost> {
        if self.in_vain().remove(&lock_token) {
            return Err(LockLost);
        }
        let message = self.on_shelf(|shelf| shelf.take(lock_token)).ok_or(LockLost)?;
        self.shared.history.record("serviceBus", "completed", self.about(&message));
        self.shared.changed.notify_waiters();
        Ok(())
    }

    /// Makes the message available again, at once and at its old place.
    pub fn abandon(&self, lock_token: Uuid) -> Result<(), LockLost> {
        self.on_shelf(|shelf| shelf.unlock(lock_token)).ok_or(LockLost)?;
        self.shared.changed.notify_waiters();
        Ok(())
    }

    /// Moves the message to the dead-letter queue.
    pub fn dead_letter(&self, lock_token: Uuid, reason: &str, description: &str) -> Result<(), LockLost> {
        let event = {
            let mut store = self.store();
            let shelf = if self.dead { &mut store.dead } else { &mut store.active };
            let message = shelf.take(lock_token).ok_or(LockLost)?;
            store.bury(message, reason, description)
        };
        self.record(&event);
        self.shared.changed.notify_waiters();
        Ok(())
    }

    /// All messages, available, scheduled and locked, in order; locks nothing.
    pub fn peek(&self) -> Vec<Message> {
        let store = self.store();
        if self.dead {
            return store.dead.all().cloned().collect();
        }
        store.active.all().chain(store.scheduled()).cloned().collect()
    }

    /// Takes all available messages off the queue.
    pub fn drain(&self) -> Vec<Message> {
        let messages = self.on_shelf(|shelf| Some(shelf.drain())).unwrap_or_default();
        self.shared.changed.notify_waiters();
        messages
    }

    /// Waits until the queue, messages available, scheduled or locked, satisfies `condition`; bound it.
    pub async fn wait_until(&self, condition: impl Fn(&[Message]) -> bool) -> Vec<Message> {
        self.wait_for(|queue| Some(queue.peek()).filter(|messages| condition(messages))).await
    }

    async fn wait_for<T>(&self, look: impl Fn(&Self) -> Option<T>) -> T {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // Listens before it looks, so that nothing slips between.
            changed.as_mut().enable();
            if let Some(found) = look(self) {
                return found;
            }
            let next = self.store().next_change();
            match next {
                Some(at) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(self.shared.clock.instant(at)) => {}
                },
                None => changed.await,
            }
        }
    }

    fn on_shelf<T>(&self, change: impl FnOnce(&mut Shelf) -> Option<T>) -> Option<T> {
        let mut store = self.store();
        change(if self.dead { &mut store.dead } else { &mut store.active })
    }

    /// The store as it is by now.
    fn store(&self) -> MutexGuard<'_, Store> {
        let mut store = self.shared.store.lock().unwrap_or_else(PoisonError::into_inner);
        let events = store.advance(&self.shared.options, self.shared.clock.now());
        for event in &events {
            self.record(event);
        }
        if !events.is_empty() {
            self.shared.changed.notify_waiters();
        }
        store
    }

    fn record(&self, event: &Event) {
        let queue = &self.shared.options.name;
        match event {
            Event::DeadLettered { sequence_number, message_id, reason } => self.shared.history.record(
                "serviceBus",
                "deadLettered",
                json!({"queue": queue, "sequenceNumber": sequence_number, "messageId": message_id, "reason": reason}),
            ),
            Event::Expired { sequence_number } => self.shared.history.record(
                "serviceBus",
                "expired",
                json!({"queue": queue, "sequenceNumber": sequence_number}),
            ),
        }
    }

    fn about(&self, message: &Message) -> Value {
        json!({
            "queue": self.name(),
            "messageId": message.properties.message_id,
            "sequenceNumber": message.sequence_number,
            "deliveryCount": message.delivery_count,
        })
    }
}

/// The body as text, or as base64 behind `base64:` when it is none.
fn text(body: &[u8]) -> String {
    std::str::from_utf8(body).map_or_else(|_| format!("base64:{}", STANDARD.encode(body)), str::to_owned)
}
