//! A throw-away certificate authority and its certificate for loopback. The key of the authority is dropped at once:
//! nothing else can ever be signed by it. No serving lives here.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use crate::core::Tls;

/// An authority that trusts nobody else, and the certificate it gave to `127.0.0.1` and `localhost`.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority's certificate in PEM: what clients must trust.
    pub authority_pem: String,
    pub loopback: Tls,
}

impl Certificates {
    pub fn generate() -> anyhow::Result<Self> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, "Causeway local stack (throw-away)");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        leaf.distinguished_name.push(DnType::CommonName, "127.0.0.1");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let leaf = leaf.signed_by(&key, &authority)?;
        Ok(Self {
            authority_pem: authority.pem(),
            loopback: Tls { certificate_pem: leaf.pem(), key_pem: key.serialize_pem() },
        })
    }

    /// Writes the bundle that a client gets through `SSL_CERT_FILE`, and returns its path.
    pub fn write_bundle(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let path = folder.join("authority.pem");
        std::fs::write(&path, &self.authority_pem).with_context(|| format!("writing {}", path.display()))?;
        // Absolute, since whoever gets it may run in another folder.
        path.canonicalize().with_context(|| format!("finding {}", path.display()))
    }
}
