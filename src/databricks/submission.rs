//! A statement about to be sent: what Databricks would refuse is refused before, and the body is written.

use std::time::Duration;

use super::statement::{Disposition, SubmitStatement};
use super::wire::{QueryTag, SubmitBody};
use crate::failure::{Code, Failure};
use crate::http::Deadline;

/// Named parameters of one statement (Databricks: "the limit is 256").
const MOST_PARAMETERS: usize = 256;
/// Bytes of all parameter values together (Databricks SQL connector, docs/parameters.md: 1 MB).
const MOST_PARAMETER_BYTES: usize = 1024 * 1024;
/// Bytes of a statement (Databricks: "must not exceed a length of 16777216 bytes").
const LONGEST_STATEMENT: usize = 16 * 1024 * 1024;
/// Tags of one statement; more are dropped by the server, so they are not sent.
const MOST_TAGS: usize = 20;

impl SubmitStatement {
    /// A read of our own, whose one small row comes with the reply.
    pub(super) fn question(statement: &str, warehouse: &str, wait: Duration) -> Self {
        Self {
            statement: statement.to_owned(),
            warehouse_id: warehouse.to_owned(),
            catalog: None,
            schema: None,
            parameters: Vec::new(),
            row_limit: None,
            byte_limit: None,
            disposition: Disposition::Inline,
            wait,
            query_tags: Vec::new(),
            read: true,
        }
    }

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

/// The body of the call that sends it.
pub(super) fn submit_body(submit: &SubmitStatement, deadline: Deadline) -> SubmitBody<'_> {
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
