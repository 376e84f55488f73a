//! The document against the table of functions, and against JSON Schema.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::super::FUNCTIONS;
use super::*;

fn shipped() -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("operations");
    let names = ["workspace", "sales_dataset", "live_dataset", "shared_workspace", "team_dataset"];
    let variables: BTreeMap<String, String> = names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
    document(FUNCTIONS, &Catalog::load(&folder, &variables).unwrap(), "https://app.example")
}

#[test]
fn every_route_is_in_the_document_and_nothing_else() {
    let document = document(FUNCTIONS, &Catalog::default(), "https://app.example");
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |verb| (path.clone(), verb.to_uppercase())))
        .collect();
    let routes: BTreeSet<(String, String)> = FUNCTIONS
        .iter()
        .filter_map(|function| match &function.trigger {
            Trigger::Http { routes, .. } => Some(*routes),
            _ => None,
        })
        .flatten()
        .map(|route| (route.path.to_owned(), route.verb.method().to_owned()))
        .collect();
    assert_eq!(described, routes);
}

#[test]
fn every_call_has_a_name_of_its_own_and_a_body_where_it_needs_one() {
    let mut names = BTreeSet::new();
    for function in FUNCTIONS {
        let Trigger::Http { routes, .. } = &function.trigger else { continue };
        for route in *routes {
            let words = words::of(route.verb, route.path).unwrap_or_else(|| panic!("{} has no words", route.path));
            assert!(names.insert(words.id), "{} twice", words.id);
            let wants = !matches!(route.verb, Verb::Get | Verb::Delete | Verb::Act);
            assert_eq!(words.body.is_some(), wants, "{}", words.id);
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_one() {
    let document = shipped();
    let mut open = vec![&document];
    let mut references = 0;
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(to)) = members.get("$ref") {
                    let pointer = to.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{to} leads nowhere");
                    references += 1;
                }
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    assert!(references > 100);
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::meta::is_valid(schema), "{name}");
    }
}

#[test]
fn an_operation_is_a_call_of_its_own_with_its_parameters() {
    let document = shipped();
    let call = &document["paths"]["/api/operations/refresh-sales"]["post"];
    let body = &call["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["properties"]["day"]["format"], "date");
    assert!(body["properties"]["callbackUrl"].is_object() && body.get("$schema").is_none());
    assert_eq!(call["operationId"], "Run-refresh-sales");
    assert!(call["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["rows"].is_object());
}
