//! Refreshes that wait for their dataset: at most one of a kind, each a run that others join. A log for each dataset,
//! `refreshes/{dataset}/{seq}`; its newest entry names all that wait.
//!
//! Whoever reads that a run waits may join it: it leaves the queue before it is sent, so it begins after that reading and
//! sees all that was written before. Nobody waits twice, and nobody needs to write in order to join.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::wanted::WantedRefresh;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::{Ledger, Put, draw_writer, entry_path, segment};

/// Older entries are swept behind the newest, so that LIST stays one page.
const KEPT: u64 = 64;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Entry {
    writer: String,
    /// By kind.
    waiting: BTreeMap<String, Waiting>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Waiting {
    run: String,
    since: Timestamp,
}

/// The queue of one dataset, and the place in it of one kind.
#[derive(Debug)]
pub struct RefreshQueue<'a> {
    ledger: &'a Ledger,
    log: String,
    kind: String,
}

/// A place in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InQueue {
    /// The run that waits.
    pub run: String,
    /// Whether others had queued it already.
    pub joined: bool,
}

impl<'a> RefreshQueue<'a> {
    pub fn of(ledger: &'a Ledger, wanted: &WantedRefresh) -> Self {
        // A dataset is itself in every workspace's spelling and letter case.
        let log = format!("refreshes/{}", segment(&wanted.dataset.to_ascii_lowercase()));
        Self { ledger, log, kind: wanted.kind() }
    }

    /// Whether any refresh waits for the dataset: who comes now goes behind it.
    pub(super) async fn is_empty(&self, deadline: Deadline) -> Result<bool, Failure> {
        Ok(self.newest(deadline).await?.1.waiting.is_empty())
    }

    /// The run of this kind that waits; `None` when there is none.
    pub(super) async fn waiting(&self, deadline: Deadline) -> Result<Option<String>, Failure> {
        Ok(self.newest(deadline).await?.1.waiting.remove(&self.kind).map(|waiting| waiting.run))
    }

    /// Joins the run that waits, or queues a new one. The run itself is the caller's to create, if it is not there.
    pub async fn join(&self, deadline: Deadline) -> Result<InQueue, Failure> {
        loop {
            let (next, mut entry) = self.newest(deadline).await?;
            if let Some(waiting) = entry.waiting.get(&self.kind) {
                return Ok(InQueue { run: waiting.run.clone(), joined: true });
            }
            let run = Uuid::new_v4().simple().to_string();
            entry.waiting.insert(self.kind.clone(), Waiting { run: run.clone(), since: self.ledger.clock().now() });
            if self.append(next, entry, deadline).await? {
                return Ok(InQueue { run, joined: false });
            }
        }
    }

    /// Takes a run out of the queue: nobody joins it any more. Whether it was there.
    pub async fn leave(&self, run: &str, deadline: Deadline) -> Result<bool, Failure> {
        let mut left = false;
        loop {
            let (next, mut entry) = self.newest(deadline).await?;
            // Read again after writing: that nobody joins is only true when the newest entry says so.
            if entry.waiting.get(&self.kind).is_none_or(|waiting| waiting.run != run) {
                return Ok(left);
            }
            entry.waiting.remove(&self.kind);
            left |= self.append(next, entry, deadline).await?;
        }
    }

    /// Puts a run that could not be sent back into the queue. Not when another of its kind waits by now.
    pub(super) async fn back(&self, run: &str, deadline: Deadline) -> Result<(), Failure> {
        loop {
            let (next, mut entry) = self.newest(deadline).await?;
            if entry.waiting.contains_key(&self.kind) {
                return Ok(());
            }
            entry.waiting.insert(self.kind.clone(), Waiting { run: run.to_owned(), since: self.ledger.clock().now() });
            if self.append(next, entry, deadline).await? {
                return Ok(());
            }
        }
    }

