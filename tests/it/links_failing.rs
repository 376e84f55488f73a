//! Storages that are blocked, links that run out, chunks that are not what they should be: whole, or an error that is
//! seen. Never a short success. And nothing of a link is told.

use std::time::Duration;

use local_stack::core::{Action, Fault};
use local_stack::databricks::{Blocked, Trap, Wrong};
use local_stack::stack::LEDGER_CONTAINER;
use serde_json::json;

use crate::links::{SQL, big, dispositions, ends_in, given, posted, ran, repeated, road, whole};
use crate::road::Road;
use crate::streams::reply;

fn fallback(response: &reqwest::Response) -> Option<&str> {
    response.headers().get("x-causeway-fallback").and_then(|value| value.to_str().ok())
}

#[rstest::rstest]
#[case::by_a_firewall(Blocked::Firewall)]
#[case::without_a_word(Blocked::Unreachable)]
#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_storage_is_gone_around_inline(#[case] blocked: Blocked) {
    let road = road(&[big(5_000, 1_000)], |_| {}).await;
    let expected = whole(posted(&road, "?format=ndjson", "inline").await).await;
    road.stack.databricks.block_storage(Some(blocked));
    let first = posted(&road, "?format=ndjson", "auto").await;
    assert_eq!(fallback(&first), Some("inline"));
    assert!(whole(first).await == expected, "other rows");
    assert_eq!(dispositions(&road), ["INLINE", "EXTERNAL_LINKS", "INLINE"]);
    // From now on it is known.
    let second = posted(&road, "?format=ndjson", "auto").await;
    assert_eq!(fallback(&second), None);
    assert!(whole(second).await == expected, "other rows");
    assert_eq!(dispositions(&road)[3..], ["INLINE"]);
    // Who asks for links gets them tried, and is told too.
    let asked = posted(&road, "?format=ndjson", "externalLinks").await;
    assert_eq!(fallback(&asked), Some("inline"));
    assert!(whole(asked).await == expected, "other rows");
    let page = reply(posted(&road, "?pageSize=10", "externalLinks").await).await.expect(200);
    assert_eq!((page.header("x-causeway-fallback"), page.at("/returnedRows")), (Some("inline"), &json!(10)));
    assert_eq!(dispositions(&road)[4..], ["EXTERNAL_LINKS", "INLINE", "EXTERNAL_LINKS", "INLINE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_fits_no_way_is_a_problem_that_names_the_storage() {
    let road = road(&[big(5_000, 1_000)], |options| options.databricks.inline_limit = 10_000).await;
    road.stack.databricks.block_storage(Some(Blocked::Firewall));
    for disposition in ["externalLinks", "auto", "auto"] {
        let failed = reply(posted(&road, "?format=ndjson", disposition).await).await;
        failed.problem(424, "storage-blocked").saying(&["storage account 127.0.0.1", "25 MiB"]);
    }
    road.stack.databricks.block_storage(None);
    let open = whole(posted(&road, "?format=ndjson", "externalLinks").await).await;
    assert_eq!(open.lines().count(), 5_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_statement_behind_a_blocked_storage_are_a_problem_and_the_next_goes_inline() {
    let road = road(&[big(5_000, 1_000)], |_| {}).await;
    let id = ran(&road).await;
    road.stack.databricks.block_storage(Some(Blocked::Firewall));
    for query in ["?format=csv", "?pageSize=10"] {
        let failed = road.get(&format!("/api/sql/statements/{id}/rows{query}")).await;
        failed.problem(424, "storage-blocked").saying(&["storage account 127.0.0.1"]);
    }
    let next = posted(&road, "?format=ndjson", "auto").await;
    assert_eq!(fallback(&next), None);
    assert_eq!(whole(next).await.lines().count(), 5_000);
    assert_eq!(dispositions(&road), ["EXTERNAL_LINKS", "INLINE"]);
    road.stack.databricks.block_storage(None);
    road.get(&format!("/api/sql/statements/{id}/rows?pageSize=10")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_run_out_while_they_are_read_are_renewed() {
    // More than the sockets on both sides of the host can take, whose buffers grow while they are read from.
    let rows = 3_000_000;
    let road = road(&[repeated(SQL, rows, 20_000)], |options| {
        // Every link comes at the start, so that all but the first few have to be renewed.
        options.databricks.links_per_reply = 150;
        options.extra_environment.insert("CAUSEWAY_RESULT_BUDGET_MIB".into(), "8".into());
    })
    .await;
    let mut response = posted(&road, "?format=ndjson&shape=arrays", "externalLinks").await;
    assert_eq!(response.status(), 200);
    let mut lines = 0;
    let mut expired = false;
    while let Some(piece) = response.chunk().await.expect("a piece") {
        lines += ends_in(&piece);
        if !expired {
            // Nothing is on its way any more once the handler waits for this reader.
            let mut seen = usize::MAX;
            while seen != given(&road.stack.history).len() {
                seen = given(&road.stack.history).len();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(seen < 140, "{seen} chunks were fetched for a reader who takes nothing");
            road.stack.databricks.expire_links();
            expired = true;
        }
    }
    assert_eq!(lines, rows);
    let asked = road.effects("databricks", "request");
    let renewed = asked.iter().filter(|one| one["target"].as_str().is_some_and(|at| at.contains("/result/chunks/")));
    assert!(renewed.count() >= 10, "the links that were there first should have run out");
}

fn trap(road: &Road, wrong: Wrong, chunk: usize) {
    road.stack.databricks.trap(Trap { statement_contains: SQL.into(), wrong, chunk });
}

/// Neither whole nor an error would be the worst.
async fn is_seen_to_be_cut(road: &Road, disposition: &str, what: &str) {
    let response = posted(road, "?format=ndjson", disposition).await;
    assert_eq!(response.status(), 200, "the first chunk is good: {what}");
    let body = response.bytes().await;
    assert!(body.is_err(), "{what}: {} bytes looked complete", body.map(|bytes| bytes.len()).unwrap_or_default());
}

#[rstest::rstest]
#[case::links("externalLinks")]
#[case::inline("inline")]
#[tokio::test(flavor = "multi_thread")]
async fn wrong_chunks_are_a_problem_or_a_cut_and_never_a_short_success(#[case] disposition: &str) {
    let road = road(&[big(15_000, 3_000)], |_| {}).await;
    for wrong in [Wrong::Missing, Wrong::Swapped] {
        trap(&road, wrong, 0);
        let failed = reply(posted(&road, "?format=ndjson", disposition).await).await;
        failed.problem(422, "result-incomplete");
        road.stack.databricks.clear_traps();
    }
    for (wrong, chunk) in
        [(Wrong::Repeated, 1), (Wrong::Missing, 2), (Wrong::Swapped, 3), (Wrong::Missing, 4), (Wrong::Repeated, 4)]
    {
        trap(&road, wrong, chunk);
        let what = format!("{wrong:?} {chunk}");
        is_seen_to_be_cut(&road, disposition, &what).await;
        road.logged("why it was cut", |line| {
            line["message"] == "a stream was cut" && line["code"] == "result-incomplete"
        })
        .await;
        // In pages it is a problem, on whichever page it comes.
        let mut page = reply(posted(&road, "?pageSize=2000", disposition).await).await;
        while page.status == 200 {
            let next = page.body["nextLink"].as_str().unwrap_or_else(|| panic!("{what}: the last page came"));
            page = road.get(next).await;
        }
        page.problem(422, "result-incomplete");
        road.stack.databricks.clear_traps();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_the_storage_that_break_once_are_fetched_again() {
    let road = road(&[big(15_000, 3_000)], |_| {}).await;
    let expected = whole(posted(&road, "?format=ndjson", "inline").await).await;
    let busy =
        || Action::Status { status: 503, headers: vec![("retry-after".into(), "0".into())], body: String::new() };
    let faults = &road.stack.databricks.storage.faults;
    for action in [Action::Truncate { bytes: 1_000 }, Action::CutBeforeCommit, Action::CutAfterCommit, busy()] {
        for skip in [0, 3] {
            faults.add(Fault::once("GET", "/jobs/", action.clone()).skip(skip));
            assert!(
                whole(posted(&road, "?format=ndjson", "externalLinks").await).await == expected,
                "{action:?} {skip}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_the_storage_that_stay_broken_are_an_error() {
    let road = road(&[big(15_000, 3_000)], |_| {}).await;
    let faults = &road.stack.databricks.storage.faults;
    faults.add(Fault::once("GET", "_0?", Action::EmptyBody));
    reply(posted(&road, "?format=ndjson", "externalLinks").await).await.problem(422, "result-incomplete");
    faults.clear();
    faults.add(Fault::once("GET", "/jobs/", Action::Truncate { bytes: 1_000 }).times(1_000));
    let failed = reply(posted(&road, "?format=ndjson", "externalLinks").await).await;
    assert!(failed.status >= 400 && !failed.code().is_empty(), "{}", failed.body);
    // It was reached: links are not given up.
    assert!(!dispositions(&road).contains(&"INLINE".to_owned()), "{:?}", dispositions(&road));
    faults.clear();
    // Of one chunk in the middle.
    for action in [Action::EmptyBody, Action::Truncate { bytes: 1_000 }] {
        faults.add(Fault::once("GET", "_3?", action.clone()).times(1_000));
        is_seen_to_be_cut(&road, "externalLinks", &format!("{action:?}")).await;
        faults.clear();
    }
    // Rubbish in place of Arrow, of the first chunk and of a later one.
    let rubbish = Action::Status { status: 200, headers: Vec::new(), body: "this is no Arrow".into() };
    faults.add(Fault::once("GET", "_0?", rubbish.clone()));
    let failed = reply(posted(&road, "?format=ndjson", "externalLinks").await).await;
    assert!(failed.status >= 400 && !failed.code().is_empty(), "{}", failed.body);
    faults.add(Fault::once("GET", "_2?", rubbish));
    is_seen_to_be_cut(&road, "externalLinks", "rubbish").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_frame_a_message_and_one_for_all_are_read_alike() {
    let mut bodies = Vec::new();
    for frame_per_message in [true, false] {
        let road = road(&[big(4_000, 1_500)], |options| {
            options.databricks.frame_per_message = frame_per_message;
            options.databricks.batch_rows = 400;
        })
        .await;
        bodies.push(whole(posted(&road, "?format=ndjson", "externalLinks").await).await);
    }
    assert_eq!(bodies[0].lines().count(), 4_000);
    assert!(bodies[0] == bodies[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_link_is_told() {
    const HEADER: &str = "c3VyZWx5LWEtc2VjcmV0LWtleQ==";
    let road = road(&[big(5_000, 1_000)], |options| {
        options.databricks.engine = true;
        options.databricks.link_headers = vec![("x-ms-encryption-key".into(), HEADER.into())];
        options.extra_environment.insert("CAUSEWAY_LOG".into(), "trace".into());
    })
    .await;
    let mut said = vec![whole(posted(&road, "?format=ndjson", "externalLinks").await).await];
    assert_eq!(said[0].lines().count(), 5_000, "the headers of links were sent");
    let body = json!({"statement": "SELECT explode(sequence(1, 50)) AS n", "disposition": "externalLinks"});
    let keyed = road.post_keyed("/api/sql/statements?pageSize=10", "k", &body).await.expect(200);
    said.push(keyed.body.to_string());
    let id = keyed.at("/statementId").as_str().expect("an id").to_owned();
    // What goes wrong is where errors like to quote: refused, expired, broken, cut, gone.
    let databricks = &road.stack.databricks;
    databricks.expire_links();
    let wrong = [
        Action::Status {
            status: 403,
            headers: Vec::new(),
            body: "<Error><Code>AuthenticationFailed</Code></Error>".into(),
        },
        Action::Status {
            status: 302,
            headers: vec![("location".into(), "/jobs/elsewhere".into())],
            body: String::new(),
        },
        Action::Status { status: 500, headers: Vec::new(), body: "no".into() },
        Action::Truncate { bytes: 10 },
        Action::CutBeforeCommit,
    ];
    for action in wrong {
        databricks.storage.faults.add(Fault::once("GET", "/jobs/", action).times(1_000));
        let failed = road.get(&format!("/api/sql/statements/{id}/rows?pageSize=10")).await;
        assert!(failed.status >= 400, "{}", failed.body);
        said.push(format!("{:?} {}", failed.headers, failed.body));
        databricks.storage.faults.clear();
    }
    let asked = road.effects("storage", "request");
    assert!(asked.len() > 10 && !road.effects("storage", "link").is_empty());

    let lines = road.stack.host.as_ref().expect("a host").logs().lines();
    let mut texts: Vec<String> = lines.iter().map(ToString::to_string).collect();
    assert!(texts.iter().any(|line| line.contains("neighbour answered")), "no trace");
    let entry = |name: &String| road.stack.blob.read(LEDGER_CONTAINER, name);
    let kept: Vec<String> = road
        .ledger("")
        .iter()
        .filter_map(|name| Some(format!("{name} {}", String::from_utf8_lossy(&entry(name)?))))
        .collect();
    assert!(kept.iter().any(|entry| entry.starts_with("claims/")), "no claims");
    texts.extend(kept);
    texts.extend(said);
    for text in &texts {
        for secret in ["sig=", "sp=r", HEADER, "x-ms-encryption-key", "/jobs/4120538711902046"] {
            assert!(!text.contains(secret), "{secret} in {}", &text[..text.len().min(2_000)]);
        }
    }
}
