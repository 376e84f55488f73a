//! What may stand in the ledger only sealed: AES-256-GCM under a key from Key Vault, bound to the place where it stands.
//! What may not live here: what is worth sealing, and where it is kept.
//!
//! A sealed text is `s1.{version of the key}.{base64url of nonce, ciphertext and tag}`. It names the version of the secret
//! that its key comes from, so that a rotation still opens what an older version has sealed.

mod keys;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::Value;

use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::key_vault::Secrets;

use keys::{Purpose, derive};

/// The form of a sealed text.
const FORM: &str = "s1";

/// Seals and opens; cheap to clone.
#[derive(Clone, Debug)]
pub struct Sealer {
    secrets: Arc<dyn Secrets>,
    secret_name: Arc<str>,
}

/// A key in hand: sealing cannot fail for want of one any more.
#[derive(Clone, Debug)]
pub struct Sealing {
    version: String,
    key: [u8; 32],
}

/// How a receiver knows that we have sent something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Version of the secret that the key comes from.
    pub version: String,
    /// HMAC-SHA256, hex.
    pub mac: String,
}

impl Sealer {
    pub fn new(secrets: Arc<dyn Secrets>, secret_name: &str) -> Self {
        Self { secrets, secret_name: secret_name.into() }
    }

    /// The key that seals now.
    pub async fn sealing(&self, deadline: Deadline) -> Result<Sealing, Failure> {
        let secret = self.secrets.current(&self.secret_name, deadline).await?;
        let key = derive(&self.secret_name, &secret.value, Purpose::Sealing)?;
        Ok(Sealing { version: secret.version, key })
    }

    /// Seals `value` for `place`, which is the only one where it can be opened.
    pub async fn seal(&self, place: &str, value: &Value, deadline: Deadline) -> Result<String, Failure> {
        self.sealing(deadline).await?.seal(place, value)
    }

    /// Opens what was sealed for `place`, by whichever version of the key.
    pub async fn open(&self, place: &str, sealed: &str, deadline: Deadline) -> Result<Value, Failure> {
        let (version, body) = split(sealed).ok_or_else(|| unreadable(place))?;
        let secret = self.secrets.version(&self.secret_name, version, deadline).await?;
        let key = derive(&self.secret_name, &secret.value, Purpose::Sealing)?;
        open_with(&key, place, body)
    }

    /// Signs `message` for a receiver outside.
    pub async fn sign(&self, message: &[u8], deadline: Deadline) -> Result<Signature, Failure> {
        let secret = self.secrets.current(&self.secret_name, deadline).await?;
        let key = derive(&self.secret_name, &secret.value, Purpose::Signature)?;
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), message);
        Ok(Signature { version: secret.version, mac: keys::hex(mac.as_ref()) })
    }

    /// A digest of bytes with secrets in them, which nobody can find by trying: hex.
    pub async fn digest(&self, bytes: &[u8], deadline: Deadline) -> Result<String, Failure> {
        let secret = self.secrets.current(&self.secret_name, deadline).await?;
        let key = derive(&self.secret_name, &secret.value, Purpose::Digest)?;
        Ok(keys::hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), bytes).as_ref()))
    }
}

impl Sealing {
    /// Seals `value` for `place`. Twice the same gives two texts.
    pub fn seal(&self, place: &str, value: &Value) -> Result<String, Failure> {
        let failed = |_| Failure::new(Code::Internal, "A value could not be sealed.");
        let mut bytes = value.to_string().into_bytes();
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.key).map_err(failed)?;
        let nonce = key.seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut bytes).map_err(failed)?;
        let mut whole = nonce.as_ref().to_vec();
        whole.extend_from_slice(&bytes);
        Ok(format!("{FORM}.{}.{}", self.version, BASE64.encode(whole)))
    }
}

/// Whether a text has the form of a sealed one.
pub fn is_sealed(text: &str) -> bool {
    split(text).is_some()
}

fn open_with(key: &[u8; 32], place: &str, body: &str) -> Result<Value, Failure> {
    let wrong = || unreadable(place);
    let whole = BASE64.decode(body).map_err(|_| wrong())?;
    let (nonce, sealed) = whole.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| wrong())?;
    let mut sealed = sealed.to_vec();
    let opened = key.open_in_place(nonce, Aad::from(place.as_bytes()), &mut sealed).map_err(|_| wrong())?;
    serde_json::from_slice(opened).map_err(|_| wrong())
}

fn split(sealed: &str) -> Option<(&str, &str)> {
    let mut parts = sealed.split('.');
    let (form, version, body) = (parts.next()?, parts.next()?, parts.next()?);
    (form == FORM && parts.next().is_none()).then_some((version, body))
}

fn unreadable(place: &str) -> Failure {
    Failure::new(Code::Internal, "What was sealed cannot be opened. See the log.")
        .caused_by(format!("{place} does not hold what was sealed for it"))
}
