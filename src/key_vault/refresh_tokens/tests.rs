//! A vault in memory, and one or two instances with a ledger between them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};

use super::super::{Secret, Secrets, Stored};
use super::*;
use crate::failure::Code;

const NAME: &str = "token";
const DAY: Duration = Duration::from_hours(24);

/// Versions with their ages, the newest last.
#[derive(Debug, Default)]
struct Vault {
    versions: Mutex<Vec<(String, Timestamp)>>,
    refuses: AtomicBool,
}

impl Vault {
    fn holding(value: &str, age: SignedDuration) -> Arc<Self> {
        let vault = Self::default();
        vault.put(value, Timestamp::now() - age);
        Arc::new(vault)
    }

    fn put(&self, value: &str, at: Timestamp) {
        self.versions.lock().unwrap().push((value.to_owned(), at));
    }

    fn values(&self) -> Vec<String> {
        self.versions.lock().unwrap().iter().map(|(value, _)| value.clone()).collect()
    }

    fn last(&self) -> (Secret, Timestamp) {
        let versions = self.versions.lock().unwrap();
        let (value, at) = versions.last().unwrap();
        (Secret { value: value.clone().into(), version: versions.len().to_string() }, *at)
    }
}

#[async_trait]
impl Secrets for Vault {
    async fn current(&self, _name: &str, _deadline: Deadline) -> Result<Secret, Failure> {
        Ok(self.last().0)
    }
    async fn version(&self, name: &str, _version: &str, deadline: Deadline) -> Result<Secret, Failure> {
        self.current(name, deadline).await
    }
    fn forget(&self, _name: &str, _value: &SecretString) {}
}

#[async_trait]
impl SecretStore for Vault {
    async fn newest(&self, _name: &str, _deadline: Deadline) -> Result<Stored, Failure> {
        let (secret, at) = self.last();
        Ok(Stored { secret, created: Some(at), expires: None, tags: BTreeMap::new() })
    }
    async fn write(&self, _name: &str, new: NewVersion, _deadline: Deadline) -> Result<String, Failure> {
        // Long enough that another instance comes in between, if it may.
        tokio::task::yield_now().await;
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Failure::new(Code::SecretUnavailable, "no"));
        }
        self.put(new.value.expose_secret(), Timestamp::now());
        Ok("v".to_owned())
    }
}

fn instance(vault: &Arc<Vault>, ledger: &Ledger) -> KeptRefreshToken {
    KeptRefreshToken::new(vault.clone(), ledger.clone(), NAME, DAY)
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(30))
}

async fn current(kept: &KeptRefreshToken) -> String {
    kept.current(soon()).await.unwrap().expose_secret().to_owned()
}

#[tokio::test]
async fn a_newer_one_is_written_once_the_stored_one_is_old() {
    let vault = Vault::holding("old", SignedDuration::from_hours(25));
    let kept = instance(&vault, &Ledger::in_memory());
    kept.replaced(&"old".into(), "new".into(), soon()).await;
    assert_eq!(vault.values(), ["old", "new"]);
    assert_eq!(current(&kept).await, "new");
}

#[tokio::test]
async fn while_the_stored_one_is_young_the_newer_one_serves_from_memory() {
    let vault = Vault::holding("young", SignedDuration::from_hours(1));
    let kept = instance(&vault, &Ledger::in_memory());
    kept.replaced(&"young".into(), "newer".into(), soon()).await;
    kept.replaced(&"newer".into(), "newest".into(), soon()).await;
    assert_eq!(vault.values(), ["young"]);
    assert_eq!(current(&kept).await, "newest");
}

#[tokio::test]
async fn a_sign_in_meanwhile_is_never_written_over() {
    let vault = Vault::holding("old", SignedDuration::from_hours(25));
    let kept = instance(&vault, &Ledger::in_memory());
    vault.put("signed in again", Timestamp::now());
    kept.replaced(&"old".into(), "new".into(), soon()).await;
    assert_eq!(vault.values(), ["old", "signed in again"]);
    assert_eq!(current(&kept).await, "signed in again");
    // Also where ours was only in memory.
    let vault = Vault::holding("young", SignedDuration::from_hours(1));
    let kept = instance(&vault, &Ledger::in_memory());
    kept.replaced(&"young".into(), "newer".into(), soon()).await;
    vault.put("signed in again", Timestamp::now());
    assert_eq!(current(&kept).await, "signed in again");
}

#[tokio::test]
async fn a_writing_that_fails_loses_neither_and_is_made_up_for() {
    let vault = Vault::holding("old", SignedDuration::from_hours(25));
    let kept = instance(&vault, &Ledger::in_memory());
    vault.refuses.store(true, Ordering::SeqCst);
    kept.replaced(&"old".into(), "new".into(), soon()).await;
    assert_eq!((vault.values(), current(&kept).await), (vec!["old".to_owned()], "new".to_owned()));
    vault.refuses.store(false, Ordering::SeqCst);
    kept.replaced(&"new".into(), "newer".into(), soon()).await;
    assert_eq!(vault.values(), ["old", "newer"]);
    assert_eq!(current(&kept).await, "newer");
}

#[tokio::test]
async fn of_two_instances_one_writes_and_both_go_on() {
    let vault = Vault::holding("old", SignedDuration::from_hours(25));
    let ledger = Ledger::in_memory();
    let (one, other) = (instance(&vault, &ledger), instance(&vault, &ledger));
    let old = SecretString::from("old");
    tokio::join!(one.replaced(&old, "of one".into(), soon()), other.replaced(&old, "of the other".into(), soon()));
    let values = vault.values();
    assert_eq!(values.len(), 2, "{values:?}");
    assert_eq!((current(&one).await, current(&other).await), (values[1].clone(), values[1].clone()));
}

#[tokio::test]
async fn what_was_refused_is_replaced_by_what_the_vault_has_by_now() {
    let vault = Vault::holding("revoked", SignedDuration::from_hours(1));
    let kept = instance(&vault, &Ledger::in_memory());
    assert!(kept.another(&"revoked".into(), soon()).await.unwrap().is_none());
    vault.put("signed in again", Timestamp::now());
    let another = kept.another(&"revoked".into(), soon()).await.unwrap().unwrap();
    assert_eq!(another.expose_secret(), "signed in again");
}
