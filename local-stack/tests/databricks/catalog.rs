//! Unity Catalog's lists, and a table with its columns.

use serde_json::{Value, json};

use crate::caller::start;

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(|item| item["name"].as_str()).collect()
}

#[tokio::test]
async fn catalogs_schemas_and_tables_are_listed() {
    let caller = start().await;
    let at = |path: &str| format!("/api/2.1/unity-catalog/{path}");
    assert_eq!(names(&caller.get(&at("catalogs")).await.body["catalogs"]), ["main"]);
    let schemas = caller.get(&at("schemas?catalog_name=main")).await.body;
    assert_eq!(names(&schemas["schemas"]), ["default", "gold", "sales"]);
    let tables = caller.get(&at("tables?catalog_name=main&schema_name=sales")).await.body;
    assert_eq!(names(&tables["tables"]), ["customers", "orders"]);
    assert_eq!(tables["tables"][0]["full_name"], "main.sales.customers");
    for missing in ["schemas?catalog_name=none", "tables?catalog_name=main&schema_name=none", "tables/main.sales.none"]
    {
        assert_eq!(caller.get(&at(missing)).await.status, 404, "{missing}");
    }
    assert_eq!(caller.get(&at("schemas")).await.status, 400);
}

#[tokio::test]
async fn a_table_has_its_columns_with_types_and_positions() {
    let caller = start().await;
    caller.rows("CREATE TABLE main.gold.t (id INT NOT NULL, amount DECIMAL(10,2))").await;
    let table = caller.get("/api/2.1/unity-catalog/tables/main.gold.t").await.body;
    assert_eq!(
        table["columns"],
        json!([
            {"name": "id", "type_text": "int", "type_name": "INT", "position": 0, "nullable": false},
            {"name": "amount", "type_text": "decimal(10,2)", "type_name": "DECIMAL", "position": 1,
                "type_precision": 10, "type_scale": 2, "nullable": true},
        ])
    );
}
