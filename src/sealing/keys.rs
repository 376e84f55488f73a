//! From one secret to a key for each purpose, so that none of them tells anything of another.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};

use crate::failure::{Code, Failure};

/// A shorter secret could be found by trying.
const LEAST_CHARACTERS: usize = 32;

/// What a key is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Sealing,
    /// Of callbacks. Its words are part of the documented way to check one.
    Signature,
    Digest,
}

impl Purpose {
    fn words(self) -> &'static [u8] {
        match self {
            Self::Sealing => b"causeway sealing v1",
            Self::Signature => b"causeway callback signature v1",
            Self::Digest => b"causeway digest v1",
        }
    }
}

/// HMAC-SHA256 of the purpose's words under the secret's text: 32 bytes.
pub(super) fn derive(name: &str, secret: &SecretString, purpose: Purpose) -> Result<[u8; 32], Failure> {
    let text = secret.expose_secret().as_bytes();
    if text.len() < LEAST_CHARACTERS {
        let detail =
            format!("The secret {name} is too short to seal with: it wants 32 random bytes in base64, or as much.");
        return Err(Failure::new(Code::Misconfigured, detail));
    }
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, text), purpose.words());
    let mut key = [0; 32];
    key.copy_from_slice(mac.as_ref());
    Ok(key)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
