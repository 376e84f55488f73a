//! What every kind of store must do: memory, a folder, Blob as its stand-in has it, and Azurite when there is one.

use std::future::Future;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use local_stack::blob::{AUDIENCE, Blob, BlobAccess, BlobOptions};
use local_stack::core::History;
use local_stack::entra::Tokens;
use secrecy::SecretString;
use url::Url;

use super::{entry, soon};
use crate::entra::TokenSource;
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Http, Outbound, RequestKind};
use crate::ledger::{Ledger, Put, entry_path};
use crate::settings::{Ledger as LedgerSettings, LedgerPlace};

const CONTAINER: &str = "ledger";

#[derive(Debug)]
struct Issued {
    tokens: Tokens,
    now: Mutex<String>,
}

impl Issued {
    fn draw(tokens: &Tokens) -> String {
        tokens.issue(AUDIENCE, "app", "object").0
    }
}

#[async_trait]
impl TokenSource for Issued {
    async fn token(&self, _deadline: Deadline) -> Result<SecretString, Failure> {
        Ok(self.now.lock().unwrap().clone().into())
    }

    fn reject(&self, _token: &SecretString) {
        *self.now.lock().unwrap() = Self::draw(&self.tokens);
    }
}

/// A Blob ledger whose container is not made yet.
async fn blob() -> (Blob, Tokens, Ledger) {
    let tokens = Tokens::new("tenant");
    let mut options = BlobOptions::new(BlobAccess::Bearer(tokens.clone()));
    // Small, so that lists have several pages.
    options.page_size = 7;
    let blob = Blob::start(options, History::default()).await.expect("it starts");
    let url = Url::parse(&blob.container_url(CONTAINER)).expect("an address");
    let source = Issued { tokens: tokens.clone(), now: Mutex::new(Issued::draw(&tokens)) };
    let settings = LedgerSettings { place: LedgerPlace::Blob { url } };
    let ledger = Ledger::open(&settings, Some(Arc::new(source))).expect("it opens");
    (blob, tokens, ledger)
}

/// A container of its own in the emulator of others, when there is one: `tests/conformance/azurite.py` starts it.
async fn azurite() -> Option<Ledger> {
    let account = std::env::var("CAUSEWAY_AZURITE_ACCOUNT_URL").ok()?;
    let token = std::env::var("CAUSEWAY_AZURITE_TOKEN").expect("a token beside the URL");
    let container = format!("ledger-{}", uuid::Uuid::new_v4().simple());
    let url = Url::parse(&format!("{account}/{container}")).expect("an address");
    let mut make = url.clone();
    make.set_query(Some("restype=container"));
    let make = Outbound { method: "PUT", ..Outbound::get(make) }
        .header("authorization", format!("Bearer {token}"))
        .header("x-ms-version", "2023-11-03")
        .header("content-length", "0");
    let made = Http::new().expect("a client").send(RequestKind::Probe, make, soon()).await.expect("an answer");
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let settings = LedgerSettings { place: LedgerPlace::Blob { url } };
    Some(Ledger::open(&settings, Some(Arc::new(Given(token)))).expect("it opens"))
}

#[derive(Debug)]
struct Given(String);

#[async_trait]
impl TokenSource for Given {
    async fn token(&self, _deadline: Deadline) -> Result<SecretString, Failure> {
        Ok(self.0.clone().into())
    }

    fn reject(&self, _token: &SecretString) {}
}

