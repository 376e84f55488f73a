//! Row filters and column masks: what is read depends on who reads. Statements are their submitter's.

use local_stack::databricks::DatabricksOptions;
use local_stack::entra::users::{SALES_FRANCE, SALES_GERMANY};
use local_stack::entra::{Tokens, User};
use serde_json::{Value, json};

use crate::caller::{Caller, with};

const AUDIENCE: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
const COUNT: &str =
    "SELECT country, count(*) AS n, max(email) AS address FROM main.sales.customers GROUP BY country ORDER BY 1";

async fn start() -> (Caller, Tokens) {
    let tokens = Tokens::new("tenant");
    let caller = with(DatabricksOptions { entra: Some(tokens.clone()), ..DatabricksOptions::default() }).await;
    (caller, tokens)
}

async fn run(caller: &Caller, token: &str, statement: &str) -> Value {
    let body =
        json!({"statement": statement, "warehouse_id": local_stack::databricks::WAREHOUSE, "wait_timeout": "50s"});
    caller.send("POST", "/api/2.0/sql/statements", Some(&format!("Bearer {token}")), body.to_string()).await.body
}

async fn rules(caller: &Caller) {
    for statement in [
        "CREATE FUNCTION main.sales.mine(country STRING) RETURN is_account_group_member('integration') \
            OR (is_account_group_member('sales-de') AND country = 'DE') \
            OR (is_member('sales-fr') AND country = 'FR')",
        "CREATE OR REPLACE FUNCTION main.sales.hidden(email STRING) RETURNS STRING \
            RETURN CASE WHEN current_user() LIKE '%@%' THEN '***' ELSE email END",
        "ALTER TABLE main.sales.customers SET ROW FILTER main.sales.mine ON (country)",
        "ALTER TABLE main.sales.customers ALTER COLUMN email SET MASK main.sales.hidden",
    ] {
        caller.rows(statement).await;
    }
}

#[tokio::test]
async fn who_reads_decides_which_rows_and_values_there_are() {
    let (caller, tokens) = start().await;
    rules(&caller).await;
    let of = async |user: &User| run(&caller, &tokens.user_token(user, AUDIENCE, &[]), COUNT).await;
    assert_eq!(of(&SALES_GERMANY).await["result"]["data_array"], json!([["DE", "320", "***"]]));
    assert_eq!(of(&SALES_FRANCE).await["result"]["data_array"], json!([["FR", "331", "***"]]));
    let (service, _) = tokens.issue(AUDIENCE, "app", "object");
    let all = run(&caller, &service, COUNT).await;
    assert_eq!(all["manifest"]["total_row_count"], 6);
    assert!(all["result"]["data_array"][0][2].as_str().expect("an address").contains('@'));
    let table = caller.get("/api/2.1/unity-catalog/tables/main.sales.customers").await.body;
    assert_eq!(table["row_filter"], json!({"function_name": "main.sales.mine", "input_column_names": ["country"]}));
    let refused = run(&caller, &service, "DELETE FROM main.sales.customers").await;
    assert_eq!(refused["status"]["state"], "FAILED", "what is not played says so");
    caller.rows("ALTER TABLE main.sales.customers DROP ROW FILTER").await;
    assert_eq!(of(&SALES_FRANCE).await["manifest"]["total_row_count"], 6);
}

#[tokio::test]
async fn a_statement_is_known_to_its_submitter_alone() {
    let (caller, tokens) = start().await;
    let token = tokens.user_token(&SALES_GERMANY, AUDIENCE, &[]);
    let shown = run(&caller, &token, "SELECT current_user() AS me").await;
    assert_eq!(shown["result"]["data_array"], json!([[SALES_GERMANY.principal_name]]));
    let path = format!("/api/2.0/sql/statements/{}", shown["statement_id"].as_str().expect("an id"));
    assert_eq!(caller.send("GET", &path, Some(&format!("Bearer {token}")), String::new()).await.status, 200);
    assert_eq!(caller.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_token_that_entra_did_not_sign_is_not_taken() {
    let (caller, tokens) = start().await;
    let claims = tokens.user_claims(&SALES_GERMANY, AUDIENCE, &[]);
    for forged in [tokens.without_signature(&claims), Tokens::new("tenant").sign(&claims)] {
        let bearer = format!("Bearer {forged}");
        assert_eq!(caller.send("GET", "/api/2.0/sql/warehouses", Some(&bearer), String::new()).await.status, 403);
    }
}
