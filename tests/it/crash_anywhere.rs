//! A handler that dies at any of its calls, before its neighbour acts or after it and before the answer: the run ends, and
//! its effect has happened once, or the run says `outcome-unknown` where its step allows that.
//!
//! One run of each kind of step is recorded, ledger and Service Bus included; then each of its calls is a handler's last.
//! An ordinary run takes a few of the calls, drawn by `CAUSEWAY_SEED`; `CAUSEWAY_CRASH_EVERYWHERE=1` takes them all.

use std::time::Duration;

use causeway::runs::identity::{hash, run_id};
use futures_util::future::join_all;
use local_stack::core::{Crash, Moment};
use serde_json::json;

use crate::declared::Declared;

/// Longer than a dead worker's lease, and than the host's start after it has stopped itself.
const PATIENCE: Duration = Duration::from_mins(3);

/// Crashes of each kind in an ordinary run; each may cost a dead worker's lease.
const DRAWN: usize = 2;

/// An operation with one step, what its neighbour writes into its history, and how often a crash may repeat it.
struct Case {
    name: &'static str,
    yaml: &'static str,
    effect: &'static str,
    may_repeat: bool,
    /// Whether only a human may be able to tell, after a crash at the wrong moment.
    may_be_unknown: bool,
}

const CASES: [Case; 5] = [
    Case {
        name: "read",
        yaml: "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: ask, sql: {statement: 'SELECT :note AS note', parameters: {note: '{{ parameters.note }}'}}}]
",
        effect: "statement",
        may_repeat: true,
        may_be_unknown: false,
    },
    Case {
        name: "write",
        yaml: "summary: s
parameters: {note: {type: string, required: true}}
steps:
  - id: put
    sql:
      statement: INSERT INTO main.sales.customers (customer_id, name) VALUES (999, :note)
      parameters: {note: '{{ parameters.note }}'}
",
        effect: "statement",
        may_repeat: false,
        may_be_unknown: true,
    },
    Case {
        name: "idempotent",
        yaml: "summary: s
parameters: {note: {type: string, required: true}}
steps:
  - id: put
    sql:
      statement: UPDATE main.sales.customers SET name = :note WHERE customer_id = 1
      parameters: {note: '{{ parameters.note }}'}
      idempotent: true
",
        effect: "statement",
        may_repeat: true,
        may_be_unknown: false,
    },
    Case {
        name: "job",
        yaml: "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: go, job: {job: slow, parameters: {note: '{{ parameters.note }}'}}}]
",
        effect: "jobRun",
        may_repeat: false,
        may_be_unknown: false,
    },
    Case {
        name: "assert",
        yaml: "summary: s
parameters: {note: {type: string, required: true}}
steps: [{id: check, assert: {that: parameters.note != '', message: never}}]
",
        effect: "none",
        may_repeat: false,
        may_be_unknown: false,
    },
];

/// Where a handler is to die: everywhere, or at a few calls that are drawn.
fn chosen(case: &str, calls: usize) -> Vec<(usize, Moment)> {
    let moments = [Moment::BeforeCommit, Moment::AfterCommit];
    let all = (0..calls).flat_map(|call| moments.map(|moment| (call, moment)));
    if std::env::var_os("CAUSEWAY_CRASH_EVERYWHERE").is_some() {
        return all.collect();
    }
    let seed = std::env::var("CAUSEWAY_SEED").unwrap_or_default();
    let mut drawn: Vec<_> = all.collect();
    drawn.sort_by_cached_key(|(call, moment)| hash(&["crash", &seed, case, &call.to_string(), &format!("{moment:?}")]));
    drawn.truncate(DRAWN);
    drawn
}

async fn road(case: &Case) -> (Declared, Crash) {
    // A dead worker's lease ends with its deadline and half a minute.
    let settings = [
        ("CAUSEWAY_MESSAGE_SECONDS", "6"),
        ("CAUSEWAY_SEND_WINDOW_SECONDS", "2"),
        ("CAUSEWAY_SEND_MARGIN_SECONDS", "1"),
    ];
    let road = Declared::with(&[(case.name, case.yaml)], &settings, |options| {
        // The third crash within it would stop the host, and what that held stays locked for a minute.
        options.error_window = Duration::ZERO;
    })
    .await;
    road.let_jobs_go();
    // A write whose answer was lost is found by its key.
    road.stack.databricks.set_history_lag(Duration::ZERO);
    let crash = Crash::default();
    for served in [&road.stack.blob.served, &road.stack.service_bus.served, &road.stack.databricks.served] {
        served.faults.count_in(&crash);
    }
    (road, crash)
}

