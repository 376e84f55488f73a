//! `FUNCTIONS` and `function-definitions/` say the same; host.json says what the design relies on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::{AuthLevel, FUNCTIONS, Trigger};
use crate::settings::{AREAS, FOR_ANYBODY};

fn read(path: impl AsRef<Path>) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_str(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap()
}

#[test]
fn the_table_and_the_function_definitions_are_equal() {
    let expected: BTreeMap<String, Value> = FUNCTIONS
        .iter()
        .map(|function| {
            let bindings = match &function.trigger {
                Trigger::Http { level, .. } => json!([
                    {
                        "type": "httpTrigger", "direction": "in", "name": "req", "authLevel": level.as_str(),
                        "route": format!("{}/{{*rest}}", function.name),
                        // All of them, so that a wrong one gets our 405 and not the host's bare 404.
                        "methods": ["get", "post", "put", "patch", "delete"]
                    },
                    { "type": "http", "direction": "out", "name": "res" }
                ]),
                Trigger::Message { queue, .. } => json!([{
                    "type": "serviceBusTrigger", "direction": "in", "name": "message", "queueName": queue,
                    "connection": "ServiceBusConnection", "dataType": "binary"
                }]),
                Trigger::Subscription { topic, subscription, .. } => json!([{
                    "type": "serviceBusTrigger", "direction": "in", "name": "message", "topicName": topic,
                    "subscriptionName": subscription, "connection": "ServiceBusConnection", "dataType": "binary"
                }]),
                Trigger::Event { .. } => json!([{ "type": "eventGridTrigger", "direction": "in", "name": "event" }]),
                Trigger::Timer { schedule, .. } => json!([{
                    "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": schedule, "useMonitor": true
                }]),
            };
            let definition = match function.trigger {
                // `xtask package --topic` turns them on.
                Trigger::Subscription { .. } => json!({ "disabled": true, "bindings": bindings }),
                _ => json!({ "bindings": bindings }),
            };
            (function.name.to_owned(), definition)
        })
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("function-definitions");
    let found: BTreeMap<String, Value> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| (name.clone(), read(format!("function-definitions/{name}/function.json"))))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn the_areas_of_rights_are_the_functions_that_ask_who_calls() {
    let named = |wanted: AuthLevel| -> BTreeSet<&str> {
        let has = |trigger: &Trigger<_>| matches!(trigger, Trigger::Http { level, .. } if *level == wanted);
        FUNCTIONS.iter().filter(|function| has(&function.trigger)).map(|function| function.name).collect()
    };
    assert_eq!(named(AuthLevel::Function), AREAS.iter().copied().collect());
    assert_eq!(named(AuthLevel::Anonymous), FOR_ANYBODY.iter().copied().collect());
}

#[test]
fn every_route_stands_below_its_area_and_none_stands_twice() {
    let mut seen = BTreeSet::new();
    for function in FUNCTIONS {
        let Trigger::Http { routes, .. } = &function.trigger else { continue };
        for route in *routes {
            let area = format!("/api/{}", function.name);
            assert!(route.path == area || route.path.starts_with(&format!("{area}/")), "{}", route.path);
            assert!(seen.insert((route.verb.method(), route.path)), "{} {}", route.verb.method(), route.path);
        }
    }
}

#[test]
fn function_names_are_names_to_the_host_and_none_hides_the_api() {
    for function in FUNCTIONS {
        let mut letters = function.name.chars();
        assert!(letters.next().unwrap().is_ascii_lowercase());
        assert!(letters.all(|it| it.is_ascii_alphanumeric() || it == '-' || it == '_'), "{}", function.name);
        assert!(function.name != "api" && function.name != "host");
    }
}

#[test]
fn host_json_says_what_our_deadlines_rely_on() {
    let host = read("host.json");
    let at = |pointer: &str| host.pointer(pointer).cloned().unwrap_or(Value::Null);
    assert_eq!(at("/functionTimeout"), "00:10:00");
    assert_eq!(at("/customHandler/description/defaultExecutablePath"), "causeway");
    assert_eq!(at("/customHandler/enableProxyingHttpRequest"), true);
    assert_eq!(at("/customHandler/enableForwardingHttpRequest"), true);
    assert_eq!(at("/extensions/http/routePrefix"), "api");
    assert_eq!(
        at("/extensions/serviceBus"),
        json!({ "prefetchCount": 0, "autoCompleteMessages": true, "maxAutoLockRenewalDuration": "00:10:00",
            "maxConcurrentCalls": 16 })
    );
    assert_eq!(at("/concurrency/dynamicConcurrencyEnabled"), false);
    assert_eq!(at("/extensionBundle/version"), "[4.*, 5.0.0)");
}
