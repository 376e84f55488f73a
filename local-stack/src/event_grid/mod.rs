//! The stand-in for an Event Grid custom topic with one subscription: events are published to `/api/events`, and pushed to
//! the Functions host's webhook until it takes them (learn.microsoft.com/azure/event-grid: post-to-custom-topic,
//! webhook-event-delivery, delivery-and-retry). What is left out: batches, dead-lettering to a container, other endpoints.

mod deliver;
mod publish;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::core::{History, Served};

/// What the stand-in is started with.
#[derive(Clone, Debug)]
pub struct EventGridOptions {
    /// On loopback; 0 takes any free one.
    pub port: u16,
    /// What publishers send as `aeg-sas-key`.
    pub key: String,
    /// How many times faster than the service a delivery is tried again; 1.
    pub retries_faster: u32,
}

/// The running stand-in; events that are not delivered by then are dropped with it.
#[derive(Debug)]
pub struct EventGrid {
    pub served: Served,
    topic: Arc<Topic>,
}

/// What publishing and delivering share.
#[derive(Debug)]
struct Topic {
    key: String,
    retries_faster: u32,
    /// The webhook, its code included; `None` until there is a subscription.
    webhook: Mutex<Option<String>>,
    history: History,
    deliveries: Mutex<tokio::task::JoinSet<()>>,
}

impl EventGrid {
    pub async fn start(options: EventGridOptions, history: History) -> anyhow::Result<Self> {
        let topic = Arc::new(Topic {
            key: options.key,
            retries_faster: options.retries_faster.max(1),
            webhook: Mutex::default(),
            history: history.clone(),
            deliveries: Mutex::default(),
        });
        let router = publish::router(topic.clone());
        let served = Served::start("eventGrid", options.port, None, router, history).await?;
        Ok(Self { served, topic })
    }

    /// Where events are published.
    pub fn url(&self) -> String {
        format!("{}/api/events", self.served.http_url())
    }

    /// What opens it.
    pub fn key(&self) -> &str {
        &self.topic.key
    }

    /// Sends events from now on to this webhook, which is asked first whether it wants them.
    pub async fn subscribe(&self, webhook: &str) -> anyhow::Result<()> {
        deliver::validate(webhook).await?;
        *self.topic.webhook.lock().unwrap_or_else(PoisonError::into_inner) = Some(webhook.to_owned());
        Ok(())
    }

    /// Publishes in process: one event, in either schema, as it is.
    pub fn publish(&self, event: Value) {
        self.topic.accept(event);
    }
}

impl Topic {
    fn accept(self: &Arc<Self>, event: Value) {
        self.history.record("eventGrid", "event", event.clone());
        let mut deliveries = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        while deliveries.try_join_next().is_some() {}
        deliveries.spawn(deliver::deliver(self.clone(), event));
    }

    fn webhook(&self) -> Option<String> {
        self.webhook.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
