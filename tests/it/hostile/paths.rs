//! Tricks in every brace of every route, of the table itself: what could climb out of a neighbour's address finds no route,
//! and whatever else is only a name that nothing has.

use causeway::triggers::{FUNCTIONS, Trigger};
use local_stack::power_bi::sample;

use super::{Raw, port, send};
use crate::road::Road;

/// These find nothing.
const CLIMBING: [&str; 18] = [
    "..",
    ".",
    "%2e%2e",
    "%2E.",
    "%2e",
    "..%2f..%2fsecrets",
    "a%2f..%2fb",
    "..%5csecrets",
    "..\\secrets",
    "%252e%252e",
    "%252e%252e%252fb",
    "a%00b",
    "%00",
    "a%0d%0ax-evil:1",
    "a%c2%85b",
    "%ff%fe",
    "%c0%ae%c0%ae",
    "%ed%a0%80",
];

/// These are names, and nothing has them.
const NAMES: [&str; 14] = [
    "a%2fb",
    "a%5cb",
    "a%3fb=1",
    "a%23b",
    "a;b=1",
    "a&b=1",
    "%ef%bc%8e%ef%bc%8e",
    "%e2%80%ae%e2%80%8b",
    "%f0%9f%92%a5",
    "%7b%7b%20run.id%20%7d%7d",
    "'%20OR%201=1%20--",
    "%60%3b%20DROP%20TABLE%20x",
    "$(id)%7c%60id%60",
    "%25s%25n%2525",
];

/// Longer than any name or id, and short enough to be an address.
const LONG: usize = 7_000;

/// What stands in a brace that is not the one under test.
fn sound(brace: &str) -> String {
    match brace {
        "{w}" => sample::WORKSPACE.to_owned(),
        "{d}" => sample::SALES_LIVE.to_owned(),
        "{c}" => "main".to_owned(),
        "{s}" => "sales".to_owned(),
        _ => "a1".to_owned(),
    }
}

/// Each route with each of its braces.
fn braces() -> Vec<(&'static str, &'static str, usize)> {
    let mut all = Vec::new();
    for function in FUNCTIONS {
        let Trigger::Http { routes, .. } = &function.trigger else { continue };
        for route in *routes {
            let braces = route.path.split('/').enumerate().filter(|(_, part)| part.starts_with('{'));
            all.extend(braces.map(|(at, _)| (route.verb.method(), route.path, at)));
        }
    }
    all
}

async fn tried(port: u16, (method, path, at): (&str, &str, usize), trick: &str) -> (String, Raw) {
    let parts = path.split('/').enumerate().map(|(index, part)| match part {
        _ if index == at => trick.to_owned(),
        part if part.starts_with('{') => sound(part),
        part => part.to_owned(),
    });
    let path = parts.collect::<Vec<_>>().join("/");
    let body: &[u8] = if matches!(method, "GET" | "DELETE") { b"" } else { b"{}" };
    let reply = send(port, method, &path, "content-type: application/json\r\n", body).await;
    (format!("{method} {path}"), reply)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_climbs_finds_no_route_wherever_it_stands() {
    let road = Road::with(|options| options.databricks.engine = false).await;
    let (port, braces) = (port(&road), braces());
    assert!(braces.len() > 60, "{} braces", braces.len());
    for brace in braces {
        for trick in CLIMBING {
            let (what, reply) = tried(port, brace, trick).await;
            assert_eq!((reply.status, reply.code()), (404, "route-not-found"), "{what}: {}", reply.body);
        }
    }
    untouched(&road);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_name_is_one_that_nothing_has() {
    let road = Road::with(|options| options.databricks.engine = false).await;
    let port = port(&road);
    for brace in braces() {
        let long = "a".repeat(LONG);
        for trick in NAMES.into_iter().chain([long.as_str()]) {
            let (what, reply) = tried(port, brace, trick).await;
            let what: String = what.chars().take(200).collect();
            assert!((400..500).contains(&reply.status), "{what}: {} {}", reply.status, reply.body);
            assert!(!reply.code().is_empty() && reply.body["message"].is_string(), "{what}: {}", reply.body);
        }
    }
    untouched(&road);
    // Whatever of it went out is one part of an address.
    for exchange in road.effects("powerBi", "exchange") {
        let path = exchange["path"].as_str().unwrap_or_default().to_lowercase();
        assert!(!path.contains("/..") && !path.contains("/a/b"), "{path}");
    }
}

fn untouched(road: &Road) {
    for (service, kind) in
        [("databricks", "statement"), ("databricks", "jobRun"), ("powerBi", "refresh"), ("powerBi", "rows")]
    {
        assert!(road.effects(service, kind).is_empty(), "{kind}");
    }
    assert_eq!(road.ledger("runs/"), Vec::<String>::new());
}
