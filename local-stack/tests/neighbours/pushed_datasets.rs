//! Power BI: push datasets, made, changed and removed.

use local_stack::power_bi::{Callers, sample};
use serde_json::{Value, json};

use crate::power_bi::Room;

#[tokio::test]
async fn a_push_dataset_is_made_changed_filled_and_removed() {
    let room = Room::start(|options| options.callers = Callers::People).await;
    for datasets in [format!("groups/{}/datasets", sample::WORKSPACE), "datasets".to_owned()] {
        let columns = json!([{"name": "day", "dataType": "Datetime"}, {"name": "amount", "dataType": "Double"}]);
        let body = json!({"name": "Made", "tables": [{"name": "T", "columns": columns}], "defaultMode": "Push"});
        let made = room.send("POST", &datasets, Some(&body)).await;
        assert_eq!((made.status, made.json()["defaultRetentionPolicy"].as_str()), (201, Some("None")));
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let (table, rows) = (format!("{datasets}/{id}/tables/T"), format!("{datasets}/{id}/tables/T/rows"));
        let row = json!({"rows": [{"day": "2026-01-31", "note": "x"}]});
        assert_eq!(room.send("POST", &rows, Some(&row)).await.status, 400);
        let wider = json!({"name": "T", "columns": [{"name": "day", "dataType": "DateTime"}, {"name": "note", "dataType": "String"}]});
        assert_eq!(room.send("PUT", &table, Some(&wider)).await.status, 200);
        assert_eq!(room.send("POST", &rows, Some(&row)).await.status, 200);
        let only_day = json!({"name": "T", "columns": [{"name": "day", "dataType": "DateTime"}]});
        assert_eq!(room.send("PUT", &table, Some(&only_day)).await.status, 200);
        assert_eq!(Value::Object(room.power_bi.rows(&id, "T").remove(0)), json!({"day": "2026-01-31"}));
        let other = json!({"name": "U", "columns": [{"name": "day", "dataType": "DateTime"}]});
        assert_eq!(room.send("PUT", &table, Some(&other)).await.status, 400);
        assert_eq!(room.send("DELETE", &format!("{datasets}/{id}"), None).await.status, 200);
        assert_eq!(room.send("GET", &format!("{datasets}/{id}"), None).await.status, 404);
        assert_eq!(room.send("DELETE", &format!("{datasets}/{id}"), None).await.status, 404);
    }
}

#[tokio::test]
async fn two_datasets_may_have_one_name() {
    let room = Room::start(|_| {}).await;
    let datasets = format!("groups/{}/datasets", sample::WORKSPACE);
    let body = json!({"name": "Sales", "tables": [{"name": "T", "columns": [{"name": "c", "dataType": "Int64"}]}]});
    let ids = [
        room.send("POST", &datasets, Some(&body)).await.json()["id"].clone(),
        room.send("POST", &datasets, Some(&body)).await.json()["id"].clone(),
    ];
    assert_ne!(ids[0], ids[1]);
    assert_eq!(room.power_bi.served.history.of("powerBi", "dataset").len(), 2);
}

#[tokio::test]
async fn a_definition_that_the_service_does_not_take_is_refused() {
    let room = Room::start(|_| {}).await;
    let datasets = format!("groups/{}/datasets", sample::WORKSPACE);
    let column = |name: &str, kind: &str| json!({"name": name, "dataType": kind});
    let table = |columns: Vec<Value>| json!({"name": "T", "columns": columns});
    let good = || table(vec![column("c", "Int64")]);
    let related =
        |to: &str| json!([{"name": "R", "fromTable": "T", "fromColumn": "c", "toTable": to, "toColumn": "c"}]);
    let refused = [
        json!({"name": "", "tables": [good()]}),
        json!({"name": "D", "tables": []}),
        json!({"tables": [good()]}),
        json!({"name": "D", "tables": [good(), {"name": "t", "columns": [column("c", "Int64")]}]}),
        json!({"name": "D", "tables": [table(vec![column("c", "Int64"), column("C", "String")])]}),
        json!({"name": "D", "tables": [table(vec![column("c", "Blob")])]}),
        json!({"name": "D", "tables": [table(vec![column("", "Int64")])]}),
        json!({"name": "D", "tables": [table(vec![])]}),
        json!({"name": "D", "tables": [table((0..76).map(|n| column(&format!("c{n}"), "Int64")).collect())]}),
        json!({"name": "D", "tables": vec![good(); 76]}),
        json!({"name": "D", "tables": [{"name": "it's", "columns": [column("c", "Int64")]}]}),
        json!({"name": "D", "tables": [{"name": "x".repeat(101), "columns": [column("c", "Int64")]}]}),
        json!({"name": "D", "tables": [good()], "defaultMode": "Nonsense"}),
        json!({"name": "D", "tables": [good()], "relationships": related("Nowhere")}),
        json!({"name": "D", "tables": [{"name": "T", "columns": [column("c", "Int64")], "measures": [{"name": "m", "expression": ""}]}]}),
    ];
    for body in &refused {
        assert_eq!(room.send("POST", &datasets, Some(body)).await.status, 400, "{body}");
    }
    let policy = format!("{datasets}?defaultRetentionPolicy=forever");
    assert_eq!(room.send("POST", &policy, Some(&json!({"name": "D", "tables": [good()]}))).await.status, 400);
    let wide = table((0..75).map(|n| column(&format!("c{n}"), "Int64")).collect());
    let taken = json!({"name": "D", "tables": [wide, {"name": "U", "columns": [column("c", "bool")]}]});
    assert_eq!(room.send("POST", &datasets, Some(&taken)).await.status, 201);
}