    /// The number of the next entry, and what the newest says.
    async fn newest(&self, deadline: Deadline) -> Result<(u64, Entry), Failure> {
        let Some((seq, bytes)) = self.ledger.newest(&self.log, deadline).await? else {
            return Ok((0, Entry::default()));
        };
        let entry = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::new(Code::Internal, "The queue of refreshes cannot be read.").caused_by(error))?;
        Ok((seq + 1, entry))
    }

    async fn append(&self, seq: u64, entry: Entry, deadline: Deadline) -> Result<bool, Failure> {
        let entry = Entry { writer: draw_writer(), ..entry };
        let bytes = serde_json::to_vec(&entry).map_err(|error| {
            Failure::new(Code::Internal, "The queue of refreshes cannot be written.").caused_by(error)
        })?;
        if self.ledger.put(&entry_path(&self.log, seq), Bytes::from(bytes), deadline).await? != Put::Written {
            return Ok(false);
        }
        if let Some(old) = seq.checked_sub(KEPT)
            && let Err(error) = self.ledger.delete(&entry_path(&self.log, old), deadline).await
        {
            tracing::debug!(log = self.log, old, %error, "an old entry could not be swept");
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use futures_util::future::join_all;
    use serde_json::{Value, json};

    use super::*;

    fn wanted(dataset: &str, request: Value) -> WantedRefresh {
        let request = serde_json::from_value(request).expect("a request");
        WantedRefresh { workspace: "w".into(), dataset: dataset.into(), request }
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    #[tokio::test]
    async fn many_at_once_queue_one_run_for_each_kind() {
        let ledger = Ledger::in_memory();
        let kinds = ["A", "B", "C"].map(|table| wanted("d", json!({"objects": [{"table": table}]})));
        let joining = kinds
            .iter()
            .cycle()
            .take(30)
            .map(|kind| async { RefreshQueue::of(&ledger, kind).join(soon()).await.expect("a place") });
        let places = join_all(joining).await;
        let runs: BTreeSet<&str> = places.iter().map(|place| place.run.as_str()).collect();
        assert_eq!((runs.len(), places.iter().filter(|place| !place.joined).count()), (3, 3));
    }

    #[tokio::test]
    async fn nobody_joins_a_run_that_has_left() {
        let ledger = Ledger::in_memory();
        let (lower, upper) = (wanted("d", json!({})), wanted("D", json!({})));
        let (queue, same) = (RefreshQueue::of(&ledger, &lower), RefreshQueue::of(&ledger, &upper));
        let first = queue.join(soon()).await.unwrap();
        assert_eq!(same.join(soon()).await.unwrap(), InQueue { run: first.run.clone(), joined: true });
        assert!(!queue.is_empty(soon()).await.unwrap());
        assert!(queue.leave(&first.run, soon()).await.unwrap());
        assert!(!queue.leave(&first.run, soon()).await.unwrap(), "it had left");
        assert!(queue.is_empty(soon()).await.unwrap());
        let second = queue.join(soon()).await.unwrap();
        assert!(!second.joined && second.run != first.run);
        // One that could not be sent does not push out the one that came after it.
        queue.back(&first.run, soon()).await.unwrap();
        assert_eq!(queue.waiting(soon()).await.unwrap().as_deref(), Some(second.run.as_str()));
        assert!(!queue.leave(&first.run, soon()).await.unwrap());
        assert!(queue.leave(&second.run, soon()).await.unwrap());
        queue.back(&first.run, soon()).await.unwrap();
        assert_eq!(queue.waiting(soon()).await.unwrap(), Some(first.run));
    }

    #[tokio::test]
    async fn old_entries_are_swept() {
        let (ledger, wanted) = (Ledger::in_memory(), wanted("d", json!({})));
        let queue = RefreshQueue::of(&ledger, &wanted);
        for _ in 0..50 {
            let place = queue.join(soon()).await.unwrap();
            queue.leave(&place.run, soon()).await.unwrap();
        }
        assert_eq!(ledger.list("refreshes", soon()).await.unwrap().len() as u64, KEPT);
    }
}
