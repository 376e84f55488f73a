//! One call: address, token, a second try with a new token when ours was refused, and the body read.

use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;

use super::PowerBi;
use super::error::{MY_WORKSPACE, Place, PowerBiError, Subject};
use super::refusal::{refused, request_id, success, unexpected};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, Reply, RequestKind};

impl Place {
    /// Ids are checked before any call: Power BI answers a wrong one with words about something else.
    pub(super) fn of(workspace: &str, dataset: &str) -> Result<Self, Failure> {
        known_workspace(workspace)?;
        if !is_guid(dataset) {
            let detail = format!(
                "`{dataset}` is not a dataset's id, which looks like cfafbeb1-8037-4d0c-896e-a46fb27ff229; it stands in \
                 the semantic model's address after `datasets/`. A name will not do."
            );
            return Err(Failure::new(Code::DatasetNotFound, detail));
        }
        Ok(Self { workspace: workspace.to_owned(), dataset: dataset.to_owned() })
    }
}

/// The id of a workspace, or `me`.
pub(super) fn known_workspace(workspace: &str) -> Result<(), Failure> {
    if workspace == MY_WORKSPACE || is_guid(workspace) {
        return Ok(());
    }
    let detail = format!(
        "`{workspace}` is not a workspace's id, which looks like f089354e-8366-4e18-aea3-4cb4a3a50b48; it stands in the \
         workspace's address after `groups/`. A name will not do."
    );
    Err(Failure::new(Code::WorkspaceNotFound, detail))
}

/// As the service writes ids; other spellings of a GUID are not taken.
pub(super) fn is_guid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

impl PowerBi {
    /// The address of a path; every segment is encoded, so that a name can never lead elsewhere.
    pub(super) fn address(&self, segments: &[&str]) -> Result<Url, PowerBiError> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::new(Code::Misconfigured, "CAUSEWAY_POWER_BI_URL is not a URL that has paths."))?
            .pop_if_empty()
            .extend(["v1.0", "myorg"])
            .extend(segments);
        Ok(url)
    }

    /// The address of something that belongs to a workspace.
    pub(super) fn address_within(&self, workspace: &str, segments: &[&str]) -> Result<Url, PowerBiError> {
        let mut whole = Vec::with_capacity(segments.len() + 2);
        if workspace != MY_WORKSPACE {
            whole.extend(["groups", workspace]);
        }
        whole.extend(segments);
        self.address(&whole)
    }

    /// The address of something that belongs to a dataset.
    pub(super) fn address_in(&self, place: &Place, segments: &[&str]) -> Result<Url, PowerBiError> {
        let whole = [&["datasets", &place.dataset], segments].concat();
        self.address_within(&place.workspace, &whole)
    }

    /// Sends, and gives back successes only.
    pub(super) async fn call(
        &self,
        kind: RequestKind,
        request: Outbound,
        subject: &Subject,
        deadline: Deadline,
    ) -> Result<Reply, PowerBiError> {
        let request = request.header("accept", "application/json");
        success(self.way.send(kind, request, deadline, token_was_refused(kind, subject)).await?, kind, subject)
    }

    /// The same, with the body read as JSON.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        kind: RequestKind,
        request: Outbound,
        subject: &Subject,
        deadline: Deadline,
    ) -> Result<T, PowerBiError> {
        let reply = self.call(kind, request, subject, deadline).await?;
        read(&reply, kind, subject)
    }
}

/// The body of a success, read as JSON.
pub(super) fn read<T: DeserializeOwned>(
    reply: &Reply,
    kind: RequestKind,
    subject: &Subject,
) -> Result<T, PowerBiError> {
    serde_json::from_slice(&reply.body).map_err(|error| {
        match unexpected(reply, kind, subject, "its body is not the JSON that was expected") {
            PowerBiError::UnexpectedReply { subject, what, effect, .. } => PowerBiError::UnexpectedReply {
                subject,
                what,
                request_id: request_id(reply),
                effect,
                // serde_json's words name places and types, never values of more than one token.
                source: Some(std::sync::Arc::new(error)),
            },
            other => other,
        }
    })
}

/// Not by the status: a bad token is a 403 here, and a missing right is a 401.
pub(super) fn token_was_refused(kind: RequestKind, subject: &Subject) -> impl Fn(&Reply) -> bool {
    move |reply| !reply.is_success() && refused(reply, kind, subject).is_about_the_token()
}

/// The body of a request.
pub(super) fn body(value: &impl Serialize) -> Result<Vec<u8>, PowerBiError> {
    serde_json::to_vec(value)
        .map_err(|error| Failure::new(Code::Internal, "A request could not be written.").caused_by(error).into())
}
