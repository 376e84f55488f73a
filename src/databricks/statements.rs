//! Statement Execution API 2.0: submit, get, cancel, chunk, wait.
//!
//! INLINE needs no way to the workspace's storage account; how the links of EXTERNAL_LINKS are followed is `links.rs`, how
//! chunks become one result is `chunks.rs`. What the bodies look like is `wire.rs`; what a statement's
//! end means and how its rows are gathered is `results.rs`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::call::{body, read};
use super::error::Subject;
use super::links::Link;
use super::pause::Pauses;
use super::refusal::unexpected;
use super::wire::{QueryTag, ResultBody, StatementBody, SubmitBody};
use super::{Databricks, DatabricksError};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, Reply, RequestKind};

/// Named parameters of one statement (Databricks: "the limit is 256").
const MOST_PARAMETERS: usize = 256;
/// Bytes of all parameter values together (Databricks SQL connector, docs/parameters.md: 1 MB).
const MOST_PARAMETER_BYTES: usize = 1024 * 1024;
/// Bytes of a statement (Databricks: "must not exceed a length of 16777216 bytes").
const LONGEST_STATEMENT: usize = 16 * 1024 * 1024;
/// Tags of one statement; more are dropped by the server, so they are not sent.
const MOST_TAGS: usize = 20;

/// A named parameter, as the wire wants it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Parameter {
    pub name: String,
    /// `None` is NULL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// A SQL type; `None` is STRING.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_text: Option<String>,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct SubmitStatement {
    pub statement: String,
    pub warehouse_id: String,
    pub catalog: Option<String>,
    pub schema: Option<String>,
    pub parameters: Vec<Parameter>,
    pub row_limit: Option<u64>,
    /// Bytes of the result as Databricks counts them; more are left out and told as `truncated`.
    pub byte_limit: Option<u64>,
    pub disposition: Disposition,
    /// Rounded down to what the API takes: 0, or 5 to 50 whole seconds.
    pub wait: Duration,
    /// Tags of the query history, such as `causeway-key`.
    pub query_tags: Vec<(String, String)>,
    /// Surely a read: may be sent again after an ambiguous failure.
    pub read: bool,
}

/// How the result is to come (Databricks SDK, execute_statement).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Disposition {
    /// JSON_ARRAY in the answers; fails the statement beyond 25 MiB.
    #[default]
    Inline,
    /// ARROW_STREAM behind presigned links; any size.
    ExternalLinks,
}

/// `status.state`; an open set on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementState {
    Pending,
    Running,
    Succeeded,
    Failed,
    Canceled,
    Closed,
    Other(String),
}

/// A column of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnInfo {
    pub name: String,
    pub type_text: String,
    pub type_name: String,
    pub precision: Option<u32>,
    pub scale: Option<u32>,
}

/// The cells of a row as the wire has them; `None` is NULL.
pub type Row = Vec<Option<String>>;

/// Rows of one chunk that came in an answer.
#[derive(Clone, Debug, Default)]
pub struct ResultChunk {
    pub chunk_index: u64,
    pub row_offset: Option<u64>,
    /// As told.
    pub row_count: Option<u64>,
    /// `data_array` as it came: a part of the answer, not a copy.
    pub text: Bytes,
    pub next_chunk_index: Option<u64>,
}

/// What the manifest tells of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkInfo {
    pub chunk_index: u64,
    pub row_offset: Option<u64>,
    pub row_count: Option<u64>,
    /// Before compression; INLINE does not tell it.
    pub byte_count: Option<u64>,
}

/// `manifest.format`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ResultFormat {
    #[default]
    JsonArray,
    ArrowStream,
    Other(String),
}

/// Why a statement failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementFailure {
    pub error_code: String,
    pub message: String,
    pub sql_state: Option<String>,
    pub error_class: Option<String>,
}

