//! What Power BI refuses and what goes wrong on the way, and which failure each becomes. How the bodies are read is
//! `refusal.rs`.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::item::Item;
use super::refusal::names_the_token;
use crate::entra::CallError;
use crate::failure::{Code, Effect, Failure, Upstream};
use crate::http::HttpError;

/// The workspace id that means My Workspace.
pub(super) const MY_WORKSPACE: &str = "me";
/// Stands for a code where a Conditional Access policy wants more than a token (`WWW-Authenticate`).
pub(super) const CLAIMS: &str = "insufficient_claims";

/// A dataset, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A group id, or `me`.
    pub workspace: String,
    pub dataset: String,
}

/// What a call was about: it decides what a refusal means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Power BI as a whole.
    Service,
    /// A refresh to be started.
    Start {
        place: Place,
        enhanced: bool,
    },
    History(Place),
    /// One enhanced refresh, looked at.
    Refresh {
        place: Place,
        id: String,
    },
    /// One enhanced refresh, to be cancelled.
    Cancel {
        place: Place,
        id: String,
    },
    /// Rows of a table of a push dataset.
    Rows {
        place: Place,
        table: String,
    },
    /// Anything else.
    Item(Item),
}

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum PowerBiError {
    /// It was not sent: no token, or something that Power BI would refuse.
    #[error("{0}")]
    Failure(#[from] Failure),
    #[error(transparent)]
    Refused(Box<Refused>),
    #[error("no answer from Power BI")]
    Transport(#[from] HttpError),
    /// A success that cannot be read.
    #[error("a reply about {subject} that makes no sense: {what}")]
    UnexpectedReply {
        subject: Subject,
        what: String,
        request_id: Option<String>,
        effect: Effect,
        #[source]
        source: Option<Arc<dyn StdError + Send + Sync>>,
    },
}

/// An answer with a status that is no success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Power BI answered {status} about {subject}: {message}")]
pub struct Refused {
    pub subject: Subject,
    pub status: u16,
    /// Its own code, such as `PowerBIEntityNotFound`: of the body, else of `x-powerbi-error-info`.
    pub error_code: Option<String>,
    /// Empty when Power BI gave no reason.
    pub message: String,
    pub request_id: Option<String>,
    pub retry_after: Option<Duration>,
    /// How often the request was sent.
    pub tries: u32,
    pub effect: Effect,
}

impl PowerBiError {
    /// Whether the call may have acted.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Failure(failure) => failure.effect,
            Self::Refused(refused) => refused.effect,
            Self::Transport(error) => error.effect,
            Self::UnexpectedReply { effect, .. } => *effect,
        }
    }
}

impl Refused {
    /// The code that callers branch on.
    pub(super) fn code(&self) -> Code {
        let says = |words: &[&str]| {
            let message = self.message.to_ascii_lowercase();
            words.iter().any(|word| message.contains(word))
        };
        let named = self.error_code.as_deref().unwrap_or_default();
        if let Subject::Start { enhanced, .. } = &self.subject
            && self.status < 500
        {
            // Before the statuses: the daily limit is seen as 400 and as 429, and has no end within reach.
            if says(&["24 hours"]) {
                return Code::RefreshLimit;
            }
            if self.status == 429 {
                return Code::RefreshThrottled;
            }
            if self.status == 409 || says(&["already executing", "already running", "already in progress"]) {
                return Code::RefreshRunning;
            }
            if *enhanced && says(&["shared capac", "premium"]) {
                return Code::PremiumRequired;
            }
        }
        if self.status < 500 && says(&["not push api dataset"]) {
            return Code::NotPushDataset;
        }
        match self.status {
            429 => Code::UpstreamThrottled,
            504 => Code::UpstreamTimeout,
            500.. => Code::UpstreamUnavailable,
            401 | 403 => Code::PowerBiAccessDenied,
            404 if named.contains("Group") || named.contains("Workspace") => Code::WorkspaceNotFound,
            404 | 410 => self.subject.missing(),
            400 if matches!(self.subject, Subject::Refresh { .. }) && says(&["not an enhanced"]) => {
                Code::RefreshNotFound
            }
            400 | 409 if matches!(self.subject, Subject::Cancel { .. }) => Code::NotCancellable,
            400 | 413 if matches!(self.subject, Subject::Rows { .. }) => Code::RowsInvalid,
            status => match &self.subject {
                Subject::Item(item) => item.refused(status).unwrap_or(Code::PowerBiRefused),
                _ => Code::PowerBiRefused,
            },
        }
    }

