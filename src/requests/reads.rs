//! What is surely a read and carries no key: it may be run again in another disposition, and it is cancelled when its
//! caller has gone and nobody else waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::follow::Follow;
use super::{Answer, Call, Requests};
use crate::databricks::{Disposition, Statement, SubmitStatement};
use crate::failure::{Code, Failure};
use crate::http::Deadline;

/// How long cancelling may take when nobody waits for it.
const CANCELLING: Duration = Duration::from_secs(20);

/// A read that is about to be sent.
#[derive(Debug)]
pub(super) struct Read {
    pub submit: SubmitStatement,
    /// Causeway chose the disposition.
    pub ours: bool,
}

impl Requests {
    /// Runs a read and answers. At most one more time, when its result cannot come the way that was chosen: nothing of
    /// it has been handed over yet.
    pub(super) async fn run_read(&self, call: &Call, read: Read, follow: Follow) -> Result<Answer, Failure> {
        let Read { mut submit, ours } = read;
        let again = Follow { claimed: None, ..follow };
        let failure = match self.run_once(call, &submit, follow).await {
            Err(failure) if failure.code == Code::StorageBlocked => failure,
            Err(failure) if failure.code == Code::ResultTooLarge && ours => {
                return match (submit.disposition, self.0.links.blocked()) {
                    (Disposition::Inline, None) => {
                        tracing::info!("a result is larger than was thought; it is read again, behind links");
                        submit.disposition = Disposition::ExternalLinks;
                        self.run_once(call, &submit, again).await
                    }
                    (Disposition::Inline, Some(why)) => Err(does_not_fit(&why, failure)),
                    (Disposition::ExternalLinks, _) => Err(failure),
                };
            }
            other => return other,
        };
        tracing::warn!(error = failure.chain(), "the storage of results is blocked; the statement runs again inline");
        submit.disposition = Disposition::Inline;
        match self.run_once(call, &submit, again).await {
            Ok(answer) => Ok(Answer { fell_back: true, ..answer }),
            Err(inline) if inline.code == Code::ResultTooLarge => Err(does_not_fit(&failure.detail, inline)),
            Err(inline) => Err(inline),
        }
    }

    async fn run_once(&self, call: &Call, submit: &SubmitStatement, follow: Follow) -> Result<Answer, Failure> {
        // Its id comes with the reply: a caller who goes before that is found gone right afterwards.
        let statement = self.0.neighbours.databricks.submit(submit, call.deadline).await?;
        call.trail.reached(&statement.statement_id);
        let waiting = self.0.waiting.join(&statement.statement_id);
        // Beside the wait, so that it costs none.
        let owned = self.own_statement(call, &statement.statement_id);
        let answered = futures_util::future::join(self.settle(call, statement.clone(), follow), owned);
        tokio::select! {
            biased;
            (answer, ()) = answered => answer,
            () = call.presence.gone() => {
                self.let_go(&statement, waiting).await;
                Err(gone())
            }
        }
    }

    /// Nobody has the id of this statement but those who wait for it right now.
    async fn let_go(&self, statement: &Statement, waiting: Waiting) {
        let id = &statement.statement_id;
        if !waiting.is_last() {
            return;
        }
        match self.0.neighbours.databricks.cancel_statement(id, Deadline::after(CANCELLING)).await {
            Ok(()) => tracing::info!(statement_id = id, "the caller has gone; its read is cancelled"),
            Err(error) => {
                let error = Failure::from(error).chain();
                tracing::warn!(statement_id = id, error, "the caller has gone; its read could not be cancelled");
            }
        }
    }
}

/// Nobody reads this.
pub(super) fn gone() -> Failure {
    Failure::new(Code::StatementCanceled, "The caller has gone.")
}

fn does_not_fit(why: &str, inline: Failure) -> Failure {
    let detail =
        format!("{why} Without links Databricks hands over at most 25 MiB, and this result has more. Ask for less.");
    Failure { code: Code::StorageBlocked, detail, ..inline }
}

/// Who waits for which statement, in this process.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiters(Arc<Mutex<HashMap<String, usize>>>);

/// One who waits, until dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    of: Waiters,
    id: String,
}

impl Waiters {
    pub(super) fn join(&self, id: &str) -> Waiting {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(id.to_owned()).or_default() += 1;
        Waiting { of: self.clone(), id: id.to_owned() }
    }
}

impl Waiting {
    fn is_last(&self) -> bool {
        self.of.0.lock().unwrap_or_else(PoisonError::into_inner).get(&self.id) == Some(&1)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiters = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiters.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                waiters.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_who_waits_lets_a_statement_go() {
        let waiters = Waiters::default();
        let first = waiters.join("a");
        let second = waiters.join("a");
        assert!(!first.is_last() && !second.is_last());
        drop(second);
        assert!(first.is_last());
        drop(first);
        assert!(waiters.0.lock().unwrap().is_empty());
    }
}
