//! Whose a statement or a run is, where callers have names: what is another's is not found, as if it were none. Who has a key
//! sees everything, as does a role with `runs/*`.
//!
//! A run knows its caller. A statement is Databricks' and knows ours alone, so that it was a caller's is written among the
//! caller's claims, and forgotten with them: Databricks forgets statements sooner.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::{Call, Requests};
use crate::failure::{Code, Failure};
use crate::ledger::{draw_writer, entry_path, segment};

/// How long that may hold up an answer, beside what else it waits for.
const TO_OWN: Duration = Duration::from_secs(5);

impl Requests {
    /// Writes down that a statement is the caller's. What cannot be written costs the caller no answer: then only its
    /// status URL and those who see everything lead to it.
    pub(super) async fn own_statement(&self, call: &Call, id: &str) {
        // As its caller, Databricks itself knows whose it is. Most callers of most apps have a key, and pay nothing for it.
        if call.user.is_some() && !self.is_acting() {
            Box::pin(self.write_owner(call, id)).await;
        }
    }

    async fn write_owner(&self, call: &Call, id: &str) {
        let entry = Bytes::from(json!({"writer": draw_writer(), "event": "owned"}).to_string());
        if let Err(error) = self.0.ledger.put(&place(call, id), entry, call.deadline.within(TO_OWN)).await {
            let error = Failure::from(error).chain();
            tracing::warn!(statement_id = id, error, "whose statement it is could not be recorded");
        }
    }

    /// Fails as for a statement that is none, unless the caller may see it.
    pub(super) async fn sees_statement(&self, call: &Call, id: &str) -> Result<(), Failure> {
        if call.rights.everybodys
            || self.is_acting()
            || self.0.ledger.get(&place(call, id), call.deadline).await?.is_some()
        {
            return Ok(());
        }
        let id: String = id.chars().take(64).collect();
        Err(Failure::new(Code::StatementNotFound, format!("There is no statement \"{id}\" of yours.")))
    }

    /// The same for a run.
    pub(super) async fn sees_run(&self, call: &Call, run: &str) -> Result<(), Failure> {
        if call.rights.everybodys {
            return Ok(());
        }
        self.0.runs.operation_of(run, &call.caller, call.deadline).await.map(|_| ())
    }

    /// To retry a run is to call its operation.
    pub(super) async fn may_retry(&self, call: &Call, run: &str) -> Result<(), Failure> {
        if call.rights.everybodys {
            return Ok(());
        }
        let operation = self.0.runs.operation_of(run, &call.caller, call.deadline).await?;
        if self.0.runs.catalog().get(&operation).is_none() || call.rights.may_call(&operation) {
            return Ok(());
        }
        let detail = format!("Your app roles allow operations/{operation} no more, and a retry calls it again.");
        Err(Failure::new(Code::RoleMissing, detail))
    }
}

fn place(call: &Call, id: &str) -> String {
    entry_path(&format!("claims/{}/statements/{}", segment(&call.caller), segment(id)), 0)
}
