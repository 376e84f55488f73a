//! As whom a call's work runs. Work as the caller has requests of its own, in which every neighbour is called with the
//! caller's token, so that no path through them can use ours. It ends while the caller waits: nobody else has the token.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;

use super::answers::done;
use super::{Answer, AnswerKind, Call, Inner, Requests};
use crate::entra::{OnBehalfOf, User};
use crate::failure::{Code, Failure};
use crate::operations::RunAs;

/// How long a cancel may take that nobody can wait for any more.
pub(super) const LETTING_GO: Duration = Duration::from_secs(4);

/// How callers' tokens are exchanged, and for which audiences.
#[derive(Clone, Debug)]
pub struct Exchanges {
    pub on_behalf_of: OnBehalfOf,
    pub databricks_audience: String,
    pub power_bi_audience: String,
}

impl Requests {
    /// Lets work run as its caller.
    #[must_use]
    pub fn exchanging(self, exchanges: Option<Exchanges>) -> Self {
        Self(Arc::new(Inner { exchanges, ..(*self.0).clone() }))
    }

    /// The requests in which this call's work runs: these, or the same with every neighbour called as the caller.
    pub(super) async fn running_as(&self, run_as: RunAs, call: &Call) -> Result<Self, Failure> {
        if run_as == RunAs::App || self.0.acting_for.is_some() {
            return Ok(self.clone());
        }
        let user = user_of(call)?;
        let exchanges = self.0.exchanges.as_ref().ok_or_else(|| {
            Failure::new(
                Code::Misconfigured,
                "Nothing can run as its caller here: CAUSEWAY_ENTRA_TENANT_ID and CAUSEWAY_ENTRA_CLIENT_ID are not set.",
            )
        })?;
        let exchange = &exchanges.on_behalf_of;
        let databricks = exchange.source(user, &exchanges.databricks_audience, "Databricks").await;
        let power_bi = exchange.source(user, &exchanges.power_bi_audience, "Power BI").await;
        let neighbours = self.0.neighbours.acting_for(&user.object_id, databricks, power_bi);
        let inner = Inner {
            runs: self.0.runs.with_neighbours(neighbours.clone()),
            neighbours,
            acting_for: Some(user.object_id.clone()),
            ..(*self.0).clone()
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The same, as the query of a GET or of a call without a body says.
    pub(super) async fn running_as_asked(&self, call: &Call) -> Result<Self, Failure> {
        let run_as = match call.query("runAs") {
            None | Some("app") => RunAs::App,
            Some("caller") => RunAs::Caller,
            Some(_) => {
                return Err(Failure::new(Code::QueryInvalid, "`runAs` is app or caller.").at("query.runAs"));
            }
        };
        self.running_as(run_as, call).await
    }

    /// Whether work runs as the caller here.
    pub(super) fn is_acting(&self) -> bool {
        self.0.acting_for.is_some()
    }

    /// 201 for `mode=start`: where the caller looks with their own token. A status token would let others look.
    pub(super) fn started_by_caller(&self, call: &Call, id: &str, state: &str, path: &str, replayed: bool) -> Answer {
        let location = self.url(call, &format!("{path}?runAs=caller"));
        let body = json!({"id": id, "state": state});
        Answer { kind: AnswerKind::Started, location: Some(location), replayed, ..done(&body) }
    }
}

/// Work as the caller that did not end within the wait, and `what` became of it.
pub(super) fn too_long(what: &str) -> Failure {
    let detail = format!("The work runs as its caller and did not end within `waitSeconds`. {what}");
    Failure::new(Code::TooLongForCallerIdentity, detail).settled()
}

/// The user behind a call.
fn user_of(call: &Call) -> Result<&User, Failure> {
    let missing = |detail: &str| Err(Failure::new(Code::CallerIdentityMissing, detail));
    match call.user.as_deref() {
        None => missing(
            "To run as its caller a call needs the caller's Entra token; a function key says nothing of who calls.",
        ),
        Some(user) if user.is_application => {
            missing("The caller is a service, not a user: there is nobody on whose behalf anything could be done.")
        }
        Some(user) if user.token.expose_secret().is_empty() => missing(
            "App Service authentication vouches for the caller and hands on no token of theirs that could be exchanged.",
        ),
        Some(user) => Ok(user),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_too_long_never_invites_to_send_it_again() {
        let failure = too_long("It was cancelled.");
        assert!(failure.settled && failure.retry_after_seconds.is_none());
        assert_eq!(failure.code, Code::TooLongForCallerIdentity);
    }
}
