//! What Databricks refuses and what goes wrong on the way, and which failure each becomes. How the bodies are read is
//! `refusal.rs`.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use super::personal_tokens;
use super::subject::Subject;
use super::wire::{error_class_in, sql_state_in};
use crate::entra::CallError;
use crate::failure::{Code, Effect, Failure, Upstream};
use crate::http::HttpError;

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum DatabricksError {
    /// It was not sent: no token, or something that Databricks would refuse.
    #[error("{0}")]
    Failure(#[from] Failure),
    #[error(transparent)]
    Refused(Box<Refused>),
    #[error("no answer from Databricks")]
    Transport(#[from] HttpError),
    /// Rows are missing, repeated or out of order.
    #[error("the result of statement {statement_id} is not whole: {what}")]
    Incomplete { statement_id: String, what: String },
    /// The storage account of results does not let us in, or cannot be reached. Of the link only its host is told.
    #[error("the storage account {host} is closed to this app{}", .status.map(|status| format!(" (it answered {status})")).unwrap_or_default())]
    StorageBlocked {
        host: String,
        status: Option<u16>,
        #[source]
        source: Option<HttpError>,
    },
    /// A success whose body cannot be read.
    #[error("a reply about {subject} that makes no sense: {what}")]
    UnexpectedReply {
        subject: Subject,
        what: String,
        request_id: Option<String>,
        effect: Effect,
        #[source]
        source: Option<Arc<dyn StdError + Send + Sync>>,
    },
    /// The workspace takes calls over Private Link only: it redirects others to a login page.
    #[error("the workspace is reachable over Private Link only")]
    PrivateLink,
}

/// An answer with a status that is no success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Databricks answered {status} about {subject}: {message}")]
pub struct Refused {
    pub subject: Subject,
    pub status: u16,
    /// Its own code, such as `RESOURCE_DOES_NOT_EXIST`; numbers are written as text.
    pub error_code: Option<String>,
    pub message: String,
    pub request_id: Option<String>,
    pub retry_after: Option<Duration>,
    pub effect: Effect,
}

impl DatabricksError {
    /// A reply to a question that makes no sense.
    pub(super) fn nonsense(subject: &Subject, what: &str) -> Self {
        Self::UnexpectedReply {
            subject: subject.clone(),
            what: what.to_owned(),
            request_id: None,
            effect: Effect::None,
            source: None,
        }
    }

    /// Whether the call may have acted.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Failure(failure) => failure.effect,
            Self::Refused(refused) => refused.effect,
            Self::Transport(error) => error.effect,
            Self::UnexpectedReply { effect, .. } => *effect,
            Self::Incomplete { .. } | Self::StorageBlocked { .. } | Self::PrivateLink => Effect::None,
        }
    }
}

impl Refused {
    /// The code that callers branch on.
    fn code(&self) -> Code {
        match self.status {
            429 => return Code::UpstreamThrottled,
            504 => return Code::UpstreamTimeout,
            500.. => return Code::UpstreamUnavailable,
            _ if self.is_missing() => return self.missing(),
            401 | 403 => return Code::DatabricksAccessDenied,
            _ => {}
        }
        if self.message.contains("must not exceed a length of") {
            return Code::StatementTooLarge;
        }
        Code::DatabricksRefused
    }

    /// What is not there: perhaps what the subject stands in.
    fn missing(&self) -> Code {
        match self.error_code.as_deref() {
            Some("CATALOG_DOES_NOT_EXIST") => Code::CatalogNotFound,
            Some("SCHEMA_DOES_NOT_EXIST") => Code::SchemaNotFound,
            _ => self.subject.missing(),
        }
    }

    /// Older paths say "does not exist" with a 400 (Databricks SDK, errors/overrides).
    fn is_missing(&self) -> bool {
        let code = self.error_code.as_deref().unwrap_or_default();
        let by_code = matches!(code, "RESOURCE_DOES_NOT_EXIST" | "NOT_FOUND");
        match self.status {
            404 | 410 => true,
            400 => {
                let message = self.message.to_ascii_lowercase();
                let by_words = match &self.subject {
                    Subject::Rows(_) => ["expired", "no longer available", "closed", "does not exist"].as_slice(),
                    Subject::Submission { .. } => ["warehouse", "endpoint"].as_slice(),
                    _ => ["does not exist", "not found"].as_slice(),
                };
                let missing = match &self.subject {
                    Subject::Submission { .. } => {
                        by_words.iter().any(|word| message.contains(word))
                            && ["does not exist", "not found", "not a valid"].iter().any(|word| message.contains(word))
                    }
                    _ => by_words.iter().any(|word| message.contains(word)),
                };
                by_code || missing
            }
            _ => false,
        }
    }

