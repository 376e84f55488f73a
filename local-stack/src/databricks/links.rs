//! Presigned links: what a link to a chunk is, and whether one is still good. The storage account behind them is in
//! `storage.rs`.

use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::workspace::lock;

/// The workspace's id, as it stands in paths of its storage account.
pub(super) const WORKSPACE_ID: &str = "4120538711902046";

const ARTIFACTS_LIFE: Duration = Duration::from_mins(30);

/// Signs and judges links.
#[derive(Debug)]
pub(super) struct Links {
    key: hmac::Key,
    life: Duration,
    /// Links that were made before this are too old, whatever they say themselves.
    expired_before: Mutex<Timestamp>,
    /// Of the storage account, once it is served.
    pub(super) url: OnceLock<String>,
    blocked: Mutex<Option<Blocked>>,
    traps: Mutex<Vec<Trap>>,
}

/// How a storage account answers that this network may not reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// 403 `AuthorizationFailure`: the answer of a storage firewall.
    Firewall,
    /// The connection closes without an answer.
    Unreachable,
}

/// What a workspace does wrong with the chunks of statements that contain a text.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trap {
    pub statement_contains: String,
    pub wrong: Wrong,
    /// The chunk that is asked for.
    pub chunk: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Wrong {
    /// The chunk before it comes once more.
    Repeated,
    /// The chunk after it comes, and where there is none, nothing.
    Missing,
    /// It and the one after it come in each other's place.
    Swapped,
}

/// A link, by the parts that its signature covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Good,
    Expired { until: String },
    WrongSignature,
}

impl Links {
    pub(super) fn new(life: Duration) -> anyhow::Result<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &aws_lc_rs::rand::SystemRandom::new())
            .map_err(|_| anyhow::anyhow!("there is no key to sign links with"))?;
        Ok(Self {
            key,
            life,
            expired_before: Mutex::new(Timestamp::MIN),
            url: OnceLock::new(),
            blocked: Mutex::default(),
            traps: Mutex::default(),
        })
    }

    /// A fresh link to a chunk, and when it expires. `https://<account>/jobs/<workspace>/sql/…?sig=…&se=…&sp=r&sr=b` on
    /// Azure (grafana issue 114324).
    pub(super) fn link(&self, statement: &str, index: usize) -> (String, Timestamp) {
        let until = Timestamp::now() + self.life;
        let day = until.strftime("%Y-%m-%d");
        (self.signed_link(&format!("/jobs/{WORKSPACE_ID}/sql/{day}/{statement}_{index}"), until), until)
    }

    /// A fresh link to the artifacts of a dbt task, good for half an hour (SDK, DbtOutput). How it looks is not known.
    pub(super) fn artifacts(&self, run_id: u64) -> String {
        self.signed_link(&format!("/jobs/{WORKSPACE_ID}/dbt/{run_id}.tar.gz"), Timestamp::now() + ARTIFACTS_LIFE)
    }

    fn signed_link(&self, path: &str, until: Timestamp) -> String {
        let se = until.to_string();
        let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let signature = BASE64_STANDARD.encode(hmac::sign(&self.key, signed(path, &se).as_bytes()));
        let url = self.url.get().map(String::as_str).unwrap_or_default();
        format!("{url}{path}?sig={}&se={}&sp=r&sr=b&sv=2025-01-05", escaped(&signature), escaped(&se))
    }

    pub(super) fn judge(&self, path: &str, until: &str, signature: &str) -> Judged {
        let signature = BASE64_STANDARD.decode(signature).unwrap_or_default();
        if hmac::verify(&self.key, signed(path, until).as_bytes(), &signature).is_err() {
            return Judged::WrongSignature;
        }
        let good = until
            .parse::<Timestamp>()
            .is_ok_and(|until| Timestamp::now() < until && until - self.life >= *lock(&self.expired_before));
        if good { Judged::Good } else { Judged::Expired { until: until.into() } }
    }

    /// Makes every link that was given too old, as a quarter of an hour would.
    pub(super) fn expire_all(&self) {
        *lock(&self.expired_before) = Timestamp::now();
    }

    pub(super) fn block(&self, blocked: Option<Blocked>) {
        *lock(&self.blocked) = blocked;
    }

    pub(super) fn blocked(&self) -> Option<Blocked> {
        *lock(&self.blocked)
    }

    pub(super) fn trap(&self, trap: Trap) {
        lock(&self.traps).push(trap);
    }

    pub(super) fn clear_traps(&self) {
        lock(&self.traps).clear();
    }

    /// The chunk that comes when `asked` is asked for; None for nothing.
    pub(super) fn chunk_instead(&self, statement: &str, asked: usize, count: usize) -> Option<usize> {
        let traps = lock(&self.traps);
        let given = traps
            .iter()
            .filter(|trap| statement.contains(&trap.statement_contains))
            .find_map(|trap| match (trap.wrong, trap.chunk) {
                (Wrong::Repeated, chunk) if chunk == asked => Some(asked.saturating_sub(1)),
                (Wrong::Missing | Wrong::Swapped, chunk) if chunk == asked => Some(asked + 1),
                (Wrong::Swapped, chunk) if chunk + 1 == asked => Some(chunk),
                _ => None,
            })
            .unwrap_or(asked);
        (given < count).then_some(given)
    }
}

fn signed(path: &str, until: &str) -> String {
    format!("r\n{until}\n/blob{path}\nb")
}