/// Runs the operation once, and kills the handler when the plan wants it; the run's last record as it is shown.
async fn run(road: &Declared, crash: &Crash, case: &Case, note: &str) -> serde_json::Value {
    road.ask(note, case.name, &json!({"note": note}));
    let id = run_id(&["queue", "causeway-requests", note]);
    let killing = async {
        loop {
            crash.wanted().await;
            road.stack.host.as_ref().expect("a host").kill_handler(None).await;
            crash.killed();
        }
    };
    let ending = async {
        let started = std::time::Instant::now();
        let ended = ended_patiently(road, &id).await;
        if std::env::var_os("CAUSEWAY_CRASH_TOLD").is_some() {
            println!(
                "{note}: {:.1} s, {} restarts",
                started.elapsed().as_secs_f64(),
                road.stack.host.as_ref().unwrap().restarts()
            );
        }
        // Until its end is told the run may still meet its crash.
        road.until_true(|_| road.records(&id).last().is_some_and(|record| record["transition"] == "answered")).await;
        ended
    };
    tokio::select! {
        ended = ending => ended,
        () = killing => unreachable!("a killer never rests"),
    }
}

/// The run's last record as it is shown; what the ledger says of it, when it does not end.
async fn ended_patiently(road: &Declared, run: &str) -> serde_json::Value {
    let ended = async {
        loop {
            let rest = road.records(run).into_iter().any(|record| !record["endedAt"].is_null());
            if rest {
                return road.ended(run).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap_or_else(|_| {
        let lines = road.stack.host.as_ref().expect("a host").logs().lines();
        let last: Vec<_> = lines.iter().rev().take(40).rev().map(|line| line.text.clone()).collect();
        panic!("{run} has not ended: {:#?}\n{}", road.records(run), last.join("\n"))
    })
}

fn effects(road: &Declared, case: &Case, note: &str) -> usize {
    let all = road.effects("databricks", case.effect);
    all.iter().filter(|effect| effect["parameters"].to_string().contains(&format!("\"{note}\""))).count()
}

/// How many crashes, and how many of them ended as unknown.
async fn die_in(case: &Case) -> (usize, usize) {
    let (road, crash) = road(case).await;
    // The first run asks for tokens; the second is the measure.
    run(&road, &crash, case, "warm").await;
    crash.plan(None);
    run(&road, &crash, case, "whole").await;
    let calls = crash.calls();
    assert!(calls.len() >= 10, "{}: {calls:#?}", case.name);
    let (mut crashes, mut unknown) = (0, 0);
    for (call, moment) in chosen(case.name, calls.len()) {
        let what = &calls[call];
        let note = format!("{}-{call}-{moment:?}", case.name);
        crash.plan(Some((call, moment)));
        let ended = run(&road, &crash, case, &note).await;
        // Runs differ a little in how often they look: the last calls may not come.
        crashes += usize::from(!crash.is_to_come());
        let done = effects(&road, case, &note);
        let told = format!("{note}, died at {what}, did it {done} times: {ended}");
        if ended["state"] == "succeeded" {
            let expected = usize::from(case.effect != "none");
            assert!(done == expected || (case.may_repeat && done > expected), "{told}");
        } else {
            assert!(case.may_be_unknown && done <= 1, "{told}");
            assert_eq!(ended["steps"][0]["state"], "unknown", "{told}");
            unknown += 1;
        }
    }
    (crashes, unknown)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_may_die_at_any_of_its_calls() {
    let wanted = std::env::var("CAUSEWAY_CRASH_IN").ok();
    let cases = CASES.iter().filter(|case| wanted.as_deref().is_none_or(|wanted| wanted == case.name));
    let crashed = join_all(cases.map(|case| async move {
        let (crashes, unknown) = die_in(case).await;
        println!("{}: {crashes} crashes, {unknown} of them unknown", case.name);
        crashes
    }));
    assert!(crashed.await.iter().sum::<usize>() > 0, "nothing crashed");
}
