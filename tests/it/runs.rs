//! Runs from outside: waiting, dying, faults of the ledger. One effect each, and the run ends.

use causeway::runs::identity::run_id;
use local_stack::core::{Action, Fault};
use local_stack::databricks::Clock;
use serde_json::{Value, json};

use crate::declared::{Declared, ECHO};

const WRITE: (&str, &str) = (
    "write",
    "summary: s
parameters: {note: {type: string, required: true}}
steps:
  - id: put
    sql:
      statement: INSERT INTO main.sales.customers (customer_id, name) VALUES (999, :note)
      parameters: {note: '{{ parameters.note }}'}
",
);
const READ: (&str, &str) = (
    "read",
    "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: ask, sql: {statement: 'SELECT :note AS note', parameters: {note: '{{ parameters.note }}'}}}]
output: {note: '{{ steps.ask.row.note }}'}
",
);
const JOB: (&str, &str) = (
    "job",
    "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: go, job: {job: slow, parameters: {note: '{{ parameters.note }}'}}}]
",
);

/// The run that a message with this id becomes.
fn run_of(id: &str) -> String {
    run_id(&["queue", "causeway-requests", id])
}

/// What Databricks was asked to do with this note.
fn effects(road: &Declared, kind: &str, note: &str) -> usize {
    let all = road.effects("databricks", kind);
    all.iter().filter(|effect| effect["parameters"].to_string().contains(&format!("\"{note}\""))).count()
}

fn transitions(road: &Declared, run: &str) -> Vec<String> {
    road.records(run).iter().map(|record| record["transition"].as_str().unwrap_or_default().to_owned()).collect()
}

