//! Bodies that are too deep, too large when they are unpacked, or no JSON: to every route that takes one.

use std::io::Write as _;

use causeway::triggers::{FUNCTIONS, Trigger, Verb};
use flate2::Compression;
use flate2::write::GzEncoder;
use local_stack::power_bi::sample;

use super::{port, send};
use crate::road::Road;

/// Routes with a body, filled in so that it is the body that is looked at.
fn routes() -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for function in FUNCTIONS {
        let Trigger::Http { routes, .. } = &function.trigger else { continue };
        for route in routes.iter().filter(|route| !matches!(route.verb, Verb::Get | Verb::Delete | Verb::Act)) {
            let filled = [
                ("{w}", sample::WORKSPACE),
                ("{d}", sample::SALES_LIVE),
                ("{c}", "main"),
                ("{s}", "sales"),
                ("{t}", if function.name == "sql" { "customers" } else { "DailySales" }),
                ("{job}", "slow"),
                ("{name}", "refresh-sales"),
            ];
            let path = filled.iter().fold(route.path.to_owned(), |path, (brace, value)| path.replace(brace, value));
            let path = path.replace("{id}", "402718006115004").replace("{r}", "a1").replace("{f}", "a1");
            all.push((route.verb.method(), path));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nests_without_end_is_refused_everywhere() {
    let road = Road::start().await;
    let port = port(&road);
    let mut bodies = Vec::new();
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{\"rows\":[", "]}"), ("{\"parameters\":{\"a\":[", "]}}")] {
        for depth in [150, 100_000] {
            bodies.push(format!("{}1{}", open.repeat(depth), close.repeat(depth)));
        }
        // Never closed.
        bodies.push(open.repeat(50_000));
    }
    // What is within a value may be handed on as it stands, and is then somebody else's.
    let (open, close) = ("[".repeat(500), "]".repeat(500));
    let within = [
        format!("{{\"statement\":\"SELECT 1\",\"parameters\":{{\"a\":{open}1{close}}}}}"),
        format!("{{\"mode\":\"insert\",\"rows\":[{{\"customer_id\":{open}1{close}}}]}}"),
        format!("{{\"rows\":[{{\"orders\":{open}1{close}}}]}}"),
    ];
    for (method, path) in routes() {
        for body in &within {
            let reply = send(port, method, &path, "content-type: application/json\r\n", body.as_bytes()).await;
            assert!(reply.status < 500, "{method} {path}: {} {}", reply.status, reply.body);
        }
        for body in &bodies {
            let reply = send(port, method, &path, "content-type: application/json\r\n", body.as_bytes()).await;
            let shown: String = body.chars().take(60).collect();
            assert!((400..500).contains(&reply.status), "{method} {path} {shown}: {} {}", reply.status, reply.body);
            assert!(!reply.code().is_empty(), "{method} {path} {shown}: {}", reply.body);
        }
    }
    assert!(road.effects("databricks", "jobRun").is_empty() && road.effects("powerBi", "rows").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_of_its_call_is_refused_everywhere() {
    let road = Road::start().await;
    let port = port(&road);
    let bodies: [&[u8]; 10] = [
        b"\xff\xfe{\x00}\x00",
        b"\x00",
        b"\"\\ud800\"",
        b"{\"a\":1e99999}",
        b"{\"a\":1",
        b"{}{}",
        b"7",
        b"null",
        b"[]",
        b"<a/>",
    ];
    for (method, path) in routes() {
        for body in bodies {
            let reply = send(port, method, &path, "content-type: application/json\r\n", body).await;
            let shown = String::from_utf8_lossy(body);
            // No rows at all are rows.
            if body == b"[]" && path.ends_with("/DailySales/rows") {
                assert_eq!(reply.status, 200, "{path}: {}", reply.body);
                continue;
            }
            assert!((400..500).contains(&reply.status), "{method} {path} {shown}: {} {}", reply.status, reply.body);
        }
    }
    assert!(road.effects("databricks", "jobRun").is_empty() && road.effects("powerBi", "rows").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_is_refused_everywhere() {
    let road = Road::start().await;
    let port = port(&road);
    // More than the call takes, and sent as some hundred KiB.
    let [bomb, larger] = [33, 257].map(|mebibytes| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        let spaces = vec![b' '; 1 << 20];
        (0..mebibytes).for_each(|_| packer.write_all(&spaces).unwrap());
        packer.finish().unwrap()
    });
    for (method, path) in routes() {
        let bomb = if path.ends_with("/rows") { &larger } else { &bomb };
        let reply = send(port, method, &path, "content-encoding: gzip\r\n", bomb).await;
        assert_eq!((reply.status, reply.code()), (413, "body-too-large"), "{method} {path}: {}", reply.body);
        for encoding in ["br", "zstd", "gzip, gzip"] {
            let reply = send(port, method, &path, &format!("content-encoding: {encoding}\r\n"), b"{}").await;
            assert_eq!(
                (reply.status, reply.code()),
                (415, "encoding-not-supported"),
                "{method} {path}: {}",
                reply.body
            );
        }
    }
}
