//! The stand-in for Azure Blob Storage: containers and block blobs, as much as an append-only log needs. Not here:
//! blocks, leases, snapshots, tiers, shared keys. The store is `store.rs`, the requests `wire.rs`, lists `list.rs`,
//! several deletes at once `batch.rs`.

mod batch;
mod list;
mod reply;
mod store;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use axum::Router;
use bytes::Bytes;

use crate::core::{History, Served, Tls};
use crate::entra::Tokens;

use store::Store;

/// What bearer tokens are for ("Authorize with Microsoft Entra ID", Blob service REST).
pub const AUDIENCE: &str = "https://storage.azure.com";

/// Who may call.
#[derive(Clone, Debug)]
pub enum BlobAccess {
    /// A token for [`AUDIENCE`], or for the account's own address.
    Bearer(Tokens),
    /// Anybody.
    Open,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct BlobOptions {
    /// 0 takes any free port.
    pub port: u16,
    pub account: String,
    pub access: BlobAccess,
    /// Names in one page of a list at most; the service gives 5,000.
    pub page_size: usize,
    /// Where blobs are kept; memory when absent.
    pub folder: Option<PathBuf>,
    /// Serves TLS instead of plain http.
    pub tls: Option<Tls>,
}

impl BlobOptions {
    /// Any free port, the account `causeway`, in memory, the service's page size.
    pub fn new(access: BlobAccess) -> Self {
        Self { port: 0, account: "causeway".into(), access, page_size: 5000, folder: None, tls: None }
    }
}

/// One storage account, being served. Effects in the history: `put`, `delete`, `container`.
#[derive(Debug)]
pub struct Blob {
    pub served: Served,
    account: String,
    tls: bool,
    service: Arc<Service>,
}

#[derive(Debug)]
pub(crate) struct Service {
    account: String,
    access: BlobAccess,
    page_size: AtomicUsize,
    store: Store,
    history: History,
}

impl Blob {
    pub async fn start(options: BlobOptions, history: History) -> anyhow::Result<Self> {
        let service = Arc::new(Service {
            account: options.account.clone(),
            access: options.access,
            page_size: AtomicUsize::new(options.page_size.max(1)),
            store: Store::open(options.folder)?,
            history: history.clone(),
        });
        let router = Router::new().fallback(wire::answer).with_state(service.clone());
        let served = Served::start("blob", options.port, options.tls.as_ref(), router, history).await?;
        Ok(Self { served, account: options.account, tls: options.tls.is_some(), service })
    }

    /// `http://127.0.0.1:port/account`, the form that emulators have.
    pub fn account_url(&self) -> String {
        let base = if self.tls { self.served.https_url() } else { self.served.http_url() };
        format!("{base}/{}", self.account)
    }

    pub fn container_url(&self, container: &str) -> String {
        format!("{}/{container}", self.account_url())
    }

    /// Makes a container, as infrastructure does; `false` when it was there.
    pub fn create_container(&self, container: &str) -> anyhow::Result<bool> {
        Ok(self.service.store.create_container(container)?)
    }

    pub fn remove_container(&self, container: &str) -> anyhow::Result<bool> {
        Ok(self.service.store.remove_container(container)?)
    }

    /// The names in a container, in order.
    pub fn names(&self, container: &str) -> Vec<String> {
        self.service.store.names(container)
    }

    pub fn read(&self, container: &str, name: &str) -> Option<Bytes> {
        self.service.store.get(container, name).map(|blob| blob.bytes)
    }

    /// Puts a blob there, as a person with a storage browser does; whatever stood there is replaced.
    pub fn write(&self, container: &str, name: &str, bytes: impl Into<Bytes>) -> anyhow::Result<()> {
        let blob = store::Stored::new(bytes.into(), "application/octet-stream".into(), BTreeMap::default());
        let put = self.service.store.put(container, name, blob, |_| true)?;
        anyhow::ensure!(matches!(put, store::Put::Done(_)), "there is no container {container}");
        Ok(())
    }

    pub fn set_page_size(&self, names: usize) {
        self.service.page_size.store(names.max(1), std::sync::atomic::Ordering::Relaxed);
    }
}
