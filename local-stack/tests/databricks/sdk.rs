//! Databricks' own Python clients, unmodified and pinned, drive the stand-in: the judges of the wire's shapes that
//! nobody here wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use local_stack::databricks::{CLIENT_ID, CLIENT_SECRET, TOKEN, WAREHOUSE};
use local_stack::python;

use crate::caller::start;

fn environment(name: &str, requirements: &Path) -> PathBuf {
    let requirements = std::fs::read_to_string(requirements).expect("requirements");
    python::environment(&python::default_data(), name, &requirements, &|line| eprintln!("{line}"))
        .expect("the packages are installed")
}

/// Runs a script of `tests/conformance`, which must succeed after exactly so many checks.
async fn judged(script: &'static str, checks: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance");
    let requirements = folder.join(format!("{script}.requirements.txt"));
    let installed = tokio::task::spawn_blocking(move || environment(script, &requirements)).await.expect("a thread");
    let caller = start().await;
    let mut command = Command::new(python::interpreter(&installed));
    command
        .arg(folder.join(format!("{script}.py")))
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
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), checks, "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_databricks_sdk_for_python_is_served() {
    judged("databricks_sdk", 13).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_databricks_sql_connector_for_python_is_served() {
    judged("databricks_sql_connector", 3).await;
}
