//! Renewing the personal access token in Key Vault: made, proved, stored, proved again, and only then the old one revoked.
//! Every step is written down before the next, so that whoever comes after a crash goes on. What a step does is `turn.rs`.

mod audited;
mod make;
mod record;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use crate::clock::Clock;
use crate::databricks::Databricks;
use crate::entra::TokenSource;
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Http};
use crate::key_vault::KeyVault;
use crate::ledger::Ledger;
use crate::settings;

use turn::Turn;

/// What a rotation is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    pub settings: settings::PatRotation,
    pub ledger: Ledger,
    pub vault: KeyVault,
    /// As the tokens' owner, never with the token itself.
    pub maker: Databricks,
    pub http: Http,
    pub host: Url,
    pub clock: Clock,
    /// How long one call with an effect may be under way.
    pub window: Duration,
    /// From there until another may take over.
    pub margin: Duration,
}

/// The rotation of one secret; cheap to clone. Does nothing when it is off.
#[derive(Clone, Debug)]
pub struct Rotation(Option<Arc<Parts>>);

/// What is asked for, besides going on with what was begun.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// A new token, due or not.
    pub begin: bool,
    /// A new token although the last rotation waits for its grace to pass.
    pub again: bool,
    /// The old tokens are revoked as soon as the new one is proved.
    pub revoke_now: bool,
    /// The newest entry when this was wished, if it was wished before: what others have done since is what was wished.
    pub seen: Option<Seen>,
}

/// A place in the log of a rotation; nothing stands there yet when it is `None`.
pub type Seen = Option<u64>;

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Off, by the settings.
    Off,
    /// Another instance is at it, or was and died. So far had it come.
    Elsewhere(Seen),
    /// The token is good; it is renewed then.
    NotDue(Timestamp),
    /// The new token serves; the old ones are revoked then.
    Waiting(Timestamp),
    /// The new token serves, the old ones are gone; it is renewed then.
    Done(Timestamp),
}

/// Hears of each step, in words.
pub type Tell<'a> = &'a (dyn Fn(String) + Send + Sync);

impl Rotation {
    pub fn off() -> Self {
        Self(None)
    }

    pub fn new(parts: Parts) -> Self {
        Self(Some(Arc::new(parts)))
    }

    /// What the timer does: goes on, or begins when the token is due.
    pub async fn tick(&self, deadline: Deadline) -> Result<(), Failure> {
        let tell = |step: String| tracing::info!(step, "the personal access token is renewed");
        match self.advance(Wish::default(), deadline, &tell).await? {
            Standing::Waiting(until) => tracing::info!(%until, "the old personal access token is revoked then"),
            Standing::NotDue(until) | Standing::Done(until) => tracing::debug!(%until, "the token is renewed then"),
            Standing::Off | Standing::Elsewhere(_) => {}
        }
        Ok(())
    }

    /// Goes as far as can be gone now.
    pub async fn advance(&self, wish: Wish, deadline: Deadline, tell: Tell<'_>) -> Result<Standing, Failure> {
        let Some(parts) = &self.0 else { return Ok(Standing::Off) };
        let seen = match wish.seen {
            Some(seen) => seen,
            None => turn::newest(parts, deadline).await?.map(|(seq, _)| seq),
        };
        let Some(mut turn) = Turn::take(parts, deadline, tell).await? else { return Ok(Standing::Elsewhere(seen)) };
        let standing = turn.go(wish, seen).await;
        turn.end().await;
        standing
    }

    /// Gives a service principal the right to use tokens; whoever we are must be an admin of the workspace.
    pub async fn allow(&self, service_principal: &str, deadline: Deadline) -> Result<(), Failure> {
        let parts = self.0.as_ref().ok_or_else(is_off)?;
        Ok(parts.maker.allow_tokens(service_principal, deadline).await?)
    }
}

pub fn is_off() -> Failure {
    let detail = "CAUSEWAY_PAT_ROTATION is off: set it to how Causeway signs in to make tokens (managed-identity, \
                  client-secret or oauth-m2m).";
    Failure::new(Code::Misconfigured, detail)
}

/// A token in hand.
#[derive(Debug)]
struct InHand(SecretString);

#[async_trait]
impl TokenSource for InHand {
    async fn token(&self, _deadline: Deadline) -> Result<SecretString, Failure> {
        Ok(self.0.clone())
    }

    fn reject(&self, _token: &SecretString) {}
}
