//! What the stand-ins wrote down and the ledger's container holds: all that the checker is given. No judgement here.

use std::collections::{BTreeMap, HashMap};

use local_stack::core::Entry;
use local_stack::stack::LEDGER_CONTAINER;
use serde_json::Value;

use super::asked::Asked;
use crate::road::Road;

#[derive(Clone, Debug, Default)]
pub(super) struct Histories {
    pub(super) asked: Vec<Asked>,
    /// In the order in which it happened.
    pub(super) entries: Vec<Entry>,
    /// The ledger's container, by name.
    pub(super) ledger: BTreeMap<String, Value>,
    /// Handler processes that were started, over all hosts.
    pub(super) starts: usize,
    pub(super) hosts: usize,
}

impl Histories {
    pub(super) fn of(road: &Road, asked: &[Asked], starts: usize, hosts: usize) -> Self {
        let blob = &road.stack.blob;
        let read = |name: String| {
            let bytes = blob.read(LEDGER_CONTAINER, &name)?;
            Some((name, serde_json::from_slice(&bytes).unwrap_or_default()))
        };
        let ledger = blob.names(LEDGER_CONTAINER).into_iter().filter_map(read).collect();
        Self { asked: asked.to_vec(), entries: road.stack.history.all(), ledger, starts, hosts }
    }

    /// The records of each run, in order.
    pub(super) fn runs(&self) -> BTreeMap<&str, Vec<&Value>> {
        let mut runs: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for (name, record) in &self.ledger {
            if let Some((run, _)) = name.strip_prefix("runs/").and_then(|rest| rest.split_once('/')) {
                runs.entry(run).or_default().push(record);
            }
        }
        runs
    }

    pub(super) fn of_kind<'a>(&'a self, service: &'a str, kind: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.service == service && entry.kind == kind)
    }

    /// Messages that were accepted by a queue.
    pub(super) fn messages<'a>(&'a self, queue: &'a str) -> impl Iterator<Item = &'a Value> {
        self.of_kind("serviceBus", "message").map(|entry| &entry.detail).filter(move |sent| sent["queue"] == queue)
    }
}

/// The runs that a host's handler had in its hands, by what the host wrote down before `until`.
pub(super) fn in_hand<'a>(entries: &'a [Entry], host: &str, until: usize) -> Vec<&'a str> {
    let mut bodies: HashMap<&str, &'a str> = HashMap::new();
    let mut going: BTreeMap<&str, &str> = BTreeMap::new();
    for entry in &entries[..until] {
        let detail = &entry.detail;
        match (entry.service.as_str(), entry.kind.as_str()) {
            ("serviceBus", "message") if detail["queue"] == "causeway-work" => {
                bodies.insert(text(&detail["messageId"]), text(&detail["body"]));
            }
            ("host", "executing") if detail["host"] == host => {
                going.insert(text(&detail["invocationId"]), text(&detail["messageId"]));
            }
            ("host", "invocation") => _ = going.remove(text(&detail["invocationId"])),
            ("host", "stopped") if detail["host"] == host => going.clear(),
            _ => {}
        }
    }
    going.values().filter_map(|message| bodies.get(message)).filter_map(|body| run_in(body)).collect()
}

/// `{"run":"…","after":n}`.
fn run_in(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once("\"run\":\"")?;
    rest.split('"').next()
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
