//! Unity Catalog's lists, and a table with its columns and keys.

use serde_json::{Value, json};

use crate::caller::{Caller, start};

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(|item| item["name"].as_str()).collect()
}

fn at(path: &str) -> String {
    format!("/api/2.1/unity-catalog/{path}")
}

async fn table(caller: &Caller, full_name: &str) -> Value {
    caller.get(&at(&format!("tables/{full_name}"))).await.body
}

#[tokio::test]
async fn catalogs_schemas_and_tables_are_listed() {
    let caller = start().await;
    assert_eq!(names(&caller.get(&at("catalogs")).await.body["catalogs"]), ["main"]);
    let schemas = caller.get(&at("schemas?catalog_name=main")).await.body;
    assert_eq!(names(&schemas["schemas"]), ["default", "finance", "gold", "planning", "sales"]);
    let tables = caller.get(&at("tables?catalog_name=main&schema_name=sales")).await.body;
    assert_eq!(names(&tables["tables"]), ["customers", "orders"]);
    assert_eq!(tables["tables"][0]["full_name"], "main.sales.customers");
    assert!(tables["tables"][0]["columns"].is_array());
    let bare = caller.get(&at("tables?catalog_name=main&schema_name=sales&omit_columns=true")).await.body;
    assert_eq!(bare["tables"][0].get("columns"), None);
    for (missing, code) in [
        ("schemas?catalog_name=none", "CATALOG_DOES_NOT_EXIST"),
        ("tables?catalog_name=main&schema_name=none", "SCHEMA_DOES_NOT_EXIST"),
        ("tables/main.sales.none", "TABLE_DOES_NOT_EXIST"),
    ] {
        let reply = caller.get(&at(missing)).await;
        assert_eq!((reply.status, &reply.body["error_code"]), (404, &json!(code)), "{missing}");
    }
    assert_eq!(caller.get(&at("schemas")).await.status, 400);
    assert_eq!(caller.get(&at("tables/main.sales.none/exists")).await.body, json!({"table_exists": false}));
    assert_eq!(caller.get(&at("tables/main.sales.orders/exists")).await.body, json!({"table_exists": true}));
}

#[tokio::test]
async fn lists_come_in_pages() {
    let caller = start().await;
    let first = caller.get(&at("schemas?catalog_name=main&max_results=2")).await.body;
    assert_eq!(names(&first["schemas"]), ["default", "finance"]);
    let token = first["next_page_token"].as_str().expect("there is more");
    let rest = caller.get(&at(&format!("schemas?catalog_name=main&max_results=0&page_token={token}"))).await.body;
    assert_eq!((names(&rest["schemas"]), rest.get("next_page_token")), (vec!["gold", "planning", "sales"], None));
    for bad in ["max_results=-1", "max_results=few", "page_token=7"] {
        assert_eq!(caller.get(&at(&format!("catalogs?{bad}"))).await.status, 400, "{bad}");
    }
}

const DECLARED: &str = "CREATE TABLE main.gold.t (id INT COMMENT 'the key', amount DECIMAL(10,2) DEFAULT 1.5, \
    place STRUCT<street: STRING, tags: ARRAY<BIGINT>>, day DATE, twice INT GENERATED ALWAYS AS (id * 2), \
    CONSTRAINT t_key PRIMARY KEY (id) RELY, \
    CONSTRAINT t_day FOREIGN KEY (day) REFERENCES main.gold.daily_sales (day)) \
    USING DELTA COMMENT 'a table' PARTITIONED BY (day)";

