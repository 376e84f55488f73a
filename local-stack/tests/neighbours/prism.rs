//! Prism, a validating proxy by other people, between the tests of Power BI and the stand-in: when `PRISM` names its
//! program (`npm install @stoplight/prism-cli`, `node_modules/.bin/prism`), as `tests/conformance/power_bi_prism.py` does.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::client::Reply;

pub(crate) struct Prism {
    /// It ends with this.
    _child: Child,
    pub(crate) url: String,
}

impl Prism {
    pub(crate) async fn before(stand_in: &str) -> Option<Self> {
        let program = std::env::var_os("PRISM")?;
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/power-bi-swagger.json");
        let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut command = Command::new(program);
        command.arg("proxy").arg(contract).args([stand_in, "--port", &port.to_string()]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        // Real time, also where a test has stopped the clock.
        let patience = std::time::Instant::now() + Duration::from_mins(2);
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(std::time::Instant::now() < patience, "Prism does not start");
        }
        Some(Self { _child: child, url: format!("http://127.0.0.1:{port}") })
    }
}

/// What Prism found wrong, in its header: with the reply of a success, and with the request that had it. Formats are left
/// alone: the service's times have no zone, although the contract calls them `date-time`.
pub(crate) fn violations(reply: &Reply) -> Vec<Value> {
    let mut found: Vec<Value> = serde_json::from_str(reply.header("sl-violations")).unwrap_or_default();
    found.retain(|violation| reply.status < 400 && violation["code"] != "format");
    found
}
