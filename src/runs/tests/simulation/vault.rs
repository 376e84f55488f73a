//! The simulated Key Vault: it is away at times, and the key that seals is renewed once; for a while each host may still
//! have the old one. Beside it what is secret here, which follows from the run that it belongs to.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;

use super::world::World;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::key_vault::{Secret, Secrets};
use crate::runs::identity::{hash, run_id};
use crate::sealing::Sealer;

/// How long a host may go on with the key that it has.
const CACHED: Duration = Duration::from_mins(10);
/// The name of the key that seals.
pub(super) const KEY: &str = "sealing";

/// The sensitive parameter of a run.
pub(super) fn pin_of(run: &str) -> String {
    run_id(&["pin", run])
}

/// What makes the address secret where a run's end is told.
pub(super) fn signature_of(run: &str) -> String {
    run_id(&["signature", run])
}

/// The text of a version, if there is such a one.
pub(super) fn text_of(version: &str) -> Option<String> {
    ["1", "2"].contains(&version).then(|| hash(&["key", version]))
}

/// The vault, as a handler calls it.
#[derive(Debug)]
pub(super) struct Vault(pub(super) Arc<World>);

#[async_trait]
impl Secrets for Vault {
    async fn current(&self, name: &str, deadline: Deadline) -> Result<Secret, Failure> {
        let since = self.0.age().checked_sub(Duration::from_secs(self.0.plan.key_renewed));
        let new = since.is_some_and(|since| since > CACHED || self.0.draw(|dice| dice.chance(500)));
        self.version(name, if new { "2" } else { "1" }, deadline).await
    }

    async fn version(&self, _: &str, version: &str, _: Deadline) -> Result<Secret, Failure> {
        self.0.pause(Duration::ZERO).await;
        if self.0.goes_wrong(self.0.plan.vault_away) {
            return Err(Failure::new(Code::SecretUnavailable, "the vault is away"));
        }
        let value = text_of(version).ok_or_else(|| Failure::new(Code::SecretNotFound, "no such version"))?;
        Ok(Secret { value: SecretString::from(value), version: version.to_owned() })
    }

    fn forget(&self, _: &str, _: &SecretString) {}
}

/// Puts what a record's steps were sent in clear, for whoever judges it. `false`: something cannot be opened.
pub(super) async fn open(sealer: &Sealer, record: &mut Value) -> bool {
    let run = record["run"].as_str().unwrap().to_owned();
    let mut all = true;
    for step in record["steps"].as_array_mut().unwrap() {
        let place = format!("runs/{run}/steps/{}", step["id"].as_str().unwrap());
        let Some(sealed) = step["renderedInputs"]["$sealed"].as_str() else { continue };
        match sealer.open(&place, sealed, Deadline::after(CACHED)).await {
            Ok(inputs) => step["renderedInputs"] = inputs,
            Err(_) => all = false,
        }
    }
    all
}

/// Opens with keys that are always there.
pub(super) fn opener() -> Sealer {
    #[derive(Debug)]
    struct Keys;

    #[async_trait]
    impl Secrets for Keys {
        async fn current(&self, name: &str, deadline: Deadline) -> Result<Secret, Failure> {
            self.version(name, "1", deadline).await
        }

        async fn version(&self, _: &str, version: &str, _: Deadline) -> Result<Secret, Failure> {
            let value = text_of(version).ok_or_else(|| Failure::new(Code::SecretNotFound, "no such version"))?;
            Ok(Secret { value: SecretString::from(value), version: version.to_owned() })
        }

        fn forget(&self, _: &str, _: &SecretString) {}
    }

    Sealer::new(Arc::new(Keys), KEY)
}
