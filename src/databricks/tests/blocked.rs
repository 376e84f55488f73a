//! Links that run out, that break, that are refused; and what nobody may see of them.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use url::Url;

use super::calls::{answers, client};
use super::stored::{
    HEADER_SECRET, SIGNATURE, Storage, all, asked, chunk_path, chunks, link, ok, path_of, says, statement_of,
    workspace, workspace_with,
};
use crate::databricks::DatabricksError;
use crate::failure::{Code, Effect, Failure};

/// Nothing of a link but its host may be seen, in any form and at any depth.
fn keeps_its_secrets(error: &DatabricksError) {
    let mut seen = format!("{error:?}");
    let mut next: Option<&dyn Error> = Some(error);
    while let Some(error) = next {
        seen += &format!(" {error} {error:?}");
        next = error.source();
    }
    for secret in [SIGNATURE, HEADER_SECRET, "/blob/"] {
        assert!(!seen.contains(secret), "{secret} in {seen}");
    }
}

fn hidden(error: DatabricksError) -> Failure {
    keeps_its_secrets(&error);
    let failure = Failure::from(error);
    for secret in [SIGNATURE, HEADER_SECRET, "/blob/"] {
        assert!(!format!("{failure:?} {failure}").contains(secret), "{failure:?}");
    }
    failure
}

/// Refuses the first so many requests in this way.
async fn storage_that_says(status: &'static str, times: usize) -> Storage {
    let count = Arc::new(AtomicUsize::new(0));
    Storage::start(move |head| {
        let refused = count.fetch_add(1, Ordering::SeqCst) < times;
        async move { if refused { says(status) } else { ok(path_of(&head)) } }
    })
    .await
}

#[tokio::test]
async fn a_link_gets_its_headers_and_never_our_token() {
    let storage = storage_that_says("", 0).await;
    let (server, statement, client) = workspace(&storage.uri, &[1, 1]).await;
    let mut chunks = chunks(&client, &statement);
    assert!(chunks.next().await.expect("sound").is_some());
    assert!(!format!("{statement:?} {chunks:?}").contains(SIGNATURE));
    assert!(chunks.next().await.expect("sound").is_some());
    let requests = storage.requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 2);
    for head in requests {
        assert!(head.contains(&format!("x-ms-encryption-key: {HEADER_SECRET}\r\n")), "{head}");
        assert!(!head.to_ascii_lowercase().contains("authorization"), "{head}");
        assert!(head.contains(&format!("?sig={SIGNATURE} ")), "{head}");
    }
    let sent = server.received_requests().await.expect("recorded");
    assert!(sent.iter().all(|sent| sent.headers.contains_key("authorization")), "Databricks gets it");
}

#[rstest::rstest]
#[case::over(-1)]
#[case::nearly_over(20)]
#[tokio::test]
async fn a_link_that_ends_soon_is_renewed_before_it_is_used(#[case] seconds: i64) {
    let storage = storage_that_says("", 0).await;
    let old = link(&storage.uri, "old", 0, 0, 1, seconds);
    let (server, statement, client) = workspace_with(statement_of(&[1], &[old])).await;
    let new = link(&storage.uri, "new", 0, 0, 1, 900);
    answers(&server, "GET", &chunk_path(0), 200, json!({"external_links": [new]})).await;
    let came = all(chunks(&client, &statement)).await.expect("every row");
    assert_eq!(came[0].3, "/new");
    assert_eq!((storage.asked_for("/old"), asked(&server).await), (0, 1));
}

#[rstest::rstest]
#[case("403 Forbidden")]
#[case("400 Expired")]
#[case("404 Not Found")]
#[tokio::test]
async fn a_link_that_has_run_out_is_renewed(#[case] status: &'static str) {
    let storage = storage_that_says(status, 3).await;
    let (server, statement, client) = workspace(&storage.uri, &[1]).await;
    assert_eq!(all(chunks(&client, &statement)).await.expect("the fourth link is good").len(), 1);
    assert_eq!(asked(&server).await, 3);
}

#[tokio::test]
async fn a_storage_that_keeps_refusing_is_named() {
    let storage = storage_that_says("403 Forbidden", usize::MAX).await;
    let (server, statement, client) = workspace(&storage.uri, &[1]).await;
    let failure = hidden(all(chunks(&client, &statement)).await.expect_err("the firewall"));
    assert_eq!((failure.code, failure.effect), (Code::StorageBlocked, Effect::None));
    assert!(failure.detail.contains("storage account 127.0.0.1,"), "{}", failure.detail);
    assert_eq!(failure.upstream.and_then(|upstream| upstream.status), Some(403));
    assert_eq!(asked(&server).await, 3, "renewed three times, not for ever");
}

#[tokio::test]
async fn a_storage_that_nobody_reaches_is_named() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let uri = format!("http://{}", gone.local_addr().expect("an address"));
    drop(gone);
    let (_server, statement, client) = workspace(&uri, &[1]).await;
    let error = all(chunks(&client, &statement)).await.expect_err("nobody is there");
    assert!(matches!(&error, DatabricksError::StorageBlocked { host, status: None, .. } if host == "127.0.0.1"));
    assert_eq!(hidden(error).code, Code::StorageBlocked);
}

