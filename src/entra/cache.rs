//! The one token cache: when to fetch, who fetches, and what is handed out when a fetch fails. Knows no protocol.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::TokenSource;
use crate::failure::{Code, Failure};
use crate::http::Deadline;

/// A token with less than this left is not handed out: Databricks refuses one with less than 30 s, and its SDKs leave 40.
const LEAST_LEFT: Duration = Duration::from_secs(40);

/// From this much before its end on, a token is replaced while it still serves.
const AHEAD: Duration = Duration::from_mins(5);

/// How long a refresh ahead may hold up the caller who happens to make it.
const PATIENCE_AHEAD: Duration = Duration::from_secs(5);

/// How long a failure stands before it is tried again: a neighbour in trouble is not asked by every call.
const FAILURE_STANDS: Duration = Duration::from_secs(5);

/// A token as its issuer gave it.
#[derive(Clone, Debug)]
pub struct FetchedToken {
    pub token: SecretString,
    /// How long it is good for, from now.
    pub life: Duration,
}

/// How a token is got; the rest is [`TokenCache`].
#[async_trait]
pub trait FetchToken: Send + Sync + fmt::Debug {
    /// Asks the issuer. Ends by `deadline`.
    async fn fetch(&self, deadline: Deadline) -> Result<FetchedToken, Failure>;

    /// The last token was refused although its time had not come: drop whatever would give it again.
    fn renew(&self) {}

    /// What a neighbour's `WWW-Authenticate` says that only a user can do something about.
    fn challenged(&self, _header: &str) -> Option<Failure> {
        None
    }
}

/// A [`TokenSource`] over any way to get a token.
#[derive(Debug)]
pub struct TokenCache<F> {
    pub(in crate::entra) fetch: F,
    state: Mutex<State>,
    /// Held by the one who asks the issuer.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    kept: Option<Kept>,
    failed: Option<(Instant, Failure)>,
}

#[derive(Clone, Debug)]
struct Kept {
    token: SecretString,
    /// From here on it is replaced.
    refresh: Instant,
    /// From here on it is not handed out.
    end: Instant,
}

enum Look {
    Fresh(SecretString),
    /// Still good, but due for a new one.
    Serving(SecretString),
    /// A fetch has just failed.
    Failed(Box<Failure>),
    Nothing,
}

impl<F: FetchToken> TokenCache<F> {
    pub fn new(fetch: F) -> Self {
        Self { fetch, state: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    fn look(&self) -> Look {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let failure = state.failed.as_ref().filter(|(at, _)| now < *at + FAILURE_STANDS).map(|(_, failure)| failure);
        match (&state.kept, failure) {
            (Some(kept), _) if now < kept.refresh => Look::Fresh(kept.token.clone()),
            // Not asked again so soon: what is kept serves.
            (Some(kept), Some(_)) if now < kept.end => Look::Fresh(kept.token.clone()),
            (Some(kept), None) if now < kept.end => Look::Serving(kept.token.clone()),
            (_, Some(failure)) => Look::Failed(Box::new(failure.clone())),
            _ => Look::Nothing,
        }
    }

    /// Asks and remembers what came of it. Called by the holder of `asking` only.
    async fn ask(&self, deadline: Deadline) -> Result<SecretString, Failure> {
        let result = self.fetch.fetch(deadline).await;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match result {
            Ok(FetchedToken { token, life }) => {
                // A token that lives shorter than we look ahead is used for half its life.
                let ahead = AHEAD.min(life / 2);
                let end = now + life.saturating_sub(LEAST_LEFT);
                let refresh = (now + life.saturating_sub(ahead)).min(end);
                state.kept = Some(Kept { token: token.clone(), refresh, end });
                state.failed = None;
                Ok(token)
            }
            Err(failure) => {
                // A caller in a hurry must not spoil it for the others.
                if !deadline.has_passed() {
                    state.failed = Some((now, failure.clone()));
                }
                Err(failure)
            }
        }
    }

    async fn ask_ahead(&self, serving: SecretString, deadline: Deadline) -> SecretString {
        let Ok(_asking) = self.asking.try_lock() else { return serving };
        if let Look::Fresh(token) = self.look() {
            return token;
        }
        match self.ask(deadline.within(PATIENCE_AHEAD)).await {
            Ok(token) => token,
            Err(failure) => {
                tracing::warn!(error = failure.chain(), "a token could not be refreshed; the old one still serves");
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.failed = Some((Instant::now(), failure));
                serving
            }
        }
    }
}

#[async_trait]
impl<F: FetchToken> TokenSource for TokenCache<F> {
    async fn token(&self, deadline: Deadline) -> Result<SecretString, Failure> {
        match self.look() {
            Look::Fresh(token) => return Ok(token),
            Look::Serving(token) => return Ok(self.ask_ahead(token, deadline).await),
            Look::Failed(failure) => return Err(*failure),
            Look::Nothing => {}
        }
        let _asking = tokio::time::timeout_at(deadline.instant(), self.asking.lock()).await.map_err(|_| {
            Failure::new(Code::IdentityUnavailable, "No token was issued before the deadline. Try again shortly.")
                .retry_after(FAILURE_STANDS)
        })?;
        match self.look() {
            Look::Fresh(token) | Look::Serving(token) => Ok(token),
            Look::Failed(failure) => Err(*failure),
            Look::Nothing => self.ask(deadline).await,
        }
    }

    fn challenged(&self, header: &str) -> Option<Failure> {
        self.fetch.challenged(header)
    }

    fn reject(&self, token: &SecretString) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.kept.as_ref().is_some_and(|kept| kept.token.expose_secret() == token.expose_secret()) {
            state.kept = None;
            state.failed = None;
            self.fetch.renew();
        }
    }
}
