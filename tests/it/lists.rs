//! Lists for dropdowns, from outside: warehouses, catalogs, schemas, tables, columns and keys, pages, odd names.

use local_stack::databricks::{STOPPED_WAREHOUSE, WAREHOUSE};
use serde_json::{Value, json};

use crate::road::{Reply, Road};

fn names(reply: &Reply) -> Vec<&str> {
    reply.at("/value").as_array().unwrap().iter().filter_map(|item| item["name"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropdown_goes_from_the_warehouse_down_to_the_table() {
    let road = Road::start().await;
    let warehouses = road.get("/api/sql/warehouses").await.expect(200);
    assert_eq!((warehouses.at("/value/0/id"), warehouses.at("/value/0/state")), (&json!(WAREHOUSE), &json!("RUNNING")));
    assert_eq!(
        (warehouses.at("/value/1/id"), warehouses.at("/value/1/state")),
        (&json!(STOPPED_WAREHOUSE), &json!("STOPPED"))
    );
    assert_eq!(warehouses.at("/value/0/size"), "2X-Small");
    assert_eq!(names(&road.get("/api/sql/catalogs").await.expect(200)), ["main"]);
    assert_eq!(
        names(&road.get("/api/sql/catalogs/main/schemas").await.expect(200)),
        ["default", "finance", "gold", "planning", "sales"]
    );
    let tables = road.get("/api/sql/catalogs/main/schemas/sales/tables").await.expect(200);
    assert_eq!(names(&tables), ["customers", "orders"]);
    assert_eq!(
        (tables.at("/value/1/fullName"), tables.at("/value/1/type")),
        (&json!("main.sales.orders"), &json!("MANAGED"))
    );
    // A look starts no warehouse.
    let again = road.get("/api/sql/warehouses").await.expect(200);
    assert_eq!(again.at("/value/1/state"), "STOPPED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_tells_its_columns_and_keys() {
    let road = Road::start().await;
    let table = road.get("/api/sql/catalogs/main/schemas/sales/tables/orders").await.expect(200);
    assert_eq!(table.at("/primaryKey"), &json!(["order_id"]));
    assert_eq!(
        table.at("/foreignKeys"),
        &json!([{"name": "orders_customers_fk", "columns": ["customer_id"],
            "parentTable": "main.sales.customers", "parentColumns": ["customer_id"]}])
    );
    let column = |name: &str| -> Value {
        let columns = table.at("/columns").as_array().unwrap();
        columns.iter().find(|column| column["name"] == name).unwrap().clone()
    };
    let amount = column("amount");
    assert_eq!((&amount["type"], &amount["typeName"]), (&json!("decimal(18,2)"), &json!("DECIMAL")));
    assert_eq!((&amount["precision"], &amount["scale"]), (&json!(18), &json!(2)));
    assert_eq!((&amount["nullable"], &amount["comment"]), (&json!(true), &json!("After the discount")));
    assert_eq!((&column("order_id")["nullable"], &column("order_id")["position"]), (&json!(false), &json!(0)));
    assert_eq!((table.at("/hasRowFilter"), table.at("/hasColumnMasks")), (&json!(false), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_comes_in_pages_that_need_no_key() {
    let road = Road::start().await;
    let mut page = road.get("/api/sql/catalogs/main/schemas?top=1").await.expect(200);
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..5 {
        let page_names = names(&page);
        assert_eq!(page_names.len(), 1);
        seen.push(page_names[0].to_owned());
        let Some(link) = page.body["nextLink"].as_str().map(str::to_owned) else { break };
        page = road.get(&link).await.expect(200);
    }
    assert_eq!(seen, ["default", "finance", "gold", "planning", "sales"]);
    assert_eq!(page.body.get("nextLink"), None);
    let one = road.get("/api/sql/warehouses?top=1").await.expect(200);
    let other = road.get(one.at("/nextLink").as_str().unwrap()).await.expect(200);
    assert_eq!((one.at("/value/0/id"), other.at("/value/0/id")), (&json!(WAREHOUSE), &json!(STOPPED_WAREHOUSE)));
    for bad in ["0", "10001", "-1", "%2B5", "many", ""] {
        road.get(&format!("/api/sql/catalogs?top={bad}")).await.problem(400, "query-invalid").saying(&["top"]);
    }
    road.get("/api/sql/catalogs/main/schemas/sales/tables/orders?top=1").await.problem(400, "query-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_names_go_there_and_back() {
    let road = Road::start().await;
    for (quoted, encoded) in [
        ("a b", "a%20b"),
        ("a/b", "a%2Fb"),
        ("a#b", "a%23b"),
        ("a?b&c=d", "a%3Fb&c=d"),
        ("a``b", "a%60b"),
        ("a%2Fb%", "a%252Fb%25"),
        ("größe", "gr%C3%B6%C3%9Fe"),
    ] {
        road.sql(&format!("CREATE TABLE main.gold.`{quoted}` (`straße #1` INT)")).await.expect(200);
        let table = road.get(&format!("/api/sql/catalogs/main/schemas/gold/tables/{encoded}")).await.expect(200);
        assert_eq!(table.at("/name").as_str().unwrap(), quoted.replace("``", "`"));
        assert_eq!(table.at("/columns/0/name"), "straße #1");
        road.sql(&format!("CREATE SCHEMA main.`{quoted}`")).await.expect(200);
        road.get(&format!("/api/sql/catalogs/main/schemas/{encoded}/tables")).await.expect(200);
    }
    // It would be read as another name.
    road.get("/api/sql/catalogs/main/schemas/gold.daily_sales/tables/x").await.problem(404, "schema-not-found");
    road.get("/api/sql/catalogs/main/schemas/gold/tables/daily.sales").await.problem(404, "table-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_forbidden_is_named() {
    let road = Road::start().await;
    let at = |path: &str| format!("/api/sql/catalogs/{path}");
    road.get(&at("none/schemas")).await.problem(404, "catalog-not-found").saying(&["none"]);
    road.get(&at("none/schemas/gold/tables")).await.problem(404, "catalog-not-found").saying(&["none"]);
    road.get(&at("main/schemas/none/tables")).await.problem(404, "schema-not-found").saying(&["main.none"]);
    road.get(&at("main/schemas/gold/tables/none")).await.problem(404, "table-not-found").saying(&["main.gold.none"]);
    road.stack.databricks.revoke("main.gold");
    let denied = road.get(&at("main/schemas/gold/tables")).await.problem(424, "databricks-access-denied");
    denied.saying(&["USE SCHEMA", "main.gold"]);
    road.stack.databricks.revoke("main.sales.orders");
    let denied = road.get(&at("main/schemas/sales/tables/orders")).await.problem(424, "databricks-access-denied");
    denied.saying(&["SELECT", "main.sales.orders"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_switched_off_lists_nothing() {
    let road = Road::with(|options| {
        options.extra_environment.insert("CAUSEWAY_SQL_MODE".into(), "off".into());
    })
    .await;
    for path in ["warehouses", "catalogs", "catalogs/main/schemas/sales/tables/orders"] {
        road.get(&format!("/api/sql/{path}")).await.problem(403, "statement-not-allowed");
    }
}
