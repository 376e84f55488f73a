//! Results behind links: order, parallel fetches, the budget, and what must not pass for a whole result.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::sync::watch;
use wiremock::matchers::{body_partial_json, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::calls::{answers, client, select, soon};
use super::stored::{
    Storage, all, asked, chunk_path, chunks, link, ok, path_of, sized, statement_of, workspace, workspace_with,
};
use crate::databricks::{Budget, Disposition, SubmitStatement};
use crate::failure::{Code, Effect, Failure};

/// Answers every path with itself.
async fn plain_storage() -> Storage {
    Storage::start(|head| async move { ok(path_of(&head)) }).await
}

#[tokio::test]
async fn external_links_are_asked_for_as_the_drivers_do() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(body_partial_json(json!({
            "disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM", "result_compression": "LZ4_FRAME",
            "byte_limit": 1000,
        })))
        .respond_with(ResponseTemplate::new(200).set_body_json(statement_of(&[1], &[])))
        .expect(1)
        .mount(&server)
        .await;
    let submit = SubmitStatement { disposition: Disposition::ExternalLinks, byte_limit: Some(1_000), ..select() };
    let statement = client(&server).submit(&submit, soon()).await.expect("it is taken");
    assert_eq!(statement.warehouse_id.as_deref(), Some("0123456789abcdef"));
}

#[tokio::test]
async fn chunks_come_in_order_though_a_later_one_is_answered_first() {
    let (answered, later) = watch::channel(false);
    let answered = Arc::new(answered);
    let storage = Storage::start(move |head| {
        let (mut later, answered) = (later.clone(), Arc::clone(&answered));
        async move {
            if path_of(&head) == "/blob/0" {
                later.wait_for(|answered| *answered).await.expect("the later one is asked for meanwhile");
            } else {
                answered.send_replace(true);
            }
            ok(path_of(&head))
        }
    })
    .await;
    let (_server, statement, client) = workspace(&storage.uri, &[2, 1, 3]).await;
    let came = all(chunks(&client, &statement)).await.expect("every row");
    let expected = [(0, 0, 2), (1, 2, 1), (2, 3, 3)].map(|(i, at, rows)| (i, at, rows, format!("/blob/{i}")));
    assert_eq!(came, expected);
}

