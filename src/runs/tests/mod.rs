//! The engine on a ledger in memory, with messages that are only written down and a clock that tests choose.

mod again;
mod as_caller;
mod cancelling;
mod children;
mod following;
mod forgetting;
mod in_doubt;
mod in_line;
mod listing;
mod noting;
mod nudging;
mod overdue;
mod readying;
mod reopening;
mod resumed;
mod simulation;
mod ticking;
mod transitions;
mod workers;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use url::Url;

use super::create::NewRun;
use super::record::{Pinned, Record, Transition, Trigger};
use super::{Engine, Received, Telling};
use crate::clock::Clock;
use crate::databricks::Databricks;
use crate::entra::TokenSource;
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Guarded, Http};
use crate::key_vault::{Secret, Secrets};
use crate::ledger::Ledger;
use crate::operations::{Catalog, Definition, Entry};
use crate::power_bi::PowerBi;
use crate::sealing::Sealer;
use crate::service_bus::{Message, Messages};
use crate::settings;
use crate::steps::{EveryKind, Kinds, Neighbours};

/// Ends at once and needs nobody.
const QUICK: &str = "summary: s\nsteps: [{id: check, assert: {that: 1 < 2, message: never}}]\n";

/// Messages that nobody delivers.
#[derive(Debug, Default)]
struct Outbox {
    sent: Mutex<Vec<(String, Message)>>,
    refusals: AtomicU32,
}

impl Outbox {
    /// The work messages so far: `after`, and when.
    fn work(&self) -> Vec<(u64, Option<Timestamp>)> {
        let sent = self.sent.lock().unwrap();
        let work = sent.iter().filter(|(queue, _)| queue == "work");
        let after =
            |message: &Message| serde_json::from_slice::<Value>(&message.body).unwrap()["after"].as_u64().unwrap();
        work.map(|(_, message)| (after(message), message.scheduled)).collect()
    }

    fn count(&self, queue: &str) -> usize {
        self.sent.lock().unwrap().iter().filter(|(name, _)| name == queue).count()
    }
}

#[async_trait]
impl Messages for Outbox {
    async fn send(&self, entity: &str, message: Message, _deadline: Deadline) -> Result<(), Failure> {
        if self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Failure::new(Code::Internal, "refused"));
        }
        self.sent.lock().unwrap().push((entity.to_owned(), message));
        Ok(())
    }
}

/// A vault with one secret.
#[derive(Debug)]
struct OneSecret;

#[async_trait]
impl Secrets for OneSecret {
    async fn current(&self, name: &str, deadline: Deadline) -> Result<Secret, Failure> {
        self.version(name, "00000000000000000000000000000001", deadline).await
    }

    async fn version(&self, _: &str, version: &str, _: Deadline) -> Result<Secret, Failure> {
        let value = SecretString::from("32 random bytes in base64, or as much");
        Ok(Secret { value, version: version.to_owned() })
    }

    fn forget(&self, _: &str, _: &SecretString) {}
}

#[derive(Debug)]
struct Anybody;

#[async_trait]
impl TokenSource for Anybody {
    async fn token(&self, _deadline: Deadline) -> Result<SecretString, Failure> {
        Ok(SecretString::from("token"))
    }

    fn reject(&self, _token: &SecretString) {}
}

/// Neighbours at this address, and a ledger in memory.
fn neighbours(address: &str, messages: Arc<dyn Messages>) -> Neighbours {
    let (http, url) = (Http::new().unwrap(), Url::parse(address).unwrap());
    Neighbours {
        databricks: Databricks::new(http.clone(), url.clone(), Arc::new(Anybody)),
        power_bi: PowerBi::new(http, url, Arc::new(Anybody)),
        warehouse_id: Some("0123456789abcdef".into()),
        ledger: Ledger::in_memory(),
        clock: Clock::system(),
        messages,
        send_queues: vec!["orders".into()],
        sql: settings::Sql {
            mode: settings::SqlMode::ReadWrite,
            disposition: settings::ResultDisposition::Auto,
            max_rows: None,
            max_bytes: None,
            concurrency: 64,
            streams: 8,
            result_budget: 64 << 20,
        },
        outside: Guarded::new(&[], false),
        secrets: Arc::new(OneSecret),
    }
}

