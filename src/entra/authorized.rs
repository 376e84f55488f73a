//! Calling a neighbour with our token, and once more with a new one when it refuses the one we had.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::TokenSource;
use crate::failure::Failure;
use crate::http::{Deadline, Http, HttpError, Opened, Outbound, Reply, RequestKind};

/// The way to one neighbour: the transport, and the tokens that it takes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Authorized {
    http: Http,
    tokens: Arc<dyn TokenSource>,
    along: Option<Arc<Along>>,
}

/// What goes along with each call, beside the bearer token.
#[derive(Debug)]
pub struct Along {
    /// The header of a second token, in small letters.
    pub token_header: &'static str,
    pub tokens: Arc<dyn TokenSource>,
    /// A header as it is.
    pub header: (&'static str, String),
}

/// No answer was had.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nothing was sent, for want of a token.
    #[error(transparent)]
    NoToken(#[from] Failure),
    #[error(transparent)]
    NoAnswer(#[from] HttpError),
}

/// The tokens of one call.
struct Carried {
    bearer: SecretString,
    second: Option<SecretString>,
}

impl Carried {
    fn same_as(&self, other: &Self) -> bool {
        let second = |carried: &Self| carried.second.as_ref().map(|token| token.expose_secret().to_owned());
        self.bearer.expose_secret() == other.bearer.expose_secret() && second(self) == second(other)
    }
}

impl Authorized {
    pub fn new(http: Http, tokens: Arc<dyn TokenSource>) -> Self {
        Self { http, tokens, along: None }
    }

    /// The same, with more headers on each call.
    #[must_use]
    pub fn with(self, along: Along) -> Self {
        Self { along: Some(Arc::new(along)), ..self }
    }

    /// The same way, with other tokens, and nothing of ours beside them.
    #[must_use]
    pub fn with_tokens(&self, tokens: Arc<dyn TokenSource>) -> Self {
        Self { tokens, along: None, http: self.http.clone() }
    }

    /// What a neighbour wants of the user before it takes a token, when it says so.
    fn challenged(&self, reply: &Reply) -> Result<(), CallError> {
        match reply.header("www-authenticate").and_then(|header| self.tokens.challenged(header)) {
            Some(failure) => Err(failure.into()),
            None => Ok(()),
        }
    }

    /// Sends with a bearer token. `token_was_refused` knows how this neighbour says so.
    pub async fn send(
        &self,
        kind: RequestKind,
        request: Outbound,
        deadline: Deadline,
        token_was_refused: impl Fn(&Reply) -> bool,
    ) -> Result<Reply, CallError> {
        let carried = self.carried(deadline).await?;
        let reply = self.http.send(kind, self.dressed(&request, &carried), deadline).await?;
        if !token_was_refused(&reply) {
            return Ok(reply);
        }
        self.challenged(&reply)?;
        // Refused at the door, so nothing has happened yet and sending again is safe for every kind.
        match self.renewed(&carried, deadline).await? {
            Some(renewed) => Ok(self.http.send(kind, self.dressed(&request, &renewed), deadline).await?),
            None => Ok(reply),
        }
    }

    /// The same for an answer whose body is not held.
    pub async fn open(
        &self,
        kind: RequestKind,
        request: Outbound,
        deadline: Deadline,
        token_was_refused: impl Fn(&Reply) -> bool,
    ) -> Result<Opened, CallError> {
        let carried = self.carried(deadline).await?;
        let opened = self.http.open(kind, self.dressed(&request, &carried), deadline).await?;
        match &opened {
            Opened::Refused(reply) if token_was_refused(reply) => self.challenged(reply)?,
            _ => return Ok(opened),
        }
        match self.renewed(&carried, deadline).await? {
            Some(renewed) => Ok(self.http.open(kind, self.dressed(&request, &renewed), deadline).await?),
            None => Ok(opened),
        }
    }

    /// Has a token in hand for the calls that follow.
    pub async fn ready(&self, deadline: Deadline) -> Result<(), Failure> {
        self.carried(deadline).await.map(|_| ())
    }

    async fn carried(&self, deadline: Deadline) -> Result<Carried, Failure> {
        let bearer = self.tokens.token(deadline).await?;
        let second = match &self.along {
            Some(along) => Some(along.tokens.token(deadline).await?),
            None => None,
        };
        Ok(Carried { bearer, second })
    }

    /// Other tokens than those that were refused, if there are any.
    async fn renewed(&self, refused: &Carried, deadline: Deadline) -> Result<Option<Carried>, Failure> {
        self.tokens.reject(&refused.bearer);
        if let (Some(along), Some(second)) = (&self.along, &refused.second) {
            along.tokens.reject(second);
        }
        let renewed = self.carried(deadline).await?;
        Ok(if renewed.same_as(refused) { None } else { Some(renewed) })
    }

    fn dressed(&self, request: &Outbound, carried: &Carried) -> Outbound {
        let request = request.clone().header("authorization", format!("Bearer {}", carried.bearer.expose_secret()));
        match (&self.along, &carried.second) {
            (Some(along), Some(second)) => {
                let (name, value) = &along.header;
                request.header(along.token_header, second.expose_secret()).header(name, value)
            }
            _ => request,
        }
    }
}
