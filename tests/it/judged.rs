//! Databricks' own clients as judges: the same query through them and through Causeway gives the same values, type by
//! type. What is compared stands in `tests/conformance/same_values.py`.

use std::process::Command;

use local_stack::databricks::{TOKEN, WAREHOUSE};
use local_stack::python;

use crate::road::{Road, root};

#[tokio::test(flavor = "multi_thread")]
async fn the_values_are_those_of_databricks_own_clients() {
    let folder = root().join("tests/conformance");
    let requirements = std::fs::read_to_string(folder.join("same_values.requirements.txt")).expect("requirements");
    let install = move || {
        python::environment(&python::default_data(), "same_values", &requirements, &|line| eprintln!("{line}"))
            .expect("the packages are installed")
    };
    let installed = tokio::task::spawn_blocking(install).await.expect("a thread");
    let road = Road::start().await;
    let mut command = Command::new(python::interpreter(&installed));
    command
        .arg(folder.join("same_values.py"))
        .env_clear()
        .env("CAUSEWAY_LOCAL_HOST", road.stack.endpoints().databricks)
        .env("CAUSEWAY_LOCAL_WAREHOUSE", WAREHOUSE)
        .env("CAUSEWAY_LOCAL_TOKEN", TOKEN)
        .env("CAUSEWAY_URL", road.stack.endpoints().host.expect("a host"))
        .env("CAUSEWAY_KEY", road.stack.credentials().host_key.expect("a key"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*");
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("a thread").expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{said}");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    // A script that compares nothing must not pass.
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), 21, "{said}");
    // Causeway went both ways.
    assert!(!road.effects("storage", "link").is_empty());
}
