//! The OpenAPI document as it is served, and its bodies against what the handler says that it takes.

use local_stack::power_bi::sample;
use serde_json::{Value, json};

use crate::road::Road;

const PATH: &str = "/api/connector/openapi.json";

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_served_with_a_key_and_names_where_it_was_asked_for() {
    let road = Road::start().await;
    let document = road.get(PATH).await.expect(200);
    assert_eq!((document.at("/openapi"), document.header("content-type")), (&json!("3.1.0"), Some("application/json")));
    let server = document.at("/servers/0/url").as_str().unwrap().to_owned();
    assert!(server.starts_with("http://127.0.0.1:"), "{server}");
    let typed =
        document.at("/paths/~1api~1operations~1refresh-sales/post/requestBody/content/application~1json/schema");
    assert_eq!(typed.pointer("/properties/day/format"), Some(&json!("date")));
    let without = road.call("GET", &format!("{server}{PATH}"), None, &[]).await;
    assert_eq!(without.status, 401);
}

/// What the handler's refusal of an unknown member says that it knows: `expected one of …`.
fn known(message: &str) -> Option<Vec<String>> {
    let (_, expected) = message.split_once("`zz`, expected ")?;
    // Ours begin with a small letter; others are only taken from whoever copies them.
    let ours = |name: &&str| name.starts_with(|first: char| first.is_ascii_lowercase());
    let mut names: Vec<String> = expected.split('`').skip(1).step_by(2).filter(ours).map(str::to_owned).collect();
    names.sort();
    Some(names)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_body_of_the_document_has_the_members_that_its_call_takes() {
    let road = Road::start().await;
    let document = road.get(PATH).await.expect(200).body;
    let mut compared = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (verb, call) in item.as_object().unwrap() {
            let Some(reference) = call.pointer("/requestBody/content/application~1json/schema/$ref") else { continue };
            let schema = document.pointer(reference.as_str().unwrap().trim_start_matches('#')).unwrap();
            let filled = path
                .replace("{w}", sample::WORKSPACE)
                .replace("{d}", sample::SALES_LIVE)
                .replace("{t}", "DailySales")
                .replace("{job}", "slow")
                .replace("{id}", &"0".repeat(32))
                .replace("{f}", sample::WORKSPACE)
                .replace("{r}", sample::WORKSPACE);
            let reply = road.call(&verb.to_uppercase(), &filled, Some("{\"zz\": 1}".to_owned()), &[]).await;
            let Some(known) = known(reply.message()) else { continue };
            let mut said: Vec<&String> =
                schema["properties"].as_object().into_iter().flat_map(serde_json::Map::keys).collect();
            said.sort();
            assert_eq!(known.iter().collect::<Vec<_>>(), said, "{path}: {}", Value::from(reply.message()));
            compared.push(path.clone());
        }
    }
    assert!(compared.len() >= 9, "{compared:?}");
}