#[tokio::test]
async fn no_more_than_eight_are_fetched_or_wait_at_once() {
    let (others, seen) = watch::channel(0);
    let others = Arc::new(others);
    let while_waiting = Arc::new(AtomicUsize::new(0));
    let peak = Arc::clone(&while_waiting);
    let storage = Storage::start(move |head| {
        let (others, mut seen, peak) = (Arc::clone(&others), seen.clone(), Arc::clone(&peak));
        async move {
            if path_of(&head) == "/blob/0" {
                seen.wait_for(|others| *others >= 7).await.ok();
                peak.store(*seen.borrow() + 1, Ordering::SeqCst);
            } else {
                others.send_modify(|others| *others += 1);
            }
            ok(path_of(&head))
        }
    })
    .await;
    let (_server, statement, client) = workspace(&storage.uri, &[1; 20]).await;
    assert_eq!(all(chunks(&client, &statement)).await.expect("every row").len(), 20);
    assert_eq!(while_waiting.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn a_budget_smaller_than_any_chunk_lets_one_through_at_a_time_and_gets_all_back() {
    let body = "x".repeat(40_000);
    let storage = Storage::start(move |_| {
        let body = body.clone();
        async move { ok(&body) }
    })
    .await;
    let (_server, statement, client) = workspace(&storage.uri, &[1, 1, 1]).await;
    let statement = sized(statement, 40_000);
    let budget = Budget::new(8 * 1024);
    let mut chunks = client.chunks(&statement, 0, &budget, soon());
    let first = chunks.next().await.expect("sound").expect("the first");
    assert_eq!(budget.free(), 0);
    drop(first);
    assert_eq!(all(chunks).await.expect("the others").len(), 2);
    assert_eq!(budget.free(), 8 * 1024);
}

#[tokio::test]
async fn a_reader_that_stalls_leaves_room_for_others() {
    let body = "x".repeat(10_000);
    let storage = Storage::start(move |_| {
        let body = body.clone();
        async move { ok(&body) }
    })
    .await;
    let (_server, statement, client) = workspace(&storage.uri, &[1; 12]).await;
    let statement = sized(statement, 10_000);
    let budget = Budget::new(64 * 1024);
    let mut stalled = client.chunks(&statement, 0, &budget, soon());
    let _held = stalled.next().await.expect("sound").expect("the first");
    let others = all(client.chunks(&statement, 0, &budget, soon())).await.expect("every row");
    assert_eq!(others.len(), 12);
}

#[tokio::test]
async fn a_dropped_result_stops_every_fetch_and_gives_its_shares_back() {
    let storage =
        Storage::start(|head| async move { if path_of(&head) == "/blob/0" { ok("first") } else { None } }).await;
    let (_server, statement, client) = workspace(&storage.uri, &[1, 1, 1]).await;
    let budget = Budget::new(64 << 20);
    let mut chunks = client.chunks(&statement, 0, &budget, soon());
    drop(chunks.next().await.expect("sound").expect("the first"));
    while storage.asked_for("/blob/1") + storage.asked_for("/blob/2") < 2 {
        tokio::task::yield_now().await;
    }
    drop(chunks);
    storage.left.clone().wait_for(|left| *left == 2).await.expect("both connections are closed");
    while budget.free() != 64 << 20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn several_links_in_one_reply_are_all_used() {
    let storage = plain_storage().await;
    let links = [link(&storage.uri, "a", 0, 0, 2, 900), link(&storage.uri, "b", 1, 2, 1, 900)];
    let (server, statement, client) = workspace_with(statement_of(&[2, 1], &links)).await;
    let came = all(chunks(&client, &statement)).await.expect("every row");
    assert_eq!(came.iter().map(|chunk| chunk.3.as_str()).collect::<Vec<_>>(), ["/a", "/b"]);
    assert_eq!(asked(&server).await, 0);
}

#[tokio::test]
async fn where_the_manifest_lists_no_chunks_each_link_names_the_next() {
    let storage = plain_storage().await;
    let mut first = link(&storage.uri, "a", 0, 0, 2, 900);
    first["next_chunk_index"] = json!(4);
    let mut body = statement_of(&[2, 1], &[first]);
    body["manifest"].as_object_mut().expect("an object").remove("chunks");
    let (server, statement, client) = workspace_with(body).await;
    let last = link(&storage.uri, "b", 4, 2, 1, 900);
    answers(&server, "GET", &chunk_path(4), 200, json!({"external_links": [last]})).await;
    let came = all(chunks(&client, &statement)).await.expect("every row");
    assert_eq!(came.iter().map(|chunk| (chunk.0, chunk.1)).collect::<Vec<_>>(), [(0, 0), (4, 2)]);
}

#[tokio::test]
async fn an_index_that_comes_twice_loses_no_rows() {
    let storage = plain_storage().await;
    let links = [link(&storage.uri, "a", 0, 0, 2, 900), link(&storage.uri, "b", 0, 2, 1, 900)];
    let mut body = statement_of(&[2, 1], &links);
    body["manifest"]["chunks"][1]["chunk_index"] = json!(0);
    let (_server, statement, client) = workspace_with(body).await;
    let came = all(chunks(&client, &statement)).await.expect("every row");
    assert_eq!(came.iter().map(|chunk| chunk.3.as_str()).collect::<Vec<_>>(), ["/a", "/b"]);
}

#[tokio::test]
async fn reading_may_begin_in_the_middle() {
    let storage = plain_storage().await;
    let (_server, statement, client) = workspace(&storage.uri, &[2, 1, 3]).await;
    let came = all(client.chunks(&statement, 1, &Budget::new(64 << 20), soon())).await.expect("the rest");
    assert_eq!(came.iter().map(|chunk| (chunk.0, chunk.1)).collect::<Vec<_>>(), [(1, 2), (2, 3)]);
    assert_eq!(storage.asked_for("/blob/0"), 0);
}

#[tokio::test]
async fn json_behind_links_is_json() {
    let storage = Storage::start(|_| async { ok(r#"[["1"]]"#) }).await;
    let mut body = statement_of(&[1], &[link(&storage.uri, "a", 0, 0, 1, 900)]);
    body["manifest"]["format"] = json!("JSON_ARRAY");
    let (_server, statement, client) = workspace_with(body).await;
    let (rows, cut) = client.rows(&statement, 10, 1_000, soon()).await.expect("every row");
    assert_eq!((rows, cut), (vec![vec![Some("1".to_owned())]], false));
}

#[rstest::rstest]
#[case::a_gap(1, "row_offset", json!(3))]
#[case::repeated(1, "row_offset", json!(0))]
#[case::empty(1, "row_count", json!(0))]
#[tokio::test]
async fn a_manifest_with_a_hole_is_no_result(#[case] at: usize, #[case] member: &str, #[case] value: Value) {
    let mut body = statement_of(&[2, 1, 3], &[]);
    body["manifest"]["chunks"][at][member] = value;
    let (server, statement, client) = workspace_with(body).await;
    let failure = Failure::from(all(chunks(&client, &statement)).await.expect_err("not whole"));
    assert_eq!((failure.code, failure.effect), (Code::ResultIncomplete, Effect::None));
    assert_eq!(asked(&server).await, 0);
}

#[rstest::rstest]
#[case::other_rows(json!([{"row_offset": 9}]))]
#[case::fewer_rows(json!([{"row_count": 1}]))]
#[case::none(json!([]))]
#[tokio::test]
async fn a_link_to_other_rows_is_not_taken(#[case] differs: Value) {
    let storage = plain_storage().await;
    let mut links = Vec::new();
    for members in differs.as_array().expect("a list") {
        let mut link = link(&storage.uri, "a", 0, 0, 2, 900);
        for (name, value) in members.as_object().expect("an object") {
            link[name] = value.clone();
        }
        links.push(link);
    }
    let (server, statement, client) = workspace_with(statement_of(&[2], &[])).await;
    answers(&server, "GET", &chunk_path(0), 200, json!({"external_links": links})).await;
    let failure = Failure::from(all(chunks(&client, &statement)).await.expect_err("not whole"));
    assert_eq!(failure.code, Code::ResultIncomplete);
}

#[tokio::test]
async fn chunks_that_end_before_the_total_are_no_result() {
    let storage = plain_storage().await;
    let mut body = statement_of(&[2, 1], &[link(&storage.uri, "a", 0, 0, 2, 900)]);
    body["manifest"].as_object_mut().expect("an object").remove("chunks");
    let (_server, statement, client) = workspace_with(body).await;
    let mut chunks = chunks(&client, &statement);
    assert!(chunks.next().await.expect("the first is sound").is_some());
    assert_eq!(Failure::from(chunks.next().await.expect_err("one row is missing")).code, Code::ResultIncomplete);
    assert!(chunks.next().await.expect("over").is_none());
}

#[tokio::test]
async fn an_empty_body_is_no_chunk() {
    let storage = Storage::start(|_| async { ok("") }).await;
    let (_server, statement, client) = workspace(&storage.uri, &[1]).await;
    let failure = Failure::from(all(chunks(&client, &statement)).await.expect_err("it is empty"));
    assert_eq!(failure.code, Code::ResultIncomplete);
}
