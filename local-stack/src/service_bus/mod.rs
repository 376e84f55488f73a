//! The stand-in for Service Bus: queues with peek-lock, kept in memory, fed over its REST API or in process.
//!
//! What the broker does lives in [`queue`] and [`message`], its REST face in `rest`, who may call it in
//! `authorization`. What the Functions host does with a message lives in `crate::host`.

mod authorization;
pub mod message;
pub mod queue;
mod rest;
mod shelf;
mod stored;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::core::{History, Plan, Served};

pub use message::{BrokerProperties, Delivery, Message, NewMessage};
pub use queue::{LockLost, Queue};

/// What one queue is made with. The defaults are the service's, but for the duplicate detection, which is off there too.
#[derive(Clone, Debug)]
pub struct QueueOptions {
    pub name: String,
    /// How long a peek lock holds; 60 s.
    pub lock_duration: Duration,
    /// After this many deliveries a message goes to the dead-letter queue; 10.
    pub max_delivery_count: u32,
    /// The window of duplicate detection by MessageId; off when `None`.
    pub duplicate_detection: Option<Duration>,
    /// Time to live of a message that brings none; for ever when `None`.
    pub default_time_to_live: Option<Duration>,
    /// Expired messages go to the dead-letter queue rather than away; false.
    pub dead_letter_on_expiration: bool,
    /// The largest message, body and properties, in bytes; 262,144 as in the Standard tier.
    pub max_message_bytes: usize,
}

impl QueueOptions {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            lock_duration: Duration::from_mins(1),
            max_delivery_count: 10,
            duplicate_detection: None,
            default_time_to_live: None,
            dead_letter_on_expiration: false,
            max_message_bytes: 262_144,
        }
    }

    #[must_use]
    pub fn lock_duration(mut self, duration: Duration) -> Self {
        self.lock_duration = duration;
        self
    }

    #[must_use]
    pub fn max_delivery_count(mut self, count: u32) -> Self {
        self.max_delivery_count = count;
        self
    }

    #[must_use]
    pub fn duplicate_detection(mut self, window: Duration) -> Self {
        self.duplicate_detection = Some(window);
        self
    }
}

/// What the stand-in is started with.
#[derive(Clone, Debug, Default)]
pub struct ServiceBusOptions {
    /// On loopback; 0 takes any free one.
    pub port: u16,
    pub queues: Vec<QueueOptions>,
    /// By their names, with the names of their subscriptions. Every subscription gets every message: filters are left out.
    pub topics: Vec<(String, Vec<String>)>,
}

/// The running stand-in; its REST face stops when this is dropped, the queues live on in every [`Broker`].
#[derive(Debug)]
pub struct ServiceBus {
    pub served: Served,
    broker: Broker,
}

impl ServiceBus {
    pub async fn start(options: ServiceBusOptions, history: History) -> anyhow::Result<Self> {
        let broker = Broker::new(options.queues, &history).with_topics(&options.topics, &history);
        let served = Served::start("serviceBus", options.port, None, rest::router(broker.clone()), history).await?;
        Ok(Self { served, broker })
    }

    /// The queues, for the host and for tests.
    pub fn broker(&self) -> Broker {
        self.broker.clone()
    }

    /// A queue, or its dead-letter queue as `{name}/$deadletterqueue`; names ignore case.
    pub fn queue(&self, name: &str) -> Option<Queue> {
        self.broker.queue(name)
    }
}

/// All queues of one namespace; clones are the same queues.
#[derive(Clone, Debug)]
pub struct Broker {
    queues: Arc<BTreeMap<String, Queue>>,
    /// The subscriptions of each topic.
    topics: Arc<BTreeMap<String, Vec<Queue>>>,
}

impl Broker {
    /// Queues without a REST face. Each brings its dead-letter queue.
    pub fn new(queues: Vec<QueueOptions>, history: &History) -> Self {
        let mut all = BTreeMap::new();
        for options in queues {
            let queue = Queue::new(options, history.clone());
            for queue in [queue.dead_letters(), queue] {
                all.insert(queue.name().to_lowercase(), queue);
            }
        }
        Self { queues: Arc::new(all), topics: Arc::default() }
    }

    /// The same with topics; a subscription is received from as `{topic}/subscriptions/{name}`.
    #[must_use]
    pub fn with_topics(mut self, topics: &[(String, Vec<String>)], history: &History) -> Self {
        let mut queues = (*self.queues).clone();
        let mut all = (*self.topics).clone();
        for (topic, subscriptions) in topics {
            let named = subscriptions.iter().map(|name| QueueOptions::new(&format!("{topic}/subscriptions/{name}")));
            let subscriptions: Vec<Queue> = named.map(|options| Queue::new(options, history.clone())).collect();
            for queue in subscriptions.iter().flat_map(|queue| [queue.dead_letters(), queue.clone()]) {
                queues.insert(queue.name().to_lowercase(), queue);
            }
            all.insert(topic.to_lowercase(), subscriptions);
        }
        (self.queues, self.topics) = (Arc::new(queues), Arc::new(all));
        self
    }

    /// From now on all queues repeat deliveries as `plan` has it.
    pub fn draw_from(&self, plan: &Plan) {
        self.queues.values().for_each(|queue| queue.draw_from(plan));
    }

    /// The subscriptions of a topic.
    pub fn topic(&self, name: &str) -> Option<&[Queue]> {
        self.topics.get(&name.to_lowercase()).map(Vec::as_slice)
    }

    /// A queue, or its dead-letter queue as `{name}/$deadletterqueue`; names ignore case.
    pub fn queue(&self, name: &str) -> Option<Queue> {
        self.queues.get(&name.to_lowercase()).cloned()
    }
}
