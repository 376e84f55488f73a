//! What a step needs of others is had before its intent is on record: a worker that dies there leaves nobody in doubt.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rstest::rstest;
use secrecy::SecretString;
use tokio::sync::Notify;

use super::{Bench, soon, work};
use crate::databricks::Databricks;
use crate::entra::TokenSource;
use crate::failure::Failure;
use crate::http::{Deadline, Http};
use crate::key_vault::{Secret, Secrets};
use crate::ledger::Ledger;
use crate::runs::record::{Record, StepState, Transition};
use crate::service_bus::{Message, Messages};

pub(super) const HTTP: &str = "summary: s\nsteps: [{id: go, http: {url_secret: hook, body: {a: 1}}}]\n";
const WRITE: &str = "summary: s\nsteps: [{id: go, sql: {statement: INSERT INTO t VALUES (1)}}]\n";
pub(super) const JOB: &str = "summary: s\nsteps: [{id: go, job: {job: night}}]\n";
const MESSAGE: &str = "summary: s\nsteps: [{id: go, message: {queue: orders, body: {a: 1}}}]\n";

/// Whoever is asked first sees what stands on the log, and never answers.
#[derive(Debug)]
struct Watching {
    ledger: Ledger,
    seen: Mutex<Option<Record>>,
    asked: Notify,
}

impl Watching {
    async fn look(&self) {
        let (_, bytes) = self.ledger.newest("runs/a", soon()).await.unwrap().unwrap();
        *self.seen.lock().unwrap() = Some(serde_json::from_slice(&bytes).unwrap());
        self.asked.notify_one();
        std::future::pending::<()>().await;
    }
}

#[async_trait]
impl TokenSource for Watching {
    async fn token(&self, _: Deadline) -> Result<SecretString, Failure> {
        self.look().await;
        unreachable!()
    }

    fn reject(&self, _: &SecretString) {}
}

#[async_trait]
impl Secrets for Watching {
    async fn current(&self, _: &str, _: Deadline) -> Result<Secret, Failure> {
        self.look().await;
        unreachable!()
    }

    async fn version(&self, _: &str, _: &str, _: Deadline) -> Result<Secret, Failure> {
        unreachable!()
    }

    fn forget(&self, _: &str, _: &SecretString) {}
}

#[async_trait]
impl Messages for Watching {
    async fn ready(&self, _: Deadline) -> Result<(), Failure> {
        self.look().await;
        Ok(())
    }

    async fn send(&self, _: &str, _: Message, _: Deadline) -> Result<(), Failure> {
        unreachable!()
    }
}

#[rstest]
#[case::a_secret(HTTP)]
#[case::a_token_for_a_write(WRITE)]
#[case::the_id_of_a_job(JOB)]
#[case::a_token_for_a_message(MESSAGE)]
#[tokio::test]
async fn who_dies_while_it_gets_ready_has_left_no_intent(#[case] yaml: &str) {
    let mut bench = Bench::new(&[("step", yaml)]);
    let ledger = bench.engine.ledger.clone();
    let watching = Arc::new(Watching { ledger, seen: Mutex::default(), asked: Notify::new() });
    let url = "http://127.0.0.1:9".parse().unwrap();
    bench.engine.neighbours.databricks = Databricks::new(Http::new().unwrap(), url, watching.clone());
    bench.engine.neighbours.secrets = watching.clone();
    bench.engine.neighbours.messages = watching.clone();
    bench.create("step", "a").await;
    let message = work("a", 0);
    tokio::select! {
        () = watching.asked.notified() => {}
        done = bench.engine.work(&message, false, soon()) => panic!("{done:?}"),
    }
    let newest = bench.newest("a").await;
    assert_eq!((newest.transition, newest.steps[0].state), (Transition::Leased, StepState::Pending));
    assert_eq!(watching.seen.lock().unwrap().as_ref().map(|seen| seen.seq), Some(newest.seq));
}
