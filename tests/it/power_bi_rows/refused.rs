//! Rows that cannot be pushed: they are named, and nothing is pushed.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_fit_are_named_and_nothing_is_pushed() {
    let road = Road::start().await;
    let mut all: Vec<Value> = (0..12_000).map(day).collect();
    all[7]["colour"] = json!("red");
    all[10_500]["orders"] = json!(i64::MAX);
    all[11_000]["category"] = json!("x".repeat(4_001));
    let reply = road.post(&rows(TABLE), &json!({"rows": all})).await;
    let named: Vec<Value> = reply.body["failedRows"]
        .as_array()
        .map_or(Vec::new(), |first| first.iter().map(|fault| fault["row"].clone()).collect());
    assert_eq!(named, [8, 10_501, 11_001], "{}", reply.body);
    reply.problem(422, "rows-invalid").saying(&["3 of 12000 rows", "nothing was pushed", "Row 8", "colour", "4001"]);
    let path = rows("Nowhere");
    road.post(&path, &json!({"rows": [day(1)]})).await.problem(404, "dataset-not-found").saying(&["Nowhere"]);
    road.post(&rows(TABLE), &json!({"rows": [7]})).await.problem(422, "rows-invalid");
    for wrong in [json!({"rows": 7}), json!({"row": []}), json!({"rows": [], "mode": "x"})] {
        road.post(&rows(TABLE), &wrong).await.problem(400, "body-invalid");
    }
    assert!(pushes(&road).is_empty());
    assert_eq!(road.ledger("spool/"), Vec::<String>::new());
    let nothing = road.post(&rows(TABLE), &json!({"rows": []})).await.expect(200);
    assert_eq!(nothing.body, json!({"rowsPushed": 0, "batches": 0}));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_service_names_no_columns_values_are_checked_by_themselves() {
    let road = Road::start().await;
    road.stack.power_bi.set_tables_show_columns(false);
    let long = json!({"rows": [{"category": "x".repeat(4_001)}]});
    road.post(&rows(TABLE), &long).await.problem(422, "rows-invalid").saying(&["4001"]);
    let nested = json!({"rows": [{"category": {"a": 1}}]});
    road.post(&rows(TABLE), &nested).await.problem(422, "rows-invalid").saying(&["an object"]);
    assert!(pushes(&road).is_empty());
    road.post(&rows(TABLE), &days(3)).await.expect(200);
    assert_whole(&road, 3);
    // What only the service can find is its refusal, which pushes nothing either.
    let unknown = json!({"rows": [{"colour": "red"}]});
    road.post(&rows(TABLE), &unknown).await.problem(422, "rows-invalid").saying(&["colour"]);
}
