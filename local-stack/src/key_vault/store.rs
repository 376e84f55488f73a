//! What the vault remembers: names, and for each its versions, oldest first. No wire format lives here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::lock;
use crate::entra::random_hex;

/// One version of a secret.
#[derive(Clone)]
pub struct Secret {
    pub name: String,
    /// 32 hex digits.
    pub version: String,
    pub value: String,
    pub content_type: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub enabled: bool,
    /// Epoch seconds, as they were given.
    pub not_before: Option<i64>,
    pub expires: Option<i64>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Secret").field("name", &self.name).field("version", &self.version).finish()
    }
}

/// All secrets; clones share them.
#[derive(Clone, Debug, Default)]
pub struct SecretStore {
    versions: Arc<Mutex<BTreeMap<String, Vec<Secret>>>>,
}

impl SecretStore {
    /// A new current version.
    pub fn set(&self, name: &str, value: &str, content_type: Option<String>, tags: BTreeMap<String, String>) -> Secret {
        let now = Timestamp::now();
        let secret = Secret {
            name: name.into(),
            version: random_hex(),
            value: value.into(),
            content_type,
            tags,
            enabled: true,
            not_before: None,
            expires: None,
            created: now,
            updated: now,
        };
        // Names are compared without regard to case, and keep the case of the first write.
        lock(&self.versions).entry(name.to_lowercase()).or_default().push(secret.clone());
        secret
    }

    /// The current version, or the one asked for.
    pub fn get(&self, name: &str, version: Option<&str>) -> Option<Secret> {
        let versions = lock(&self.versions);
        let all = versions.get(&name.to_lowercase())?;
        match version {
            None => all.last().cloned(),
            Some(version) => all.iter().find(|secret| secret.version == version).cloned(),
        }
    }

    /// Every version, oldest first.
    pub fn versions(&self, name: &str) -> Vec<Secret> {
        lock(&self.versions).get(&name.to_lowercase()).cloned().unwrap_or_default()
    }

    /// The current version of each secret.
    pub fn list(&self) -> Vec<Secret> {
        lock(&self.versions).values().filter_map(|all| all.last().cloned()).collect()
    }

    /// Changes one version, or all, and returns the last changed.
    pub fn update(&self, name: &str, version: Option<&str>, mut change: impl FnMut(&mut Secret)) -> Option<Secret> {
        let mut versions = lock(&self.versions);
        let mut changed = None;
        for secret in versions.get_mut(&name.to_lowercase())? {
            if version.is_none_or(|version| version == secret.version) {
                change(secret);
                secret.updated = Timestamp::now();
                changed = Some(secret.clone());
            }
        }
        changed
    }

    pub fn remove(&self, name: &str) -> Option<Secret> {
        lock(&self.versions).remove(&name.to_lowercase())?.pop()
    }

    pub(super) fn every_value(&self) -> Vec<String> {
        lock(&self.versions).values().flatten().map(|secret| secret.value.clone()).collect()
    }
}
