//! Calling a neighbour with our token, and once more with a new one when it refuses the one we had.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::TokenSource;
use crate::failure::Failure;
use crate::http::{Deadline, Http, HttpError, Opened, Outbound, Reply, RequestKind};

/// The way to one neighbour: the transport, and the tokens that it takes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Authorized {
    http: Http,
    tokens: Arc<dyn TokenSource>,
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

impl Authorized {
    pub fn new(http: Http, tokens: Arc<dyn TokenSource>) -> Self {
        Self { http, tokens }
    }

    /// The same way, with other tokens.
    #[must_use]
    pub fn with_tokens(&self, tokens: Arc<dyn TokenSource>) -> Self {
        Self { tokens, ..self.clone() }
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
        let token = self.tokens.token(deadline).await?;
        let with = |token: &str| request.clone().header("authorization", format!("Bearer {token}"));
        let reply = self.http.send(kind, with(token.expose_secret()), deadline).await?;
        if !token_was_refused(&reply) {
            return Ok(reply);
        }
        self.challenged(&reply)?;
        // Refused at the door, so nothing has happened yet and sending again is safe for every kind.
        self.tokens.reject(&token);
        let renewed = self.tokens.token(deadline).await?;
        if renewed.expose_secret() == token.expose_secret() {
            return Ok(reply);
        }
        Ok(self.http.send(kind, with(renewed.expose_secret()), deadline).await?)
    }

    /// The same for an answer whose body is not held.
    pub async fn open(
        &self,
        kind: RequestKind,
        request: Outbound,
        deadline: Deadline,
        token_was_refused: impl Fn(&Reply) -> bool,
    ) -> Result<Opened, CallError> {
        let token = self.tokens.token(deadline).await?;
        let with = |token: &str| request.clone().header("authorization", format!("Bearer {token}"));
        let opened = self.http.open(kind, with(token.expose_secret()), deadline).await?;
        match &opened {
            Opened::Refused(reply) if token_was_refused(reply) => {
                self.challenged(reply)?;
                self.tokens.reject(&token);
            }
            _ => return Ok(opened),
        }
        let renewed = self.tokens.token(deadline).await?;
        if renewed.expose_secret() == token.expose_secret() {
            return Ok(opened);
        }
        Ok(self.http.open(kind, with(renewed.expose_secret()), deadline).await?)
    }
}
