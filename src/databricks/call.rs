//! One call: address, token, a second try with a new token when ours was refused, and the body read.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::Databricks;
use super::error::DatabricksError;
use super::refusal::{request_id, success, token_was_refused, unexpected};
use super::subject::Subject;
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, Reply, RequestKind};

impl Databricks {
    /// The address of a path; every segment is encoded, so that an id can never lead elsewhere.
    pub(super) fn address(&self, segments: &[&str]) -> Result<Url, DatabricksError> {
        let mut url = self.host.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::new(Code::Misconfigured, "CAUSEWAY_DATABRICKS_HOST is not a URL that has paths."))?
            .pop_if_empty()
            .extend(segments);
        Ok(url)
    }

    /// The same for a path with an id in it: `..` and the like are no ids, and are not sent.
    pub(super) fn address_of(&self, segments: &[&str], id: &str, subject: &Subject) -> Result<Url, DatabricksError> {
        let sound = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if sound {
            self.address(segments)
        } else {
            Err(Failure::new(subject.missing(), format!("There is no {subject}.")).into())
        }
    }

    /// Sends, and gives back successes only.
    pub(super) async fn call(
        &self,
        kind: RequestKind,
        request: Outbound,
        subject: &Subject,
        deadline: Deadline,
    ) -> Result<Reply, DatabricksError> {
        let request = request.header("accept", "application/json");
        success(self.way.send(kind, request, deadline, token_was_refused).await?, kind, subject)
    }

    /// The same, with the body read as JSON.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        kind: RequestKind,
        request: Outbound,
        subject: &Subject,
        deadline: Deadline,
    ) -> Result<T, DatabricksError> {
        let reply = self.call(kind, request, subject, deadline).await?;
        read(&reply, kind, subject)
    }
}

/// The body of a success.
pub(super) fn read<'a, T: Deserialize<'a>>(
    reply: &'a Reply,
    kind: RequestKind,
    subject: &Subject,
) -> Result<T, DatabricksError> {
    serde_json::from_slice(&reply.body).map_err(|error| not_json(reply, kind, subject, error))
}

/// The body of a success is not what was expected.
pub(super) fn not_json(
    reply: &Reply,
    kind: RequestKind,
    subject: &Subject,
    error: serde_json::Error,
) -> DatabricksError {
    // serde_json's words name places and types, never values of more than one token.
    match unexpected(reply, kind, subject, "its body is not the JSON that was expected") {
        DatabricksError::UnexpectedReply { subject, what, effect, .. } => DatabricksError::UnexpectedReply {
            subject,
            what,
            request_id: request_id(reply),
            effect,
            source: Some(std::sync::Arc::new(error)),
        },
        other => other,
    }
}

/// The body of a request.
pub(super) fn body(value: &impl serde::Serialize) -> Result<Vec<u8>, DatabricksError> {
    serde_json::to_vec(value)
        .map_err(|error| Failure::new(Code::Internal, "A request could not be written.").caused_by(error).into())
}