#[tokio::test]
async fn what_a_proxy_answers_in_place_of_the_storage_is_no_chunk() {
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 7\r\nconnection: close\r\n\r\nblocked";
    let storage = Storage::start(move |_| async move { Some(page.as_bytes().to_vec()) }).await;
    let (_server, statement, client) = workspace(&storage.uri, &[1]).await;
    let failure = hidden(all(chunks(&client, &statement)).await.expect_err("a page"));
    assert_eq!(failure.code, Code::StorageBlocked);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = storage_that_says("", 0).await;
    let reply = format!(
        "HTTP/1.1 302 Found\r\nlocation: {}/x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        elsewhere.uri
    );
    let storage = Storage::start(move |_| {
        let reply = reply.clone();
        async move { Some(reply.into_bytes()) }
    })
    .await;
    let (_server, statement, client) = workspace(&storage.uri, &[1]).await;
    let failure = hidden(all(chunks(&client, &statement)).await.expect_err("a redirect"));
    assert_eq!(failure.code, Code::UpstreamReplyInvalid);
    assert!(elsewhere.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_cut_body_is_fetched_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let storage = Storage::start(move |_| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            let cut = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\nconnection: close\r\n\r\nwho";
            if first { Some(cut.as_bytes().to_vec()) } else { ok("whole") }
        }
    })
    .await;
    let (_server, statement, client) = workspace(&storage.uri, &[1]).await;
    assert_eq!(all(chunks(&client, &statement)).await.expect("the second is whole")[0].3, "whole");
}

#[tokio::test]
async fn a_body_that_is_always_cut_is_an_error() {
    let storage = Storage::start(|_| async {
        Some(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\nconnection: close\r\n\r\nwho".to_vec())
    })
    .await;
    let (_server, statement, client) = workspace(&storage.uri, &[1]).await;
    let failure = hidden(all(chunks(&client, &statement)).await.expect_err("never whole"));
    assert_eq!(failure.code, Code::UpstreamUnavailable);
}

#[tokio::test]
async fn more_than_is_held_of_one_chunk_is_refused_before_it_is_read() {
    let storage = Storage::start(|_| async {
        Some(b"HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\nconnection: close\r\n\r\nx".to_vec())
    })
    .await;
    let (_server, statement, client) = workspace(&storage.uri, &[1]).await;
    let failure = hidden(all(chunks(&client, &statement)).await.expect_err("too much"));
    assert_eq!(failure.code, Code::ResultTooLarge);
    assert_eq!(storage.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_chunk_that_stays_gone_is_an_expired_result() {
    let storage = storage_that_says("404 Not Found", usize::MAX).await;
    let (_server, statement, client) = workspace(&storage.uri, &[1]).await;
    assert_eq!(hidden(all(chunks(&client, &statement)).await.expect_err("gone")).code, Code::ResultExpired);
}

#[rstest::rstest]
#[case::gone(404, json!({"error_code": "NOT_FOUND", "message": "The statement s-1 was not found."}))]
#[case::closed(400, json!({"error_code": "BAD_REQUEST", "message": "The result has expired."}))]
#[tokio::test]
async fn a_link_that_is_asked_for_after_an_hour_is_an_expired_result(
    #[case] status: u16,
    #[case] body: serde_json::Value,
) {
    let (server, statement, client) = workspace_with(statement_of(&[1], &[])).await;
    answers(&server, "GET", &chunk_path(0), status, body).await;
    let failure = Failure::from(all(chunks(&client, &statement)).await.expect_err("gone"));
    assert_eq!(failure.code, Code::ResultExpired);
}

#[rstest::rstest]
#[case("https://workspace.example", "http://127.0.0.1:9/blob/0?sig=s")]
#[case("http://workspace.example", "http://127.0.0.1:9/blob/0?sig=s")]
#[case("http://127.0.0.1:9", "ftp://127.0.0.1:9/blob/0?sig=s")]
#[case("http://127.0.0.1:9", "file:///blob/0?sig=s")]
#[case("http://127.0.0.1:9", "http://name:password@127.0.0.1:9/blob/0?sig=s")]
#[tokio::test]
async fn a_link_that_is_not_https_is_not_followed(#[case] host: &str, #[case] target: &str) {
    let mut link = link("http://unused", "x", 0, 0, 1, 900);
    link["external_link"] = json!(target);
    let (server, statement, _) = workspace_with(statement_of(&[1], &[link])).await;
    let mut client = client(&server);
    client.host = Url::parse(host).expect("a host");
    let failure = hidden(all(chunks(&client, &statement)).await.expect_err("not followed"));
    assert_eq!(failure.code, Code::UpstreamReplyInvalid);
    assert!(failure.detail.contains("not followed"), "{}", failure.detail);
}

#[rstest::rstest]
#[case(json!([{"external_link": 5, "http_headers": HEADER_SECRET}]))]
#[case(json!([{"external_link": format!("no url {SIGNATURE}")}]))]
#[case(json!([{"external_link": format!("https://h/?{SIGNATURE}"), "http_headers": HEADER_SECRET}]))]
#[case(json!([{"external_link": format!("https://h/?{SIGNATURE}"), "http_headers": {"a": [HEADER_SECRET]}}]))]
#[case(json!(SIGNATURE))]
#[tokio::test]
async fn a_link_that_cannot_be_read_is_not_quoted(#[case] links: serde_json::Value) {
    let (server, statement, client) = workspace_with(statement_of(&[1], &[])).await;
    answers(&server, "GET", &chunk_path(0), 200, json!({"external_links": links})).await;
    let failure = hidden(all(chunks(&client, &statement)).await.expect_err("no link"));
    assert_eq!(failure.code, Code::UpstreamReplyInvalid);
}
