//! Two writers at once: the first to commit wins, the other fails with 2D521 and has written nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::caller::{Caller, id, start};

async fn with_rows() -> Caller {
    let caller = start().await;
    caller.rows("CREATE TABLE main.gold.t (id INT, x INT)").await;
    caller.rows("INSERT INTO main.gold.t VALUES (1, 1), (2, 2), (3, 3)").await;
    caller
}

/// Runs both, which have read before either commits; the state, the SQLSTATE and the message of each.
async fn at_once(caller: &Caller, statements: [&str; 2]) -> [(String, Value, String); 2] {
    caller.stand_in.hold_commits("main.gold.t").await;
    let mut ids = Vec::new();
    for statement in statements {
        ids.push(id(&caller.execute(statement, json!({"wait_timeout": "0s"})).await));
    }
    let waiting = async {
        while caller.stand_in.held_commits().await < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("both have read");
    caller.stand_in.release_commits().await;
    let mut ends = Vec::new();
    for id in &ids {
        let ended = |body: &Value| body["status"]["state"] == "SUCCEEDED" || body["status"]["state"] == "FAILED";
        let status = caller.until(&format!("/api/2.0/sql/statements/{id}"), ended).await["status"].take();
        let message = status["error"]["message"].as_str().unwrap_or_default().to_owned();
        ends.push((status["state"].as_str().unwrap_or_default().to_owned(), status["sql_state"].clone(), message));
    }
    ends.try_into().expect("two")
}

const UPDATE: &str = "UPDATE main.gold.t SET x = 10 WHERE id = 1";

fn merge(id: i32) -> String {
    format!(
        "MERGE INTO main.gold.t AS t USING (SELECT {id} AS id, 50 AS x) AS s ON t.id = s.id \
         WHEN MATCHED THEN UPDATE SET t.x = s.x WHEN NOT MATCHED THEN INSERT (id, x) VALUES (s.id, s.x)"
    )
}

#[tokio::test]
async fn of_two_writers_of_one_row_one_succeeds_and_one_fails_with_2d521() {
    let others =
        ["UPDATE main.gold.t SET x = 20 WHERE id < 3", "DELETE FROM main.gold.t AS t WHERE t.id = 1", &merge(1)];
    for other in others {
        let caller = with_rows().await;
        let ends = at_once(&caller, [UPDATE, other]).await;
        let failed: Vec<_> = ends.iter().filter(|(state, ..)| state == "FAILED").collect();
        let [(_, sql_state, message)] = failed.as_slice() else { panic!("{other}: {ends:?}") };
        assert_eq!(sql_state, "2D521", "{other}");
        assert!(message.starts_with("[DELTA_CONCURRENT_"), "{message}");
        assert!(message.contains("ROW_LEVEL_CHANGES] Transaction conflict detected. A concurrent "), "{message}");
        assert!(message.contains(" main.gold.t committed at version "), "{message}");
        assert!(message.ends_with("SQLSTATE: 2D521"), "{message}");
        // What is there is the work of one alone.
        let rows = caller.rows("SELECT id, x FROM main.gold.t ORDER BY id").await;
        let first_won = ends[0].0 == "SUCCEEDED";
        let wanted = match other {
            _ if first_won => json!([["1", "10"], ["2", "2"], ["3", "3"]]),
            update if update.starts_with("UPDATE") => json!([["1", "20"], ["2", "20"], ["3", "3"]]),
            delete if delete.starts_with("DELETE") => json!([["2", "2"], ["3", "3"]]),
            _ => json!([["1", "50"], ["2", "2"], ["3", "3"]]),
        };
        assert_eq!(rows, wanted, "{other}: {ends:?}");
    }
}

#[tokio::test]
async fn two_merges_that_would_insert_one_key_insert_it_once() {
    let caller = with_rows().await;
    let ends = at_once(&caller, [&merge(9), &merge(9)]).await;
    assert_eq!(ends.iter().filter(|(_, sql_state, _)| sql_state == "2D521").count(), 1, "{ends:?}");
    assert_eq!(caller.rows("SELECT count(*) FROM main.gold.t WHERE id = 9").await, json!([["1"]]));
}

#[tokio::test]
async fn writers_of_different_rows_and_plain_inserts_do_not_conflict() {
    let insert = "INSERT INTO main.gold.t VALUES (9, 9)";
    let all = "UPDATE main.gold.t SET x = x + 1";
    for pair in [[UPDATE, "UPDATE main.gold.t SET x = 20 WHERE id = 2"], [insert, insert], [insert, all]] {
        let caller = with_rows().await;
        let ends = at_once(&caller, pair).await;
        assert!(ends.iter().all(|(state, ..)| state == "SUCCEEDED"), "{pair:?}: {ends:?}");
    }
    let caller = with_rows().await;
    let ends = at_once(&caller, [&merge(1), &merge(7)]).await;
    assert!(ends.iter().all(|(state, ..)| state == "SUCCEEDED"), "{ends:?}");
}

#[tokio::test]
async fn the_loser_succeeds_when_it_is_sent_again() {
    let caller = with_rows().await;
    let [first, second] = at_once(&caller, [UPDATE, UPDATE]).await;
    assert_ne!(first.0, second.0);
    assert_eq!(caller.rows(UPDATE).await, json!([["1"]]));
}

#[tokio::test]
async fn a_changed_table_fails_a_write_that_has_read_it_before() {
    let caller = with_rows().await;
    caller.stand_in.hold_commits("SET x").await;
    let reply = caller.execute(UPDATE, json!({"wait_timeout": "0s"})).await;
    while caller.stand_in.held_commits().await < 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    caller.rows("ALTER TABLE main.gold.t ADD COLUMNS (y INT)").await;
    caller.stand_in.release_commits().await;
    let failed = caller.until_state(&id(&reply), "FAILED").await;
    assert_eq!(failed["status"]["sql_state"], "2D521");
    let message = failed["status"]["error"]["message"].as_str().expect("a message");
    assert!(message.starts_with("[DELTA_METADATA_CHANGED]"), "{message}");
}

#[tokio::test]
async fn a_held_write_can_be_canceled_and_has_written_nothing() {
    let caller = with_rows().await;
    caller.stand_in.hold_commits("SET x").await;
    let reply = caller.execute(UPDATE, json!({"wait_timeout": "0s"})).await;
    while caller.stand_in.held_commits().await < 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    caller.post(&format!("/api/2.0/sql/statements/{}/cancel", id(&reply)), &json!({})).await;
    caller.until_state(&id(&reply), "CANCELED").await;
    assert_eq!(caller.rows("SELECT x FROM main.gold.t WHERE id = 1").await, json!([["1"]]));
}
