//! Any type, any name, any number of rows.

use local_stack::databricks::STOPPED_WAREHOUSE;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_rows_go_in_batches_and_come_as_lines() {
    let road = Road::start().await;
    let path = table(&road, "many", "id BIGINT, text STRING").await;
    let reply = road.call("POST", &format!("{path}?write=insert"), Some(many(5_000)), &[LINES]).await;
    let reply = in_the_end(&road, reply).await.expect(200);
    assert_eq!((counts(&reply), reply.at("/batches")), ([5_000, 0, 0], &json!(6)));
    let sums =
        select(&road, "SELECT count(*) AS n, count(DISTINCT id) AS ids, sum(length(text)) AS l FROM main.sales.many")
            .await;
    assert_eq!((&sums[0]["n"], &sums[0]["ids"]), (&json!(5_000), &json!(5_000)));
    // As an array, and as the changes of what is there and what is not.
    let lines = many(5_010);
    let array = format!("[{}]", lines.trim_end().replace('\n', ","));
    let reply = road.call("POST", &format!("{path}?write=upsert&keys=id"), Some(array), &[]).await;
    let reply = in_the_end(&road, reply).await.expect(200);
    assert_eq!(counts(&reply), [10, 5_000, 0]);
    // No batch was larger than what Databricks takes.
    let statements = road.effects("databricks", "statement");
    assert!(
        statements
            .iter()
            .filter(|entry| entry["statement"].as_str().is_some_and(|text| text.contains("from_json")))
            .count()
            >= 12
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_warehouse_writes_when_it_is_named() {
    let road = Road::start().await;
    let path = table(&road, "elsewhere", "id INT").await;
    let body = json!({"mode": "insert", "warehouseId": STOPPED_WAREHOUSE, "rows": [{"id": 1}]});
    let reply = road.post(&path, &body).await;
    in_the_end(&road, reply).await.expect(200);
    let query = format!("{path}?write=insert&warehouseId={STOPPED_WAREHOUSE}");
    let reply = road.call("POST", &query, Some("{\"id\": 2}".into()), &[LINES]).await;
    in_the_end(&road, reply).await.expect(200);
    let sent = road.effects("databricks", "statement");
    let batches = sent.iter().filter(|one| one["statement"].as_str().is_some_and(|text| text.contains("from_json")));
    let warehouses: Vec<&Value> = batches.map(|batch| &batch["warehouseId"]).collect();
    assert_eq!(warehouses, [STOPPED_WAREHOUSE, STOPPED_WAREHOUSE]);
    let twice = road.post(&format!("{path}?warehouseId=a"), &body).await.problem(400, "body-invalid");
    assert_eq!(twice.at("/place"), "warehouseId");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_arrives_as_it_was_sent() {
    let road = Road::start().await;
    let columns = "id INT, b BOOLEAN, t TINYINT, l BIGINT, d DECIMAL(38,18), f DOUBLE, s STRING, day DATE, at TIMESTAMP, \
                   n TIMESTAMP_NTZ, bin BINARY, list ARRAY<INT>, st STRUCT<x: INT, y: STRING>";
    let path = table(&road, "types", columns).await;
    let full = json!({
        "id": 1, "b": true, "t": -128, "l": "9223372036854775807", "d": "12345678901234567890.123456789012345678",
        "f": 0.1, "s": "emoji 😀 \"quoted\" \\ \n ü", "day": "0001-01-01", "at": "2026-01-31T12:00:00.1234567+02:00",
        "n": "9999-12-31T23:59:59.999999", "bin": "8AD7", "list": [1, null, 3], "st": {"x": 1, "y": "it's"},
    });
    let none: Value = full
        .as_object()
        .unwrap()
        .keys()
        .map(|name| (name.clone(), Value::Null))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let reply = road.post(&path, &json!({"mode": "insert", "rows": [full, none]})).await.expect(200);
    assert_eq!((counts(&reply), reply.at("/batches")), ([2, 0, 0], &json!(1)));
    let body = json!({"statement": "SELECT * FROM main.sales.types ORDER BY id NULLS LAST"});
    let rows =
        road.post("/api/sql/statements?bigints=string&decimals=string", &body).await.expect(200).body["rows"].take();
    let row = &rows[0];
    for (column, value) in [
        ("b", json!(true)),
        ("t", json!(-128)),
        ("l", json!("9223372036854775807")),
        ("d", json!("12345678901234567890.123456789012345678")),
        ("f", json!(0.1)),
        ("s", json!("emoji 😀 \"quoted\" \\ \n ü")),
        ("day", json!("0001-01-01")),
        ("list", json!([1, null, 3])),
        ("st", json!({"x": 1, "y": "it's"})),
    ] {
        assert_eq!(row[column], value, "{column}");
    }
    assert!(row["at"].as_str().unwrap().starts_with("2026-01-31T10:00:00.123456"), "{row}");
    assert!(row["n"].as_str().unwrap().starts_with("9999-12-31T23:59:59.999999"), "{row}");
    assert_eq!(
        select(&road, "SELECT hex(bin) AS h FROM main.sales.types WHERE id = 1").await,
        json!([{"h": "F000FB"}])
    );
    assert!(rows[1].as_object().unwrap().values().all(Value::is_null), "{}", rows[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_may_hold_anything_that_unity_catalog_takes() {
    let road = Road::start().await;
    for (quoted, encoded) in
        [("a b", "a%20b"), ("a%2Fb", "a%252Fb"), ("a#b", "a%23b"), ("a``b", "a%60b"), ("größe", "gr%C3%B6%C3%9Fe")]
    {
        road.sql(&format!("CREATE TABLE main.sales.`{quoted}` (`{quoted}` INT, `the \"value\"` STRING)"))
            .await
            .expect(200);
        let column = quoted.replace("``", "`");
        let row = json!({column.clone(): 1, "the \"value\"": "it's"});
        let body = json!({"mode": "upsert", "keys": [column], "rows": [row]});
        let reply = road.post(&rows_of(encoded), &body).await.expect(200);
        assert_eq!(counts(&reply), [1, 0, 0], "{quoted}");
        let found =
            select(&road, &format!("SELECT `the \"value\"` AS v FROM main.sales.`{quoted}` WHERE `{quoted}` = 1"))
                .await;
        assert_eq!(found, json!([{"v": "it's"}]), "{quoted}");
    }
}
