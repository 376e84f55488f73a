//! Waiting for a run to end, in company: of all who wait for the same run in this process one looks, and the others are told
//! what it sees. Nothing here moves a run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::record::{Record, RunState};
use super::{RunOutcome, Runs, not_found, outcome};
use crate::failure::Failure;
use crate::http::Deadline;

/// Pauses between two looks: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Who waits for which run, in this process.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<HashMap<String, Arc<Company>>>);

/// All who wait for one run.
#[derive(Debug)]
struct Company {
    /// Who has it looks for all.
    lookout: tokio::sync::Mutex<()>,
    seen: watch::Sender<Option<Arc<Record>>>,
    /// One past the record at which somebody has seen to it that the run is woken.
    woken: tokio::sync::Mutex<u64>,
}

/// One of them, until dropped.
struct Member<'a> {
    of: &'a Watched,
    run: &'a str,
    company: Arc<Company>,
}

impl Watched {
    fn join<'a>(&'a self, run: &'a str) -> Member<'a> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let seen = watch::Sender::new(None);
            Arc::new(Company { lookout: tokio::sync::Mutex::default(), seen, woken: tokio::sync::Mutex::default() })
        };
        let company = all.entry(run.to_owned()).or_insert_with(new).clone();
        Member { of: self, run, company }
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        let mut all = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and ours: nobody else is left, and nobody joins meanwhile.
        if Arc::strong_count(&self.company) == 2 {
            all.remove(self.run);
        }
    }
}

impl Runs {
    /// Watches a run until it ends or `patience` does. Moves nothing, but sees to it that something will.
    pub async fn follow(&self, run: &str, patience: Deadline, deadline: Deadline) -> Result<RunOutcome, Failure> {
        let member = self.1.join(run);
        let company = &*member.company;
        let mut newest = Arc::new(self.newest(run, deadline).await?);
        if newest.state.at_rest() {
            return Ok(outcome(&newest));
        }
        let mut seen = company.seen.subscribe();
        let lookout = tokio::select! {
            biased;
            ended = seen.wait_for(|seen| seen.as_ref().is_some_and(|seen| seen.state.at_rest())) => {
                // The sender is in the company that we are of.
                newest = ended.ok().and_then(|seen| seen.clone()).unwrap_or(newest);
                None
            }
            lookout = company.lookout.lock() => Some(lookout),
            () = tokio::time::sleep_until(patience.instant()) => None,
        };
        if lookout.is_some() {
            let mut pause = FIRST_PAUSE;
            while !newest.state.at_rest() && patience.remaining() > pause {
                tokio::time::sleep(pause).await;
                pause = (pause * 3 / 2).min(LONGEST_PAUSE);
                newest = Arc::new(self.newest(run, deadline).await?);
                company.seen.send_replace(Some(newest.clone()));
            }
        } else if let Some(seen) = seen.borrow().clone().filter(|seen| seen.seq > newest.seq) {
            newest = seen;
        }
        if newest.state == RunState::Running {
            self.wake_once(company, &newest, deadline).await?;
        }
        Ok(outcome(&newest))
    }

    async fn newest(&self, run: &str, deadline: Deadline) -> Result<Record, Failure> {
        self.0.newest(run, deadline).await?.ok_or_else(|| not_found(run))
    }

    /// A running run has no message under way, and its worker may have died. One message is enough for all who wait.
    async fn wake_once(&self, company: &Company, newest: &Record, deadline: Deadline) -> Result<(), Failure> {
        let mut woken = company.woken.lock().await;
        if *woken <= newest.seq {
            self.0.wake(&newest.run, newest.seq, newest.lease_until, deadline).await?;
            *woken = newest.seq + 1;
        }
        Ok(())
    }
}