    fn detail(&self, code: Code) -> String {
        let said = if self.message.is_empty() { String::new() } else { format!(" Databricks says: {}", self.message) };
        match code {
            Code::UpstreamThrottled => "Databricks takes no more calls for the moment; try again later.".to_owned(),
            Code::UpstreamUnavailable | Code::UpstreamTimeout => {
                format!("Databricks could not answer ({}); try again later.{said}", self.status)
            }
            Code::DatabricksAccessDenied => {
                // Otherwise it is about the token.
                let missing = self.error_code.as_deref() == Some("PERMISSION_DENIED");
                let rights = if missing { self.subject.rights() } else { "" };
                format!("Databricks denies access to {}.{said}{rights}", self.subject)
            }
            Code::ResultExpired => {
                format!(
                    "Databricks keeps rows for one hour; those of {} are gone. To have those of a read, run it again; a \
                     write has been done.",
                    self.subject
                )
            }
            Code::WarehouseNotFound => {
                let warehouse = match &self.subject {
                    Subject::Submission { warehouse } => Subject::Warehouse(warehouse.clone()),
                    other => other.clone(),
                };
                format!("Databricks does not know {warehouse}.{said}")
            }
            Code::StatementNotFound
            | Code::CatalogNotFound
            | Code::SchemaNotFound
            | Code::TableNotFound
            | Code::JobNotFound
            | Code::JobRunNotFound => {
                format!("Databricks does not know {}.{said}", self.subject)
            }
            _ => format!("Databricks refused the call about {}.{said}", self.subject),
        }
    }
}

impl From<CallError> for DatabricksError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NoToken(failure) => Self::Failure(failure),
            CallError::NoAnswer(lost) => Self::Transport(lost),
        }
    }
}

impl From<Refused> for DatabricksError {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<DatabricksError> for Failure {
    fn from(error: DatabricksError) -> Self {
        let effect = error.effect();
        let upstream =
            |status, code, request_id| Upstream { service: "databricks".to_owned(), status, code, request_id };
        let mut failure = match &error {
            DatabricksError::Failure(failure) => return failure.clone(),
            DatabricksError::Refused(refused) => {
                let (code, detail) = personal_tokens::explained(refused).unwrap_or_else(|| {
                    let code = refused.code();
                    (code, refused.detail(code))
                });
                let mut failure = Self::new(code, detail).from_upstream(upstream(
                    Some(refused.status),
                    refused.error_code.clone(),
                    refused.request_id.clone(),
                ));
                // What is wrong with the SQL itself is sometimes told by the status.
                failure.sql_state = sql_state_in(&refused.message);
                failure.error_class = error_class_in(&refused.message);
                if let Some(after) = refused.retry_after {
                    failure = failure.retry_after(after);
                }
                failure
            }
            DatabricksError::Transport(lost) => lost.to_failure("databricks", "Databricks"),
            DatabricksError::Incomplete { .. } => Self::new(
                Code::ResultIncomplete,
                "Databricks did not send every row of the result, so none is given. Run a read again; a write has been \
                 done.",
            ),
            DatabricksError::StorageBlocked { host, status, .. } => Self::new(
                Code::StorageBlocked,
                format!(
                    "The rows lie in the storage account {host}, which this app cannot reach. Let the app's network \
                     through its firewall, or give the app a private endpoint of it; or ask for rows inline \
                     (CAUSEWAY_SQL_DISPOSITION=inline), which holds up to 25 MiB."
                ),
            )
            .from_upstream(Upstream {
                service: "storage".to_owned(),
                status: *status,
                code: None,
                request_id: None,
            }),
            DatabricksError::UnexpectedReply { request_id, .. } => {
                Self::new(Code::UpstreamReplyInvalid, "Databricks sent a reply that cannot be read.")
                    .from_upstream(upstream(None, None, request_id.clone()))
            }
            DatabricksError::PrivateLink => Self::new(
                Code::DatabricksAccessDenied,
                "The Databricks workspace takes calls over Private Link only, and this app does not come that way. \
                 Give the app a private endpoint of the workspace, or allow public access there.",
            ),
        };
        failure.effect = effect;
        failure.caused_by(error)
    }
}
