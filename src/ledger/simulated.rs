//! A store in memory whose calls a simulation delays, loses and refuses, as Blob was seen to do. For tests only.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::Ledger;

/// What becomes of one call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fate {
    /// Before it is done, and before its answer is there.
    pub(crate) there: Duration,
    pub(crate) back: Duration,
    /// It is not done at all.
    pub(crate) undone: bool,
    pub(crate) reply: Reply,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Reply {
    #[default]
    True,
    Lost,
    /// "Exists", whatever stands there: a retry inside the client finds its own entry.
    Exists,
}

/// Who decides.
pub(crate) trait Weather: fmt::Debug + Send + Sync {
    fn put(&self, path: &str) -> Fate;
    fn read(&self, path: &str) -> Fate;
    /// An entry has come to stand there, whoever may have been told.
    fn stands(&self, path: &str);
    fn now(&self) -> Timestamp;
}

/// The client's own patience, as `open` sets it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Simulated {
    inner: Arc<InMemory>,
    /// When each entry was written, by the simulation's time.
    written: Arc<Mutex<BTreeMap<Path, Timestamp>>>,
    weather: Arc<dyn Weather>,
}

/// The same entries: as they are, and through this weather.
pub(crate) fn both(weather: impl FnOnce(Ledger) -> Arc<dyn Weather>) -> Ledger {
    let inner = Arc::new(InMemory::new());
    let weather = weather(Ledger::over(inner.clone(), None));
    Ledger::over(Arc::new(Simulated { inner, written: Arc::default(), weather }), None)
}

fn lost() -> Error {
    Error::Generic { store: "Simulated", source: "no answer".into() }
}

async fn pause(pause: Duration) {
    if pause.is_zero() { tokio::task::yield_now().await } else { tokio::time::sleep(pause).await }
}

impl fmt::Display for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Simulated")
    }
}

#[async_trait]
impl ObjectStore for Simulated {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let fate = self.weather.put(location.as_ref());
        let (inner, written, path) = (self.inner.clone(), self.written.clone(), location.clone());
        let weather = self.weather.clone();
        // On its way it goes on without its sender.
        let put = tokio::spawn(async move {
            pause(fate.there).await;
            let done = if fate.undone { Err(lost()) } else { inner.put_opts(&path, payload, options).await };
            if done.is_ok() {
                weather.stands(path.as_ref());
                written.lock().unwrap().insert(path, weather.now());
            }
            pause(fate.back).await;
            done
        });
        let answer = tokio::time::timeout(REQUEST_TIMEOUT, put).await.map_err(|_| lost())?;
        match fate.reply {
            Reply::True => answer.map_err(|_| lost())?,
            Reply::Lost => Err(lost()),
            Reply::Exists => Err(Error::AlreadyExists { path: location.to_string(), source: "409".into() }),
        }
    }

    async fn put_multipart_opts(&self, to: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let fate = self.weather.read(location.as_ref());
        pause(fate.there).await;
        if fate.undone { Err(lost()) } else { self.inner.get_opts(location, options).await }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, weather) = (self.inner.clone(), self.weather.clone());
        let deleted = locations.then(move |location| {
            let (inner, weather) = (inner.clone(), weather.clone());
            async move {
                let location = location?;
                let fate = weather.put(location.as_ref());
                pause(fate.there).await;
                if !fate.undone {
                    let one = stream::iter([Ok(location.clone())]).boxed();
                    inner.delete_stream(one).try_collect::<Vec<_>>().await?;
                }
                if fate.undone || matches!(fate.reply, Reply::Lost) { Err(lost()) } else { Ok(location) }
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, prefix, written) = (self.inner.clone(), prefix.cloned(), self.written.clone());
        let fate = self.weather.read("list");
        let listed = async move {
            pause(fate.there).await;
            if fate.undone {
                return vec![Err(lost())];
            }
            let mut listed: Vec<_> = inner.list(prefix.as_ref()).collect().await;
            for entry in listed.iter_mut().flatten() {
                let at = written.lock().unwrap().get(&entry.location).copied().unwrap_or(Timestamp::UNIX_EPOCH);
                let nanoseconds = u32::try_from(at.subsec_nanosecond()).unwrap_or(0);
                entry.last_modified = chrono::DateTime::from_timestamp(at.as_second(), nanoseconds).unwrap_or_default();
            }
            listed
        };
        stream::once(listed).flat_map(stream::iter).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
