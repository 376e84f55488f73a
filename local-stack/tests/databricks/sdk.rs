//! Databricks' own Python clients, unmodified and pinned, drive the stand-in: the judges of the wire's shapes that
//! nobody here wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use local_stack::databricks::{
    CLIENT_ID, CLIENT_SECRET, DatabricksOptions, GeneratedColumn, GeneratedReply, JobDefinition, TOKEN, TaskDefinition,
    TaskFailure, WAREHOUSE,
};
use local_stack::python;

use crate::caller::with;

fn environment(name: &str, requirements: &Path) -> PathBuf {
    let requirements = std::fs::read_to_string(requirements).expect("requirements");
    python::environment(&python::default_data(), name, &requirements, &|line| eprintln!("{line}"))
        .expect("the packages are installed")
}

fn numbers() -> GeneratedReply {
    let column = |name: &str, kind: &str, nulls| GeneratedColumn { name: name.into(), type_text: kind.into(), nulls };
    GeneratedReply {
        statement: "SELECT * FROM main.gold.numbers".into(),
        columns: vec![column("id", "BIGINT", false), column("name", "STRING", true)],
        rows: 100_000,
        chunk_rows: Some(30_000),
        batch_rows: None,
        pre_encoded: false,
        repeat: false,
    }
}

/// Jobs beside the sample's: with more tasks than one reply has, that fail before they succeed, that exclude each other.
fn jobs() -> [JobDefinition; 3] {
    let wide = (0..130).map(|number| TaskDefinition::notebook_exit(&format!("task_{number}"), "done"));
    let flaky = TaskDefinition::python_logs("flaky", "at last\n")
        .fails_once(TaskFailure::workload("ValueError: failure 0"))
        .fails_once(TaskFailure::workload("ValueError: failure 1"));
    [
        wide.fold(JobDefinition::new(1, "wide").max_concurrent_runs(2), JobDefinition::task),
        JobDefinition::new(2, "flaky").task(flaky).task(TaskDefinition::python_logs("after", "").after(&["flaky"])),
        JobDefinition::new(3, "one at a time")
            .without_queue()
            .task(TaskDefinition::python_logs("long", "").lasting(1000)),
    ]
}

/// Runs a script of `tests/conformance`, which must succeed after exactly so many checks.
async fn judged(script: &'static str, checks: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance");
    let requirements = folder.join(format!("{script}.requirements.txt"));
    let installed = tokio::task::spawn_blocking(move || environment(script, &requirements)).await.expect("a thread");
    // Small chunks, so that results of some thousand rows have many.
    let caller = with(DatabricksOptions { chunk_rows: 3000, ..DatabricksOptions::default() }).await;
    caller.stand_in.generated(&numbers()).expect("generated");
    for job in jobs() {
        caller.stand_in.define_job(job).expect("a job");
    }
    let mut command = Command::new(python::interpreter(&installed));
    command
        .arg(folder.join(format!("{script}.py")))
        .env_clear()
        .env("CAUSEWAY_LOCAL_HOST", caller.stand_in.served.http_url())
        .env("CAUSEWAY_LOCAL_WAREHOUSE", WAREHOUSE)
        .env("CAUSEWAY_LOCAL_CLIENT_ID", CLIENT_ID)
        .env("CAUSEWAY_LOCAL_CLIENT_SECRET", CLIENT_SECRET)
        .env("CAUSEWAY_LOCAL_TOKEN", TOKEN)
        .env("CAUSEWAY_LOCAL_GENERATED", numbers().statement)
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
    judged("databricks_sdk", 22).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_databricks_sql_connector_for_python_is_served() {
    judged("databricks_sql_connector", 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kernel_of_the_databricks_sql_connector_is_served() {
    judged("databricks_kernel", 7).await;
}
