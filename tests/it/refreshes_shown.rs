//! Refreshes as they are shown: the history, and one of them with its attempts.

use serde_json::json;

use crate::refreshes::{SHORT, sales};
use crate::road::Road;

#[tokio::test(flavor = "multi_thread")]
async fn the_history_shows_as_much_as_is_asked_for_with_attempts_and_objects() {
    let road = Road::with(|options| options.power_bi_clock = SHORT).await;
    let path = format!("{}?waitSeconds=60", sales());
    for _ in 0..2 {
        road.post(&path, &json!({"tables": ["Orders"]})).await.expect(200);
    }
    let newest = road.get(&format!("{}?top=1", sales())).await.expect(200);
    assert_eq!(newest.at("/value").as_array().map(Vec::len), Some(1));
    assert_eq!(newest.at("/value/0/attempts/0/type"), "Data");
    let one = road.get(&format!("{}/{}", sales(), newest.at("/value/0/refreshId").as_str().unwrap())).await.expect(200);
    assert_eq!(one.at("/objects/0/table"), "Orders");
    assert!(one.at("/attempts/0/endTime").is_string());
    road.get(&format!("{}?top=0", sales())).await.problem(400, "query-invalid").saying(&["1 to"]);
}
