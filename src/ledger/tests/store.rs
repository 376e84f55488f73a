//! A store in memory that counts its calls and fails on request, as Blob was seen to.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::ledger::Ledger;

/// What becomes of one put.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// It works, and the retry inside the store finds our own entry.
    WrittenThenExists,
    /// It works, and the reply is lost.
    WrittenThenLost,
    /// "Exists" although nothing does: the container is being deleted.
    ExistsWithoutWriting,
    /// Nothing is written.
    Down,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) puts: usize,
    pub(super) gets: usize,
    pub(super) lists: usize,
    pub(super) deletes: usize,
}

/// The faults wait in line; without one a call works.
#[derive(Debug, Default)]
pub(super) struct Faulty {
    inner: InMemory,
    pub(super) puts: Mutex<VecDeque<Fault>>,
    /// How many of the next reads fail.
    pub(super) bad_gets: Mutex<usize>,
    pub(super) counts: Mutex<Counts>,
}

impl Faulty {
    pub(super) fn with(puts: impl IntoIterator<Item = Fault>) -> (Arc<Self>, Ledger) {
        let store = Arc::new(Self { puts: Mutex::new(puts.into_iter().collect()), ..Self::default() });
        (store.clone(), Ledger::over(store, None))
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

fn lost() -> Error {
    Error::Generic { store: "Faulty", source: "no answer".into() }
}

fn exists(location: &Path) -> Error {
    Error::AlreadyExists { path: location.to_string(), source: "409".into() }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.counts.lock().unwrap().puts += 1;
        let fault = self.puts.lock().unwrap().pop_front();
        match fault {
            None => self.inner.put_opts(location, payload, options).await,
            Some(Fault::WrittenThenExists) => {
                self.inner.put_opts(location, payload, options).await?;
                Err(exists(location))
            }
            Some(Fault::WrittenThenLost) => {
                self.inner.put_opts(location, payload, options).await?;
                Err(lost())
            }
            Some(Fault::ExistsWithoutWriting) => Err(exists(location)),
            Some(Fault::Down) => Err(lost()),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.counts.lock().unwrap().gets += 1;
        let bad = {
            let mut left = self.bad_gets.lock().unwrap();
            let bad = *left > 0;
            *left = left.saturating_sub(1);
            bad
        };
        if bad { Err(lost()) } else { self.inner.get_opts(location, options).await }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.counts.lock().unwrap().deletes += 1;
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.counts.lock().unwrap().lists += 1;
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
