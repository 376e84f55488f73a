//! People who want runs ended, and who open them again: they come like any call, and repeat what has failed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::TOO_LATE;
use super::hosts::{Came, Hosts};
use super::operations::CHILDREN;
use super::plan::Request;
use super::vault::{open, opener};
use super::world::World;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::runs::identity::{hash, run_id};
use crate::runs::{Happened, Resolution, Runs};

/// How long after a run's end somebody comes to it: whatever of it was on its way has come or never will.
const COMES_LATER: Duration = Duration::from_secs(150);

#[derive(Clone)]
pub(super) struct Meddler {
    pub(super) world: Arc<World>,
    pub(super) hosts: Arc<Hosts>,
    pub(super) run: String,
}

impl Meddler {
    /// Does with the run whatever the plan has somebody do.
    pub(super) async fn meddle(self, request: Request) {
        if let Some(after) = request.unsubscribed_after.filter(|_| request.told) {
            let (own, run) = (self.clone(), self.run.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(request.at + after)).await;
                let run = &run;
                let unsubscribe =
                    |runs: Runs| async move { runs.unsubscribe(run, Deadline::after(Duration::from_mins(1))).await };
                own.until_done("an unsubscription", &[], unsubscribe).await;
            });
        }
        if let Some(after) = request.cancelled_after {
            if request.under_way {
                self.under_way().await;
            } else {
                tokio::time::sleep(Duration::from_secs(request.at)).await;
            }
            tokio::time::sleep(Duration::from_secs(after)).await;
            let run = &self.run;
            let cancel =
                |runs: Runs| async move { runs.cancel(run, "somebody", Deadline::after(Duration::from_mins(1))).await };
            self.until_done("a cancel", &[Code::RunNotFound], cancel).await;
        }
        for _ in 0..request.retries {
            let Some(ended) = self.end().await else { return };
            if ended["state"] == "succeeded" {
                return;
            }
            tokio::time::sleep(COMES_LATER).await;
            self.resolve(&ended).await;
            let run = &self.run;
            let retryable =
                |runs: Runs| async move { runs.retryable(run, false, Deadline::after(Duration::from_mins(1))).await };
            let Some(after) = self.until_done("a retry", &[], retryable).await else { return };
            let retry = |runs: Runs| async move {
                let deadline = Deadline::after(Duration::from_mins(1));
                runs.retry(run, after, false, false, deadline).await.map(|_| ())
            };
            if self.until_done("a retry", &[], retry).await.is_none() {
                return;
            }
        }
    }

    /// Waits until something of the run has been begun.
    async fn under_way(&self) {
        let mut seq = 0;
        while self.world.age() < TOO_LATE {
            let path = format!("runs/{}/{seq:08}", self.run);
            if self.world.stood(&path).is_none() {
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            }
            let bytes = self.world.truth.get(&path, Deadline::after(COMES_LATER)).await.unwrap().unwrap();
            let record: Value = serde_json::from_slice(&bytes).unwrap();
            if matches!(record["transition"].as_str().unwrap(), "started" | "ended") {
                return;
            }
            seq += 1;
        }
    }

    /// The record with which the run has ended and was told; `None` when it never does.
    async fn end(&self) -> Option<Value> {
        while self.world.age() < TOO_LATE {
            if let Some(record) = self.newest(&self.run).await.filter(|record| record["transition"] == "answered") {
                return Some(record);
            }
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        None
    }

    async fn newest(&self, run: &str) -> Option<Value> {
        let newest = self.world.truth.newest(&format!("runs/{run}"), Deadline::after(COMES_LATER)).await;
        let mut record: Value = serde_json::from_slice(&newest.unwrap()?.1).unwrap();
        open(&opener(), &mut record).await;
        Some(record)
    }

    /// Says of each step in doubt what the neighbour's book says.
    async fn resolve(&self, ended: &Value) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let run = &text(&ended["run"]);
        for step in ended["steps"].as_array().unwrap().iter().filter(|step| step["state"] == "unknown") {
            let id = text(&step["id"]);
            // What became of a child's step is said of the child.
            let children = CHILDREN.iter().find(|(of, step, ..)| ended["operation"] == *of && *step == id);
            if let Some((.., count)) = children {
                let since = step["childrenSince"].to_string();
                for item in 0..*count {
                    let child = run_id(&["child", run, &id, &item.to_string(), &since]);
                    if let Some(ended) = self.newest(&child).await {
                        Box::pin(self.resolve(&ended)).await;
                    }
                }
                continue;
            }
            let key = hash(&[run, &id, &step["attempt"].to_string()]);
            let part = step["renderedInputs"]["part"].as_u64().unwrap_or(0);
            let happened = self.world.neighbour.lock().unwrap().has_happened(run, &id, &key, part);
            let outcome = if happened { Happened::Happened } else { Happened::DidNotHappen };
            self.world.note(|| format!("somebody says {outcome:?} of {run} {id}"));
            let what = &Resolution { step: id, outcome, output: json!({"rowCount": 1}) };
            let resolve = |runs: Runs| async move {
                runs.resolve(run, what.clone(), "somebody", Deadline::after(Duration::from_mins(1))).await
            };
            // A late worker's note, or an answer that was lost.
            self.until_done("a resolution", &[Code::StepNotInDoubt], resolve).await;
        }
    }

    /// Calls until it is done; `None` when it is refused.
    async fn until_done<T, F>(&self, what: &str, refusals: &[Code], call: impl Fn(Runs) -> F) -> Option<T>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        while self.world.age() < TOO_LATE {
            let came = self.hosts.invoke(what, None, |runs| {
                let called = call(runs);
                async move { Ok(called.await) }
            });
            match came.await {
                Came::Ok(Ok(done)) => return Some(done),
                Came::Ok(Err(failure)) => {
                    self.world.note(|| format!("{what} of {}: {}", self.run, failure.chain()));
                    if refusals.contains(&failure.code) {
                        return None;
                    }
                }
                Came::Failed | Came::Died => {}
            }
            let pause = self.world.draw(|dice| dice.between(5, 30));
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
        None
    }
}
