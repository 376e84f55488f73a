//! Who calls over HTTP: whoever has a function key, which the host has checked; or whoever has an Entra access token, which
//! is validated here and by nobody before us. What a route is stands in `triggers`.

mod claims;
mod key_set;
mod keys;
mod permit;
mod principal;
mod refusal;
mod remembered;
#[cfg(test)]
mod tests;
mod token;

use std::sync::{Arc, LazyLock};

use secrecy::{ExposeSecret, SecretString};

use self::keys::SigningKeys;
use self::refusal::Refusal;
use self::remembered::Remembered;
use super::User;
use crate::clock::Clock;
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Http};
use crate::settings::{self, EntraCallers, Rights};

/// What `Call::caller` is where the host has checked a key: it does not say which one.
const BY_KEY: &str = "keys";

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who that is; `None` where a key is all that is known.
    pub user: Option<Arc<User>>,
    /// What they may do.
    pub rights: Arc<Rights>,
}

/// What a call says of its caller.
#[derive(Debug, Default)]
pub struct Given {
    /// What stands after `Bearer` in `Authorization`.
    pub token: Option<SecretString>,
    /// `Authorization` is there, and is no bearer token or more than one.
    pub unreadable: bool,
    /// `X-MS-CLIENT-PRINCIPAL`, which is somebody's word only behind App Service authentication.
    pub principal: Option<String>,
}

/// Lets callers in; cheap to clone.
#[derive(Clone, Debug)]
pub struct Callers(Ways);

#[derive(Clone, Debug)]
enum Ways {
    Keys,
    Entra(Arc<ByToken>),
}

#[derive(Debug)]
struct ByToken {
    settings: EntraCallers,
    keys: Arc<SigningKeys>,
    remembered: Remembered,
    clock: Clock,
}

impl Caller {
    /// What claims and runs belong to: the object id, else the same for all who have a key.
    pub fn id(&self) -> &str {
        self.user.as_ref().map_or(BY_KEY, |user| user.object_id.as_str())
    }
}

impl Callers {
    pub fn new(settings: &settings::Callers, http: &Http, clock: Clock) -> Self {
        match settings {
            settings::Callers::Keys => Self::by_keys(),
            settings::Callers::Entra(entra) => Self(Ways::Entra(Arc::new(ByToken {
                keys: Arc::new(SigningKeys::new(http.clone(), entra)),
                remembered: Remembered::default(),
                settings: entra.clone(),
                clock,
            }))),
        }
    }

    /// The host checks keys; nothing is asked here.
    pub fn by_keys() -> Self {
        Self(Ways::Keys)
    }

    /// Begins to read what the first caller would wait for.
    pub fn prepare(&self) {
        if let Ways::Entra(by_token) = &self.0 {
            by_token.keys.renew();
        }
    }

    /// Whoever has a key; or calls a function that anybody may call, where what it is given speaks for itself.
    pub fn anybody() -> Caller {
        static ALL: LazyLock<Arc<Rights>> = LazyLock::new(|| Arc::new(Rights::all()));
        Caller { user: None, rights: Arc::clone(&ALL) }
    }

    /// The caller, if that can be told at once.
    pub async fn known(&self, given: &Given) -> Option<Caller> {
        match &self.0 {
            Ways::Keys => Some(Self::anybody()),
            Ways::Entra(by_token) => by_token.known(given).await,
        }
    }

    /// The caller, whom Entra vouches for. May ask Entra for its keys.
    pub async fn admit(&self, given: &Given, deadline: Deadline) -> Result<Caller, Failure> {
        if let Some(known) = self.known(given).await {
            return Ok(known);
        }
        match &self.0 {
            Ways::Keys => Ok(Self::anybody()),
            Ways::Entra(by_token) => by_token.admit(given, deadline).await,
        }
    }

    /// Whether the caller may call something in `area`; with `operation`, that one.
    pub fn permit(&self, caller: &Caller, area: &str, operation: Option<&str>) -> Result<(), Failure> {
        match &self.0 {
            Ways::Keys => Ok(()),
            Ways::Entra(by_token) => permit::permit(&by_token.settings.roles, caller, area, operation),
        }
    }
}

impl ByToken {
    async fn known(&self, given: &Given) -> Option<Caller> {
        let token = given.token.as_ref()?;
        self.remembered.get(token.expose_secret(), self.keys.generation(), self.clock.now()).await
    }

    async fn admit(&self, given: &Given, deadline: Deadline) -> Result<Caller, Failure> {
        let refused = |refusal: Refusal| refusal.failure(&self.settings.audiences);
        match (&given.token, &given.principal) {
            _ if given.unreadable => Err(refused(Refusal::Malformed)),
            (Some(token), _) => {
                let generation = self.keys.generation();
                let user = self.validated(token.expose_secret(), deadline).await?;
                let caller = self.caller(user);
                let good_until = self.good_until(&caller);
                self.remembered.put(token.expose_secret(), caller.clone(), generation, good_until).await;
                Ok(caller)
            }
            (None, Some(principal)) if self.settings.easy_auth => {
                let user = principal::read(principal, &self.settings, self.clock.now()).map_err(refused)?;
                Ok(self.caller(user))
            }
            (None, _) => Err(refused(Refusal::Missing)),
        }
    }

    async fn validated(&self, token: &str, deadline: Deadline) -> Result<User, Failure> {
        let refused = |refusal: Refusal| refusal.failure(&self.settings.audiences);
        let presented = token::read(token).map_err(refused)?;
        let key = self.keys.key(&presented.kid, deadline).await?.ok_or_else(|| refused(Refusal::KeyUnknown))?;
        if !key.has_signed(presented.signed.as_bytes(), &presented.signature) {
            return Err(refused(Refusal::Signature));
        }
        let claims = claims::read(presented.payload).map_err(refused)?;
        claims.user(token, &self.settings, self.clock.now()).map_err(refused)
    }

    fn caller(&self, user: User) -> Caller {
        let mut rights = Rights::default();
        for role in user.roles.iter().filter_map(|role| self.settings.roles.get(role)) {
            rights.extend(role);
        }
        Caller { user: Some(Arc::new(user)), rights: Arc::new(rights) }
    }

    fn good_until(&self, caller: &Caller) -> jiff::Timestamp {
        let end = caller.user.as_ref().map(|user| user.expires).unwrap_or_default();
        end.saturating_add(self.settings.clock_skew).unwrap_or(end)
    }
}

/// What a call that cannot be admitted for want of keys is told.
fn unavailable() -> Failure {
    let detail = "Callers' tokens cannot be checked now: Entra's signing keys could not be read. Try again shortly.";
    Failure::new(Code::SigningKeysUnavailable, detail)
}
