//! Blob: what an append-only log relies on.

use local_stack::blob::{AUDIENCE, Blob, BlobAccess, BlobOptions};
use local_stack::core::{Action, Fault, History};
use local_stack::entra::Tokens;

use crate::client::{Client, Reply};

async fn start() -> (Blob, Client) {
    let tokens = Tokens::new("tenant");
    let (token, _) = tokens.issue(AUDIENCE, "app", "object");
    let blob = Blob::start(BlobOptions::new(BlobAccess::Bearer(tokens)), History::default()).await.unwrap();
    blob.create_container("ledger").unwrap();
    (blob, Client::default().bearer(&token).with("x-ms-version", "2023-11-03"))
}

async fn create(client: &Client, blob: &Blob, name: &str, body: &'static str) -> Reply {
    let client = client.with("x-ms-blob-type", "BlockBlob").with("if-none-match", "*");
    client.send("PUT", &format!("{}/{name}", blob.container_url("ledger")), body).await
}

#[tokio::test]
async fn create_if_absent_is_written_once_and_then_refused() {
    let (blob, client) = start().await;
    let first = create(&client, &blob, "runs/1/00000000", "a").await;
    assert_eq!(first.status, 201);
    let second = create(&client, &blob, "runs/1/00000000", "b").await;
    assert_eq!((second.status, second.header("x-ms-error-code")), (409, "BlobAlreadyExists"));
    let read = client.get(&format!("{}/runs/1/00000000", blob.container_url("ledger"))).await;
    assert_eq!((read.status, read.text.as_str()), (200, "a"));
    assert_eq!(read.header("etag"), first.header("etag"));
    assert_eq!(blob.served.history.of("blob", "put").len(), 1);
}

#[tokio::test]
async fn of_many_writers_at_once_one_wins() {
    let (blob, client) = start().await;
    let writers = (0..16).map(|_| create(&client, &blob, "slot/0", "x"));
    let replies = futures_util::future::join_all(writers).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.status == 409).count(), 15);
}

#[tokio::test]
async fn a_fault_after_the_commit_leaves_the_blob_there() {
    let (blob, client) = start().await;
    let action = Action::StatusAfterCommit { status: 503, headers: Vec::new(), body: String::new() };
    blob.served.faults.add(Fault::once("PUT", "slot/0", action));
    assert_eq!(create(&client, &blob, "slot/0", "x").await.status, 503);
    assert_eq!(create(&client, &blob, "slot/0", "x").await.status, 409);
    assert_eq!(blob.names("ledger"), ["slot/0"]);
}

#[tokio::test]
async fn a_list_comes_in_pages_and_in_order() {
    let (blob, client) = start().await;
    for name in ["runs/b/1", "runs/a/2", "runs/a/1", "other/1", "runs/a&b"] {
        assert_eq!(create(&client, &blob, &name.replace('&', "%26"), "x").await.status, 201);
    }
    blob.set_page_size(2);
    let (mut names, mut marker, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let url =
            format!("{}?restype=container&comp=list&prefix=runs%2F&marker={marker}", blob.container_url("ledger"));
        let xml = client.get(&url).await.text;
        names.extend(between(&xml, "<Name>", "</Name>"));
        pages += 1;
        marker = between(&xml, "<NextMarker>", "</NextMarker>").remove(0).replace('=', "%3D");
        if marker.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["runs/a&amp;b", "runs/a/1", "runs/a/2", "runs/b/1"]);
    assert_eq!(pages, 2);
    let url = format!("{}?restype=container&comp=list&prefix=runs%2F&delimiter=%2F", blob.container_url("ledger"));
    assert!(client.get(&url).await.text.contains("<BlobPrefix><Name>runs/a/</Name></BlobPrefix>"));
}

fn between(text: &str, start: &str, end: &str) -> Vec<String> {
    text.split(start).skip(1).filter_map(|part| part.split(end).next()).map(Into::into).collect()
}

#[tokio::test]
async fn ranges_conditions_and_what_is_missing_answer_as_the_service_does() {
    let (blob, client) = start().await;
    let url = format!("{}/x", blob.container_url("ledger"));
    assert_eq!(client.get(&url).await.header("x-ms-error-code"), "BlobNotFound");
    create(&client, &blob, "x", "0123456789").await;
    let part = client.with("range", "bytes=2-4").get(&url).await;
    assert_eq!((part.status, part.text.as_str(), part.header("content-range")), (206, "234", "bytes 2-4/10"));
    assert_eq!(client.with("range", "bytes=10-").get(&url).await.status, 416);
    let head = client.send("HEAD", &url, "").await;
    assert_eq!((head.status, head.header("content-length"), head.text.as_str()), (200, "10", ""));
    let same = client.with("if-none-match", head.header("etag")).get(&url).await;
    assert_eq!(same.status, 304);
    let changed = client.with("x-ms-blob-type", "BlockBlob").with("if-match", "\"0x0\"").send("PUT", &url, "y").await;
    assert_eq!((changed.status, changed.header("x-ms-error-code")), (412, "ConditionNotMet"));
    assert_eq!(client.send("DELETE", &url, "").await.status, 202);
    assert_eq!(client.send("DELETE", &url, "").await.status, 404);
    let absent = client.get(&format!("{}/x", blob.container_url("nowhere"))).await;
    assert_eq!((absent.status, absent.header("x-ms-error-code")), (404, "ContainerNotFound"));
}

#[tokio::test]
async fn without_a_token_for_storage_nothing_is_read() {
    let (blob, _) = start().await;
    let reply = Client::default().get(&format!("{}/x", blob.container_url("ledger"))).await;
    assert_eq!((reply.status, reply.header("x-ms-error-code")), (401, "NoAuthenticationInformation"));
    assert!(reply.header("www-authenticate").contains("resource_id=https://storage.azure.com"));
}