fn has(road: &Declared, run: &str, transition: &str) -> bool {
    transitions(road, run).iter().any(|one| one == transition)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_handler_loses_no_run_and_doubles_no_effect() {
    // A dead worker's lease ends with its deadline and half a minute.
    let settings = [("CAUSEWAY_MESSAGE_SECONDS", "13")];
    let road = Declared::with(&[WRITE, READ, JOB], &settings, |_| {}).await;
    let forever = || Action::DelayAfterCommit { milliseconds: 600_000 };
    road.stack.databricks.set_clock(Clock::Stepped);
    road.stack.databricks.hold("999", None);
    // A write whose answer was lost is found by its key.
    road.stack.databricks.set_history_lag(std::time::Duration::ZERO);

    let unstarted = run_of("unstarted");
    let before = Fault::once("PUT", &format!("{unstarted}/00000002"), Action::Hang);
    road.stack.blob.served.faults.add(before);
    for (id, target) in
        [("unanswered-job", "run-now"), ("unanswered-write", "statements"), ("unanswered-read", "statements")]
    {
        let fault = Fault::once("POST", target, forever()).body_contains(&format!("\"{id}\""));
        road.stack.databricks.served.faults.add(fault);
    }
    let operations = [
        ("unstarted", "job"),
        ("unanswered-job", "job"),
        ("unanswered-write", "write"),
        ("unanswered-read", "read"),
        ("submitted", "write"),
        ("waiting", "job"),
    ];
    for (id, operation) in operations {
        road.ask(id, operation, &json!({"note": id}));
    }
    road.until_true(|_| {
        has(&road, &unstarted, "leased")
            && effects(&road, "jobRun", "unanswered-job") == 1
            && effects(&road, "statement", "unanswered-write") == 1
            && effects(&road, "statement", "unanswered-read") == 1
            && has(&road, &run_of("submitted"), "submitted")
            && has(&road, &run_of("waiting"), "submitted")
    })
    .await;
    assert!(!has(&road, &unstarted, "started"));
    road.stack.host.as_ref().expect("a host").kill_handler(None).await;
    road.stack.databricks.release();
    road.let_jobs_go();

    for (id, state, kind, count) in [
        ("unstarted", "succeeded", "jobRun", 1),
        ("unanswered-job", "succeeded", "jobRun", 1),
        ("unanswered-write", "succeeded", "statement", 1),
        ("unanswered-read", "succeeded", "statement", 2),
        ("submitted", "succeeded", "statement", 1),
        ("waiting", "succeeded", "jobRun", 1),
    ] {
        let ended = road.ended(&run_of(id)).await;
        assert_eq!(ended["state"], state, "{id}: {ended}");
        assert_eq!(effects(&road, kind, id), count, "{id}: {ended}");
        assert_eq!(ended["steps"][0]["attempt"], 1, "{id}");
    }
    assert_eq!(road.messages("causeway-replies", 6).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_waits_holds_no_invocation_and_is_woken_by_a_message() {
    let road = Declared::with(&[JOB], &[], |_| {}).await;
    road.stack.databricks.set_clock(Clock::Stepped);
    road.ask("a", "job", &json!({"note": "a"}));
    let run = run_of("a");
    road.until_true(|_| has(&road, &run, "waiting")).await;
    let waiting = road.get(&format!("/api/runs/{run}")).await.body;
    assert_eq!(waiting["steps"][0]["state"], "submitted");
    road.until("the invocation is over", |road| {
        road.effects("serviceBus", "completed").iter().any(|done| done["queue"] == "causeway-work")
    })
    .await;
    let scheduled = road.effects("serviceBus", "message");
    assert!(scheduled.iter().any(|m| m["queue"] == "causeway-work" && m["scheduledEnqueueTimeUtc"].is_string()));
    road.let_jobs_go();
    assert_eq!(road.ended(&run).await["state"], "succeeded");
    assert_eq!(effects(&road, "jobRun", "a"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_on_the_definition_that_it_began_with() {
    let road_is = |text: &str| {
        format!("summary: s\nsteps: [{{id: ask, sql: {{statement: SELECT 1 AS one}}}}]\noutput: {{is: {text}}}\n")
    };
    let mut road = Declared::canned(&[("changing", &road_is("old"))], &[]).await;
    road.stack.databricks.hold("SELECT 1 AS one", None);
    road.ask("a", "changing", &json!({}));
    road.until_true(|_| has(&road, &run_of("a"), "waiting")).await;
    road.declare("changing", &road_is("new"));
    road.restart().await;
    road.stack.databricks.release();
    assert_eq!(road.ended(&run_of("a")).await["output"], json!({"is": "old"}));
    road.ask("b", "changing", &json!({}));
    assert_eq!(road.ended(&run_of("b")).await["output"], json!({"is": "new"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_answers_wrong_costs_no_run_and_doubles_no_effect() {
    let road = Declared::with(&[WRITE], &[], |_| {}).await;
    let error = |status: u16, code: &str| {
        let headers = vec![("x-ms-error-code".to_owned(), code.to_owned())];
        (status, headers, format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>"))
    };
    let (busy, busy_headers, busy_body) = error(503, "ServerBusy");
    let (gone, gone_headers, gone_body) = error(409, "ContainerBeingDeleted");
    let wrongs = [
        ("late", Action::StatusAfterCommit { status: busy, headers: busy_headers, body: busy_body }),
        ("cut", Action::CutAfterCommit),
        ("early", Action::CutBeforeCommit),
        ("gone", Action::Status { status: gone, headers: gone_headers, body: gone_body }),
    ];
    for (id, action) in wrongs {
        let run = run_of(id);
        for transition in ["created", "leased", "started", "submitted", "stepEnded", "ended", "answered"] {
            let fault = Fault::once("PUT", &run, action.clone());
            road.stack.blob.served.faults.add(fault.body_contains(&format!("\"transition\":\"{transition}\"")));
        }
        road.ask(id, "write", &json!({"note": id}));
        let ended = road.ended(&run).await;
        assert_eq!(ended["state"], "succeeded", "{id}: {ended}");
        assert_eq!(effects(&road, "statement", id), 1, "{id}");
        road.until_true(|_| has(&road, &run, "answered")).await;
        assert_eq!(transitions(&road, &run).iter().filter(|one| *one == "started").count(), 1, "{id}");
    }
    assert_eq!(road.messages("causeway-replies", 4).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_away_after_the_effect_is_waited_for() {
    let road = Declared::with(&[WRITE], &[], |_| {}).await;
    // More than one put's tries.
    let away = Action::Status { status: 503, headers: Vec::new(), body: String::new() };
    let fault = Fault::once("PUT", &run_of("a"), away).times(20).body_contains("\"transition\":\"submitted\"");
    road.stack.blob.served.faults.add(fault);
    road.ask("a", "write", &json!({"note": "a"}));
    let ended = road.ended(&run_of("a")).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(effects(&road, "statement", "a"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_send_its_wake_up_ends_all_the_same() {
    let road = Declared::canned(&[ECHO], &[]).await;
    road.stack.databricks.hold("SELECT 1 AS one", None);
    let run = run_of("a");
    let away = Action::Status { status: 503, headers: Vec::new(), body: String::new() };
    // The first work message begins the run; the ones after it find nobody.
    let fault = Fault::once("POST", "causeway-work/messages", away).skip(1).times(8);
    road.stack.service_bus.served.faults.add(fault);
    road.ask("a", "echo", &json!({"text": "a"}));
    road.until_true(|_| has(&road, &run, "waiting")).await;
    road.stack.databricks.release();
    assert_eq!(road.ended(&run).await["state"], "succeeded");
    assert_eq!(road.effects("databricks", "statement").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn overtaken_work_messages_are_dropped_and_a_live_lease_is_left_alone() {
    let road = Declared::canned(&[ECHO], &[]).await;
    road.stack.databricks.hold("SELECT 1 AS one", None);
    let run = run_of("a");
    road.ask("a", "echo", &json!({"text": "a"}));
    road.until_true(|_| has(&road, &run, "leased")).await;
    let work =
        |after: usize| local_stack::service_bus::NewMessage::new(json!({"run": run, "after": after}).to_string());
    // One that is behind, and one that is not while the lease lives.
    road.queue("causeway-work").send(work(0).message_id("behind"));
    road.queue("causeway-work").send(work(1).message_id("beside"));
    road.until("both are completed", |road| {
        let done = road.effects("serviceBus", "completed");
        let once = |id: &str| done.iter().any(|m| m["messageId"] == id && m["deliveryCount"] == 1);
        once("behind") && once("beside")
    })
    .await;
    let copies: Vec<Value> = road.effects("serviceBus", "message");
    let later =
        |m: &&Value| m["body"].as_str().is_some_and(|body| body.contains("\"after\":1")) && m["messageId"] != "beside";
    assert!(copies.iter().find(later).expect("a copy")["scheduledEnqueueTimeUtc"].is_string());
    assert_eq!(transitions(&road, &run).iter().filter(|one| *one == "leased").count(), 1);
    road.stack.databricks.release();
    assert_eq!(road.ended(&run).await["state"], "succeeded");
}