/// Runs `check` over each kind of store.
pub(super) async fn everywhere<F: Future<Output = ()>>(check: impl Fn(Ledger) -> F) {
    check(Ledger::in_memory()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("made/when missing");
    check(Ledger::open(&LedgerSettings { place: LedgerPlace::Folder { path } }, None).expect("it opens")).await;
    let (blob, _, ledger) = blob().await;
    blob.create_container(CONTAINER).expect("made");
    check(ledger).await;
    if let Some(ledger) = azurite().await {
        check(ledger).await;
    }
}

async fn put(ledger: &Ledger, path: &str, writer: &str) -> Put {
    ledger.put(path, entry(writer), soon()).await.expect("an outcome")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_writers_exactly_one_writes_and_the_others_see_its_entry() {
    everywhere(async |ledger| {
        for round in 0..10 {
            let path = entry_path("runs/a", round);
            let tries = (0..16).map(|writer| {
                let (ledger, path) = (ledger.clone(), path.clone());
                tokio::spawn(async move { (writer, put(&ledger, &path, &format!("w{writer}")).await) })
            });
            let outcomes: Vec<(usize, Put)> = join_all(tries).await.into_iter().map(|done| done.unwrap()).collect();
            let winners: Vec<usize> =
                outcomes.iter().filter(|(_, put)| *put == Put::Written).map(|(writer, _)| *writer).collect();
            assert_eq!(winners.len(), 1, "{winners:?}");
            let standing = entry(&format!("w{}", winners[0]));
            assert_eq!(ledger.get(&path, soon()).await.unwrap(), Some(standing.clone()));
            for (writer, outcome) in outcomes {
                assert!(writer == winners[0] || outcome == Put::Lost(standing.clone()), "{writer}: {outcome:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_writer_may_put_its_entry_again() {
    everywhere(async |ledger| {
        assert_eq!(put(&ledger, "runs/a/00000000", "me").await, Put::Written);
        assert_eq!(put(&ledger, "runs/a/00000000", "me").await, Put::Written);
        assert_eq!(put(&ledger, "runs/a/00000000", "you").await, Put::Lost(entry("me")));
    })
    .await;
}

#[tokio::test]
async fn an_entry_without_a_writer_is_not_written() {
    everywhere(async |ledger| {
        for bytes in ["{}", "[]", "nothing", r#"{"writer": 7}"#] {
            ledger.put("runs/a/00000000", Bytes::from(bytes), soon()).await.expect_err(bytes);
        }
        assert_eq!(ledger.list("runs", soon()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_list_gives_all_names_under_its_folder_and_no_others() {
    everywhere(async |ledger| {
        let ours: Vec<String> = (0..30).map(|seq| entry_path(&format!("open/r{}", seq % 3), seq)).collect();
        for path in &ours {
            put(&ledger, path, "me").await;
        }
        put(&ledger, "opened/r0/00000000", "me").await;
        let since = jiff::Timestamp::now() - std::time::Duration::from_mins(5);
        let found = ledger.list("open", soon()).await.expect("a list");
        assert!(found.iter().all(|listed| listed.last_modified > since));
        let mut names: Vec<String> = found.into_iter().map(|listed| listed.path).collect();
        names.sort();
        let mut expected = ours;
        expected.sort();
        assert_eq!(names, expected);
        assert_eq!(ledger.list("nothing/here", soon()).await.unwrap(), []);
        assert_eq!(ledger.list("ope", soon()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn the_newest_entry_has_the_highest_number_whatever_stands_beside_it() {
    everywhere(async |ledger| {
        assert_eq!(ledger.newest("runs/a", soon()).await.unwrap(), None);
        for seq in [3, 11, 0, 10, 7] {
            put(&ledger, &entry_path("runs/a", seq), &format!("w{seq}")).await;
        }
        // Neither numbers of this log nor names that sort behind them count.
        put(&ledger, "runs/a/notes", "x").await;
        put(&ledger, "runs/a/zzz/00000099", "x").await;
        put(&ledger, "runs/ab/00000099", "x").await;
        assert_eq!(ledger.newest("runs/a", soon()).await.unwrap(), Some((11, entry("w11"))));
        put(&ledger, &entry_path("runs/a", 100_000_000), "nine digits").await;
        assert_eq!(ledger.newest("runs/a", soon()).await.unwrap().map(|(seq, _)| seq), Some(100_000_000));
    })
    .await;
}

#[tokio::test]
async fn deleting_what_is_gone_is_success() {
    everywhere(async |ledger| {
        put(&ledger, "open/r/00000000", "me").await;
        ledger.delete("open/r/00000000", soon()).await.expect("deleted");
        assert_eq!(ledger.get("open/r/00000000", soon()).await.unwrap(), None);
        ledger.delete("open/r/00000000", soon()).await.expect("gone already");
        ledger.delete("never/was", soon()).await.expect("never there");
    })
    .await;
}

#[tokio::test]
async fn paths_that_climb_or_surprise_are_refused_by_every_call() {
    everywhere(async |ledger| {
        for path in ["../secrets", "a/../../b", "/etc/passwd", "a//b", ".", "", "a/.hidden", "a%2f..", "a\\b", "a/"] {
            ledger.get(path, soon()).await.expect_err(path);
            ledger.put(path, entry("me"), soon()).await.expect_err(path);
            ledger.delete(path, soon()).await.expect_err(path);
            ledger.list(path, soon()).await.expect_err(path);
            ledger.newest(path, soon()).await.expect_err(path);
        }
    })
    .await;
}

#[tokio::test]
async fn an_empty_ledger_is_ready() {
    everywhere(async |ledger| ledger.ready(soon()).await.expect("ready")).await;
}

#[tokio::test]
async fn what_a_folder_holds_is_there_for_the_next_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = LedgerSettings { place: LedgerPlace::Folder { path: folder.path().to_owned() } };
    put(&Ledger::open(&settings, None).unwrap(), "runs/a/00000000", "me").await;
    let again = Ledger::open(&settings, None).unwrap();
    assert_eq!(put(&again, "runs/a/00000000", "you").await, Put::Lost(entry("me")));
}

#[tokio::test]
async fn a_missing_container_is_told_apart_from_an_empty_one() {
    let (blob, _, ledger) = blob().await;
    let missing = ledger.ready(soon()).await.expect_err("there is none");
    assert_eq!(missing.to_string(), "the ledger could not find its container");
    blob.create_container(CONTAINER).expect("made");
    ledger.ready(soon()).await.expect("ready");
}

#[tokio::test]
async fn a_token_that_the_store_refuses_is_replaced() {
    let (blob, tokens, ledger) = blob().await;
    blob.create_container(CONTAINER).expect("made");
    tokens.revoke_all();
    assert_eq!(put(&ledger, "runs/a/00000000", "me").await, Put::Written);
    tokens.revoke_all();
    assert_eq!(ledger.newest("runs/a", soon()).await.unwrap(), Some((0, entry("me"))));
    tokens.revoke_all();
    ledger.delete("runs/a/00000000", soon()).await.expect("deleted");
}

#[tokio::test]
async fn a_container_in_the_cloud_needs_an_identity() {
    let url = Url::parse("https://acme.blob.core.windows.net/ledger").expect("an address");
    let failure = Ledger::open(&LedgerSettings { place: LedgerPlace::Blob { url } }, None).expect_err("no identity");
    assert_eq!(failure.code, Code::Misconfigured);
}