#[tokio::test]
async fn a_table_has_its_columns_with_types_positions_and_what_they_declare() {
    let caller = start().await;
    caller.rows(DECLARED).await;
    let shown = table(&caller, "main.gold.t").await;
    assert_eq!(
        shown["columns"][0],
        json!({"name": "id", "type_text": "int", "type_name": "INT", "type_precision": 0, "type_scale": 0,
            "type_json": r#"{"name":"id","type":"integer","nullable":false,"metadata":{"comment":"the key"}}"#,
            "position": 0, "nullable": false, "comment": "the key"})
    );
    assert_eq!(
        shown["columns"][1],
        json!({"name": "amount", "type_text": "decimal(10,2)", "type_name": "DECIMAL", "type_precision": 10,
            "type_scale": 2, "position": 1, "nullable": true, "type_json":
            r#"{"name":"amount","type":"decimal(10,2)","nullable":true,"metadata":{"CURRENT_DEFAULT":"1.5","EXISTS_DEFAULT":"1.5"}}"#})
    );
    assert_eq!(shown["columns"][2]["type_text"], "struct<street:string,tags:array<bigint>>");
    assert_eq!(shown["columns"][3]["partition_index"], 0);
    assert!(shown["columns"][4]["type_json"].as_str().expect("text").contains("delta.generationExpression"));
    assert_eq!((&shown["comment"], &shown["data_source_format"]), (&json!("a table"), &json!("DELTA")));
    assert_eq!(
        shown["table_constraints"],
        json!([
            {"primary_key_constraint": {"name": "t_key", "child_columns": ["id"]}},
            {"foreign_key_constraint": {"name": "t_day", "child_columns": ["day"],
                "parent_table": "main.gold.daily_sales", "parent_columns": ["day"]}},
        ])
    );
}

#[tokio::test]
async fn keys_and_comments_come_and_go_and_are_not_enforced() {
    let caller = start().await;
    caller.rows("CREATE TABLE main.gold.t (id INT NOT NULL, name STRING)").await;
    caller.rows("ALTER TABLE main.gold.t ADD CONSTRAINT k PRIMARY KEY (id)").await;
    caller.rows("COMMENT ON TABLE main.gold.t IS 'told'").await;
    caller.rows("ALTER TABLE main.gold.t ALTER COLUMN name COMMENT 'of a person'").await;
    caller.rows("INSERT INTO main.gold.t VALUES (1, 'a'), (1, 'b')").await;
    let shown = table(&caller, "main.gold.t").await;
    assert_eq!(shown["table_constraints"][0]["primary_key_constraint"]["name"], "k");
    assert_eq!((&shown["comment"], &shown["columns"][1]["comment"]), (&json!("told"), &json!("of a person")));
    caller.rows("ALTER TABLE main.gold.t DROP CONSTRAINT k").await;
    assert_eq!(table(&caller, "main.gold.t").await.get("table_constraints"), None);
    // A table of the same name is another table.
    caller.rows("DROP TABLE main.gold.t").await;
    caller.rows("CREATE TABLE main.gold.t (id INT)").await;
    assert_eq!(table(&caller, "main.gold.t").await.get("comment"), None);
    let none = caller.execute("ALTER TABLE main.gold.none ADD CONSTRAINT k PRIMARY KEY (id)", json!({})).await;
    assert_eq!(none.body["status"]["sql_state"], "42P01", "{}", none.body);
}

#[tokio::test]
async fn a_name_with_special_characters_is_asked_for_percent_encoded() {
    let caller = start().await;
    for (quoted, encoded) in
        [("a#b", "a%23b"), ("a%2Fb", "a%252Fb"), ("größe", "gr%C3%B6%C3%9Fe"), ("a``b", "a%60b"), ("a?b", "a%3Fb")]
    {
        caller.rows(&format!("CREATE TABLE main.gold.`{quoted}` (`a b` INT, `c``d` STRING)")).await;
        let shown = table(&caller, &format!("main.gold.{encoded}")).await;
        assert_eq!(shown["name"], quoted.replace("``", "`"), "{shown}");
        assert_eq!(names(&shown["columns"]), ["a b", "c`d"]);
    }
}

#[tokio::test]
async fn a_right_that_is_revoked_is_named() {
    const OTHERS: [&str; 4] = ["default", "finance", "planning", "sales"];
    let caller = start().await;
    caller.stand_in.revoke("main.gold");
    let reply = caller.get(&at("tables?catalog_name=main&schema_name=gold")).await;
    assert_eq!((reply.status, &reply.body["error_code"]), (403, &json!("PERMISSION_DENIED")));
    assert_eq!(reply.body["message"], "User does not have USE SCHEMA on Schema 'main.gold'.");
    assert_eq!(names(&caller.get(&at("schemas?catalog_name=main")).await.body["schemas"]), OTHERS);
    caller.stand_in.revoke("main.sales.orders");
    let reply = caller.get(&at("tables/main.sales.orders")).await;
    assert_eq!(reply.body["message"], "User does not have SELECT on Table 'main.sales.orders'.");
    let read = caller.execute("SELECT count(*) FROM main.sales.orders", json!({})).await.body;
    assert_eq!((&read["status"]["state"], &read["status"]["sql_state"]), (&json!("FAILED"), &json!("42501")));
    assert_eq!(
        read["status"]["error"]["message"],
        "[INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have SELECT on Table \
         'main.sales.orders'. SQLSTATE: 42501"
    );
    caller.stand_in.grant("main.gold");
    assert_eq!(caller.get(&at("tables/main.gold.daily_sales")).await.status, 200);
}
