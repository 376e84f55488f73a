//! Microsoft's own Python clients, unmodified, against the stand-ins. Their pinned versions are in
//! `tests/conformance/azure-requirements.txt`; the scripts beside it hold what they must see.

use std::path::Path;
use std::process::Stdio;

use local_stack::blob::{Blob, BlobAccess, BlobOptions};
use local_stack::certificates::Certificates;
use local_stack::core::History;
use local_stack::entra::{Application, Entra, EntraOptions, Tokens};
use local_stack::key_vault::{KeyVault, KeyVaultOptions};
use local_stack::python;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

const REQUIREMENTS: &str = include_str!("../../../tests/conformance/azure-requirements.txt");
const TENANT: &str = "11111111-2222-4333-8444-555555555555";
const CLIENT: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";

struct Room {
    entra: Entra,
    certificates: Certificates,
    folder: std::path::PathBuf,
}

impl Room {
    async fn start(name: &str) -> Self {
        let certificates = Certificates::generate().unwrap();
        let mut options = EntraOptions::new(Tokens::new(TENANT));
        options.applications =
            vec![Application { client_id: CLIENT.into(), client_secret: "secret".into(), object_id: "object".into() }];
        let entra = Entra::start(options, &certificates.loopback, History::default()).await.unwrap();
        let folder = std::env::temp_dir().join(format!("causeway-{name}-{}", uuid::Uuid::new_v4()));
        Self { entra, certificates, folder }
    }

    /// Runs a script of `tests/conformance`, which gets `facts` as JSON on its standard input.
    async fn judge(&self, script: &str, facts: Value) {
        let environment = tokio::task::spawn_blocking(|| {
            python::environment(&python::default_data(), "azure-judges", REQUIREMENTS, &|line| eprintln!("{line}"))
        });
        let environment = environment.await.unwrap().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance").join(script);
        let bundle = self.certificates.write_bundle(&self.folder).unwrap();
        let mut child = tokio::process::Command::new(python::interpreter(&environment))
            .arg(script)
            .env("SSL_CERT_FILE", &bundle)
            .env("REQUESTS_CA_BUNDLE", &bundle)
            .env("AZURE_AUTHORITY_HOST", self.entra.authority_host())
            .env("IDENTITY_ENDPOINT", self.entra.identity_endpoint())
            .env("IDENTITY_HEADER", &self.entra.identity_header)
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut facts = facts;
        facts["tenantId"] = json!(TENANT);
        facts["clientId"] = json!(CLIENT);
        facts["clientSecret"] = json!("secret");
        facts["authority"] = json!(self.entra.authority_host());
        input.write_all(facts.to_string().as_bytes()).await.unwrap();
        drop(input);
        let status = child.wait().await.unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
        assert!(status.success(), "the script says what it missed on standard error");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_keyvault_secrets_reads_and_writes_the_vault() {
    let room = Room::start("key-vault").await;
    let mut options = KeyVaultOptions::new(room.entra.tokens.clone());
    options.authorization = format!("{}{TENANT}", room.entra.authority_host());
    let vault = KeyVault::start(options, &room.certificates.loopback, History::default()).await.unwrap();
    let version = vault.set_secret("written-here", "from the stand-in");
    vault.set_secret("disabled", "never seen");
    vault.set_enabled("disabled", false);
    room.judge("key_vault.py", json!({"url": vault.url(), "version": version})).await;
    assert_eq!(vault.secret("written-there").as_deref(), Some("second"));
    assert!(vault.served.history.of("keyVault", "secretRead").len() >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_storage_blob_reads_and_writes_the_account() {
    let room = Room::start("blob").await;
    let mut options = BlobOptions::new(BlobAccess::Bearer(room.entra.tokens.clone()));
    // The SDK sends bearer tokens over TLS only.
    options.tls = Some(room.certificates.loopback.clone());
    options.page_size = 3;
    let blob = Blob::start(options, History::default()).await.unwrap();
    blob.create_container("written-here").unwrap();
    room.judge("blob.py", json!({"url": blob.account_url()})).await;
    assert_eq!(blob.read("written-there", "runs/1/00000000").as_deref(), Some(b"{\"writer\": \"python\"}".as_slice()));
}
