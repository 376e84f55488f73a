//! Sealing with keys that rotate.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::json;

use super::*;
use crate::key_vault::Secret;

/// Versions of one secret, the newest last.
#[derive(Debug)]
struct Versions(Mutex<Vec<String>>);

impl Versions {
    fn secret(value: &str) -> Secret {
        let version = keys::hex(&value.as_bytes()[..16]);
        Secret { value: SecretString::from(value.to_owned()), version }
    }
}

#[async_trait]
impl Secrets for Versions {
    async fn current(&self, _: &str, _: Deadline) -> Result<Secret, Failure> {
        Ok(Self::secret(self.0.lock().unwrap().last().unwrap()))
    }

    async fn version(&self, _: &str, version: &str, _: Deadline) -> Result<Secret, Failure> {
        let all = self.0.lock().unwrap();
        let mut secrets = all.iter().map(|value| Self::secret(value));
        secrets.find(|secret| secret.version == version).ok_or_else(|| Failure::new(Code::SecretNotFound, "none"))
    }

    fn forget(&self, _: &str, _: &SecretString) {}
}

const FIRST: &str = "11111111111111111111111111111111";
const SECOND: &str = "22222222222222222222222222222222";

fn sealer(values: &[&str]) -> (Sealer, Arc<Versions>) {
    let versions = Arc::new(Versions(Mutex::new(values.iter().map(ToString::to_string).collect())));
    (Sealer::new(versions.clone(), "key"), versions)
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

#[tokio::test]
async fn what_was_sealed_is_opened_at_its_place_alone() {
    let (sealer, _) = sealer(&[FIRST]);
    let value = json!({"pin": "hunter2", "n": 1.5});
    let sealed = sealer.seal("runs/1/pin", &value, soon()).await.unwrap();
    assert!(sealed.starts_with("s1.") && !sealed.contains("hunter2"));
    assert_eq!(sealer.open("runs/1/pin", &sealed, soon()).await.unwrap(), value);
    let elsewhere = sealer.open("runs/2/pin", &sealed, soon()).await.unwrap_err();
    assert_eq!(elsewhere.code, Code::Internal);
}

#[tokio::test]
async fn what_an_older_version_has_sealed_is_still_opened() {
    let (sealer, versions) = sealer(&[FIRST]);
    let old = sealer.seal("here", &json!("a"), soon()).await.unwrap();
    versions.0.lock().unwrap().push(SECOND.to_owned());
    let new = sealer.seal("here", &json!("a"), soon()).await.unwrap();
    assert_ne!(old.split('.').nth(1), new.split('.').nth(1), "the new one names the old key");
    for sealed in [old, new] {
        assert_eq!(sealer.open("here", &sealed, soon()).await.unwrap(), json!("a"));
    }
}

#[tokio::test]
async fn the_same_twice_gives_two_texts_and_a_changed_one_opens_nothing() {
    let (sealer, _) = sealer(&[FIRST]);
    let sealed = sealer.seal("here", &json!("a"), soon()).await.unwrap();
    assert_ne!(sealed, sealer.seal("here", &json!("a"), soon()).await.unwrap());
    // The last character may hold bits that mean nothing: the first after the version never does.
    let (head, body) = sealed.rsplit_once('.').unwrap();
    let first = if body.starts_with('A') { "B" } else { "A" };
    let broken = format!("{head}.{first}{}", &body[1..]);
    assert!(sealer.open("here", &broken, soon()).await.is_err());
    for wrong in ["", "s1", "s1.x", "s2.x.y", "s1.x.y.z", &sealed[..sealed.len() - 8], "s1..AAAA"] {
        assert!(sealer.open("here", wrong, soon()).await.is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_key_that_could_be_guessed_is_refused() {
    let (sealer, _) = sealer(&["short but at least 16"]);
    let failure = sealer.seal("here", &json!("a"), soon()).await.unwrap_err();
    assert_eq!(failure.code, Code::Misconfigured);
    assert!(!failure.detail.contains("short but at"));
}

#[tokio::test]
async fn keys_of_different_purposes_have_nothing_in_common() {
    let (sealer, _) = sealer(&[FIRST]);
    let signed = sealer.sign(b"message", soon()).await.unwrap();
    assert_ne!(signed.mac, sealer.digest(b"message", soon()).await.unwrap());
    // As docs/callbacks.md has it, computed with `openssl dgst -sha256 -hmac` and `-mac HMAC -macopt hexkey:`.
    assert_eq!(signed.mac.len(), 64);
}