/// A statement as Databricks sees it.
#[derive(Clone, Debug)]
pub struct Statement {
    pub statement_id: String,
    pub state: StatementState,
    pub failure: Option<StatementFailure>,
    /// Empty until it has succeeded.
    pub columns: Vec<ColumnInfo>,
    pub total_row_count: Option<u64>,
    pub total_chunk_count: Option<u64>,
    pub truncated: bool,
    pub format: ResultFormat,
    /// Every chunk, as the manifest lists them.
    pub chunks: Arc<[ChunkInfo]>,
    /// The first chunk, when there are rows and they came with the reply.
    pub chunk: Option<ResultChunk>,
    /// Links that came with the reply: mostly one, to the first chunk; several have been seen.
    pub(super) links: Vec<Link>,
    /// The warehouse that runs it, when it was submitted here; Databricks does not tell.
    pub warehouse_id: Option<String>,
    /// The reply had a `result` member; with `Closed` it means success.
    pub has_result: bool,
}

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
    let body: StatementBody = read(reply, kind, subject)?;
    body.into_statement(&reply.body).map_err(|what| unexpected(reply, kind, subject, &what))
}

pub(super) fn chunk_in(reply: &Reply, index: u64, subject: &Subject) -> Result<ResultChunk, DatabricksError> {
    let body: ResultBody = read(reply, RequestKind::StatementChunk, subject)?;
    body.into_chunk(index, &reply.body).map_err(|what| unexpected(reply, RequestKind::StatementChunk, subject, &what))
}

pub(super) fn links_in(reply: &Reply, index: u64, subject: &Subject) -> Result<Vec<Link>, DatabricksError> {
    let body: ResultBody = read(reply, RequestKind::StatementChunk, subject)?;
    body.links(index).map_err(|what| unexpected(reply, RequestKind::StatementChunk, subject, &what))
}

impl SubmitStatement {
    /// What Databricks would refuse anyway is refused here, with the place.
    pub fn check(&self) -> Result<(), Failure> {
        let submit = self;
        if submit.statement.trim().is_empty() {
            return Err(Failure::new(Code::BodyInvalid, "The statement is empty.").at("statement"));
        }
        if submit.statement.len() > LONGEST_STATEMENT {
            return Err(Failure::new(
                Code::StatementTooLarge,
                format!("The statement has {} bytes; Databricks takes {LONGEST_STATEMENT}.", submit.statement.len()),
            )
            .at("statement"));
        }
        if submit.parameters.len() > MOST_PARAMETERS {
            return Err(Failure::new(
                Code::BodyInvalid,
                format!(
                    "The statement has {} parameters; Databricks takes {MOST_PARAMETERS}. Send many values as one JSON \
                 parameter and read it with from_json.",
                    submit.parameters.len()
                ),
            )
            .at("parameters"));
        }
        let bytes: usize =
            submit.parameters.iter().filter_map(|parameter| parameter.value.as_ref()).map(String::len).sum();
        if bytes > MOST_PARAMETER_BYTES {
            return Err(Failure::new(
                Code::StatementTooLarge,
                format!(
                    "The parameters' values have {bytes} bytes together; Databricks takes {MOST_PARAMETER_BYTES}. Send \
                 them in several statements."
                ),
            )
            .at("parameters"));
        }
        Ok(())
    }
}

fn submit_body(submit: &SubmitStatement, deadline: Deadline) -> SubmitBody<'_> {
    // The server's wait must end before ours does, or the statement's id would be lost with the reply.
    let longest = deadline.remaining().saturating_sub(Duration::from_secs(2));
    let (disposition, format, result_compression) = match submit.disposition {
        Disposition::Inline => ("INLINE", "JSON_ARRAY", None),
        // The compression is not documented, but every driver asks for it (recorded requests); whoever reads the chunks
        // looks what they are.
        Disposition::ExternalLinks => ("EXTERNAL_LINKS", "ARROW_STREAM", Some("LZ4_FRAME")),
    };
    SubmitBody {
        statement: &submit.statement,
        warehouse_id: &submit.warehouse_id,
        catalog: submit.catalog.as_deref(),
        schema: submit.schema.as_deref(),
        parameters: &submit.parameters,
        row_limit: submit.row_limit,
        byte_limit: submit.byte_limit,
        disposition,
        format,
        result_compression,
        wait_timeout: wait_timeout(submit.wait.min(longest)),
        on_wait_timeout: "CONTINUE",
        query_tags: submit.query_tags.iter().take(MOST_TAGS).map(|(key, value)| QueryTag { key, value }).collect(),
    }
}

/// `0s`, or `5s` to `50s`: anything else is refused (Databricks SDK, execute_statement).
pub(super) fn wait_timeout(wait: Duration) -> String {
    match wait.as_secs() {
        0..5 => "0s".to_owned(),
        seconds => format!("{}s", seconds.min(50)),
    }
}
