//! Names of tables and columns that are SQL: of callers they are names that nothing has, and of real tables they are quoted.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::road::Road;

const TABLE: &str = "main.sales.victims";

fn encoded(name: &str) -> String {
    name.bytes().fold(String::new(), |mut path, byte| {
        let _ = write!(path, "%{byte:02X}");
        path
    })
}

async fn victims(road: &Road) -> Value {
    road.sql(&format!("SELECT count(*) AS n FROM {TABLE}")).await.expect(200).body["rows"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_named_as_sql_is_none() {
    let road = Road::start().await;
    road.sql(&format!("CREATE TABLE {TABLE} (id INT)")).await.expect(200);
    let before = road.effects("databricks", "statement").len();
    let body = json!({"mode": "insert", "rows": [{"id": 1}]});
    for name in [
        "victims` (id) VALUES (1); DROP TABLE main.sales.victims; --",
        "victims; DROP TABLE main.sales.victims",
        "victims` --",
        "victims /* */",
        "`victims`",
        "victims AS x",
        "victims` VALUES (:p)",
    ] {
        for path in [
            format!("/api/sql/catalogs/main/schemas/sales/tables/{}/rows", encoded(name)),
            format!("/api/sql/catalogs/main/schemas/{}/tables/victims/rows", encoded(name)),
            format!("/api/sql/catalogs/{}/schemas/sales/tables/victims/rows", encoded(name)),
        ] {
            let reply = road.post(&path, &body).await;
            assert!(
                reply.status == 404
                    && ["table-not-found", "schema-not-found", "catalog-not-found"].contains(&reply.code()),
                "{path}: {}",
                reply.body
            );
        }
    }
    let path = "/api/sql/catalogs/main/schemas/sales/tables/victims/rows";
    for key in ["id` = 1 OR `id", "id; DROP TABLE victims", "causeway_rows.id", "id) --"] {
        let body = json!({"mode": "upsert", "keys": [key], "rows": [{"id": 1}]});
        road.post(path, &body).await.problem(400, "body-invalid");
        let body = json!({"mode": "insert", "rows": [{key: 1}]});
        road.post(path, &body).await.problem(422, "rows-invalid");
    }
    assert_eq!(road.effects("databricks", "statement").len(), before, "a statement was sent");
    assert_eq!(victims(&road).await, json!([{"n": 0}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_column_named_as_sql_is_quoted() {
    let road = Road::start().await;
    road.sql(&format!("CREATE TABLE {TABLE} (id INT)")).await.expect(200);
    let odd = ["a;b", "c -- d", "e/*f*/", "g'h", "i\"j", "k:l"];
    let columns = odd.map(|name| format!("`{name}` STRING")).join(", ");
    let created = road.sql(&format!("CREATE TABLE main.sales.odd (id INT, {columns})")).await;
    created.expect(200);
    let mut row = serde_json::Map::from_iter([("id".to_owned(), json!(1))]);
    row.extend(odd.iter().map(|name| ((*name).to_owned(), json!(format!("'); DROP TABLE {TABLE}; -- {name}")))));
    let path = "/api/sql/catalogs/main/schemas/sales/tables/odd/rows";
    road.post(path, &json!({"mode": "insert", "rows": [row]})).await.expect(200);
    let merged = json!({"mode": "upsert", "keys": ["a;b"], "rows": [row]});
    road.post(path, &merged).await.expect(200);
    let rows = road.sql("SELECT * FROM main.sales.odd").await.expect(200).body["rows"].take();
    assert_eq!(rows, json!([row]));
    assert_eq!(victims(&road).await, json!([{"n": 0}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_columns_are_derived_from_does_nothing_else() {
    let road = Road::start().await;
    road.sql(&format!("CREATE TABLE {TABLE} (id INT)")).await.expect(200);
    let before = road.effects("databricks", "statement").len();
    let path = format!("/api/power-bi/workspaces/{}/datasets", local_stack::power_bi::sample::WORKSPACE);
    for statement in [
        format!("SELECT 1) LIMIT 0; DROP TABLE {TABLE}; SELECT * FROM (SELECT 1"),
        format!("SELECT 1 AS a); DROP TABLE {TABLE} --"),
        format!("SELECT 1 AS a) x LIMIT 0; DROP TABLE {TABLE}; /*"),
        format!("DROP TABLE {TABLE}"),
        format!("SELECT 1; DROP TABLE {TABLE}"),
        "SELECT http_request(conn => 'c')".to_owned(),
        "SELECT 'open".to_owned(),
        "SELECT 1 /* open".to_owned(),
    ] {
        let body = json!({"name": "Derived", "tables": [{"name": "T", "statement": statement}]});
        let reply = road.post(&path, &body).await;
        assert!((400..500).contains(&reply.status) && !reply.code().is_empty(), "{statement}: {}", reply.body);
    }
    assert_eq!(road.effects("databricks", "statement").len(), before, "a statement was sent");
    assert_eq!(victims(&road).await, json!([{"n": 0}]));
}
