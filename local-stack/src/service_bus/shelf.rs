//! Messages in their order, and who holds which: what a queue holds, or its dead-letter queue. Every change costs the same
//! whether ten messages wait or ten thousand. What time and wear do to a message is `stored`'s.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::stored::after;
use super::{Delivery, Message};

#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// By sequence number, which is the order of delivery.
    messages: BTreeMap<i64, Message>,
    /// Those that nobody holds.
    free: BTreeSet<i64>,
    locks: HashMap<Uuid, (i64, Timestamp)>,
    unlocks: BTreeSet<(Timestamp, Uuid)>,
    /// Those that end by themselves.
    expiries: BTreeSet<(Timestamp, i64)>,
    /// Those that came back since they were last looked at.
    returned: Vec<i64>,
}

impl Shelf {
    pub(super) fn put(&mut self, message: Message) {
        let key = message.sequence_number;
        if message.expires_at < Timestamp::MAX {
            self.expiries.insert((message.expires_at, key));
        }
        self.free.insert(key);
        self.messages.insert(key, message);
    }

    /// Locks the first message that nobody holds.
    pub(super) fn lock_next(&mut self, now: Timestamp, duration: Duration) -> Option<Delivery> {
        let key = self.free.pop_first()?;
        let message = self.messages.get_mut(&key)?;
        message.delivery_count += 1;
        let (lock_token, locked_until) = (Uuid::new_v4(), after(now, duration));
        let delivery = Delivery { message: message.clone(), lock_token, locked_until };
        self.lock(lock_token, key, locked_until);
        Some(delivery)
    }

    fn lock(&mut self, token: Uuid, key: i64, until: Timestamp) {
        self.locks.insert(token, (key, until));
        self.unlocks.insert((until, token));
    }

    fn release(&mut self, token: Uuid) -> Option<i64> {
        let (key, until) = self.locks.remove(&token)?;
        self.unlocks.remove(&(until, token));
        Some(key)
    }

    pub(super) fn renew(&mut self, token: Uuid, until: Timestamp) -> Option<()> {
        let key = self.release(token)?;
        self.lock(token, key, until);
        Some(())
    }

    /// Takes the message that is held under `token` off.
    pub(super) fn take(&mut self, token: Uuid) -> Option<Message> {
        self.release(token).and_then(|key| self.remove(key))
    }

    pub(super) fn unlock(&mut self, token: Uuid) -> Option<()> {
        let key = self.release(token)?;
        self.free.insert(key);
        self.returned.push(key);
        Some(())
    }

    pub(super) fn unlock_until(&mut self, now: Timestamp) {
        while let Some(&(until, token)) = self.unlocks.first()
            && until <= now
        {
            self.unlock(token);
        }
    }

    /// Those that came back since this was asked, and nobody holds.
    pub(super) fn returned(&mut self) -> Vec<&Message> {
        let returned = std::mem::take(&mut self.returned);
        returned.iter().filter(|key| self.free.contains(key)).filter_map(|key| self.messages.get(key)).collect()
    }

    /// Those whose time is over, and nobody holds.
    pub(super) fn expired(&self, now: Timestamp) -> Vec<i64> {
        let over = self.expiries.range(..=(now, i64::MAX));
        over.map(|(_, key)| *key).filter(|key| self.free.contains(key)).collect()
    }

    /// Takes a message off that nobody holds.
    pub(super) fn remove(&mut self, key: i64) -> Option<Message> {
        let message = self.messages.remove(&key)?;
        self.free.remove(&key);
        self.expiries.remove(&(message.expires_at, key));
        Some(message)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Message> {
        self.messages.values()
    }

    pub(super) fn drain(&mut self) -> Vec<Message> {
        self.free.clone().into_iter().filter_map(|key| self.remove(key)).collect()
    }

    /// When time alone will change something next.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        let unlock = self.unlocks.first().map(|(at, _)| *at);
        // One that is held ends when its lock does, at the earliest.
        let expiry = self.expiries.iter().find(|(_, key)| self.free.contains(key)).map(|(at, _)| *at);
        unlock.into_iter().chain(expiry).min()
    }
}
