//! The simulated Service Bus: messages come late, twice, out of order, or not at all; one whose worker dies comes again when
//! its lock ends, one that fails at once, ten times at most.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::hosts::{Came, Hosts};
use super::world::World;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::runs::Received;
use crate::service_bus::{Message, Messages};

const MOST_DELIVERIES: u32 = 10;
/// The lock of a message whose receiver died ends by itself.
const LOCK: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Bus {
    world: Arc<World>,
    hosts: Mutex<Weak<Hosts>>,
    numbers: Mutex<i64>,
    /// Replies, parked messages and dead letters: the queue's name, and the body.
    kept: Mutex<Vec<(String, Bytes)>>,
}

impl Bus {
    pub(super) fn new(world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self {
            world: world.clone(),
            hosts: Mutex::default(),
            numbers: Mutex::default(),
            kept: Mutex::default(),
        })
    }

    pub(super) fn feeds(&self, hosts: &Arc<Hosts>) {
        *self.hosts.lock().unwrap() = Arc::downgrade(hosts);
    }

    /// What lies in a queue that nobody reads.
    pub(super) fn in_queue(&self, queue: &str) -> Vec<Value> {
        let kept = self.kept.lock().unwrap();
        kept.iter().filter(|(name, _)| name == queue).map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }

    /// What others may read, but for the senders' own messages.
    pub(super) fn told(&self) -> Vec<(String, Bytes)> {
        let kept = self.kept.lock().unwrap();
        kept.iter().filter(|(queue, _)| queue != "parking").cloned().collect()
    }

    /// Takes a message in.
    pub(super) fn enqueue(
        self: &Arc<Self>,
        queue: &str,
        id: Option<String>,
        message: &Message,
        reply_to: Option<String>,
    ) {
        let world = &self.world;
        let number = {
            let mut numbers = self.numbers.lock().unwrap();
            *numbers += 1;
            *numbers
        };
        world.note(|| format!("message {number} in {queue}: {}", String::from_utf8_lossy(&message.body)));
        if queue != "work" && queue != "requests" {
            self.kept.lock().unwrap().push((queue.to_owned(), message.body.clone()));
            return;
        }
        if queue == "work" && world.goes_wrong(world.plan.message_lost) {
            world.note(|| format!("message {number} is lost"));
            return;
        }
        let properties: Map<String, Value> =
            message.properties.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let received = Received {
            body: message.body.clone(),
            message_id: Some(id.unwrap_or_else(|| format!("m{number}"))),
            sequence_number: Some(number),
            reply_to,
            properties,
            ..Received::default()
        };
        let copies = if world.goes_wrong(world.plan.message_doubled) { 2 } else { 1 };
        for _ in 0..copies {
            let (bus, queue, received) = (self.clone(), queue.to_owned(), received.clone());
            let due = message.scheduled;
            tokio::spawn(async move { bus.deliver(&queue, received, due).await });
        }
    }

    async fn deliver(self: Arc<Self>, queue: &str, mut received: Received, due: Option<Timestamp>) {
        let world = self.world.clone();
        let early =
            due.map_or(Duration::ZERO, |due| Duration::try_from(world.now().duration_until(due)).unwrap_or_default());
        let late = if world.goes_wrong(world.plan.message_late) { world.draw(|dice| dice.below(45_000)) } else { 0 };
        let at_least = world.draw(|dice| dice.between(1, 30));
        tokio::time::sleep(early + Duration::from_millis(late + at_least)).await;
        received.enqueued_time = Some(world.now());
        for delivery in 1..=MOST_DELIVERIES {
            received.delivery_count = Some(delivery);
            let Some(hosts) = self.hosts.lock().unwrap().upgrade() else { return };
            let deadline = Deadline::after(Duration::from_secs(world.plan.invocation));
            let message = received.clone();
            let number = received.sequence_number.unwrap();
            let body: Value = serde_json::from_slice(&received.body).unwrap();
            let run = body["run"].as_str().map(str::to_owned);
            let requests = queue == "requests";
            let what = format!("message {number}, delivery {delivery}");
            let came = hosts
                .invoke(&what, run, |runs| async move {
                    if requests { runs.accept(message, deadline).await } else { runs.work(message, deadline).await }
                })
                .await;
            match came {
                Came::Ok(()) => return,
                Came::Failed => tokio::time::sleep(Duration::from_millis(at_least)).await,
                Came::Died => tokio::time::sleep(LOCK).await,
            }
        }
        self.kept.lock().unwrap().push((format!("{queue}/dead"), received.body));
    }
}

/// The bus, as the handler calls it.
#[derive(Debug)]
pub(super) struct Sending(pub(super) Arc<Bus>);

#[async_trait]
impl Messages for Sending {
    async fn send(&self, entity: &str, message: Message, deadline: Deadline) -> Result<(), Failure> {
        let world = &self.0.world;
        let fails = world.goes_wrong(world.plan.send_fails);
        let arrives = !fails || world.draw(|dice| dice.chance(500));
        let (there, back) = (world.delay(Duration::from_secs(5)), world.delay(Duration::from_secs(5)));
        let (bus, queue) = (self.0.clone(), entity.to_owned());
        let sent = world.call(there, back, async move {
            if arrives {
                bus.enqueue(&queue, None, &message, None);
            }
        });
        match tokio::time::timeout_at(deadline.instant(), sent).await {
            Ok(Ok(())) if !fails => Ok(()),
            _ => Err(Failure::new(Code::UpstreamUnavailable, "Service Bus is away").effect_possible()),
        }
    }
}
