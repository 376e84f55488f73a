//! Databricks' own Python SDK, unmodified and pinned, drives the stand-in; it is the judge of the wire's shapes.

use std::path::Path;
use std::process::Command;

use local_stack::databricks::{CLIENT_ID, CLIENT_SECRET, TOKEN, WAREHOUSE};
use local_stack::python;

use crate::caller::start;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_databricks_sdk_for_python_is_served() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance");
    let requirements = std::fs::read_to_string(folder.join("databricks_sdk.requirements.txt")).expect("requirements");
    let environment = tokio::task::spawn_blocking(move || {
        python::environment(&python::default_data(), "databricks-sdk", &requirements, &|line| eprintln!("{line}"))
    });
    let environment = environment.await.expect("a thread").expect("the SDK is installed");
    let caller = start().await;
    let mut command = Command::new(python::interpreter(&environment));
    command
        .arg(folder.join("databricks_sdk.py"))
        .env_clear()
        .env("CAUSEWAY_LOCAL_HOST", caller.stand_in.served.http_url())
        .env("CAUSEWAY_LOCAL_WAREHOUSE", WAREHOUSE)
        .env("CAUSEWAY_LOCAL_CLIENT_ID", CLIENT_ID)
        .env("CAUSEWAY_LOCAL_CLIENT_SECRET", CLIENT_SECRET)
        .env("CAUSEWAY_LOCAL_TOKEN", TOKEN)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*");
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("a thread").expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{said}");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    // A script that checks nothing must not pass.
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), 13, "{said}");
}
