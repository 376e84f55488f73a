//! The commands for people, run as a person would: against the neighbours of the stack, with no host at all.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::declared::{Declared, ECHO};
use crate::road::{PATIENCE, handler};

const PARENT: (&str, &str) = (
    "parent",
    "summary: s
steps:
  - {id: call, for_each: {in: [1, 2, 3], parallel: 2}, operation: {name: echo, parameters: {text: 'item {{ item }}'}}}
output: {texts: '{{ steps.call.outputs.map(output, output.text) }}'}
",
);
const FAILING: (&str, &str) = ("failing", "summary: s\nsteps: [{id: stop, assert: {that: 1 > 2, message: too few}}]\n");
const SLEEPER: (&str, &str) = ("sleeper", "summary: s\nsteps: [{id: sleep, wait_for: {delay: 1h}}]\n");

async fn road(files: &[(&str, &str)]) -> Declared {
    let mut road = Declared::canned(files, &[]).await;
    road.stack.stop_host().await;
    road
}

fn causeway(road: &Declared, arguments: &[&str]) -> Command {
    let mut command = Command::new(handler());
    command.args(arguments).env_clear().envs(road.stack.handler_environment()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Exit code, stdout, stderr.
async fn said(mut command: Command) -> (Option<i32>, String, String) {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("in time").expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_at_the_command_line_is_told_step_by_step_and_exits_with_0() {
    let road = road(&[ECHO]).await;
    let (code, out, err) = said(causeway(&road, &["run", "echo", "--param", "text=hé", "--param", "count=3"])).await;
    assert_eq!(code, Some(0), "{out}{err}");
    for line in ["  run ", "  ask  succeeded", "  succeeded\n", "\"text\": \"hé\""] {
        assert!(out.contains(line), "{line}\n{out}");
    }
    let (code, out, err) = said(causeway(&road, &["run", "echo", "--param", "text=x", "--json"])).await;
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON and nothing else"), json!({"text": "x", "one": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn children_are_moved_by_the_command_too() {
    let road = road(&[ECHO, PARENT]).await;
    let (code, out, err) = said(causeway(&road, &["run", "parent", "--json"])).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON"), json!({"texts": ["item 1", "item 2", "item 3"]}));
    // The parent, an item for each, and what each calls.
    assert_eq!(road.runs().len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_exits_with_1_and_one_that_is_not_begun_with_2() {
    let road = road(&[ECHO, FAILING]).await;
    let (code, out, _) = said(causeway(&road, &["run", "failing"])).await;
    assert!(code == Some(1) && out.contains("failed, assertion-failed: too few"), "{code:?} {out}");
    for (arguments, word) in [
        (&["run", "eco"][..], "there are: echo, failing"),
        (&["run", "echo"][..], "text: is required"),
        (&["run", "echo", "--param", "text=x", "--param", "count=ten"][..], "must be a whole number"),
    ] {
        let (code, _, err) = said(causeway(&road, arguments)).await;
        assert!(code == Some(2) && err.contains(word), "{code:?} {err}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_it_says_how_to_go_on() {
    let road = road(&[SLEEPER]).await;
    let mut child = causeway(&road, &["run", "sleeper"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut all = String::new();
    let read = async {
        let mut interrupted = false;
        while let Some(line) = lines.next_line().await.expect("readable") {
            all.push_str(&line);
            all.push('\n');
            if line.contains("sleep") && !interrupted {
                interrupted = true;
                let pid = child.id().expect("a process").to_string();
                Command::new("kill").args(["-INT", &pid]).status().await.expect("a signal");
            }
        }
        child.wait().await.expect("an end").code()
    };
    let code = tokio::time::timeout(PATIENCE, read).await.expect("in time");
    let run = &road.runs()[0];
    assert_eq!(code, Some(2), "{all}");
    assert!(
        all.contains(&format!("causeway run --resume {run}")) && all.contains(&format!("/api/runs/{run}/cancel")),
        "{all}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_tells_what_an_operation_does() {
    let road = road(&[ECHO]).await;
    let (code, out, _) = said(causeway(&road, &["explain", "echo"])).await;
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("run again: it only reads") && out.contains("touches: Databricks"), "{out}");
    let (_, out, _) = said(causeway(&road, &["explain", "echo", "--json"])).await;
    assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON")["steps"][0]["mayEndUnknown"], false);
}
