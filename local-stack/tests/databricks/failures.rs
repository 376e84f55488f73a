//! Failures in the words of a real warehouse, with the place of what is wrong.

use serde_json::{Value, json};

use crate::caller::{Caller, start};

async fn failure(caller: &Caller, statement: &str) -> (Value, String) {
    let reply = caller.execute(statement, json!({})).await.body;
    assert_eq!(reply["status"]["state"], "FAILED", "{statement}: {reply}");
    let message = reply["status"]["error"]["message"].as_str().expect("a message").to_owned();
    (reply["status"]["sql_state"].clone(), message)
}

#[tokio::test]
async fn a_table_that_is_not_there_is_named_as_it_was_written() {
    let caller = start().await;
    let (sql_state, message) = failure(&caller, "SELECT *\n  FROM main.gold.`daily sale` AS d").await;
    assert_eq!(sql_state, "42P01");
    // The words of metabase issue 48917 and dbdemos issue 240.
    assert_eq!(
        message,
        "[TABLE_OR_VIEW_NOT_FOUND] The table or view `main`.`gold`.`daily sale` cannot be found. Verify the spelling \
         and correctness of the schema and catalog.\nIf you did not qualify the name with a schema, verify the \
         current_schema() output, or qualify the name with the correct schema and catalog.\nTo tolerate the error on \
         drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS. SQLSTATE: 42P01; line 2 pos 7"
    );
    let (sql_state, message) = failure(&caller, "SELECT * FROM hello_world.gold.t").await;
    assert_eq!(
        (sql_state, message.as_str()),
        (json!("42704"), "[NO_SUCH_CATALOG_EXCEPTION] Catalog 'hello_world' was not found. SQLSTATE: 42704")
    );
}

#[tokio::test]
async fn a_column_that_is_not_there_comes_with_near_names() {
    let caller = start().await;
    let (sql_state, message) = failure(&caller, "SELECT orderz FROM main.gold.daily_sales").await;
    assert_eq!(sql_state, "42703");
    assert!(
        message.starts_with(
            "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `orderz` cannot \
             be resolved. Did you mean one of the following? [`orders`"
        ),
        "{message}"
    );
    assert!(message.ends_with("]. SQLSTATE: 42703; line 1 pos 7"), "{message}");
    let (sql_state, message) = failure(&caller, "UPDATE main.gold.daily_sales SET nothing = 1").await;
    assert_eq!(sql_state, "42703");
    assert!(message.contains("name `nothing` cannot be resolved"), "{message}");
}

#[tokio::test]
async fn a_null_where_none_may_be_names_the_column() {
    let caller = start().await;
    caller.rows("CREATE TABLE main.gold.t (id INT NOT NULL)").await;
    let (sql_state, message) = failure(&caller, "INSERT INTO main.gold.t VALUES (NULL)").await;
    assert_eq!(sql_state, "23502");
    assert_eq!(
        message,
        "[DELTA_NOT_NULL_CONSTRAINT_VIOLATED] NOT NULL constraint violated for column: id. SQLSTATE: 23502"
    );
}
