//! Statement Execution API 2.0: submit, get, cancel, chunk, wait.
//!
//! INLINE needs no way to the workspace's storage account; how the links of EXTERNAL_LINKS are followed is `links.rs`, how
//! chunks become one result is `chunks.rs`. What the bodies look like is `wire.rs`; what a statement's
//! end means and how its rows are gathered is `results.rs`.

use std::time::Duration;

use super::call::{body, not_json, read};
use super::links::Link;
use super::pause::Pauses;
use super::refusal::unexpected;
use super::statement::{ResultChunk, Statement, SubmitStatement};
use super::subject::Subject;
use super::submission::submit_body;
use super::wire::{ResultBody, Unread};
use super::{Databricks, DatabricksError};
use crate::http::{Deadline, Outbound, Reply, RequestKind};

impl Databricks {
    /// Submits a statement and waits for it as long as `submit.wait` says. A statement that has FAILED is an `Ok`: see
    /// [`Statement::outcome`].
    pub async fn submit(&self, submit: &SubmitStatement, deadline: Deadline) -> Result<Statement, DatabricksError> {
        submit.check()?;
        let kind = if submit.read { RequestKind::StatementRead } else { RequestKind::StatementWrite };
        let subject = Subject::Submission { warehouse: submit.warehouse_id.clone() };
        let request = Outbound::post(self.address(&["api", "2.0", "sql", "statements"])?)
            .json(body(&submit_body(submit, deadline))?);
        let reply = self.call(kind, request, &subject, deadline).await?;
        let statement = statement_in(&reply, kind, &subject)?;
        Ok(Statement { warehouse_id: Some(submit.warehouse_id.clone()), ..statement })
    }

    pub async fn statement(&self, id: &str, deadline: Deadline) -> Result<Statement, DatabricksError> {
        let subject = Subject::Statement(id.to_owned());
        let request = Outbound::get(self.address_of(&["api", "2.0", "sql", "statements", id], id, &subject)?);
        let reply = self.call(RequestKind::StatementGet, request, &subject, deadline).await?;
        statement_in(&reply, RequestKind::StatementGet, &subject)
    }

    /// Asks for cancellation; the statement may still finish.
    pub async fn cancel_statement(&self, id: &str, deadline: Deadline) -> Result<(), DatabricksError> {
        let subject = Subject::Statement(id.to_owned());
        let request =
            Outbound::post(self.address_of(&["api", "2.0", "sql", "statements", id, "cancel"], id, &subject)?)
                .json("{}");
        self.call(RequestKind::StatementCancel, request, &subject, deadline).await?;
        Ok(())
    }

    /// One chunk of rows that come in the answer, by its index.
    pub async fn chunk(&self, id: &str, index: u64, deadline: Deadline) -> Result<ResultChunk, DatabricksError> {
        let (reply, subject) = self.ask_chunk(id, index, deadline).await?;
        chunk_in(&reply, index, &subject)
    }

    /// The links that lead to a chunk; they are new each time.
    pub(super) async fn links(&self, id: &str, index: u64, deadline: Deadline) -> Result<Vec<Link>, DatabricksError> {
        let (reply, subject) = self.ask_chunk(id, index, deadline).await?;
        links_in(&reply, index, &subject)
    }

    async fn ask_chunk(&self, id: &str, index: u64, deadline: Deadline) -> Result<(Reply, Subject), DatabricksError> {
        let subject = Subject::Rows(id.to_owned());
        let number = index.to_string();
        let path = ["api", "2.0", "sql", "statements", id, "result", "chunks", &number];
        let request = Outbound::get(self.address_of(&path, id, &subject)?);
        let reply = self.call(RequestKind::StatementChunk, request, &subject, deadline).await?;
        Ok((reply, subject))
    }

    /// Polls until the statement has ended or the deadline comes, the pauses growing from 100 ms to 5 s. When the
    /// deadline comes first, the statement as last seen: not an error.
    pub async fn wait_for(&self, first: Statement, deadline: Deadline) -> Result<Statement, DatabricksError> {
        let mut statement = first;
        let mut pauses = Pauses::new(Duration::from_millis(100), Duration::from_secs(5));
        while !statement.has_ended() {
            let pause = pauses.next_pause();
            if deadline.remaining() <= pause {
                break;
            }
            tokio::time::sleep(pause).await;
            match self.statement(&statement.statement_id, deadline).await {
                Ok(seen) => statement = Statement { warehouse_id: statement.warehouse_id, ..seen },
                // It goes on at Databricks; only our time for this look is over.
                Err(DatabricksError::Transport(lost)) if lost.timed_out && deadline.has_passed() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(statement)
    }
}

pub(super) fn statement_in(reply: &Reply, kind: RequestKind, subject: &Subject) -> Result<Statement, DatabricksError> {
    Statement::read(&reply.body).map_err(|unread| match unread {
        Unread::Json(error) => not_json(reply, kind, subject, error),
        Unread::Lacks(what) => unexpected(reply, kind, subject, &what),
    })
}

pub(super) fn chunk_in(reply: &Reply, index: u64, subject: &Subject) -> Result<ResultChunk, DatabricksError> {
    let body: ResultBody = read(reply, RequestKind::StatementChunk, subject)?;
    if let (Subject::Rows(statement_id), true) = (subject, body.holds_nothing()) {
        let what = format!("chunk {index} is not there");
        return Err(DatabricksError::Incomplete { statement_id: statement_id.clone(), what });
    }
    body.into_chunk(index, &reply.body).map_err(|what| unexpected(reply, RequestKind::StatementChunk, subject, &what))
}

pub(super) fn links_in(reply: &Reply, index: u64, subject: &Subject) -> Result<Vec<Link>, DatabricksError> {
    let body: ResultBody = read(reply, RequestKind::StatementChunk, subject)?;
    body.links(index).map_err(|what| unexpected(reply, RequestKind::StatementChunk, subject, &what))
}
