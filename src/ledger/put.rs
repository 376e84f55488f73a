//! Writing an entry, and knowing whether it was written. Only reading tells.

use std::time::Duration;

use bytes::Bytes;
use object_store::{PutMode, PutOptions, PutPayload};
use serde::Deserialize;

use super::{Ledger, LedgerError, location};
use crate::http::Deadline;

/// What became of a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// Our entry stands, perhaps since an earlier try.
    Written,
    /// Another writer's entry stands there: its bytes.
    Lost(Bytes),
}

/// After a put that nothing came of, the waits before it is put again; then the ledger has failed.
const AGAIN_AFTER: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2)];
/// Over all tries, waits included.
const IN_ALL: Duration = Duration::from_secs(15);

impl Ledger {
    /// Writes `entry` at `path` if nothing stands there. `entry` is a JSON object with a member `writer`, a string
    /// drawn once per worker and entry and kept over every try; it tells our entry from another's.
    ///
    /// The store's own answer is believed only when it is yes. A 503 after the commit comes back as "already exists"
    /// on our own entry, a timeout after the commit as a plain error, and a container being deleted as "already
    /// exists" with nothing written (all tried with `object_store` 0.14 on Blob). So anything else is settled by
    /// reading: our `writer`, written; another's, lost; nothing, put again.
    ///
    /// After an error the entry may still come to stand: do without the effect, and begin again by reading.
    pub async fn put(&self, path: &str, entry: Bytes, deadline: Deadline) -> Result<Put, LedgerError> {
        let target = location("write", path)?;
        let Some(writer) = writer_of(&entry) else {
            return Err(LedgerError::new("write", path, "the entry has no `writer`, so it could not be told apart"));
        };
        let deadline = deadline.within(IN_ALL);
        let mut waits = AGAIN_AFTER.into_iter();
        loop {
            let put = || {
                let options = PutOptions::from(PutMode::Create);
                self.store.put_opts(&target, PutPayload::from_bytes(entry.clone()), options)
            };
            let Err(refusal) = self.twice_if_refused("write", path, deadline, put).await? else {
                return Ok(Put::Written);
            };
            let failed = match self.get(path, deadline).await {
                Ok(Some(standing)) if writer_of(&standing).as_ref() == Some(&writer) => return Ok(Put::Written),
                Ok(Some(standing)) => return Ok(Put::Lost(standing)),
                Ok(None) => LedgerError::new("write", path, refusal),
                // Putting again is as safe as reading again, since it only ever creates.
                Err(unread) => unread,
            };
            let Some(wait) = waits.next() else { return Err(failed) };
            if deadline.remaining() <= wait {
                return Err(failed);
            }
            tokio::time::sleep(wait).await;
        }
    }
}

#[derive(Deserialize)]
struct Signed {
    writer: String,
}

/// A `writer` for one entry: drawn once and kept over every try to write it.
pub fn draw_writer() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// The member `writer` of a JSON object.
fn writer_of(entry: &[u8]) -> Option<String> {
    serde_json::from_slice::<Signed>(entry).ok().map(|signed| signed.writer)
}
