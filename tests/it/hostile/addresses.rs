//! Addresses that lead inside, in every spelling, of callbacks, `http` steps and raw calls: no list opens them.

use local_stack::core::{Action, Fault};
use local_stack::power_bi::sample;
use serde_json::json;

use crate::operations::declare;
use crate::road::Road;

const CALLS: &str = "summary: Calls what it is told to
parameters:
  url: { type: string, required: true }
steps:
  - id: call
    http: { url: \"{{ parameters.url }}\", idempotent: true }
";

/// Listed by an operator who did not think.
const HOSTS: &str = "127.0.0.1:*,169.254.169.254:*,168.63.129.16:*,10.0.0.4:*,[::1]:*,[::ffff:7f00:1]:*,\
                     [::ffff:a9fe:a9fe]:*,[64:ff9b::a9fe:a9fe]:*,[fe80::1]:*,[fd00::1]:*,0.0.0.0:*,localhost:*";

/// The metadata service, ourselves, and our network, as they can be written.
const INSIDE: [&str; 19] = [
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1:8443/",
    "https://169.254.169.254/metadata/identity",
    "https://2852039166/",
    "https://0xA9FEA9FE/",
    "https://0251.0376.0251.0376/",
    "https://168.63.129.16/",
    "https://10.0.0.4/",
    "https://0/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::169.254.169.254]/",
    "https://[fe80::1]/",
    "https://[fd00::1]/",
];

/// Not addresses that anything may be sent to.
const NONSENSE: [&str; 10] = [
    "http://169.254.169.254/metadata",
    "file:///etc/passwd",
    "gopher://127.0.0.1:25/_x",
    "javascript:alert(1)",
    "https://user:word@127.0.0.1/",
    "https://[fe80::1%25eth0]/",
    "//127.0.0.1/",
    "https://",
    "https://evil.example\\@127.0.0.1/",
    "https://xn--ls8h.example/",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_inside_is_called_however_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let own = declare(folder.path(), &[("calls.yaml", CALLS)]);
    let road = Road::with(|options| {
        own(options);
        options.databricks.engine = false;
        for setting in ["CAUSEWAY_CALLBACK_HOSTS", "CAUSEWAY_HTTP_HOSTS"] {
            options.extra_environment.insert(setting.into(), HOSTS.into());
        }
        options.extra_environment.insert("CAUSEWAY_PRIVATE_ADDRESSES".into(), "false".into());
    })
    .await;
    let by_name = format!("https://localhost:{}/", road.stack.webhooks.served.address.port());
    for address in INSIDE.into_iter().chain(NONSENSE).chain([by_name.as_str()]) {
        let step = road.post("/api/operations/calls?waitSeconds=60", &json!({"url": address})).await;
        let step = step.problem(422, "host-not-allowed");
        assert_eq!(step.at("/step"), "call", "{address}");
        // A name is looked at when it is called, an address when it is given.
        if address != by_name {
            let body = json!({"callbackUrl": address});
            road.post("/api/jobs/slow/runs", &body).await.problem(422, "host-not-allowed");
        }
    }
    assert!(road.effects("webhooks", "request").is_empty() && road.effects("databricks", "jobRun").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_call_goes_to_power_bi_and_nowhere_else() {
    let road = Road::start().await;
    let raw = |path: &str| json!({"method": "GET", "path": path});
    for path in INSIDE.into_iter().chain(NONSENSE).filter(|path| path.contains("//")) {
        road.post("/api/power-bi-raw", &raw(path)).await.problem(400, "body-invalid");
    }
    let long = json!({"method": "GET", "path": "/groups", "query": {"a": "x".repeat(70_000)}});
    assert_eq!(road.post("/api/power-bi-raw", &long).await.problem(400, "body-invalid").at("/place"), "query");
    let headers: serde_json::Map<_, _> = (0..65).map(|at| (format!("x-{at}"), json!("a"))).collect();
    let many = json!({"method": "GET", "path": "/groups", "headers": headers});
    assert_eq!(road.post("/api/power-bi-raw", &many).await.problem(400, "body-invalid").at("/place"), "headers");
    for path in ["javascript:alert(1)", "@127.0.0.1/x", "/@127.0.0.1", "/:80", "/groups;@evil.example"] {
        // Only a part of Power BI's own address, where it is nothing.
        let reply = road.post("/api/power-bi-raw", &raw(path)).await;
        assert!((400..500).contains(&reply.status), "{path}: {}", reply.body);
    }
    for name in ["Host", "Authorization", "Transfer-Encoding", "Proxy-Authorization", "X-A\r\nHost", "Cookie"] {
        let body = json!({"method": "GET", "path": "/groups", "headers": {name: "evil.example"}});
        road.post("/api/power-bi-raw", &body).await.problem(400, "body-invalid");
    }
    let body = json!({"method": "GET", "path": "/groups", "headers": {"X-A": "b\r\nHost: evil.example"}});
    road.post("/api/power-bi-raw", &body).await.problem(400, "body-invalid");
    // A redirect is an answer, and our token does not travel on.
    let away = format!("https://127.0.0.1:{}/hooks/x", road.stack.webhooks.served.address.port());
    let action =
        || Action::Status { status: 302, headers: vec![("location".into(), away.clone())], body: String::new() };
    road.stack.power_bi.served.faults.add(Fault::once("GET", "/groups", action()));
    let reply = road.post("/api/power-bi-raw", &raw("/groups")).await.expect(200);
    assert_eq!(reply.at("/status"), 302);
    road.stack.power_bi.served.faults.add(Fault::once("GET", "/datasets", action()).times(10));
    let reply = road.get(&format!("/api/power-bi/workspaces/{}/datasets", sample::WORKSPACE)).await;
    assert!(reply.status >= 400, "{}", reply.body);
    assert!(road.effects("webhooks", "request").is_empty());
}
