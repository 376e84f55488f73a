//! The parking queue as a list. REST has no peek, so every look locks message by message and gives them back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::parcel::Parcel;
use crate::entra;
use crate::failure::Failure;
use crate::http::{Deadline, Http};
use crate::service_bus::{Locked, ServiceBus};
use crate::settings::Settings;

/// How long an empty queue is waited for.
const WAIT: Duration = Duration::from_secs(1);
/// For one call.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct Shelf {
    bus: ServiceBus,
    parking: String,
    /// Where a message goes that came by a topic: what goes to the topic goes to its other subscriptions too.
    requests: String,
}

/// What became of one message of a replay: where it was sent, and what could not go along.
pub(super) type Replayed = (Parcel, String, Result<Vec<String>, Failure>);

impl Shelf {
    pub(super) fn new(settings: &Settings) -> Result<Self, Failure> {
        let http = Http::new()?;
        let tokens: Arc<dyn entra::TokenSource> =
            entra::managed_identity(&settings.entra, &settings.audiences.service_bus, &http);
        Ok(Self {
            bus: ServiceBus::new(settings.service_bus.url.clone(), http, tokens),
            parking: settings.service_bus.parking_queue.clone(),
            requests: settings.service_bus.request_queue.clone(),
        })
    }

    /// What is there; all of it is given back.
    pub(super) async fn look(&self, limit: usize, dead_letters: bool) -> Result<Vec<Parcel>, Failure> {
        let queue = if dead_letters { format!("{}/$deadletterqueue", self.parking) } else { self.parking.clone() };
        let locked = self.lock_all(&queue, limit).await?;
        let parcels = locked.iter().map(Parcel::of).collect();
        self.give_back(&queue, &locked).await;
        Ok(parcels)
    }

    /// Sends each chosen one to where it came from, then takes it out: who dies in between sends it twice, and it is the
    /// same run.
    pub(super) async fn replay(
        &self,
        chosen: impl Fn(&Parcel) -> bool,
        as_new: bool,
    ) -> Result<Vec<Replayed>, Failure> {
        let locked = self.lock_all(&self.parking, usize::MAX).await?;
        let (mut done, mut others) = (Vec::new(), Vec::new());
        for message in locked {
            let parcel = Parcel::of(&message);
            if !chosen(&parcel) {
                others.push(message);
                continue;
            }
            let to = parcel.entity(&self.requests);
            let sent = match self.bus.resend(&to, &parcel.resent(as_new), soon()).await {
                Ok(left_out) => {
                    let taken = self.bus.complete(&self.parking, &message, soon()).await;
                    taken.map(|()| parcel.notes(&left_out))
                }
                Err(failure) => {
                    others.push(message);
                    Err(failure)
                }
            };
            done.push((parcel, to, sent));
        }
        self.give_back(&self.parking, &others).await;
        Ok(done)
    }

    /// Whether it was there.
    pub(super) async fn drop_parcel(&self, id: i64) -> Result<bool, Failure> {
        let locked = self.lock_all(&self.parking, usize::MAX).await?;
        let (mine, others): (Vec<_>, Vec<_>) = locked.into_iter().partition(|message| message.sequence_number == id);
        let dropped = match mine.first() {
            Some(message) => self.bus.complete(&self.parking, message, soon()).await.map(|()| true),
            None => Ok(false),
        };
        self.give_back(&self.parking, &others).await;
        dropped
    }

    async fn lock_all(&self, queue: &str, limit: usize) -> Result<Vec<Locked>, Failure> {
        let (mut seen, mut locked) = (BTreeSet::new(), Vec::new());
        while locked.len() < limit {
            match self.bus.lock_next(queue, WAIT, soon()).await {
                // The first locks have ended, and the queue begins anew.
                Ok(Some(message)) if !seen.insert(message.sequence_number) => {
                    self.give_back(queue, &[message]).await;
                    break;
                }
                Ok(Some(message)) => locked.push(message),
                Ok(None) => break,
                Err(failure) => {
                    self.give_back(queue, &locked).await;
                    return Err(failure);
                }
            }
        }
        locked.sort_by_key(|message| message.sequence_number);
        Ok(locked)
    }

    /// A lock that cannot be given back ends by itself.
    async fn give_back(&self, queue: &str, locked: &[Locked]) {
        for message in locked {
            let _ = self.bus.unlock(queue, message, soon()).await;
        }
    }
}

fn soon() -> Deadline {
    Deadline::after(PATIENCE)
}