/// The engine as the composition root puts it together.
fn composed(
    neighbours: Neighbours,
    messages: Arc<dyn Messages>,
    catalog: Arc<Catalog>,
    kinds: Arc<dyn Kinds>,
) -> Engine {
    Engine {
        ledger: neighbours.ledger.clone(),
        clock: neighbours.clock.clone(),
        neighbours,
        messages,
        catalog,
        kinds,
        sealer: Sealer::new(Arc::new(OneSecret), "sealing"),
        telling: Telling { outside: Arc::new(Guarded::new(&[], false)), problem: |_, _| Vec::new() },
        settings: settings::Runs {
            send_window: Duration::from_secs(2),
            send_margin: Duration::from_secs(1),
            message_deadline: Duration::from_mins(4),
            unknown_operation_wait: Duration::from_mins(15),
            message_id_reuse: Duration::from_hours(24),
            retention: Duration::from_hours(30 * 24),
            claim_life: Duration::from_hours(24),
        },
        queues: settings::ServiceBus {
            url: Url::parse("http://127.0.0.1:9").unwrap(),
            request_queue: "requests".into(),
            work_queue: "work".into(),
            parking_queue: "parking".into(),
            request_topic: None,
            request_subscription: "causeway".into(),
            reply_queues: vec!["replies".into()],
            send_queues: vec!["orders".into()],
        },
    }
}

/// An engine and what it sends.
struct Bench {
    engine: Engine,
    outbox: Arc<Outbox>,
}

impl Bench {
    fn new(operations: &[(&str, &str)]) -> Self {
        // Nobody listens on the discard port.
        Self::beside(operations, "http://127.0.0.1:9")
    }

    /// With Databricks at this address.
    fn beside(operations: &[(&str, &str)], databricks: &str) -> Self {
        let outbox = Arc::new(Outbox::default());
        let entries = operations.iter().map(|(name, yaml)| {
            let definition = Definition { name: (*name).to_owned(), yaml: (*yaml).to_owned(), files: BTreeMap::new() };
            let operation = definition.parse(&BTreeMap::new()).map(Arc::new);
            ((*name).to_owned(), Entry { definition, operation })
        });
        let catalog = Arc::new(Catalog { entries: entries.collect() });
        let engine = composed(neighbours(databricks, outbox.clone()), outbox.clone(), catalog, Arc::new(EveryKind));
        Self { engine, outbox }
    }

    /// Creates a run of `operation` that nobody has begun.
    async fn create(&self, operation: &str, run: &str) -> Record {
        let trigger = Trigger::Queue {
            sequence_number: Some(1),
            digest: String::new(),
            reply_to: Some("replies".into()),
            correlation_id: None,
            reply_session_id: None,
        };
        let new = NewRun { run: run.into(), parameters: Map::new(), caller: "test".into(), trigger };
        self.engine.create(self.engine.catalog.get(operation).unwrap(), &new, false, soon()).await.unwrap().0
    }

    async fn newest(&self, run: &str) -> Record {
        self.engine.newest(run, soon()).await.unwrap().unwrap()
    }

    /// What its first record pins.
    async fn pinned(&self, run: &str) -> Pinned {
        *self.engine.first(run, soon()).await.unwrap().unwrap().pinned.unwrap()
    }

    /// Appends what a worker that is gone had written.
    async fn append(&self, record: Record) -> Record {
        assert!(self.engine.append(&record, soon()).await.unwrap());
        record.on_the_log()
    }

    async fn transitions(&self, run: &str) -> Vec<Transition> {
        let mut transitions = Vec::new();
        for seq in 0..=self.newest(run).await.seq {
            let path = crate::ledger::entry_path(&format!("runs/{run}"), seq);
            let bytes = self.engine.ledger.get(&path, soon()).await.unwrap().unwrap();
            transitions.push(serde_json::from_slice::<Record>(&bytes).unwrap().transition);
        }
        transitions
    }

    /// A work message arrives.
    async fn work(&self, run: &str, after: u64, again: bool) {
        self.engine.work(&work(run, after), again, soon()).await.unwrap();
    }
}

fn work(run: &str, after: u64) -> Received {
    Received { body: json!({"run": run, "after": after}).to_string().into(), ..Received::default() }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_mins(1))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
