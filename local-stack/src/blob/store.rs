//! What the account remembers: containers, and in each its blobs by name. Kept in memory and, where there is a folder,
//! written through to it. Nothing of HTTP lives here.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// A dot never stands in a folder's name, so that `name.blob` is always a file.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) bytes: Bytes,
    /// Without quotes.
    pub(super) etag: String,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    pub(super) content_type: String,
    /// `x-ms-meta-*`, without the prefix.
    pub(super) metadata: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(super) struct Store {
    folder: Option<PathBuf>,
    containers: Mutex<BTreeMap<String, BTreeMap<String, Stored>>>,
}

pub(super) enum Put {
    Done(Stored),
    NoContainer,
    /// The condition said no to the blob that stands there.
    Refused,
    /// A condition wanted a blob, and there is none.
    Absent,
}

impl Store {
    pub(super) fn open(folder: Option<PathBuf>) -> io::Result<Self> {
        let mut containers = BTreeMap::new();
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder)?;
            for container in std::fs::read_dir(folder)? {
                let container = container?;
                let mut blobs = BTreeMap::new();
                load(&container.path(), "", &mut blobs)?;
                containers.insert(container.file_name().to_string_lossy().into_owned(), blobs);
            }
        }
        Ok(Self { folder, containers: Mutex::new(containers) })
    }

    pub(super) fn create_container(&self, name: &str) -> io::Result<bool> {
        let mut containers = self.lock();
        if containers.contains_key(name) {
            return Ok(false);
        }
        if let Some(folder) = &self.folder {
            std::fs::create_dir_all(folder.join(name))?;
        }
        containers.insert(name.into(), BTreeMap::new());
        Ok(true)
    }

    pub(super) fn remove_container(&self, name: &str) -> io::Result<bool> {
        let mut containers = self.lock();
        if containers.remove(name).is_none() {
            return Ok(false);
        }
        if let Some(folder) = &self.folder {
            std::fs::remove_dir_all(folder.join(name))?;
        }
        Ok(true)
    }

    pub(super) fn has_container(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }

    pub(super) fn names(&self, container: &str) -> Vec<String> {
        self.lock().get(container).map(|blobs| blobs.keys().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn get(&self, container: &str, name: &str) -> Option<Stored> {
        self.lock().get(container)?.get(name).cloned()
    }

    /// Every blob whose name begins with `prefix`, in order of the names' bytes; `None` without the container.
    pub(super) fn with_prefix(&self, container: &str, prefix: &str) -> Option<Vec<(String, Stored)>> {
        let containers = self.lock();
        let blobs = containers.get(container)?.range(prefix.to_owned()..);
        let found = blobs.take_while(|(name, _)| name.starts_with(prefix));
        Some(found.map(|(name, blob)| (name.clone(), blob.clone())).collect())
    }

    /// Writes a blob if `allowed` says so of what stands there; checked and done under one lock.
    pub(super) fn put(
        &self,
        container: &str,
        name: &str,
        mut blob: Stored,
        allowed: impl FnOnce(Option<&Stored>) -> bool,
    ) -> io::Result<Put> {
        let mut containers = self.lock();
        let Some(blobs) = containers.get_mut(container) else { return Ok(Put::NoContainer) };
        let existing = blobs.get(name);
        if !allowed(existing) {
            return Ok(if existing.is_some() { Put::Refused } else { Put::Absent });
        }
        if let Some(existing) = existing {
            blob.created = existing.created;
        }
        if let Some(folder) = &self.folder {
            let path = path(&folder.join(container), name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, &blob.bytes)?;
        }
        blobs.insert(name.into(), blob.clone());
        Ok(Put::Done(blob))
    }

    pub(super) fn delete(&self, container: &str, name: &str) -> io::Result<Option<Stored>> {
        let mut containers = self.lock();
        let removed = containers.get_mut(container).and_then(|blobs| blobs.remove(name));
        if let (Some(_), Some(folder)) = (&removed, &self.folder) {
            std::fs::remove_file(path(&folder.join(container), name))?;
        }
        Ok(removed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, Stored>>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stored {
    pub(super) fn new(bytes: Bytes, content_type: String, metadata: BTreeMap<String, String>) -> Self {
        let now = Timestamp::now();
        Self { bytes, etag: etag(), created: now, modified: now, content_type, metadata }
    }
}

/// `0x8` and fifteen hex digits, as the service writes them; never the same twice.
fn etag() -> String {
    let random = uuid::Uuid::now_v7().simple().to_string().to_uppercase();
    // The first digits of a v7 are its time, the last ones chance.
    format!("0x8{}{}", &random[4..12], &random[25..32])
}

fn path(folder: &Path, name: &str) -> PathBuf {
    let mut path = folder.to_path_buf();
    let mut segments = name.split('/').peekable();
    while let Some(segment) = segments.next() {
        let encoded = utf8_percent_encode(segment, SEGMENT).to_string();
        // An empty segment would vanish from a path.
        let encoded = if encoded.is_empty() { "%".to_owned() } else { encoded };
        path.push(if segments.peek().is_some() { encoded } else { format!("{encoded}.blob") });
    }
    path
}

fn load(folder: &Path, prefix: &str, blobs: &mut BTreeMap<String, Stored>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        let bare = file.strip_suffix(".blob").unwrap_or(&file);
        let decoded =
            if bare == "%" { String::new() } else { percent_decode_str(bare).decode_utf8_lossy().into_owned() };
        if entry.file_type()?.is_dir() {
            load(&entry.path(), &format!("{prefix}{decoded}/"), blobs)?;
        } else {
            let bytes = Bytes::from(std::fs::read(entry.path())?);
            let modified = entry.metadata()?.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let mut blob = Stored::new(bytes, "application/octet-stream".into(), BTreeMap::new());
            if let Ok(modified) = Timestamp::try_from(modified) {
                (blob.created, blob.modified) = (modified, modified);
            }
            blobs.insert(format!("{prefix}{decoded}"), blob);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_blobs_whose_names_are_prefixes_of_others() {
        let folder = std::env::temp_dir().join(format!("causeway-blob-{}", uuid::Uuid::new_v4()));
        let names = ["a", "a/b", "a.blob/b", "a//c", "ü %/x?"];
        let store = Store::open(Some(folder.clone())).unwrap();
        store.create_container("c").unwrap();
        for name in names {
            let blob = Stored::new(Bytes::from(name), "text/plain".into(), BTreeMap::new());
            assert!(matches!(store.put("c", name, blob, |there| there.is_none()).unwrap(), Put::Done(_)));
        }
        let again = Store::open(Some(folder.clone())).unwrap();
        for name in names {
            assert_eq!(again.get("c", name).map(|blob| blob.bytes), Some(Bytes::from(name)));
        }
        assert_eq!(again.names("c").len(), names.len());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
