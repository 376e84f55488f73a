//! The keys that tokens are signed with: RSA, drawn at start, published as Entra publishes its own, and rolled over.
//!
//! RS256 with the header members `typ`, `alg` and `kid`, and the members of a published key: Microsoft Learn, "Access
//! tokens in the Microsoft identity platform", and `https://login.microsoftonline.com/common/discovery/v2.0/keys`. Its
//! `x5c`, the same key as a certificate, is left out.

use anyhow::{Context, anyhow};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{self, KeyPair as _, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// One key.
#[derive(Debug)]
pub(super) struct SigningKey {
    id: String,
    pair: KeyPair,
}

impl SigningKey {
    pub(super) fn draw() -> anyhow::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).context("an RSA key could not be drawn")?;
        // Entra's is the thumbprint of the key's certificate: 27 characters of base64.
        let id = URL_SAFE_NO_PAD.encode(super::random_bytes::<20>());
        Ok(Self { id, pair })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// A token of these claims, under the name of the key `id`.
    pub(super) fn sign(&self, id: &str, claims: &Value) -> anyhow::Result<String> {
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": id});
        let signed = unsigned(&header, claims);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| anyhow!("a token could not be signed"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    pub(super) fn verifies(&self, signed: &str, signature: &[u8]) -> bool {
        let public = UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, self.pair.public_key());
        public.verify(signed.as_bytes(), signature).is_ok()
    }

    /// As it stands in a key set.
    pub(super) fn published(&self, issuer: &str) -> Value {
        let public = self.pair.public_key();
        json!({
            "kty": "RSA", "use": "sig", "kid": self.id, "x5t": self.id,
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
            "issuer": issuer,
        })
    }

    /// What anybody may know, as X.509 writes it: what a forger has at hand.
    pub(super) fn public_der(&self) -> anyhow::Result<Vec<u8>> {
        let der: PublicKeyX509Der =
            self.pair.public_key().as_der().map_err(|_| anyhow!("a key could not be written"))?;
        Ok(der.as_ref().to_vec())
    }
}

/// Header and claims, before a signature.
pub(super) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}