    fn detail(&self, code: Code) -> String {
        let said = match (&self.error_code, self.message.as_str()) {
            (None, "") => String::new(),
            (Some(named), "") => format!(" Power BI says: {named}."),
            (_, message) => format!(" Power BI says: {message}"),
        };
        match code {
            Code::UpstreamThrottled => format!("Power BI takes no more calls for the moment; try again later.{said}"),
            Code::UpstreamUnavailable | Code::UpstreamTimeout => {
                format!("Power BI could not answer ({}); try again later.{said}", self.status)
            }
            Code::PowerBiAccessDenied => format!("{}{said}", self.denied()),
            Code::PowerBiRefused => format!("Power BI refused the call about {}.{said}", self.subject),
            code if code == self.subject.missing() || code == Code::WorkspaceNotFound => {
                format!("Power BI does not know {}.{said}", self.subject)
            }
            Code::NotPushDataset => {
                format!(
                    "Only push datasets have their tables in this API, and {} is of another kind.{said}",
                    self.subject
                )
            }
            Code::QueryFailed => format!("The DAX query failed.{said}"),
            Code::RefreshThrottled => {
                format!("Power BI starts no refresh for the moment; try again later.{said}")
            }
            Code::RefreshRunning => "The dataset is being refreshed already, and Power BI runs one refresh of a \
                                     dataset at a time. Try again when it has ended."
                .to_owned(),
            Code::RefreshLimit => format!(
                "The dataset was refreshed as often as its capacity allows within 24 hours (8 times on shared \
                 capacity, those of its schedule included). Wait until the oldest of them is a day old, or move the \
                 workspace to a capacity.{said}"
            ),
            Code::PremiumRequired => format!(
                "The workspace is on shared capacity, which refreshes whole datasets only. Leave out every option \
                 (tables, partitions and the others), or move it to Premium, Premium Per User or Fabric.{said}"
            ),
            Code::NotCancellable => format!("Power BI cannot cancel {}.{said}", self.subject),
            Code::RowsInvalid => format!("Power BI does not take these rows for {}.{said}", self.subject),
            _ => format!("Power BI refused the call about {}.{said}", self.subject),
        }
    }

    fn denied(&self) -> String {
        if self.is_about_the_token() {
            return "Power BI does not take the token of Causeway's identity: check CAUSEWAY_POWER_BI_AUDIENCE, and that \
                    the tenant lets service principals use Power BI APIs."
                .to_owned();
        }
        if self.error_code.as_deref() == Some(CLAIMS) {
            return "A Conditional Access policy of the tenant stops Causeway's identity: exempt it, or allow the network \
                    that it calls from."
                .to_owned();
        }
        if let Subject::Item(item) = &self.subject
            && self.subject.workspace() != Some(MY_WORKSPACE)
            && let Some(why) = item.denied(self.error_code.as_deref())
        {
            return why.to_owned();
        }
        match self.subject.workspace() {
            Some(MY_WORKSPACE) => "My Workspace belongs to a person, and Causeway's identity is not one. Use a \
                                   workspace's id instead of `me`."
                .to_owned(),
            Some(workspace) => format!(
                "Causeway's identity has no access to workspace {workspace}: add it there as Contributor. A new right \
                 takes some minutes."
            ),
            None => "Power BI denies access: the tenant must let service principals use Power BI APIs.".to_owned(),
        }
    }

    /// A new token may help.
    pub(super) fn is_about_the_token(&self) -> bool {
        matches!(self.status, 401 | 403)
            && match self.error_code.as_deref() {
                Some(code) => names_the_token(code),
                None => self.status == 403 && self.message.is_empty(),
            }
    }
}

impl Subject {
    /// A workspace's id, or `me`.
    fn workspace(&self) -> Option<&str> {
        match self {
            Self::Service => None,
            Self::History(place)
            | Self::Start { place, .. }
            | Self::Refresh { place, .. }
            | Self::Cancel { place, .. }
            | Self::Rows { place, .. } => Some(&place.workspace),
            Self::Item(item) => item.workspace(),
        }
    }

    /// The code for a subject that is not there.
    pub(super) fn missing(&self) -> Code {
        match self {
            Self::Service => Code::PowerBiRefused,
            Self::Start { .. } | Self::History(_) | Self::Rows { .. } => Code::DatasetNotFound,
            Self::Refresh { .. } | Self::Cancel { .. } => Code::RefreshNotFound,
            Self::Item(item) => item.missing(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.workspace == MY_WORKSPACE {
            write!(f, "dataset {} in My Workspace", self.dataset)
        } else {
            write!(f, "dataset {} in workspace {}", self.dataset, self.workspace)
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service => f.write_str("the service"),
            Self::Start { place, .. } | Self::History(place) => place.fmt(f),
            Self::Refresh { place, id } | Self::Cancel { place, id } => write!(f, "refresh {id} of {place}"),
            Self::Rows { place, table } => write!(f, "table `{table}` of {place}"),
            Self::Item(item) => item.fmt(f),
        }
    }
}

impl From<CallError> for PowerBiError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NoToken(failure) => Self::Failure(failure),
            CallError::NoAnswer(lost) => Self::Transport(lost),
        }
    }
}

impl From<Refused> for PowerBiError {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<PowerBiError> for Failure {
    fn from(error: PowerBiError) -> Self {
        let effect = error.effect();
        let upstream = |status, code, request_id| Upstream { service: "power-bi".to_owned(), status, code, request_id };
        let mut failure = match &error {
            PowerBiError::Failure(failure) => return failure.clone(),
            PowerBiError::Refused(refused) => {
                let code = refused.code();
                let mut failure = Self::new(code, refused.detail(code)).from_upstream(upstream(
                    Some(refused.status),
                    refused.error_code.clone(),
                    refused.request_id.clone(),
                ));
                if let Some(after) = refused.retry_after {
                    failure = failure.retry_after(after);
                }
                failure
            }
            PowerBiError::Transport(lost) => lost.to_failure("power-bi", "Power BI"),
            PowerBiError::UnexpectedReply { request_id, .. } => {
                Self::new(Code::UpstreamReplyInvalid, "Power BI sent a reply that cannot be read.")
                    .from_upstream(upstream(None, None, request_id.clone()))
            }
        };
        failure.effect = effect;
        failure.caused_by(error)
    }
}
